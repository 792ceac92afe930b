//! CsrAttrs (RFC 7030 §4.5.2, RFC 9908 §3.1).

use alloc::vec::Vec;

use rasn::types::{Any, SequenceOf};

use super::{Oid, asn1};

/// Encodes a list of object identifiers.
#[must_use]
pub fn csr_attrs(attributes: &[Oid]) -> Vec<u8> {
    let attributes: SequenceOf<Any> = attributes.iter().map(|id| Any::new(id.as_der().to_vec())).collect();
    asn1::encode(&attributes)
}

/// Reads the elements of a CsrAttrs: each an object identifier or an Attribute, DER; `None` when it is malformed.
#[must_use]
pub fn read_csr_attrs(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let attributes: SequenceOf<Any> = asn1::decode(der).ok()?;
    let is_known = |value: &Any| matches!(value.as_bytes().first(), Some(0x06 | 0x30));
    attributes.iter().all(is_known).then(|| attributes.into_iter().map(Any::into_bytes).collect())
}
