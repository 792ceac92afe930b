//! Distinguished names (RFC 5280 §4.1.2.4), kept as their octets.

mod matching;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use rasn::types::{Any, SequenceOf, SetOf};

use super::{Oid, asn1, der, oid};

/// A name with more attributes than this is refused.
const MAX_ATTRIBUTES: usize = 64;

/// A distinguished name. Two are equal when their octets are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Vec<u8>,
    attributes: Vec<NameAttribute>,
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct NameAttribute {
    id: Oid,
    value: Value,
    /// Whether it shares its RDN with the attribute before it.
    joined: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    /// A string type of RFC 5280, with text that belongs in it.
    Text(StringType, String),
    /// Anything else, as its DER.
    Other(Vec<u8>),
}

/// The string types that new names may use (RFC 5280 §4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum StringType {
    Utf8,
    Printable,
    Ia5,
}

/// Why a name is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Not a Name.
    Malformed,
    /// More attributes than any real name has.
    TooLong,
    /// A value that is not text in a string type of RFC 5280 §4.1.2.4.
    NotText(Oid),
    /// A value in another string type than RFC 5280 gives its attribute.
    StringType(Oid),
    /// A value that begins or ends with a space.
    Spaces(Oid),
    /// A value that is empty.
    Empty(Oid),
    /// A value with a control character in it, or with one that turns text around for whoever reads it.
    ControlCharacter(Oid),
    /// A value longer than RFC 5280 allows, or a country that has not two letters.
    Length(Oid),
    /// Text from which no name can be made, and the part that stands in the way.
    Text(String),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the name is malformed"),
            Self::TooLong => write!(f, "the name has more than {MAX_ATTRIBUTES} attributes"),
            Self::NotText(id) => write!(f, "the name's {} is not in a string type of RFC 5280", keyword(id)),
            Self::StringType(id) => write!(
                f,
                "the name's {} is not in the string type that RFC 5280 gives it, {}",
                keyword(id),
                fitting_types(id)
            ),
            Self::Spaces(id) => write!(f, "the name's {} begins or ends with a space", keyword(id)),
            Self::Empty(id) => write!(f, "the name's {} is empty", keyword(id)),
            Self::ControlCharacter(id) => write!(f, "the name's {} has a control character in it", keyword(id)),
            Self::Length(id) if *id == oid::COUNTRY => f.write_str("the name's C is not two letters"),
            Self::Length(id) => write!(f, "the name's {} has a length that RFC 5280 does not allow", keyword(id)),
            Self::Text(part) => write!(f, "`{part}` is not an attribute of a name: write CN=device-1,O=Example"),
        }
    }
}

impl core::error::Error for NameError {}

/// The keywords of RFC 4514 §3 and the further ones that OpenSSL prints.
const KEYWORDS: [(&str, Oid); 15] = [
    ("CN", oid::COMMON_NAME),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("C", oid::COUNTRY),
    ("L", oid::LOCALITY),
    ("ST", oid::STATE),
    ("STREET", oid::STREET),
    ("DC", oid::DOMAIN_COMPONENT),
    ("UID", oid::USER_ID),
    ("serialNumber", oid::SERIAL_NUMBER),
    ("SN", oid::SURNAME),
    ("GN", oid::GIVEN_NAME),
    ("title", oid::TITLE),
    ("dnQualifier", oid::DN_QUALIFIER),
    ("emailAddress", oid::EMAIL_ADDRESS),
];

/// Upper bounds in characters (RFC 5280 Appendix A.1).
const UPPER_BOUNDS: [(Oid, usize); 8] = [
    (oid::COMMON_NAME, 64),
    (oid::ORGANIZATION, 64),
    (oid::ORGANIZATIONAL_UNIT, 64),
    (oid::LOCALITY, 128),
    (oid::STATE, 128),
    (oid::TITLE, 64),
    (oid::SERIAL_NUMBER, 64),
    (oid::EMAIL_ADDRESS, 255),
];

/// Those whose values are PrintableString, and those whose are IA5String (RFC 5280, appendix A.1).
const PRINTABLE: [Oid; 3] = [oid::COUNTRY, oid::SERIAL_NUMBER, oid::DN_QUALIFIER];
const IA5: [Oid; 2] = [oid::EMAIL_ADDRESS, oid::DOMAIN_COMPONENT];

