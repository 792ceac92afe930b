//! Requests to be made: the client's half.

use alloc::vec::Vec;

use rasn::types::{Any, BitString, Integer, OctetString, SequenceOf, SetOf};

use super::asn1;
use crate::pkix::{Extension, GeneralNames, Name, Oid, SubjectPublicKeyInfo, oid};
use crate::{Protection, Secret};

/// A request to be made: the client's half.
#[derive(Clone, Debug)]
pub struct CsrTemplate {
    /// The wanted subject.
    pub subject: Name,
    /// The wanted subjectAltName.
    pub subject_alt_name: Option<GeneralNames>,
    /// The public key whose private half will sign.
    pub public_key: SubjectPublicKeyInfo,
    /// The contents of a challengePassword, if one is wanted.
    pub challenge_password: Option<Secret>,
    /// The wanted extensions, the subjectAltName excepted.
    pub extensions: Vec<Extension>,
}

impl CsrTemplate {
    /// The CertificationRequestInfo: what is to be signed.
    #[must_use]
    pub fn to_be_signed(&self) -> Vec<u8> {
        self.to_be_signed_with::<&str>(&[])
    }

    /// The same with further attributes, each of one text, for example estIdentityLinking.
    #[must_use]
    pub fn to_be_signed_with<T: AsRef<str>>(&self, texts: &[(Oid, T)]) -> Vec<u8> {
        self.to_be_signed_for(&Protection::None, texts)
    }

    /// The same for `/serverkeygen`, which is to protect the key that it makes like this (RFC 7030 §4.4.1).
    #[must_use]
    pub fn to_be_signed_for<T: AsRef<str>>(&self, protection: &Protection, texts: &[(Oid, T)]) -> Vec<u8> {
        let mut attributes = Vec::new();
        let password = self.challenge_password.as_ref().map(|password| (oid::CHALLENGE_PASSWORD, password.reveal()));
        for (id, text) in password.into_iter().chain(texts.iter().map(|(id, text)| (id.clone(), text.as_ref()))) {
            attributes.push(attribute(&id, asn1::encode(&rasn::types::Utf8String::from(text))));
        }
        let names = self.subject_alt_name.as_ref().map(|names| Extension {
            id: oid::SUBJECT_ALT_NAME,
            critical: self.subject.is_empty(),
            value: names.as_der().to_vec(),
        });
        let extensions: SequenceOf<asn1::Extension> =
            names.iter().chain(&self.extensions).map(Extension::to_asn1).collect();
        if !extensions.is_empty() {
            attributes.push(attribute(&oid::EXTENSION_REQUEST, asn1::encode(&extensions)));
        }
        let named = match protection {
            Protection::None => None,
            Protection::Symmetric { key_id, capabilities } => {
                Some((&oid::DECRYPT_KEY_IDENTIFIER, key_id, capabilities))
            }
            Protection::Asymmetric { key_id, capabilities, .. } => {
                Some((&oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, key_id, capabilities))
            }
        };
        if let Some((id, key_id, capabilities)) = named {
            attributes.push(attribute(&oid::SMIME_CAPABILITIES, capabilities.to_der()));
            attributes.push(attribute(id, asn1::encode(&OctetString::from_slice(key_id))));
        }
        asn1::encode(&asn1::CertificationRequestInfo {
            version: Integer::from(0),
            subject: Any::new(self.subject.as_der().to_vec()),
            public_key: Any::new(self.public_key.as_der().to_vec()),
            attributes: Some(SetOf::from_vec(attributes)),
        })
    }
}

fn attribute(id: &Oid, value: Vec<u8>) -> asn1::Attribute {
    asn1::Attribute { id: Any::new(id.as_der().to_vec()), values: SetOf::from_vec(alloc::vec![Any::new(value)]) }
}

/// Puts a request together from what was signed, exactly as it was signed.
///
/// `signature_algorithm` is a whole AlgorithmIdentifier, DER.
#[must_use]
pub fn assemble_csr(to_be_signed: Vec<u8>, signature_algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    asn1::encode(&asn1::Signed {
        to_be_signed: Any::new(to_be_signed),
        algorithm: Any::new(signature_algorithm.to_vec()),
        signature: BitString::from_slice(signature),
    })
}
