//! Public keys: what they are, and whether anybody should have them.

mod blocklist;
mod ec;
mod ed25519;
mod error;
mod rsa;

pub use blocklist::{BlocklistError, KeyBlocklist};
pub use error::KeyError;

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use pki_types::alg_id;
use sha2::{Digest, Sha256};

use super::{Oid, asn1, der};

/// An ASN.1 NULL.
const NULL: &[u8] = b"\x05\x00";

/// id-ecPublicKey (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";

/// A public key and its algorithm, well formed and of a type that is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPublicKeyInfo {
    der: Vec<u8>,
    algorithm: Vec<u8>,
    key: Vec<u8>,
    key_type: KeyType,
}

/// The kinds of public key that can enroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// RSA with a modulus of so many bits.
    Rsa(u16),
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ML-DSA-44 (RFC 9881).
    MlDsa44,
    /// ML-DSA-65 (RFC 9881).
    MlDsa65,
    /// ML-DSA-87 (RFC 9881).
    MlDsa87,
}

impl SubjectPublicKeyInfo {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and checks that nobody can find its private
    /// half; whether somebody has published it is what [`KeyBlocklist`] tells.
    ///
    /// # Errors
    /// [`KeyError`], the first reason for which it is not accepted.
    pub fn parse(der: &[u8]) -> Result<Self, KeyError> {
        let info: asn1::SubjectPublicKeyInfo = asn1::decode(der).map_err(|_| KeyError::Malformed)?;
        let is_sequence = info.algorithm.as_bytes().first() == Some(&0x30);
        if !is_sequence || !info.key.len().is_multiple_of(8) {
            return Err(KeyError::Malformed);
        }
        let algorithm = der::contents(info.algorithm.as_bytes()).to_vec();
        let key = info.key.as_raw_slice().to_vec();
        let key_type = KeyType::of(&algorithm, &key)?;
        Ok(Self { der: der.to_vec(), algorithm, key, key_type })
    }

    /// Stands for a key of this type that is still to be generated, for the request that brought `octets` in its place.
    /// Its octets are those of no key, so that whatever is known about a key is not taken for known about this one.
    pub(crate) fn to_be_generated(key_type: KeyType, octets: &[u8]) -> Self {
        Self { der: [b"to be generated", octets].concat(), algorithm: Vec::new(), key: Vec::new(), key_type }
    }

    /// The whole structure as it came.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// What kind of key it is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The contents of the AlgorithmIdentifier, without its SEQUENCE header.
    #[must_use]
    pub fn algorithm(&self) -> &[u8] {
        &self.algorithm
    }

    /// The octets of the subjectPublicKey BIT STRING.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The SHA-256 of the whole structure: what to know a key by.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// A key identifier: the leftmost 160 bits of the SHA-256 of the key (RFC 7093 §2, method 1).
    #[must_use]
    pub fn key_identifier(&self) -> [u8; 20] {
        let digest = Sha256::digest(&self.key);
        digest[..20].try_into().expect("20 of 32 octets")
    }
}

impl KeyType {
    /// The types with one size, and the usual RSA sizes: for lists in help texts.
    pub const USUAL: [Self; 10] = [
        Self::Rsa(2048),
        Self::Rsa(3072),
        Self::Rsa(4096),
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    fn of(algorithm: &[u8], key: &[u8]) -> Result<Self, KeyError> {
        let octets = |length: usize, key_type| if key.len() == length { Ok(key_type) } else { Err(KeyError::Length) };
        match algorithm {
            a if a == alg_id::RSA_ENCRYPTION.as_ref() => rsa::check(key),
            a if a == alg_id::ECDSA_P256.as_ref() => ec::P256.check(key).map(|()| Self::EcdsaP256),
            a if a == alg_id::ECDSA_P384.as_ref() => ec::P384.check(key).map(|()| Self::EcdsaP384),
            a if a == alg_id::ECDSA_P521.as_ref() => ec::P521.check(key).map(|()| Self::EcdsaP521),
            a if a == alg_id::ED25519.as_ref() => ed25519::check(key).map(|()| Self::Ed25519),
            a if a == alg_id::ML_DSA_44.as_ref() => octets(1312, Self::MlDsa44),
            a if a == alg_id::ML_DSA_65.as_ref() => octets(1952, Self::MlDsa65),
            a if a == alg_id::ML_DSA_87.as_ref() => octets(2592, Self::MlDsa87),
            _ => Err(unsupported(algorithm)),
        }
    }

    /// The contents of the AlgorithmIdentifier of such keys.
    #[must_use]
    pub fn algorithm(self) -> &'static [u8] {
        match self {
            Self::Rsa(_) => &alg_id::RSA_ENCRYPTION,
            Self::EcdsaP256 => &alg_id::ECDSA_P256,
            Self::EcdsaP384 => &alg_id::ECDSA_P384,
            Self::EcdsaP521 => &alg_id::ECDSA_P521,
            Self::Ed25519 => &alg_id::ED25519,
            Self::MlDsa44 => &alg_id::ML_DSA_44,
            Self::MlDsa65 => &alg_id::ML_DSA_65,
            Self::MlDsa87 => &alg_id::ML_DSA_87,
        }
    }