fn fits(string_type: StringType, id: &Oid) -> bool {
    match string_type {
        StringType::Printable => !IA5.contains(id),
        StringType::Ia5 => IA5.contains(id),
        StringType::Utf8 => !IA5.contains(id) && !PRINTABLE.contains(id),
    }
}

fn fitting_types(id: &Oid) -> &'static str {
    if PRINTABLE.contains(id) {
        "PrintableString"
    } else if IA5.contains(id) {
        "IA5String"
    } else {
        "PrintableString or UTF8String"
    }
}

/// What people call an attribute type: `CN`, or the dotted form of one without a keyword.
pub(crate) fn keyword(id: &Oid) -> String {
    match KEYWORDS.iter().find(|(_, known)| known == id) {
        Some((keyword, _)) => (*keyword).to_string(),
        None => id.to_string(),
    }
}

impl Name {
    /// Reads the DER of a Name, whatever its values are.
    ///
    /// # Errors
    /// [`NameError::Malformed`], [`NameError::TooLong`].
    pub fn parse(der: &[u8]) -> Result<Self, NameError> {
        let rdns: SequenceOf<SetOf<asn1::AttributeTypeAndValue>> =
            asn1::decode(der).map_err(|_| NameError::Malformed)?;
        let mut attributes = Vec::with_capacity(rdns.len().min(MAX_ATTRIBUTES));
        for rdn in &rdns {
            if rdn.is_empty() {
                return Err(NameError::Malformed);
            }
            for (index, attribute) in rdn.iter().enumerate() {
                if attributes.len() == MAX_ATTRIBUTES {
                    return Err(NameError::TooLong);
                }
                attributes.push(NameAttribute {
                    id: Oid::from_der(attribute.id.as_bytes()).ok_or(NameError::Malformed)?,
                    value: Value::read(attribute.value.as_bytes()),
                    joined: index > 0,
                });
            }
        }
        Ok(Self { der: der.to_vec(), attributes })
    }

    /// Checks that every value is text of RFC 5280 §4.1.2.4: in the string type of its attribute, whose contents fit
    /// it, not empty, no longer than it may be, without spaces around it, and without control characters or those that
    /// change the direction of writing.
    ///
    /// # Errors
    /// [`NameError`], naming the first attribute that is not.
    pub fn check_text(&self) -> Result<(), NameError> {
        for NameAttribute { id, value, .. } in &self.attributes {
            match value {
                Value::Other(_) => return Err(NameError::NotText(id.clone())),
                Value::Text(_, text) if text.is_empty() => return Err(NameError::Empty(id.clone())),
                Value::Text(_, text) if text.chars().any(is_treacherous) => {
                    return Err(NameError::ControlCharacter(id.clone()));
                }
                Value::Text(_, text) if text.trim() != text => return Err(NameError::Spaces(id.clone())),
                Value::Text(_, text) if !has_fitting_length(id, text) => return Err(NameError::Length(id.clone())),
                Value::Text(string_type, _) if !fits(*string_type, id) => {
                    return Err(NameError::StringType(id.clone()));
                }
                Value::Text(..) => {}
            }
        }
        Ok(())
    }

    /// Makes a name from RFC 4514 text: `CN=device-1,O=Example`; the empty text makes the empty name.
    ///
    /// Also takes OpenSSL's `/O=Example/CN=device-1`. Countries and serial numbers become PrintableString, domain
    /// components and addresses IA5String, everything else UTF8String.
    ///
    /// # Errors
    /// [`NameError::Text`] with the part that is no attribute.
    pub fn from_text(text: &str) -> Result<Self, NameError> {
        let mut parts = if let Some(rest) = text.strip_prefix('/') {
            rest.split('/').map(ToString::to_string).collect()
        } else if text.trim().is_empty() {
            Vec::new()
        } else {
            let mut parts = split_unescaped(text);
            parts.reverse();
            parts
        };
        let rdns = parts.drain(..).map(|part| {
            attribute_from_text(&part)
                .map(|attribute| SetOf::from_vec(alloc::vec![attribute]))
                .ok_or(NameError::Text(part))
        });
        let rdns = rdns.collect::<Result<SequenceOf<_>, _>>()?;
        Self::parse(&asn1::encode(&rdns))
    }

