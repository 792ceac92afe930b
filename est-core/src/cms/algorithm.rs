//! The algorithms of our messages, by their AlgorithmIdentifier.

use alloc::vec::Vec;

use super::tlv::{self, Parts};
use crate::pkix::{Oid, oid};

/// How content is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncryption {
    /// AES-256 in GCM (RFC 5084), in an AuthEnvelopedData.
    Aes256Gcm,
    /// AES-128 in GCM.
    Aes128Gcm,
    /// AES-256 in CBC (RFC 3565).
    Aes256Cbc,
    /// AES-128 in CBC.
    Aes128Cbc,
}

/// How the content's key is encrypted with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWrap {
    /// AES key wrap (RFC 3394) with 256 bits.
    Aes256,
    /// With 128 bits.
    Aes128,
}

/// How the content's key is encrypted to an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTransport {
    /// RSAES-OAEP with SHA-256 twice and an empty label (RFC 4055).
    RsaOaepSha256,
    /// RSAES-PKCS1-v1_5.
    RsaPkcs1,
}

/// How a shared secret of ephemeral-static ECDH becomes a key: the KDF of X9.63 (RFC 5753, RFC 8418).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDerivation {
    /// With SHA-256.
    X963Sha256,
    /// With SHA-384.
    X963Sha384,
    /// With SHA-512.
    X963Sha512,
}

/// How a shared secret is encapsulated (FIPS 203).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kem {
    /// ML-KEM-512.
    MlKem512,
    /// ML-KEM-768.
    MlKem768,
    /// ML-KEM-1024.
    MlKem1024,
}

/// How content is hashed before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Gives a closed set its identifiers, all without parameters.
macro_rules! identified {
    ($set:ident: $($variant:ident = $oid:ident),*) => {
        impl $set {
            /// All of them, the strongest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its object identifier.
            #[must_use]
            pub fn oid(self) -> Oid {
                match self {
                    $(Self::$variant => oid::$oid,)*
                }
            }

            /// The one with this object identifier.
            #[must_use]
            pub fn from_oid(id: &Oid) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.oid() == *id)
            }
        }
    };
}

identified!(ContentEncryption:
    Aes256Gcm = AES256_GCM, Aes128Gcm = AES128_GCM, Aes256Cbc = AES256_CBC, Aes128Cbc = AES128_CBC);
identified!(KeyWrap: Aes256 = AES256_WRAP, Aes128 = AES128_WRAP);
identified!(KeyTransport: RsaOaepSha256 = RSAES_OAEP, RsaPkcs1 = RSA_ENCRYPTION);
identified!(KeyDerivation:
    X963Sha512 = STD_DH_SHA512_KDF, X963Sha384 = STD_DH_SHA384_KDF, X963Sha256 = STD_DH_SHA256_KDF);
identified!(Kem: MlKem1024 = ML_KEM_1024, MlKem768 = ML_KEM_768, MlKem512 = ML_KEM_512);
identified!(Digest: Sha512 = SHA512, Sha384 = SHA384, Sha256 = SHA256);

impl ContentEncryption {
    /// The octets of its key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
        }
    }

    /// The octets of its nonce or initialization vector.
    #[must_use]
    pub fn nonce_len(self) -> usize {
        if self.is_authenticated() { 12 } else { 16 }
    }

    /// Whether it authenticates what it encrypts.
    #[must_use]
    pub fn is_authenticated(self) -> bool {
        matches!(self, Self::Aes256Gcm | Self::Aes128Gcm)
    }

    /// The AlgorithmIdentifier with this nonce or initialization vector.
    pub(super) fn identifier(self, nonce: &[u8]) -> Vec<u8> {
        let nonce = tlv::write(tlv::OCTET_STRING, &[nonce]);
        let parameters = if self.is_authenticated() {
            // A tag of 16 octets, where 12 are the default.
            tlv::write(tlv::SEQUENCE, &[&nonce, &tlv::number(16)])
        } else {
            nonce
        };
        tlv::write(tlv::SEQUENCE, &[self.oid().as_der(), &parameters]).to_vec()
    }

    /// Reads the contents of an AlgorithmIdentifier; the nonce or initialization vector beside it.
    pub(super) fn read(mut identifier: Parts<'_>) -> Option<(Self, &[u8])> {
        let algorithm = Self::from_oid(&Oid::from_der(identifier.whole(tlv::OID)?)?)?;
        let nonce = if algorithm.is_authenticated() {
            let mut parameters = identifier.open(tlv::SEQUENCE)?;
            let nonce = parameters.take(tlv::OCTET_STRING)?;
            (parameters.whole(tlv::INTEGER)? == tlv::number(16)).then_some(())?;
            parameters.end()?;
            nonce
        } else {
            identifier.take(tlv::OCTET_STRING)?
        };
        identifier.end()?;
        (nonce.len() == algorithm.nonce_len()).then_some((algorithm, nonce))
    }
}

