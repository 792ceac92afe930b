//! Keys that the server makes for its clients (RFC 7030 §4.4).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::cms::Capabilities;
use crate::pkix::{Certificate, KeyType, SubjectPublicKeyInfo};

/// A key to be made.
#[derive(Clone, Debug)]
pub struct KeyWish {
    /// Of what type.
    pub key_type: KeyType,
    /// How it is to travel.
    pub protection: Protection,
}

/// How a generated key is protected within TLS (RFC 7030 §4.4.1).
#[derive(Clone, Debug)]
pub enum Protection {
    /// Not at all.
    None,
    /// Encrypted with a symmetric key that client and server share.
    Symmetric {
        /// The key's name: DecryptKeyIdentifier.
        key_id: Vec<u8>,
        /// What the client can decrypt.
        capabilities: Capabilities,
    },
    /// Encrypted to a public key of the client's.
    Asymmetric {
        /// The key's name: AsymmetricDecryptKeyIdentifier.
        key_id: Vec<u8>,
        /// What the client can decrypt.
        capabilities: Capabilities,
        /// The certificate that the principal authenticated with, whose key the name may mean.
        shown: Option<Arc<Certificate>>,
    },
}

/// A key generator's answer to a [`KeyWish`].
#[derive(Clone, Debug)]
pub enum Generated {
    /// The key.
    Key(GeneratedKey),
    /// It cannot be done as wished.
    Refused(KeyRefusal),
}

/// A generated key.
#[derive(Clone, Debug)]
pub struct GeneratedKey {
    /// Its public half.
    pub public_key: SubjectPublicKeyInfo,
    /// Its private half, as it goes out.
    pub part: KeyPart,
}

/// A private key on its way to the client: overwritten when dropped, absent from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// In the clear: OneAsymmetricKey, DER (RFC 5958).
    Pkcs8(Zeroizing<Vec<u8>>),
    /// Encrypted: a CMS ContentInfo, DER, with an EnvelopedData or AuthEnvelopedData around a SignedData around an
    /// AsymmetricKeyPackage.
    Enveloped(Vec<u8>),
}

impl fmt::Debug for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs8(_) => "Pkcs8(..)",
            Self::Enveloped(_) => "Enveloped(..)",
        })
    }
}

/// Why a key is not generated as wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// No key has this name (RFC 7030 §4.4.1.1, §4.4.1.2).
    UnknownKeyIdentifier,
    /// The certificate of the named key allows neither keyEncipherment nor keyAgreement (RFC 7030 §4.4.1.2).
    KeyUsage,
    /// Of what the client can decrypt, nothing is supported with the named key.
    NoCommonAlgorithm,
    /// Keys of this type are not made here.
    KeyTypeNotOffered,
}

impl KeyRefusal {
    /// A name for logs, metrics and audit records; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownKeyIdentifier => "unknown-key-identifier",
            Self::KeyUsage => "recipient-key-usage",
            Self::NoCommonAlgorithm => "no-common-algorithm",
            Self::KeyTypeNotOffered => "key-type-not-offered",
        }
    }
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKeyIdentifier => "the server knows no key with this identifier to encrypt the new key with",
            Self::KeyUsage => {
                "the certificate of the key to encrypt with allows neither keyEncipherment nor keyAgreement, as its type needs"
            }
            Self::NoCommonAlgorithm => {
                "nothing in the SMIMECapabilities is supported here with the key to encrypt with"
            }
            Self::KeyTypeNotOffered => "keys of this type are not generated here",
        })
    }
}