    /// The algorithm that such keys sign with: RSA with PKCS #1 v1.5 and SHA-256, ECDSA with the hash of the curve's
    /// size.
    ///
    /// # Panics
    /// Never: the identifiers are known ones.
    #[must_use]
    pub fn signature_algorithm(self) -> Oid {
        let identifier: &'static [u8] = match self {
            Self::Rsa(_) => &alg_id::RSA_PKCS1_SHA256,
            Self::EcdsaP256 => &alg_id::ECDSA_SHA256,
            Self::EcdsaP384 => &alg_id::ECDSA_SHA384,
            Self::EcdsaP521 => &alg_id::ECDSA_SHA512,
            Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => self.algorithm(),
        };
        let id = der::parts(identifier).next().and_then(Oid::from_der);
        id.expect("an AlgorithmIdentifier begins with its identifier")
    }

    /// Whether keys of this type can encipher keys (RSA only).
    #[must_use]
    pub fn can_encipher(self) -> bool {
        matches!(self, Self::Rsa(_))
    }

    /// Whether keys of this type can agree on keys (those on NIST curves only; RFC 3279 §2.3, RFC 8410 §5, RFC 9881 §5).
    #[must_use]
    pub fn can_agree(self) -> bool {
        matches!(self, Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521)
    }
}

/// What is wrong with an algorithm that is not one of the supported ones: maybe only its parameters.
fn unsupported(algorithm: &[u8]) -> KeyError {
    // An OBJECT IDENTIFIER's length stands in one octet here: all that matter are short.
    let (id, parameters) = match algorithm {
        [0x06, length, rest @ ..] if rest.len() >= usize::from(*length) => algorithm.split_at(2 + usize::from(*length)),
        _ => return KeyError::Unsupported,
    };
    let is_fixed = [alg_id::RSA_ENCRYPTION, alg_id::ED25519, alg_id::ML_DSA_44, alg_id::ML_DSA_65, alg_id::ML_DSA_87]
        .iter()
        .any(|known| known.as_ref().strip_suffix(NULL).unwrap_or(known) == id);
    match parameters {
        _ if is_fixed => KeyError::Parameters,
        [0x30, ..] if id == EC_PUBLIC_KEY => KeyError::EcExplicitParameters,
        _ => KeyError::Unsupported,
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
            Self::EcdsaP521 => f.write_str("ecdsa-p521"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::MlDsa44 => f.write_str("ml-dsa-44"),
            Self::MlDsa65 => f.write_str("ml-dsa-65"),
            Self::MlDsa87 => f.write_str("ml-dsa-87"),
        }
    }
}

/// Reads a name in any of its usual spellings: `ecdsa-p256`, `ecdsaP256`, `ecdsa256`, `p256`, `RSA-2048`.
impl FromStr for KeyType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = text.to_ascii_lowercase().replace(['-', '_'], "");
        let plain = plain.replace("ecdsap", "ecdsa");
        let curve = plain.strip_prefix("ecdsa").or_else(|| plain.strip_prefix('p'));
        match (curve, plain.strip_prefix("rsa"), plain.as_str()) {
            (Some("256"), ..) => Ok(Self::EcdsaP256),
            (Some("384"), ..) => Ok(Self::EcdsaP384),
            (Some("521"), ..) => Ok(Self::EcdsaP521),
            (_, Some(bits), _) => match bits.parse::<u16>() {
                Ok(size) if (2048..=4096).contains(&size) && size % 8 == 0 && size.to_string() == bits => {
                    Ok(Self::Rsa(size))
                }
                _ => Err(()),
            },
            (_, _, "ed25519") => Ok(Self::Ed25519),
            (_, _, "mldsa44") => Ok(Self::MlDsa44),
            (_, _, "mldsa65") => Ok(Self::MlDsa65),
            (_, _, "mldsa87") => Ok(Self::MlDsa87),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling_of_a_key_type() {
        for (text, key_type) in [
            ("rsa2048", KeyType::Rsa(2048)),
            ("rsa-2048", KeyType::Rsa(2048)),
            ("RSA-4096", KeyType::Rsa(4096)),
            ("ecdsaP256", KeyType::EcdsaP256),
            ("ecdsa-p256", KeyType::EcdsaP256),
            ("ecdsa256", KeyType::EcdsaP256),
            ("p384", KeyType::EcdsaP384),
            ("ed25519", KeyType::Ed25519),
            ("ml-dsa-65", KeyType::MlDsa65),
        ] {
            assert_eq!(text.parse(), Ok(key_type), "{text}");
        }
        for text in ["", "rsa", "rsa1024", "rsa02048", "ecdsa", "p224", "dsa", "ecdsa-p-"] {
            assert_eq!(text.parse::<KeyType>(), Err(()), "{text}");
        }
        for key_type in KeyType::USUAL {
            assert_eq!(key_type.to_string().parse(), Ok(key_type));
        }
    }
}
