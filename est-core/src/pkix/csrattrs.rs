//! CsrAttrs (RFC 7030 §4.5.2, RFC 9908 §3).

mod key;
mod template;

use alloc::vec::Vec;
use core::fmt;

use rasn::types::{Any, SequenceOf, SetOf};

use super::{Oid, asn1};

pub use key::KeyRequirement;
pub use template::{CertificationRequestInfoTemplate, ExtensionTemplate, SingleAttributeTemplate};

pub(crate) use template::extension_request;

/// One element of a CsrAttrs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsrAttr {
    /// Something that a certification request should have: an attribute, an extension, a key or signature algorithm.
    Id(Oid),
    /// The same, with the values to choose from.
    Attribute {
        /// What it is about.
        id: Oid,
        /// The values, each DER.
        values: Vec<Vec<u8>>,
    },
}

impl CsrAttr {
    /// Reads one of the elements that [`read_csr_attrs`] returns; `None` when it is malformed.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        if let Some(id) = Oid::from_der(der) {
            return Some(Self::Id(id));
        }
        Self::of(asn1::decode(der).ok()?)
    }

    /// What it is about.
    #[must_use]
    pub fn id(&self) -> &Oid {
        match self {
            Self::Id(id) | Self::Attribute { id, .. } => id,
        }
    }

    fn of(attribute: asn1::Attribute) -> Option<Self> {
        let values = attribute.values.into_vec().into_iter().map(Any::into_bytes).collect();
        Some(Self::Attribute { id: Oid::from_der(attribute.id.as_bytes())?, values })
    }

    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Id(id) => id.as_der().to_vec(),
            Self::Attribute { id, values } => asn1::encode(&attribute(id, values)),
        }
    }
}

fn attribute(id: &Oid, values: &[Vec<u8>]) -> asn1::Attribute {
    let values = values.iter().cloned().map(Any::new).collect();
    asn1::Attribute { id: Any::new(id.as_der().to_vec()), values: SetOf::from_vec(values) }
}

/// Encodes a CsrAttrs.
#[must_use]
pub fn csr_attrs(elements: &[CsrAttr]) -> Vec<u8> {
    let elements: SequenceOf<Any> = elements.iter().map(|element| Any::new(element.to_der())).collect();
    asn1::encode(&elements)
}

/// Reads the elements of a CsrAttrs: each an object identifier or an Attribute, DER; `None` when it is malformed.
#[must_use]
pub fn read_csr_attrs(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let attributes: SequenceOf<Any> = asn1::decode(der).ok()?;
    let is_known = |value: &Any| matches!(value.as_bytes().first(), Some(0x06 | 0x30));
    attributes.iter().all(is_known).then(|| attributes.into_iter().map(Any::into_bytes).collect())
}

/// Why a CsrAttrs cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrAttrsError {
    /// An element is neither an object identifier nor an Attribute.
    Element,
    /// The template is not a CertificationRequestInfoTemplate of version v1.
    Template,
    /// An attribute stands there twice that may stand there once.
    Repeated(Oid),
    /// An attribute has not exactly one value.
    Values(Oid),
    /// The template has an extensionRequest and an extensionReqTemplate.
    BothExtensionRequests,
    /// A list of extensions is malformed or empty.
    Extensions,
    /// An extension stands there twice.
    DuplicateExtension(Oid),
    /// The subjectAltName is malformed.
    SubjectAltName,
}

impl fmt::Display for CsrAttrsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the CSR attributes cannot be followed: ")?;
        match self {
            Self::Element => f.write_str("an element is neither an object identifier nor an attribute"),
            Self::Template => f.write_str("the template is not a CertificationRequestInfoTemplate of version v1"),
            Self::Repeated(id) => write!(f, "the attribute {id} stands there twice (RFC 9908 §3.2, §3.4)"),
            Self::Values(id) => write!(f, "the attribute {id} has not exactly one value (RFC 9908 §3.2, §3.4)"),
            Self::BothExtensionRequests => {
                f.write_str("the template has both an extensionRequest and an extensionReqTemplate (RFC 9908 §3.4)")
            }
            Self::Extensions => f.write_str("a list of extensions is malformed or empty"),
            Self::DuplicateExtension(id) => write!(f, "the extension {id} stands there twice (RFC 9908 §3.2)"),
            Self::SubjectAltName => f.write_str("the subjectAltName is malformed"),
        }
    }
}

impl core::error::Error for CsrAttrsError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pkix::oid;

    #[test]
    fn reads_the_example_of_rfc_7030() {
        let id = |text| Oid::from_dotted(text).expect("an identifier");
        let elements = read_csr_attrs(
            b"\x30\x29\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\
            \x30\x12\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22\
            \x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
        )
        .expect("attributes");
        let attributes: Vec<_> = elements.iter().filter_map(|element| CsrAttr::parse(element)).collect();
        let curve = id("1.3.132.0.34").as_der().to_vec();
        assert_eq!(
            attributes,
            [
                CsrAttr::Id(oid::CHALLENGE_PASSWORD),
                CsrAttr::Attribute { id: id("1.2.840.10045.2.1"), values: alloc::vec![curve] },
                CsrAttr::Id(id("1.2.840.10045.4.3.3")),
            ]
        );
        assert_eq!(CsrAttr::parse(b"\x30\x00"), None);
    }
}
