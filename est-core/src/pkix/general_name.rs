//! subjectAltName and its names (RFC 5280 §4.2.1.6).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rasn::types::{Any, OctetString, SequenceOf};

use super::{Name, Oid, asn1, der};

/// One name of a subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// rfc822Name.
    Rfc822(String),
    /// dNSName.
    Dns(String),
    /// directoryName.
    Directory(Name),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress of a host.
    Ip(IpAddr),
    /// otherName, registeredID, and the two forms that nobody uses, whose contents are not looked at: the whole value.
    Other(Vec<u8>),
}

/// A subjectAltName: its octets, and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralNames {
    der: Vec<u8>,
    names: Vec<GeneralName>,
    /// The octets of each name, sorted: what a set of names is compared by.
    sorted: Vec<Vec<u8>>,
}

impl GeneralNames {
    /// Reads the DER of GeneralNames; `None` when it is malformed or empty.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let values: SequenceOf<Any> = asn1::decode(der).ok()?;
        let names = values.iter().map(|value| GeneralName::read(value.as_bytes())).collect::<Option<Vec<_>>>()?;
        let mut sorted: Vec<Vec<u8>> = values.into_iter().map(Any::into_bytes).collect();
        sorted.sort_unstable();
        (!names.is_empty()).then(|| Self { der: der.to_vec(), names, sorted })
    }

    /// Encodes `names`; `None` when there are none.
    #[must_use]
    pub fn from_names(names: &[GeneralName]) -> Option<Self> {
        let values: SequenceOf<Any> = names.iter().map(|name| Any::new(name.to_der())).collect();
        Self::parse(&asn1::encode(&values))
    }

    /// The octets of the extension's value.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The names, in their order.
    #[must_use]
    pub fn names(&self) -> &[GeneralName] {
        &self.names
    }

    /// Whether both hold the same names, in whatever order.
    #[must_use]
    pub fn same_names(&self, other: &Self) -> bool {
        self.sorted == other.sorted
    }

    /// Whether a name stands there twice.
    #[must_use]
    pub fn has_duplicates(&self) -> bool {
        self.sorted.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The octets of each name, sorted: equal for equal sets of names.
    pub(crate) fn sorted_octets(&self) -> impl Iterator<Item = &[u8]> {
        self.sorted.iter().map(Vec::as_slice)
    }
}

impl GeneralName {
    /// `None` when the value contradicts its kind.
    fn read(value: &[u8]) -> Option<Self> {
        let contents = der::contents(value);
        let text = || core::str::from_utf8(contents).ok().filter(|text| text.is_ascii()).map(ToString::to_string);
        match value.first()? {
            0x81 => text().map(Self::Rfc822),
            0x82 => text().map(Self::Dns),
            0x86 => text().map(Self::Uri),
            0x87 => match contents.len() {
                4 => Some(Self::Ip(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(contents).ok()?)))),
                16 => Some(Self::Ip(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(contents).ok()?)))),
                _ => None,
            },
            0xa4 => Name::parse(contents).ok().map(Self::Directory),
            0xa0 if is_other_name(value) => Some(Self::Other(value.to_vec())),
            0x88 if Oid::from_der(&retagged(value, 0x06)).is_some() => Some(Self::Other(value.to_vec())),
            0xa3 | 0xa5 => Some(Self::Other(value.to_vec())),
            _ => None,
        }
    }

    /// The type and the value, DER, of an otherName.
    #[must_use]
    pub fn other_name(&self) -> Option<(Oid, Vec<u8>)> {
        let Self::Other(der) = self else { return None };
        if der.first() != Some(&0xa0) {
            return None;
        }
        let name: asn1::OtherName = asn1::decode_explicit(&retagged(der, 0x30), &[0x80]).ok()?;
        Some((Oid::from_der(name.id.as_bytes())?, name.value.into_bytes()))
    }

    /// Whether it is a registeredID.
    #[must_use]
    pub fn is_registered_id(&self) -> bool {
        matches!(self, Self::Other(der) if der.first() == Some(&0x88))
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let tagged = |tag: u8, contents: &[u8]| {
            let mut der = asn1::encode(&OctetString::from_slice(contents));
            der[0] = tag;
            der
        };
        match self {
            Self::Rfc822(text) => tagged(0x81, text.as_bytes()),
            Self::Dns(text) => tagged(0x82, text.as_bytes()),
            Self::Uri(text) => tagged(0x86, text.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => tagged(0x87, &address.octets()),
            Self::Ip(IpAddr::V6(address)) => tagged(0x87, &address.octets()),
            Self::Directory(name) => tagged(0xa4, name.as_der()),
            Self::Other(der) => der.clone(),
        }
    }

    /// Reads `DNS:name`, `IP:address`, `email:address` or `URI:uri`; without a prefix an address is an iPAddress and
    /// anything else a dNSName. `None` when an address does not parse, or text is not ASCII.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() || !text.is_ascii() {
            return None;
        }
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Some(Self::Dns(rest.to_string())),
            "ip" => rest.parse().ok().map(Self::Ip),
            "email" => Some(Self::Rfc822(rest.to_string())),
            "uri" => Some(Self::Uri(rest.to_string())),
            _ => Some(text.parse().map_or_else(|_| Self::Dns(text.to_string()), Self::Ip)),
        }
    }
}

