//! Names as text (RFC 4514).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use rasn::types::{Any, SequenceOf, SetOf};

use super::attribute::{Form, KEYWORDS, keyword};
use super::{Name, NameError, Value};
use crate::is_hidden;
use crate::pkix::{Oid, asn1};

impl Name {
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
}

fn attribute_from_text(part: &str) -> Option<asn1::AttributeTypeAndValue> {
    let (keyword, value) = part.split_once('=')?;
    let (keyword, value) = (keyword.trim(), unescape(trim_unescaped(value))?);
    let id = match KEYWORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(keyword)) {
        Some((_, id)) => id.clone(),
        None => Oid::from_dotted(keyword)?,
    };
    let tag = Form::of(&id).written_as();
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
        } else if is_hidden(character) {
            let mut octets = [0; 4];
            character.encode_utf8(&mut octets).bytes().try_for_each(|octet| write!(f, "\\{octet:02X}"))?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}
