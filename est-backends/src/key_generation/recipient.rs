//! Public keys that something can be encrypted to.

use aws_lc_rs::{agreement, kem};
use est_core::cms::Kem;
use est_core::pkix::oid;
use pki_types::alg_id;

use crate::signer::file::tlv::{self, Parts};

/// A public key of a kind that is encrypted to.
pub(super) enum PublicKey {
    /// RSA: the SubjectPublicKeyInfo.
    Rsa(Vec<u8>),
    /// On an elliptic curve.
    Agreement(Curve, Vec<u8>),
    /// Of a key encapsulation mechanism.
    Kem(Kem, Vec<u8>),
}

/// The curves that keys are agreed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    X25519,
}

impl Curve {
    pub(super) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::X25519];

    pub(super) fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &agreement::ECDH_P256,
            Self::P384 => &agreement::ECDH_P384,
            Self::P521 => &agreement::ECDH_P521,
            Self::X25519 => &agreement::X25519,
        }
    }

    /// The contents of the AlgorithmIdentifier of its keys.
    pub(super) fn identifier(self) -> Vec<u8> {
        match self {
            Self::P256 => alg_id::ECDSA_P256.as_ref().to_vec(),
            Self::P384 => alg_id::ECDSA_P384.as_ref().to_vec(),
            Self::P521 => alg_id::ECDSA_P521.as_ref().to_vec(),
            // Without parameters (RFC 8410 §3).
            Self::X25519 => oid::X25519.as_der().to_vec(),
        }
    }

    /// The curve of a key whose AlgorithmIdentifier has these contents.
    pub(super) fn of(identifier: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.identifier() == identifier)
    }
}

/// The mechanism of a key whose AlgorithmIdentifier has these contents: without parameters (RFC 9935 §4).
pub(super) fn kem_of(identifier: &[u8]) -> Option<Kem> {
    Kem::ALL.iter().copied().find(|kem| kem.oid().as_der() == identifier)
}

pub(super) fn kem_algorithm(kem: Kem) -> &'static kem::Algorithm<kem::AlgorithmId> {
    match kem {
        Kem::MlKem512 => &kem::ML_KEM_512,
        Kem::MlKem768 => &kem::ML_KEM_768,
        Kem::MlKem1024 => &kem::ML_KEM_1024,
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo; `None` for a key of another kind.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut parts = Parts::of_sequence(der)?;
        let algorithm = parts.take(tlv::SEQUENCE)?.contents;
        // The first octet counts unused bits: there are none in a key.
        let key = parts.take(tlv::BIT_STRING)?.contents.strip_prefix(&[0])?.to_vec();
        if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
            return Some(Self::Rsa(der.to_vec()));
        }
        match (Curve::of(algorithm), kem_of(algorithm)) {
            (Some(curve), _) => Some(Self::Agreement(curve, key)),
            (None, Some(kem)) => Some(Self::Kem(kem, key)),
            (None, None) => None,
        }
    }
}
