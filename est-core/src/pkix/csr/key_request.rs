//! Requests for a certificate and its key (RFC 7030 §4.4.1).

use alloc::sync::Arc;
use alloc::vec::Vec;

use rasn::types::{OctetString, SetOf};

use super::attributes::single_value;
use super::{Csr, CsrError, SubjectPublicKeyInfo, asn1, oid, open};
use crate::cms::Capabilities;
use crate::pkix::{Certificate, KeyType, Oid};
use crate::{KeyWish, Protection};

/// A certification request that brings no key: the one in it, and the signature made with it, count for nothing.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    csr: Csr,
    octets: Vec<u8>,
    hint: Option<KeyType>,
    protection: Protection,
}

impl KeyRequest {
    /// Reads a request, whatever its key and its signature are.
    ///
    /// # Errors
    /// [`CsrError`], the first fault found; never one about the key or the signature.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        let (_, info, subject) = open(der)?;
        let octets = info.public_key.as_bytes().to_vec();
        let hint = SubjectPublicKeyInfo::parse(&octets).ok().map(|key| key.key_type());
        let public_key = SubjectPublicKeyInfo::to_be_generated(DEFAULT, &octets);
        let attributes = info.attributes.clone().unwrap_or_default();
        let csr = Csr::with(der, info, subject, public_key)?;
        let protection = protection(&attributes)?;
        Ok(Self { csr, octets, hint, protection })
    }

    /// The type of the key to make: that of the key in the request, if it is one of the usual types and of those
    /// allowed; otherwise the first that is allowed; where all are, ECDSA on P-256. Where none are listed as allowed, an RSA
    /// key has 3072 bits at most: a longer one costs the server several times as much.
    #[must_use]
    pub fn key_type(&self, allowed: Option<&[KeyType]>) -> KeyType {
        let hint = self.hint.filter(|hint| KeyType::USUAL.contains(hint));
        match (hint, allowed) {
            (Some(KeyType::Rsa(bits)), None) => KeyType::Rsa(bits.min(LONGEST_RSA_KEY)),
            (Some(hint), None) => hint,
            (Some(hint), Some(allowed)) if allowed.contains(&hint) => hint,
            (_, Some([first, ..])) => *first,
            (_, Some([]) | None) => DEFAULT,
        }
    }

    /// Turns to what is asked for: the request for a key of this type, and the key to make. `shown` is the certificate
    /// that the sender authenticated with.
    #[must_use]
    pub fn wish(self, key_type: KeyType, shown: Option<Arc<Certificate>>) -> (Csr, KeyWish) {
        let csr = self.csr.for_key(SubjectPublicKeyInfo::to_be_generated(key_type, &self.octets));
        let protection = match self.protection {
            Protection::Asymmetric { key_id, capabilities, .. } => {
                Protection::Asymmetric { key_id, capabilities, shown }
            }
            plain @ (Protection::None | Protection::Symmetric { .. }) => plain,
        };
        (csr, KeyWish { key_type, protection })
    }
}

/// In bits, unless a profile lists longer ones.
const LONGEST_RSA_KEY: u16 = 3072;
const DEFAULT: KeyType = KeyType::EcdsaP256;

/// Reads how the key is to be encrypted. RFC 7030 §4.4.1 wants SMIMECapabilities beside one key identifier; what is to
/// become of one without the other, or of two identifiers, it does not say: they are refused, for a key that was to be
/// encrypted must not go out in the clear.
fn protection(attributes: &SetOf<asn1::Attribute>) -> Result<Protection, CsrError> {
    let capabilities = match single_value(attributes, &oid::SMIME_CAPABILITIES)? {
        Some(value) => Some(Capabilities::parse(value.as_bytes()).ok_or(CsrError::Capabilities)?),
        None => None,
    };
    let symmetric = identifier(attributes, &oid::DECRYPT_KEY_IDENTIFIER)?;
    let asymmetric = identifier(attributes, &oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER)?;
    match (symmetric, asymmetric, capabilities) {
        (None, None, None) => Ok(Protection::None),
        (None, None, Some(_)) => Err(CsrError::KeyIdentifierMissing),
        (Some(_), Some(_), _) => Err(CsrError::TwoKeyIdentifiers),
        (Some(_), None, None) | (None, Some(_), None) => Err(CsrError::CapabilitiesMissing),
        (Some(key_id), None, Some(capabilities)) => Ok(Protection::Symmetric { key_id, capabilities }),
        (None, Some(key_id), Some(capabilities)) => Ok(Protection::Asymmetric { key_id, capabilities, shown: None }),
    }
}

fn identifier(attributes: &SetOf<asn1::Attribute>, id: &Oid) -> Result<Option<Vec<u8>>, CsrError> {
    let Some(value) = single_value(attributes, id)? else { return Ok(None) };
    let octets: OctetString = asn1::decode_checked(value.as_bytes()).map_err(|_| CsrError::KeyIdentifier)?;
    Ok(Some(octets.to_vec()))
}
