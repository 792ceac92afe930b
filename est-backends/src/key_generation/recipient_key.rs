//! The client's own key, which opens what was encrypted to it.

use std::fmt;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::kem::DecapsulationKey;
use aws_lc_rs::rsa::PrivateDecryptingKey;
use est_core::Secret;
use est_core::cms::{Capabilities, ContentEncryption, Kem, KeyDerivation, KeyTransport, KeyWrap};
use est_core::pkix::pem;
use pki_types::alg_id;

use super::SymmetricKey;
use super::recipient::{Curve, kem_algorithm, kem_of};
use crate::signer::file::tlv::{self, Parts};
use crate::signer::file::{KeyFileError, decrypt_pkcs8};

/// A key that opens.
pub struct RecipientKey(pub(super) Kind);

pub(super) enum Kind {
    Symmetric(SymmetricKey),
    Rsa(PrivateDecryptingKey),
    Agreement(Curve, PrivateKey),
    Kem(Kem, DecapsulationKey),
}

/// Why a key cannot open anything. Says what to do, never what is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipientKeyError {
    /// It cannot be read.
    File(KeyFileError),
    /// Its kind of key cannot decrypt.
    Unsupported,
    /// An ML-KEM key of which there is the seed alone.
    SeedAlone,
}

impl fmt::Display for RecipientKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Unsupported => {
                f.write_str("its kind of key cannot decrypt: use RSA, P-256, P-384, P-521, X25519 or ML-KEM")
            }
            Self::SeedAlone => f.write_str(
                "it holds the seed of an ML-KEM key alone: add the expanded key with \
                 `openssl pkey -provparam ml-kem.output_formats=seed-priv -in OLD -out NEW` (OpenSSL 3.5)",
            ),
        }
    }
}

impl std::error::Error for RecipientKeyError {}

impl From<SymmetricKey> for RecipientKey {
    fn from(key: SymmetricKey) -> Self {
        Self(Kind::Symmetric(key))
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientKey(..)")
    }
}

impl RecipientKey {
    /// Reads the one private key in a PEM text: PKCS #8, encrypted or not.
    ///
    /// # Errors
    /// [`RecipientKeyError`], which says what to do about it.
    pub fn from_pem(text: &str, passphrase: Option<&Secret>) -> Result<Self, RecipientKeyError> {
        let blocks = pem::decode(text).ok_or(RecipientKeyError::File(KeyFileError::Malformed))?;
        let is_key = |label: &str| matches!(label, "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY");
        let mut keys = blocks.into_iter().filter(|block| is_key(&block.label));
        let (Some(block), None) = (keys.next(), keys.next()) else {
            return Err(RecipientKeyError::File(KeyFileError::NoKey));
        };
        if block.label == "ENCRYPTED PRIVATE KEY" {
            return Self::from_pkcs8(&decrypt_pkcs8(&block.contents, passphrase).map_err(RecipientKeyError::File)?);
        }
        Self::from_pkcs8(&block.contents)
    }

    /// What it can open, the preferred first: to ask for one of these.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let own = match &self.0 {
            Kind::Symmetric(key) => {
                KeyWrap::ALL.iter().filter(|wrap| wrap.key_len() == key.octets().len()).map(|wrap| wrap.oid()).collect()
            }
            Kind::Rsa(_) => vec![KeyTransport::RsaOaepSha256.oid()],
            Kind::Agreement(..) => vec![KeyDerivation::X963Sha256.oid(), KeyWrap::Aes256.oid(), KeyWrap::Aes128.oid()],
            Kind::Kem(kem, _) => vec![kem.oid(), KeyWrap::Aes256.oid()],
        };
        Capabilities::of(own.into_iter().chain(ContentEncryption::ALL.iter().map(|content| content.oid())))
    }

    /// Reads a PKCS #8 in DER.
    ///
    /// # Errors
    /// [`RecipientKeyError`], which says what to do about it.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, RecipientKeyError> {
        let malformed = || RecipientKeyError::File(KeyFileError::Malformed);
        let mut parts = Parts::of_sequence(der).ok_or_else(malformed)?;
        parts.take(tlv::INTEGER).ok_or_else(malformed)?;
        let algorithm = parts.take(tlv::SEQUENCE).ok_or_else(malformed)?.contents;
        let key = parts.take(tlv::OCTET_STRING).ok_or_else(malformed)?.contents;
        let kind = if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
            PrivateDecryptingKey::from_pkcs8(der).ok().map(Kind::Rsa)
        } else if let Some(curve) = Curve::of(algorithm) {
            let read = match (curve, key) {
                // CurvePrivateKey (RFC 8410 §7): an OCTET STRING.
                (Curve::X25519, [tlv::OCTET_STRING, 32, scalar @ ..]) => {
                    PrivateKey::from_private_key(curve.algorithm(), scalar)
                }
                (Curve::X25519, _) => return Err(malformed()),
                _ => PrivateKey::from_private_key_der(curve.algorithm(), key),
            };
            read.ok().map(|key| Kind::Agreement(curve, key))
        } else if let Some(kem) = kem_of(algorithm) {
            let expanded = expanded_key(key)?;
            let is_sound = has_own_hash(expanded);
            let read = DecapsulationKey::new(kem_algorithm(kem), expanded).ok().filter(|_| is_sound);
            read.map(|key| Kind::Kem(kem, key))
        } else {
            return Err(RecipientKeyError::Unsupported);
        };
        kind.map(Self).ok_or(RecipientKeyError::File(KeyFileError::Inconsistent))
    }
}

/// The expanded key among the forms of RFC 9935 §6: `[0]` the seed, OCTET STRING the expanded key, SEQUENCE both.
fn expanded_key(der: &[u8]) -> Result<&[u8], RecipientKeyError> {
    /// `[0] IMPLICIT OCTET STRING`.
    const SEED: u8 = 0x80;

    let found = match der.first() {
        Some(&SEED) => return Err(RecipientKeyError::SeedAlone),
        Some(&tlv::OCTET_STRING) => est_core::pkix::der::check(der).ok().map(|()| est_core::pkix::der::contents(der)),
        Some(&tlv::SEQUENCE) => Parts::of_sequence(der).and_then(|mut both| {
            both.take(tlv::OCTET_STRING)?;
            let expanded = both.take(tlv::OCTET_STRING)?.contents;
            both.is_empty().then_some(expanded)
        }),
        _ => None,
    };
    found.ok_or(RecipientKeyError::File(KeyFileError::Malformed))
}

/// The check of FIPS 203 §7.3: the hash of the encapsulation key is in the decapsulation key, behind it.
fn has_own_hash(key: &[u8]) -> bool {
    let Some(k) = key.len().checked_sub(96).filter(|length| length.is_multiple_of(768)).map(|length| length / 768)
    else {
        return false;
    };
    let (public, rest) = key[384 * k..].split_at(384 * k + 32);
    verify_slices_are_equal(digest::digest(&digest::SHA3_256, public).as_ref(), &rest[..32]).is_ok()
}
