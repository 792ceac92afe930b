//! subjectAltName and its names (RFC 5280 §4.2.1.6).

mod error;
mod text;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rasn::types::{Any, OctetString, SequenceOf};

use super::{Name, Oid, asn1, der};

pub use error::{AlternativeNameError, AlternativeNameFault};
pub(crate) use text::{hardware_module, text_of};

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
    /// The octets of each name in its distinguished form, once, sorted: what a set of names is compared by.
    sorted: Vec<Vec<u8>>,
}

impl GeneralNames {
    /// Reads the DER of GeneralNames; `None` when it is malformed or empty.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        Self::read(der).ok()
    }

    /// Reads the names that are asked for, and makes DER of them: directoryNames are put in order, and a name that is
    /// listed twice is listed once.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub(crate) fn requested(der: &[u8]) -> Result<Self, AlternativeNameError> {
        let read = Self::read(der)?;
        let mut distinguished: Vec<GeneralName> = Vec::with_capacity(read.names.len());
        for (index, name) in read.names.iter().enumerate() {
            let GeneralName::Directory(directory) = name else {
                distinguished.push(name.clone());
                continue;
            };
            let directory = Name::requested(directory.as_der()).map_err(|error| AlternativeNameError::Name {
                entry: index + 1,
                fault: AlternativeNameFault::Directory(error),
            })?;
            distinguished.push(GeneralName::Directory(directory));
        }
        if read.sorted.len() == distinguished.len() && distinguished == read.names {
            return Ok(read);
        }
        let mut left = read.sorted;
        distinguished.retain(|name| {
            let found = left.binary_search(&name.to_der());
            found.map(|index| left.remove(index)).is_ok()
        });
        Self::from_names(&distinguished).ok_or(AlternativeNameError::Empty)
    }

    fn read(der: &[u8]) -> Result<Self, AlternativeNameError> {
        let values: SequenceOf<Any> = asn1::decode(der)?;
        let mut names = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let at = |fault| AlternativeNameError::Name { entry: index + 1, fault };
            names.push(GeneralName::read(value.as_bytes()).map_err(at)?);
        }
        if names.is_empty() {
            return Err(AlternativeNameError::Empty);
        }
        let mut sorted: Vec<Vec<u8>> = names.iter().map(|name| name.sorted().to_der()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Ok(Self { der: der.to_vec(), names, sorted })
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

    /// Whether both hold the same names, in whatever order and however often.
    #[must_use]
    pub fn same_names(&self, other: &Self) -> bool {
        self.sorted == other.sorted
    }

    /// Whether `name` is one of them.
    #[must_use]
    pub fn contains(&self, name: &GeneralName) -> bool {
        self.sorted.binary_search(&name.sorted().to_der()).is_ok()
    }

    /// The octets of each name, sorted: equal for equal sets of names.
    pub(crate) fn sorted_octets(&self) -> impl Iterator<Item = &[u8]> {
        self.sorted.iter().map(Vec::as_slice)
    }
}

impl GeneralName {
    fn read(value: &[u8]) -> Result<Self, AlternativeNameFault> {
        use AlternativeNameFault::{Address, AsciiOnly, Directory, Kind, OtherName, RegisteredId};
        let contents = der::contents(value);
        let text = |kind| {
            let text = core::str::from_utf8(contents).ok().filter(|text| text.is_ascii());
            text.map(ToString::to_string).ok_or(AsciiOnly(kind))
        };
        match value.first().copied().unwrap_or_default() {
            0x81 => text("rfc822Name").map(Self::Rfc822),
            0x82 => text("dNSName").map(Self::Dns),
            0x86 => text("uniformResourceIdentifier").map(Self::Uri),
            0x87 => match (<[u8; 4]>::try_from(contents), <[u8; 16]>::try_from(contents)) {
                (Ok(octets), _) => Ok(Self::Ip(IpAddr::V4(Ipv4Addr::from(octets)))),
                (_, Ok(octets)) => Ok(Self::Ip(IpAddr::V6(Ipv6Addr::from(octets)))),
                (Err(_), Err(_)) => Err(Address {
                    octets: contents.len(),
                    text: core::str::from_utf8(contents).is_ok_and(|text| text.parse::<IpAddr>().is_ok()),
                }),
            },
            0xa4 => Name::parse(contents).map(Self::Directory).map_err(Directory),
            0xa0 if is_other_name(value) => Ok(Self::Other(value.to_vec())),
            0xa0 => Err(OtherName),
            0x88 if Oid::from_der(&retagged(value, 0x06)).is_some() => Ok(Self::Other(value.to_vec())),
            0x88 => Err(RegisteredId),
            0xa3 | 0xa5 => Ok(Self::Other(value.to_vec())),
            tag => Err(Kind(tag)),
        }
    }

    /// The same name with the attributes of a directoryName in the order of DER.
    fn sorted(&self) -> Cow<'_, Self> {
        if let Self::Directory(name) = self
            && name.has_joined_attributes()
        {
            return Cow::Owned(Self::Directory(name.sorted()));
        }
        Cow::Borrowed(self)
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
        assert!(of(&["a", "b", "a"]).same_names(&of(&["b", "a"])));
    }

    #[test]
    fn makes_der_of_the_names_that_are_asked_for() {
        let of = |texts: &[&str]| {
            let names: Vec<_> = texts.iter().filter_map(|text| GeneralName::from_text(text)).collect();
            GeneralNames::from_names(&names).expect("names")
        };
        for (asked, given) in
            [(&["a", "b"][..], &["a", "b"][..]), (&["b", "a", "b"], &["b", "a"]), (&["a", "a", "a"], &["a"])]
        {
            assert_eq!(GeneralNames::requested(of(asked).as_der()), Ok(of(given)), "{asked:?}");
        }
        // O before CN, in one RDN.
        let unsorted = b"\x30\x1a\xa4\x18\x30\x16\x31\x14\x30\x08\x06\x03\x55\x04\x0a\x0c\x01b\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";
        let read = GeneralNames::parse(unsorted).expect("names");
        let requested = GeneralNames::requested(unsorted).expect("names");
        assert_ne!(requested.as_der(), unsorted);
        assert!(der::check_distinguished(requested.as_der()).is_ok());
        assert!(requested.same_names(&read) && read.same_names(&requested));
    }

    #[test]
    fn refuses_values_that_contradict_their_kind() {
        for der in [&b"\x30\x00"[..], b"\x30\x05\x87\x03\x01\x02\x03", b"\x30\x03\x82\x01\xff", b"\x30\x02\x05\x00"] {
            assert_eq!(GeneralNames::parse(der), None);
        }
    }
}