    /// The name with this attribute, its value DER, in an RDN at its end, unless it has it already.
    ///
    /// # Panics
    /// Never: what is added to a name leaves a name. One with as many attributes as a name may have stays as it is.
    #[must_use]
    pub fn with(&self, id: &Oid, value: &[u8]) -> Self {
        let attribute = NameAttribute { id: id.clone(), value: Value::read(value), joined: false };
        let is_there = |known: &NameAttribute| known.id == attribute.id && known.value == attribute.value;
        if self.attributes.iter().any(is_there) || self.attributes.len() == MAX_ATTRIBUTES {
            return self.clone();
        }
        let mut rdns: SequenceOf<Any> = asn1::decode(&self.der).expect("a name is a sequence");
        let added = asn1::AttributeTypeAndValue { id: Any::new(id.as_der().to_vec()), value: Any::new(value.to_vec()) };
        rdns.push(Any::new(asn1::encode(&SetOf::from_vec(alloc::vec![added]))));
        let mut attributes = self.attributes.clone();
        attributes.push(attribute);
        Self { der: asn1::encode(&rdns), attributes }
    }

    /// The octets of the Name.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it has no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The last commonName, which is the most specific one.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.attributes
            .iter()
            .rev()
            .filter(|attribute| attribute.id == oid::COMMON_NAME)
            .find_map(|attribute| attribute.text())
    }

    /// Its attributes in their order: the type, and the value if it is text.
    pub fn attributes(&self) -> impl Iterator<Item = (&Oid, Option<&str>)> {
        self.attributes.iter().map(|attribute| (&attribute.id, attribute.text()))
    }

    /// Whether an RDN has more than one attribute.
    #[must_use]
    pub fn has_joined_attributes(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.joined)
    }
}

impl NameAttribute {
    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(_, text) => Some(text),
            Value::Other(_) => None,
        }
    }
}

impl Value {
    fn read(der: &[u8]) -> Self {
        let contents = der::contents(der);
        let (string_type, fits) = match der.first() {
            Some(0x0c) => (StringType::Utf8, true),
            Some(0x13) => (StringType::Printable, contents.iter().all(|octet| is_printable(*octet))),
            Some(0x16) => (StringType::Ia5, contents.is_ascii()),
            _ => (StringType::Utf8, false),
        };
        match core::str::from_utf8(contents) {
            Ok(text) if fits => Self::Text(string_type, text.to_string()),
            Ok(_) | Err(_) => Self::Other(der.to_vec()),
        }
    }
}

/// Control characters, line separators, and what overrides or isolates the direction of writing (UAX #9): with these,
/// text reads as something else than it is.
pub(crate) fn is_treacherous(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn has_fitting_length(id: &Oid, text: &str) -> bool {
    if *id == oid::COUNTRY {
        // A code of ISO 3166-1 alpha-2 (X.520 §6.3.1).
        return text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_alphabetic());
    }
    let bound = UPPER_BOUNDS.iter().find(|(known, _)| known == id).map(|(_, bound)| *bound);
    bound.is_none_or(|bound| text.chars().count() <= bound)
}

/// The PrintableString alphabet (X.680 §41.4).
fn is_printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

fn attribute_from_text(part: &str) -> Option<asn1::AttributeTypeAndValue> {
    let (keyword, value) = part.split_once('=')?;
    let (keyword, value) = (keyword.trim(), unescape(trim_unescaped(value))?);
    let id = match KEYWORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(keyword)) {
        Some((_, id)) => id.clone(),
        None => Oid::from_dotted(keyword)?,
    };
    let tag = if PRINTABLE.contains(&id) {
        0x13
    } else if IA5.contains(&id) {
        0x16
    } else {
        0x0c
    };
    let mut der = asn1::encode(&rasn::types::OctetString::from_slice(value.as_bytes()));
    *der.first_mut()? = tag;
    let fits = matches!(Value::read(&der), Value::Text(_, text) if !text.is_empty());
    fits.then(|| asn1::AttributeTypeAndValue { id: Any::new(id.as_der().to_vec()), value: Any::new(der) })
}

/// Splits at commas that no backslash protects.
fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = alloc::vec![String::new()];
    let mut escaped = false;
    for character in text.chars() {
        if character == ',' && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    parts
}

/// Trims blanks, but for a last one that a backslash protects.
fn trim_unescaped(text: &str) -> &str {
    let text = text.trim_start();
    let trimmed = text.trim_end();
    let kept = if trimmed.ends_with('\\') && trimmed.len() < text.len() { trimmed.len() + 1 } else { trimmed.len() };
    &text[..kept]
}