impl KeyWrap {
    /// The octets of the key that wraps.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes256 => 32,
            Self::Aes128 => 16,
        }
    }

    /// The AlgorithmIdentifier, DER.
    #[must_use]
    pub fn identifier(self) -> Vec<u8> {
        tlv::write(tlv::SEQUENCE, &[self.oid().as_der()]).to_vec()
    }

    /// Reads the contents of an AlgorithmIdentifier.
    pub(super) fn read(identifier: Parts<'_>) -> Option<Self> {
        Self::from_oid(&without_parameters(identifier)?)
    }
}

impl KeyTransport {
    /// The AlgorithmIdentifier, DER.
    #[must_use]
    pub fn identifier(self) -> Vec<u8> {
        match self {
            Self::RsaOaepSha256 => {
                let sha256 = tlv::write(tlv::SEQUENCE, &[oid::SHA256.as_der(), NULL]);
                let mgf1 = tlv::write(tlv::SEQUENCE, &[oid::MGF1.as_der(), &sha256]);
                let parameters =
                    [tlv::write(tlv::constructed(0), &[&sha256]), tlv::write(tlv::constructed(1), &[&mgf1])];
                let parameters = tlv::write(tlv::SEQUENCE, &[&parameters[0], &parameters[1]]);
                tlv::write(tlv::SEQUENCE, &[self.oid().as_der(), &parameters]).to_vec()
            }
            Self::RsaPkcs1 => tlv::write(tlv::SEQUENCE, &[self.oid().as_der(), NULL]).to_vec(),
        }
    }

    /// Reads a whole AlgorithmIdentifier: only one that is written as ours is.
    pub(super) fn read(identifier: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.identifier() == identifier)
    }
}

impl KeyDerivation {
    /// The AlgorithmIdentifier of the key agreement, whose parameters are the key wrap.
    pub(super) fn identifier(self, wrap: KeyWrap) -> Vec<u8> {
        tlv::write(tlv::SEQUENCE, &[self.oid().as_der(), &wrap.identifier()]).to_vec()
    }

    /// Reads the contents of that AlgorithmIdentifier.
    pub(super) fn read(mut identifier: Parts<'_>) -> Option<(Self, KeyWrap)> {
        let derivation = Self::from_oid(&Oid::from_der(identifier.whole(tlv::OID)?)?)?;
        let wrap = KeyWrap::read(identifier.open(tlv::SEQUENCE)?)?;
        identifier.end()?;
        Some((derivation, wrap))
    }
}

impl Kem {
    /// The AlgorithmIdentifier, DER.
    pub(super) fn identifier(self) -> Vec<u8> {
        tlv::write(tlv::SEQUENCE, &[self.oid().as_der()]).to_vec()
    }

    /// Reads the contents of an AlgorithmIdentifier.
    pub(super) fn read(identifier: Parts<'_>) -> Option<Self> {
        Self::from_oid(&without_parameters(identifier)?)
    }
}

impl Digest {
    /// The AlgorithmIdentifier, DER: without parameters (RFC 5754 §2).
    pub(super) fn identifier(self) -> Vec<u8> {
        tlv::write(tlv::SEQUENCE, &[self.oid().as_der()]).to_vec()
    }

    /// Reads the contents of an AlgorithmIdentifier; NULL may stand there too.
    pub(super) fn read(mut identifier: Parts<'_>) -> Option<Self> {
        let id = Oid::from_der(identifier.whole(tlv::OID)?)?;
        identifier.whole(NULL[0]);
        identifier.end()?;
        Self::from_oid(&id)
    }
}

const NULL: &[u8] = &[0x05, 0x00];

fn without_parameters(mut identifier: Parts<'_>) -> Option<Oid> {
    let id = Oid::from_der(identifier.whole(tlv::OID)?)?;
    identifier.end()?;
    Some(id)
}