/// The text of a UTF8String, PrintableString or IA5String, DER.
pub(crate) fn text_of(der: &[u8]) -> Option<String> {
    let is_text = matches!(der.first(), Some(0x0c | 0x13 | 0x16));
    core::str::from_utf8(der::contents(der)).ok().filter(|_| is_text).map(ToString::to_string)
}

fn is_other_name(value: &[u8]) -> bool {
    asn1::decode_explicit::<asn1::OtherName>(&retagged(value, 0x30), &[0x80])
        .is_ok_and(|name| Oid::from_der(name.id.as_bytes()).is_some())
}

/// The value with the tag that it would have without its IMPLICIT one.
fn retagged(value: &[u8], tag: u8) -> Vec<u8> {
    let mut value = value.to_vec();
    value[0] = tag;
    value
}

/// As OpenSSL prints it: `DNS:a.example`, `IP:192.0.2.1`.
impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rfc822(text) => write!(f, "email:{}", text.escape_default()),
            Self::Dns(text) => write!(f, "DNS:{}", text.escape_default()),
            Self::Uri(text) => write!(f, "URI:{}", text.escape_default()),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Directory(name) => write!(f, "dirName:{name}"),
            Self::Other(der) => {
                f.write_str("other:")?;
                der.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// The names, separated by commas.
impl fmt::Display for GeneralNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names.iter().enumerate() {
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
    fn reads_what_it_writes() {
        let texts = ["DNS:a.example", "IP:192.0.2.1", "IP:2001:db8::1", "email:a@example.org", "URI:urn:dev:1"];
        let names: Vec<_> = texts.iter().filter_map(|text| GeneralName::from_text(text)).collect();
        let names = GeneralNames::from_names(&names).expect("names");
        assert_eq!(names.to_string(), texts.join(", "));
        assert_eq!(GeneralName::from_text("192.0.2.1"), GeneralName::from_text("IP:192.0.2.1"));
        assert_eq!(GeneralName::from_text("localhost"), GeneralName::from_text("DNS:localhost"));
        assert_eq!(GeneralName::from_text("IP:nowhere"), None);
    }

    #[test]
    fn compares_names_as_a_set() {
        let of = |texts: &[&str]| {
            let names: Vec<_> = texts.iter().filter_map(|text| GeneralName::from_text(text)).collect();
            GeneralNames::from_names(&names).expect("names")
        };
        assert!(of(&["a", "b"]).same_names(&of(&["b", "a"])));
        assert!(!of(&["a", "b"]).same_names(&of(&["a"])));
        assert!(!of(&["a"]).same_names(&of(&["A"])));
        assert!(of(&["a", "b", "a"]).has_duplicates());
        assert!(!of(&["a", "b"]).has_duplicates());
    }

    #[test]
    fn refuses_values_that_contradict_their_kind() {
        for der in [&b"\x30\x00"[..], b"\x30\x05\x87\x03\x01\x02\x03", b"\x30\x03\x82\x01\xff", b"\x30\x02\x05\x00"] {
            assert_eq!(GeneralNames::parse(der), None);
        }
    }
}
