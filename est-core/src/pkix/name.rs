//! Distinguished names (RFC 5280 §4.1.2.4), kept as their octets.

mod attribute;
mod difference;
mod error;
mod matching;
mod text;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rasn::types::{Any, SequenceOf, SetOf};

use super::string::StringType;
use super::{Oid, asn1, der, oid};
use crate::is_hidden;

use attribute::{Form, has_fitting_length};

pub(crate) use attribute::keyword;
pub use error::NameError;

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
    /// A string type, with text that belongs in it.
    Text(StringType, String),
    /// Anything else, as its DER.
    Other(Vec<u8>),
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

    /// Reads a name that is asked for, and makes DER of it: the attributes of an RDN are a SET OF, which many clients
    /// leave unsorted (X.690 §11.6).
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`NameError::TypeTwice`].
    pub(crate) fn requested(der: &[u8]) -> Result<Self, NameError> {
        let name = Self::parse(der)?;
        for rdn in name.attributes.chunk_by(|_, next| next.joined) {
            let mut ids: Vec<&Oid> = rdn.iter().map(|attribute| &attribute.id).collect();
            ids.sort_unstable();
            if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(NameError::TypeTwice(pair[0].clone()));
            }
        }
        Ok(name.sorted())
    }

    /// Checks that every value is DER, whatever its attribute is.
    ///
    /// # Errors
    /// [`NameError::NotText`], [`NameError::Character`], naming the first attribute whose value is not.
    pub(crate) fn check_der(&self) -> Result<(), NameError> {
        let is_der = |value: &Value| match value {
            Value::Text(..) => true,
            Value::Other(der) => der::check_distinguished(der).is_ok(),
        };
        match self.attributes.iter().find(|attribute| !is_der(&attribute.value)) {
            Some(NameAttribute { id, value, .. }) => Err(value.fault(id)),
            None => Ok(()),
        }
    }

    /// The same name with the attributes of each RDN in the order of DER.
    #[must_use]
    pub fn sorted(&self) -> Self {
        if !self.has_joined_attributes() {
            return self.clone();
        }
        let mut rdns = Vec::new();
        for rdn in der::parts(der::contents(&self.der)) {
            let mut attributes: Vec<&[u8]> = der::parts(der::contents(rdn)).collect();
            attributes.sort_unstable();
            der::push(&mut rdns, 0x31, &attributes);
        }
        let mut der = Vec::with_capacity(self.der.len());
        der::push(&mut der, 0x30, &[&rdns]);
        Self::parse(&der).expect("a name whose parts were put into another order")
    }

    /// Whether both have the same RDNs, each with the same attributes in whatever order.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self == other || self.has_joined_attributes() && self.sorted() == other.sorted()
    }

    /// Checks that every value is what its attribute's definition says: text of a fitting string type, not empty, no
    /// longer than it may be, without spaces around it, and without hidden characters
    /// ([`is_hidden`]) (RFC 5280 §4.1.2.4 and Appendix A.1, RFC 2985 §5.2, RFC 4519, RFC 4524, X.520).
    ///
    /// # Errors
    /// [`NameError`], naming the first attribute that is not.
    pub fn check_text(&self) -> Result<(), NameError> {
        self.attributes.iter().try_for_each(|NameAttribute { id, value, .. }| value.check(id))
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

    /// Checks that no value has a hidden character ([`is_hidden`]), whatever its type and length are.
    ///
    /// # Errors
    /// [`NameError::ControlCharacter`], naming the first attribute that has one.
    pub fn check_visible(&self) -> Result<(), NameError> {
        let hides = |attribute: &&NameAttribute| attribute.text().is_some_and(|text| text.contains(is_hidden));
        match self.attributes.iter().find(hides) {
            Some(attribute) => Err(NameError::ControlCharacter(attribute.id.clone())),
            None => Ok(()),
        }
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
        let string_type = der.first().and_then(|tag| StringType::of(*tag));
        let text = string_type.and_then(|string_type| Some((string_type, string_type.text(der::contents(der))?)));
        match text {
            Some((string_type, text)) => Self::Text(string_type, text),
            None => Self::Other(der.to_vec()),
        }
    }

    /// Whether it may be the value of such an attribute in a new name.
    fn check(&self, id: &Oid) -> Result<(), NameError> {
        let form = Form::of(id);
        match self {
            Self::Other(der) if form == Form::Bits && der.first() == Some(&0x03) => Ok(()),
            Self::Other(der) if form == Form::Time && der.first() == Some(&0x18) => {
                let is_time = der::is_generalized_time(der::contents(der));
                if is_time { Ok(()) } else { Err(self.fault(id)) }
            }
            Self::Other(_) => Err(self.fault(id)),
            Self::Text(_, text) if text.is_empty() => Err(NameError::Empty(id.clone())),
            Self::Text(_, text) if text.contains(is_hidden) => Err(NameError::ControlCharacter(id.clone())),
            Self::Text(_, text) if text.trim() != text => Err(NameError::Spaces(id.clone())),
            Self::Text(_, text) if !has_fitting_length(id, text) => Err(NameError::Length(id.clone())),
            Self::Text(found, _) if !form.takes(*found) => Err(NameError::StringType { id: id.clone(), found: *found }),
            Self::Text(..) => Ok(()),
        }
    }

    /// Why it is not text.
    fn fault(&self, id: &Oid) -> NameError {
        let Self::Other(der) = self else { return NameError::NotText(id.clone()) };
        let string_type = der.first().and_then(|tag| StringType::of(*tag));
        let foreign =
            string_type.and_then(|string_type| Some((string_type, string_type.foreign_character(der::contents(der))?)));
        match foreign {
            Some((string_type, character)) => NameError::Character { id: id.clone(), string_type, character },
            None => NameError::NotText(id.clone()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

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
        let (id, string_type) = (oid::COMMON_NAME, StringType::Printable);
        assert_eq!(with_value(b"\x13\x01*"), Err(NameError::Character { id, string_type, character: '*' }));
        let (id, found) = (oid::COMMON_NAME, StringType::Teletex);
        assert_eq!(with_value(b"\x14\x01a"), Err(NameError::StringType { id, found }));
        assert_eq!(with_value(b"\x02\x01\x05"), Err(NameError::NotText(oid::COMMON_NAME)));
    }

    #[test]
    fn takes_each_attribute_in_the_types_of_its_definition() {
        let check = |id: &Oid, value: &[u8]| Value::read(value).check(id);
        let private = Oid::from_dotted("1.3.6.1.4.1.99999.7").expect("an identifier");
        for (id, value) in [
            (&oid::UNSTRUCTURED_NAME, &b"\x16\x01a"[..]),
            (&oid::UNSTRUCTURED_NAME, b"\x0c\x01a"),
            (&oid::UNSTRUCTURED_ADDRESS, b"\x13\x01a"),
            (&oid::MAIL, b"\x16\x03a@b"),
            (&oid::UNIQUE_IDENTIFIER, b"\x03\x02\x00\x05"),
            (&oid::X121_ADDRESS, b"\x12\x031 2"),
            (&oid::DATE_OF_BIRTH, b"\x18\x0f20261121093000Z"),
            (&private, b"\x16\x03a_b"),
            (&private, b"\x1e\x02\x00a"),
            (&private, b"\x1a\x01~"),
            (&private, b"\x14\x01\xeb"),
        ] {
            let taken = check(id, value);
            assert_eq!(taken, Ok(()), "{id} {value:02x?}");
        }
        for (id, value) in [
            (&oid::COMMON_NAME, &b"\x16\x01a"[..]),
            (&oid::COUNTRY, b"\x0c\x02DE"),
            (&oid::MAIL, b"\x0c\x03a@b"),
            (&oid::UNIQUE_IDENTIFIER, b"\x0c\x01a"),
            (&oid::COMMON_NAME, b"\x03\x02\x00\x05"),
            (&oid::DATE_OF_BIRTH, b"\x18\x0d202611210930Z"),
            (&private, b"\x16\x01\x80"),
            (&private, b"\x1b\x01a"),
            (&private, b"\x05\x00"),
            (&private, b"\x0c\x01\x07"),
        ] {
            assert!(check(id, value).is_err(), "{id} {value:02x?}");
        }
    }

    #[test]
    fn sorts_the_attributes_of_each_rdn() {
        let cn = b"\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";
        let org = b"\x30\x08\x06\x03\x55\x04\x0a\x0c\x01b";
        let of = |attributes: &[&[u8]]| {
            let (mut rdn, mut name) = (Vec::new(), Vec::new());
            der::push(&mut rdn, 0x31, attributes);
            der::push(&mut name, 0x30, &[&rdn]);
            name
        };
        let (sorted, unsorted) = (of(&[cn, org]), of(&[org, cn]));
        assert_eq!(Name::requested(&unsorted).expect("a name").as_der(), sorted);
        assert_eq!(Name::requested(&sorted).expect("a name").as_der(), sorted);
        let (sorted, unsorted) = (Name::parse(&sorted).expect("a name"), Name::parse(&unsorted).expect("a name"));
        assert!(sorted != unsorted && sorted.is_same_as(&unsorted) && unsorted.is_same_as(&sorted));
        let twice = of(&[cn, b"\x30\x08\x06\x03\x55\x04\x03\x0c\x01b"]);
        assert_eq!(Name::requested(&twice), Err(NameError::TypeTwice(oid::COMMON_NAME)));
        assert!(Name::parse(&twice).is_ok());
    }
}
