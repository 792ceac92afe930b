//! CsrAttrs (RFC 7030 §4.5.2, RFC 9908 §3.1).

use alloc::vec::Vec;

use rasn::types::{Any, SequenceOf};

use super::{Oid, asn1, oid};

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
        let attribute: asn1::Attribute = asn1::decode(der).ok()?;
        let values = attribute.values.into_vec().into_iter().map(Any::into_bytes).collect();
        Some(Self::Attribute { id: Oid::from_der(attribute.id.as_bytes())?, values })
    }
}

/// Encodes a list of object identifiers.
#[must_use]
pub fn csr_attrs(attributes: &[Oid]) -> Vec<u8> {
    let attributes: SequenceOf<Any> = attributes.iter().map(|id| Any::new(id.as_der().to_vec())).collect();
    asn1::encode(&attributes)
}

/// Puts what links a request to its connection in front of a CsrAttrs of ours, which may be empty; what is listed
/// already stays where it is.
pub(crate) fn link_in_csr_attrs(attributes: &[u8]) -> Vec<u8> {
    let listed = read_csr_attrs(attributes).unwrap_or_default();
    let links = [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING].map(|id| id.as_der().to_vec());
    let missing = links.into_iter().filter(|link| !listed.contains(link)).collect::<Vec<_>>();
    asn1::encode(&missing.into_iter().chain(listed).map(Any::new).collect::<SequenceOf<Any>>())
}

/// Reads the elements of a CsrAttrs: each an object identifier or an Attribute, DER; `None` when it is malformed.
#[must_use]
pub fn read_csr_attrs(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let attributes: SequenceOf<Any> = asn1::decode(der).ok()?;
    let is_known = |value: &Any| matches!(value.as_bytes().first(), Some(0x06 | 0x30));
    attributes.iter().all(is_known).then(|| attributes.into_iter().map(Any::into_bytes).collect())
}

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
