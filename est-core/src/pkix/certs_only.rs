//! Certs-only messages: CMS SignedData without content and signers (RFC 7030 §4.1.3, RFC 5652 §5).

use alloc::vec::Vec;

use rasn::types::{Any, Integer, SetOf};

use super::{asn1, der, oid};

/// Wraps certificates, DER, as they are. DER sorts the set.
#[must_use]
pub fn certs_only<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let certificates: Vec<Any> = certificates.into_iter().map(|der| Any::new(der.to_vec())).collect();
    let signed_data = asn1::SignedData {
        version: Integer::from(1),
        digest_algorithms: SetOf::new(),
        encapsulated: asn1::EncapsulatedContentInfo {
            content_type: Any::new(oid::ID_DATA.as_der().to_vec()),
            content: None,
        },
        certificates: Some(SetOf::from_vec(certificates)),
        crls: None,
        signer_infos: SetOf::new(),
    };
    asn1::encode(&asn1::ContentInfo {
        content_type: Any::new(oid::ID_SIGNED_DATA.as_der().to_vec()),
        content: Any::new(asn1::encode(&signed_data)),
    })
}

/// Takes the certificates, DER, out of a certs-only message; `None` when it is none.
#[must_use]
pub fn read_certs_only(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    der::check(message).ok()?;
    let info: asn1::ContentInfo = asn1::decode_explicit(message, &[0x80]).ok()?;
    if info.content_type.as_bytes() != oid::ID_SIGNED_DATA.as_der() {
        return None;
    }
    let signed_data: asn1::SignedData = asn1::decode_checked(info.content.as_bytes()).ok()?;
    Some(signed_data.certificates?.into_vec().into_iter().map(Any::into_bytes).collect())
}
