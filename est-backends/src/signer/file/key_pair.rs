//! The keys of aws-lc-rs behind one face.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING,
    PqdsaKeyPair, PqdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use est_core::pkix::KeyType;
use pki_types::{AlgorithmIdentifier, alg_id};
use zeroize::Zeroizing;

use super::key_file::KeyFileError;
use super::{RsaPadding, tlv};

/// A private key that can sign, and its public half.
pub(super) enum KeyPair {
    Rsa(RsaKeyPair),
    Ecdsa(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(ParameterSet, PqdsaKeyPair),
}

/// The curves that ECDSA is done on, each with the hash of its size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// The parameter sets of ML-DSA (FIPS 204).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterSet {
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl Curve {
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    pub(super) fn key_algorithm(self) -> AlgorithmIdentifier {
        match self {
            Self::P256 => alg_id::ECDSA_P256,
            Self::P384 => alg_id::ECDSA_P384,
            Self::P521 => alg_id::ECDSA_P521,
        }
    }
}

impl ParameterSet {
    pub(super) const ALL: [Self; 3] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    pub(super) fn algorithm(self) -> &'static PqdsaSigningAlgorithm {
        match self {
            Self::MlDsa44 => &ML_DSA_44_SIGNING,
            Self::MlDsa65 => &ML_DSA_65_SIGNING,
            Self::MlDsa87 => &ML_DSA_87_SIGNING,
        }
    }

    /// The same identifier for keys and signatures (RFC 9881 §2).
    pub(super) fn identifier(self) -> AlgorithmIdentifier {
        match self {
            Self::MlDsa44 => alg_id::ML_DSA_44,
            Self::MlDsa65 => alg_id::ML_DSA_65,
            Self::MlDsa87 => alg_id::ML_DSA_87,
        }
    }
}

impl KeyPair {
    /// Makes a key; returns it with its PKCS #8.
    pub(super) fn generate(key_type: KeyType) -> Result<(Self, Zeroizing<Vec<u8>>), KeyFileError> {
        let failed = |_: Unspecified| KeyFileError::Rejected;
        match key_type {
            KeyType::Rsa(bits) => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => return Err(KeyFileError::Unsupported),
                };
                let key = RsaKeyPair::generate(size).map_err(failed)?;
                let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?;
                let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
                Ok((Self::Rsa(key), pkcs8))
            }
            KeyType::EcdsaP256 => Self::generate_ecdsa(Curve::P256).map_err(failed),
            KeyType::EcdsaP384 => Self::generate_ecdsa(Curve::P384).map_err(failed),
            KeyType::EcdsaP521 => Self::generate_ecdsa(Curve::P521).map_err(failed),
            KeyType::Ed25519 => {
                let key = Ed25519KeyPair::generate().map_err(failed)?;
                let pkcs8 = Zeroizing::new(key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec());
                Ok((Self::Ed25519(key), pkcs8))
            }
            KeyType::MlDsa44 => Self::generate_ml_dsa(ParameterSet::MlDsa44).map_err(failed),
            KeyType::MlDsa65 => Self::generate_ml_dsa(ParameterSet::MlDsa65).map_err(failed),
            KeyType::MlDsa87 => Self::generate_ml_dsa(ParameterSet::MlDsa87).map_err(failed),
            _ => Err(KeyFileError::Unsupported),
        }
    }

    fn generate_ecdsa(curve: Curve) -> Result<(Self, Zeroizing<Vec<u8>>), Unspecified> {
        let key = EcdsaKeyPair::generate(curve.algorithm())?;
        let pkcs8 = Zeroizing::new(key.to_pkcs8v1()?.as_ref().to_vec());
        Ok((Self::Ecdsa(curve, key), pkcs8))
    }

    fn generate_ml_dsa(set: ParameterSet) -> Result<(Self, Zeroizing<Vec<u8>>), Unspecified> {
        let key = PqdsaKeyPair::generate(set.algorithm())?;
        let pkcs8 = Zeroizing::new(key.to_pkcs8v1()?.as_ref().to_vec());
        Ok((Self::MlDsa(set, key), pkcs8))
    }

    /// The SubjectPublicKeyInfo, DER.
    pub(super) fn public_key(&self) -> Vec<u8> {
        let (algorithm, key) = match self {
            Self::Rsa(key) => (alg_id::RSA_ENCRYPTION, key.public_key().as_ref()),
            Self::Ecdsa(curve, key) => (curve.key_algorithm(), key.public_key().as_ref()),
            Self::Ed25519(key) => (alg_id::ED25519, key.public_key().as_ref()),
            Self::MlDsa(set, key) => (set.identifier(), key.public_key().as_ref()),
        };
        let algorithm = tlv::write(tlv::SEQUENCE, &[algorithm.as_ref()]);
        let key = tlv::write(tlv::BIT_STRING, &[&[0], key]);
        tlv::write(tlv::SEQUENCE, &[&algorithm, &key]).to_vec()
    }

    /// The AlgorithmIdentifier of its signatures, DER.
    pub(super) fn signature_algorithm(&self, padding: RsaPadding) -> Vec<u8> {
        let algorithm = match (self, padding) {
            (Self::Rsa(_), RsaPadding::Pkcs1) => alg_id::RSA_PKCS1_SHA256,
            (Self::Rsa(_), RsaPadding::Pss) => alg_id::RSA_PSS_SHA256,
            (Self::Ecdsa(Curve::P256, _), _) => alg_id::ECDSA_SHA256,
            (Self::Ecdsa(Curve::P384, _), _) => alg_id::ECDSA_SHA384,
            (Self::Ecdsa(Curve::P521, _), _) => alg_id::ECDSA_SHA512,
            (Self::Ed25519(_), _) => alg_id::ED25519,
            (Self::MlDsa(set, _), _) => set.identifier(),
        };
        tlv::write(tlv::SEQUENCE, &[algorithm.as_ref()]).to_vec()
    }

    /// Signs `message`.
    pub(super) fn sign(&self, padding: RsaPadding, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let encoding = match padding {
                    RsaPadding::Pkcs1 => &RSA_PKCS1_SHA256,
                    RsaPadding::Pss => &RSA_PSS_SHA256,
                };
                key.sign(encoding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(_, key) => Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Ed25519(key) => Ok(key.try_sign(message)?.as_ref().to_vec()),
            Self::MlDsa(set, key) => {
                let mut signature = vec![0; set.algorithm().signature_len()];
                let length = key.sign(message, &mut signature)?;
                signature.truncate(length);
                Ok(signature)
            }
        }
    }
}
