//! Names of a subjectAltName as text.

use alloc::string::{String, ToString};
use core::fmt::{self, Write};

use rasn::types::Any;

use super::{GeneralName, GeneralNames, retagged};
use crate::is_hidden;
use crate::pkix::string::StringType;
use crate::pkix::{Oid, asn1, der, oid};

impl GeneralName {
    /// Reads `DNS:name`, `IP:address`, `email:address`, `URI:uri`, `upn:name` or `smtp-utf8:address`; without a prefix an
    /// address is an iPAddress and anything else a dNSName. `None` when an address does not parse, or text is not ASCII
    /// where it must be.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        let kind = kind.to_ascii_lowercase();
        match kind.as_str() {
            "upn" if !rest.is_empty() => return Some(Self::of_utf8(&oid::UPN, rest)),
            "smtp-utf8" if !rest.is_empty() => return Some(Self::of_utf8(&oid::SMTP_UTF8_MAILBOX, rest)),
            _ if text.is_empty() || !text.is_ascii() => return None,
            _ => {}
        }
        match kind.as_str() {
            "dns" => Some(Self::Dns(rest.to_string())),
            "ip" => rest.parse().ok().map(Self::Ip),
            "email" => Some(Self::Rfc822(rest.to_string())),
            "uri" => Some(Self::Uri(rest.to_string())),
            _ => Some(text.parse().map_or_else(|_| Self::Dns(text.to_string()), Self::Ip)),
        }
    }

    /// An otherName whose value is UTF8String.
    fn of_utf8(id: &Oid, text: &str) -> Self {
        let value = Any::new(asn1::encode(&rasn::types::Utf8String::from(text)));
        let name = asn1::OtherName { id: Any::new(id.as_der().to_vec()), value };
        Self::Other(retagged(&asn1::encode(&name), 0xa0))
    }

    /// What an otherName or a registeredID says, without its kind: its text; of a hardwareModuleName the type and the
    /// serial number, separated by a colon; octets that are not text in hexadecimal after `#`.
    pub(crate) fn other_text(&self) -> Option<String> {
        let Self::Other(der) = self else { return None };
        if self.is_registered_id() {
            return Oid::from_der(&retagged(der, 0x06)).map(|id| id.to_string());
        }
        let (id, value) = self.other_name()?;
        if id == oid::HARDWARE_MODULE_NAME
            && let Some((hw_type, serial)) = hardware_module(&value)
        {
            return Some(alloc::format!("{hw_type}:{}", of_octets(serial)));
        }
        Some(text_of(&value).unwrap_or_else(|| in_hexadecimal(&value)))
    }
}

/// The text of a value in any string type, DER.
pub(crate) fn text_of(der: &[u8]) -> Option<String> {
    StringType::of(*der.first()?)?.text(der::contents(der))
}

/// SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING } (RFC 4108 §5).
pub(crate) fn hardware_module(value: &[u8]) -> Option<(Oid, &[u8])> {
    if value.first() != Some(&0x30) {
        return None;
    }
    let mut parts = der::parts(der::contents(value));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(hw_type), Some(serial), None) if serial.first() == Some(&0x04) => {
            Some((Oid::from_der(hw_type)?, der::contents(serial)))
        }
        _ => None,
    }
}

/// Text where all octets are letters, digits and punctuation, as most serial numbers are.
fn of_octets(octets: &[u8]) -> String {
    let is_text = !octets.is_empty() && octets[0] != b'#' && octets.iter().all(u8::is_ascii_graphic);
    core::str::from_utf8(octets).ok().filter(|_| is_text).map_or_else(|| in_hexadecimal(octets), ToString::to_string)
}

fn in_hexadecimal(octets: &[u8]) -> String {
    let mut text = String::from("#");
    octets.iter().for_each(|octet| write!(text, "{octet:02x}").expect("text takes more text"));
    text
}

/// `DNS:a.example`, `IP:192.0.2.1` as OpenSSL prints them; otherNames by the kinds that configurations know, `upn:`,
/// `hardware:`, `smtp-utf8:`, or by their identifier, `1.2.3.4:`.
impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rfc822(text) => {
                f.write_str("email:")?;
                write_apart(f, text)
            }
            Self::Dns(text) => write!(f, "DNS:{}", text.escape_default()),
            Self::Uri(text) => write!(f, "URI:{}", text.escape_default()),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Directory(name) => write!(f, "dirName:{name}"),
            Self::Other(der) => {
                let Some(text) = self.other_text() else {
                    return write!(f, "other:{}", &in_hexadecimal(der)[1..]);
                };
                match self.other_name() {
                    Some((id, _)) if id == oid::UPN => f.write_str("upn:")?,
                    Some((id, _)) if id == oid::HARDWARE_MODULE_NAME => f.write_str("hardware:")?,
                    Some((id, _)) if id == oid::SMTP_UTF8_MAILBOX => f.write_str("smtp-utf8:")?,
                    Some((id, _)) => write!(f, "{id}:")?,
                    None => f.write_str("rid:")?,
                }
                write_apart(f, &text)
            }
        }
    }
}

/// Writes text so that it can neither pass for several names of a list nor read as something else than it is.
fn write_apart(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| match character {
        ',' => f.write_str("\\u{2c}"),
        '\\' => f.write_str("\\\\"),
        _ if is_hidden(character) => write!(f, "{}", character.escape_default()),
        _ => f.write_char(character),
    })
}

/// The names, separated by commas.
impl fmt::Display for GeneralNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_other_names_as_people_know_them() {
        for text in ["upn:mia@corp.example", "smtp-utf8:zoë@example.org", "upn:Zoë"] {
            assert_eq!(GeneralName::from_text(text).expect("a name").to_string(), text);
        }
        let other = |contents: &[u8]| {
            let mut der = alloc::vec![];
            der::push(&mut der, 0xa0, &[contents]);
            GeneralName::read(&der).expect("a name").to_string()
        };
        let hardware = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04\xa0";
        for (contents, text) in [
            ([&hardware[..], b"\x0b\x30\x09\x06\x03\x2a\x03\x04\x04\x02X7"].concat(), "hardware:1.2.3.4:X7"),
            ([&hardware[..], b"\x0b\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x00\x07"].concat(), "hardware:1.2.3.4:#0007"),
            ([&hardware[..], b"\x04\x0c\x02X7"].concat(), "hardware:X7"),
            (b"\x06\x03\x2a\x03\x04\xa0\x04\x16\x02ab".to_vec(), "1.2.3.4:ab"),
            (b"\x06\x03\x2a\x03\x04\xa0\x03\x02\x01\x05".to_vec(), "1.2.3.4:#020105"),
        ] {
            assert_eq!(other(&contents), text);
        }
        let rid = GeneralName::read(b"\x88\x03\x2a\x03\x04").expect("a name");
        assert_eq!(rid.to_string(), "rid:1.2.3.4");
    }

    #[test]
    fn keeps_one_name_from_reading_as_two() {
        let upn = GeneralName::from_text("upn:a, DNS:b\\\u{202e}").expect("a name");
        assert_eq!(upn.to_string(), "upn:a\\u{2c} DNS:b\\\\\\u{202e}");
    }
}
