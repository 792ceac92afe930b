//! Public keys: what they are, and whether they are well formed.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use pki_types::alg_id;
use sha2::{Digest, Sha256};

use super::{Oid, asn1, der};

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

/// Why a public key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a SubjectPublicKeyInfo.
    Malformed,
    /// An algorithm, or parameters of one, that is not supported.
    Unsupported,
    /// An RSA modulus of a size that is not supported.
    RsaSize {
        /// Its length in bits.
        bits: usize,
    },
    /// An RSA modulus or exponent that no real key has.
    RsaValue,
    /// An elliptic-curve point that is not in uncompressed form, or of the wrong length.
    EcPoint,
    /// An Ed25519 point of small order, for which anybody can sign.
    Ed25519Point,
    /// A key of the wrong length for its algorithm.
    Length,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the public key is malformed"),
            Self::Unsupported => f.write_str(
                "the public key's algorithm is not supported: use RSA, ECDSA on P-256, P-384 or P-521, Ed25519 or ML-DSA",
            ),
            Self::RsaSize { bits } => {
                write!(f, "the RSA modulus has {bits} bits: between 2048 and 4096 in whole bytes are supported")
            }
            Self::RsaValue => f.write_str("the RSA modulus is even, or the exponent is even or under 65537"),
            Self::EcPoint => f.write_str("the elliptic-curve point is not in uncompressed form"),
            Self::Ed25519Point => f.write_str("the Ed25519 key is a point of small order, which nobody's key is"),
            Self::Length => f.write_str("the public key has the wrong length for its algorithm"),
        }
    }
}

impl core::error::Error for KeyError {}

impl SubjectPublicKeyInfo {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] when it is malformed or of no supported type.
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
        let point = |length: usize, key_type| match key {
            [0x04, ..] if key.len() == 1 + 2 * length => Ok(key_type),
            _ => Err(KeyError::EcPoint),
        };
        let octets = |length: usize, key_type| if key.len() == length { Ok(key_type) } else { Err(KeyError::Length) };
        match algorithm {
            a if a == alg_id::RSA_ENCRYPTION.as_ref() => rsa(key),
            a if a == alg_id::ECDSA_P256.as_ref() => point(32, Self::EcdsaP256),
            a if a == alg_id::ECDSA_P384.as_ref() => point(48, Self::EcdsaP384),
            a if a == alg_id::ECDSA_P521.as_ref() => point(66, Self::EcdsaP521),
            a if a == alg_id::ED25519.as_ref() && is_of_small_order(key) => Err(KeyError::Ed25519Point),
            a if a == alg_id::ED25519.as_ref() => octets(32, Self::Ed25519),
            a if a == alg_id::ML_DSA_44.as_ref() => octets(1312, Self::MlDsa44),
            a if a == alg_id::ML_DSA_65.as_ref() => octets(1952, Self::MlDsa65),
            a if a == alg_id::ML_DSA_87.as_ref() => octets(2592, Self::MlDsa87),
            _ => Err(KeyError::Unsupported),
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

/// The y coordinates of the points of order 8, little-endian; those of the others of small order are 0, 1 and −1.
const ED25519_ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether an Ed25519 key is one of the few points for which anybody can make signatures that verify, so that none
/// proves possession. Takes every encoding: either sign of x, and y also where it is not reduced modulo 2^255 − 19.
fn is_of_small_order(key: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(key) else { return false };
    y[31] &= 0x7f;
    let is_wide = y[31] == 0x7f && y[1..31].iter().all(|octet| *octet == 0xff);
    // 0, 1; p − 1, p, p + 1.
    let is_plain = y[1..].iter().all(|octet| *octet == 0) && y[0] <= 1 || is_wide && (0xec..=0xee).contains(&y[0]);
    is_plain || ED25519_ORDER_8.contains(&y)
}

/// Checks an RSAPublicKey: a positive odd modulus of 2048 to 4096 bits in whole octets, an odd exponent from 65537 on.
fn rsa(key: &[u8]) -> Result<KeyType, KeyError> {
    let key: asn1::RsaPublicKey = asn1::decode(key).map_err(|_| KeyError::Malformed)?;
    let (modulus, exponent) = (unsigned(key.modulus.as_bytes())?, unsigned(key.exponent.as_bytes())?);
    let leading = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
    let bits = modulus.len() * 8 - leading;
    if !(2048..=4096).contains(&bits) || bits % 8 != 0 {
        return Err(KeyError::RsaSize { bits });
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet & 1 == 1);
    let small = exponent.len() < 3 || exponent.len() == 3 && exponent < [0x01, 0x00, 0x01].as_slice();
    if !is_odd(modulus) || !is_odd(exponent) || small || exponent.len() > 32 {
        return Err(KeyError::RsaValue);
    }
    Ok(KeyType::Rsa(u16::try_from(bits).expect("at most 4096")))
}

/// The magnitude of a DER INTEGER that is not negative.
fn unsigned(integer: &[u8]) -> Result<&[u8], KeyError> {
    match (integer.first(), der::contents(integer)) {
        (Some(0x02), [first, ..]) if first & 0x80 != 0 => Err(KeyError::RsaValue),
        (Some(0x02), [0, rest @ ..]) => Ok(rest),
        (Some(0x02), contents) => Ok(contents),
        _ => Err(KeyError::Malformed),
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