/// Undoes RFC 4514 §2.4 escapes: a backslash before a special character, or before two hexadecimal digits.
fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        let (unescaped, after) = match (octet, tail) {
            (b'\\', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |octet: u8| char::from(octet).to_digit(16);
                (u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?, after)
            }
            (b'\\', [special, after @ ..]) => (*special, after),
            (b'\\', []) => return None,
            _ => (octet, tail),
        };
        octets.push(unescaped);
        rest = after;
    }
    String::from_utf8(octets).ok()
}

/// RFC 4514: the last RDN first. `{:#}` writes a comma or plus sign within a value as `\2C` and `\2B`, so that one in
/// clear always separates attributes.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut end = self.attributes.len();
        while let Some(start) = self.attributes[..end].iter().rposition(|attribute| !attribute.joined) {
            if end < self.attributes.len() {
                f.write_char(',')?;
            }
            for (index, attribute) in self.attributes[start..end].iter().enumerate() {
                let plus = if index == 0 { "" } else { "+" };
                write!(f, "{plus}{}=", keyword(&attribute.id))?;
                match &attribute.value {
                    Value::Text(_, text) => write_escaped(f, text)?,
                    Value::Other(der) => {
                        f.write_char('#')?;
                        der.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                    }
                }
            }
            end = start;
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        let at_edge = character == ' ' && (index == 0 || index == last) || character == '#' && index == 0;
        if f.alternate() && matches!(character, ',' | '+') {
            write!(f, "\\{:02X}", u32::from(character))?;
        } else if at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            f.write_char('\\')?;
            f.write_char(character)?;
        } else if is_treacherous(character) {
            let mut octets = [0; 4];
            character.encode_utf8(&mut octets).bytes().try_for_each(|octet| write!(f, "\\{octet:02X}"))?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_4514_text() {
        for text in ["", "CN=device-1", "CN=a,O=Example,C=DE", "CN=a\\,b\\+c,O=\\ x\\ ", "1.2.3.4=x", "CN=Zoë"] {
            assert_eq!(Name::from_text(text).map(|name| name.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn reads_what_openssl_calls_a_subject() {
        let name = Name::from_text("/C=DE/O=Example/CN=a").expect("a name");
        assert_eq!(name.to_string(), "CN=a,O=Example,C=DE");
        assert_eq!(name.common_name(), Some("a"));
    }

    #[test]
    fn names_the_part_that_is_no_attribute() {
        for (text, part) in [("CN", "CN"), ("CN=a,X=b", "X=b"), ("CN=", "CN="), ("C=D*", "C=D*"), ("CN=\\", "CN=\\")] {
            assert_eq!(Name::from_text(text), Err(NameError::Text(part.to_string())), "{text}");
        }
    }

    #[test]
    fn finds_values_that_are_no_text() {
        let with_value = |value: &[u8]| {
            let mut der = alloc::vec![0x30, 0, 0x31, 0, 0x30, 0, 0x06, 0x03, 0x55, 0x04, 0x03];
            der.extend_from_slice(value);
            let length = u8::try_from(value.len()).expect("short");
            (der[1], der[3], der[5]) = (length + 9, length + 7, length + 5);
            Name::parse(&der).expect("a name").check_text()
        };
        assert_eq!(with_value(b"\x0c\x01a"), Ok(()));
        assert_eq!(with_value(b"\x0c\x00"), Err(NameError::Empty(oid::COMMON_NAME)));
        assert_eq!(with_value(b"\x0c\x02a\0"), Err(NameError::ControlCharacter(oid::COMMON_NAME)));
        assert_eq!(with_value("\x0c\x04a\u{202e}".as_bytes()), Err(NameError::ControlCharacter(oid::COMMON_NAME)));
        let long = |octets: u8| [&[0x0c, octets][..], &alloc::vec![b'a'; usize::from(octets)]].concat();
        assert_eq!(with_value(&long(64)), Ok(()));
        assert_eq!(with_value(&long(65)), Err(NameError::Length(oid::COMMON_NAME)));
        assert_eq!(with_value(b"\x0c\x01\xff"), Err(NameError::NotText(oid::COMMON_NAME)));
        assert_eq!(with_value(b"\x13\x01*"), Err(NameError::NotText(oid::COMMON_NAME)));
        assert_eq!(with_value(b"\x14\x01a"), Err(NameError::NotText(oid::COMMON_NAME)));
        assert_eq!(with_value(b"\x02\x01\x05"), Err(NameError::NotText(oid::COMMON_NAME)));
    }
}
