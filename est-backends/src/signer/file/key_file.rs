//! Private keys as they are in files.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::encoding::AsRawBytes;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair, RsaKeyPair};
use est_core::pkix::{KeyError, Oid, pem};
use est_core::{Entropy, Secret};
use pkcs5::der::{Decode, Encode};
use pkcs5::{EncryptionScheme, pbes2};
use pki_types::alg_id;
use zeroize::Zeroizing;

use super::key_pair::{Curve, KeyPair, ParameterSet};
use super::tlv::{self, Parts};

/// Why a key file is not accepted. Says what to do, never what is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No PEM block of a private key.
    NoKey,
    /// Two private keys and more.
    SeveralKeys,
    /// PEM that does not decode, or DER that is no private key.
    Malformed,
    /// Encrypted as OpenSSL did before PKCS #8 (`Proc-Type: 4,ENCRYPTED`).
    OldEncryption,
    /// Encrypted in another way than PBES2 with a cipher and a key derivation that are supported.
    UnsupportedEncryption,
    /// Encrypted, and there is no passphrase.
    PassphraseNeeded,
    /// Encrypted with another passphrase, or damaged.
    WrongPassphrase,
    /// A key algorithm, curve or size that is not supported.
    Unsupported,
    /// A key algorithm that is not supported, and which.
    UnsupportedAlgorithm(Oid),
    /// A public key that is not accepted.
    Key(KeyError),
    /// The parts of the key contradict each other.
    Inconsistent,
    /// The cryptographic library does not accept the key.
    Rejected,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("there is no private key in it: it needs one PEM block `PRIVATE KEY`"),
            Self::SeveralKeys => f.write_str("there is more than one private key in it: leave only the one to use"),
            Self::Malformed => f.write_str(
                "it is not a readable private key: check with `openssl pkey -in FILE -noout -check`, or restore it",
            ),
            Self::OldEncryption => f.write_str(
                "it is encrypted in OpenSSL's old way (Proc-Type: 4,ENCRYPTED): \
                 convert it with `openssl pkcs8 -topk8 -in OLD -out NEW`",
            ),
            Self::UnsupportedEncryption => f.write_str(
                "its encryption is not supported: \
                 convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`",
            ),
            Self::PassphraseNeeded => f.write_str("it is encrypted: configure its passphrase"),
            Self::WrongPassphrase => f.write_str("the passphrase does not open it"),
            Self::Unsupported => f.write_str(
                "its kind of key is not supported: use RSA of 2048, 3072 or 4096 bits, ECDSA on P-256, P-384 or P-521, \
                 Ed25519 or ML-DSA",
            ),
            Self::UnsupportedAlgorithm(algorithm) => write!(
                f,
                "its key algorithm {algorithm} is not supported: use RSA, ECDSA on P-256, P-384 or P-521, Ed25519 or \
                 ML-DSA"
            ),
            Self::Key(error) => error.fmt(f),
            Self::Inconsistent => {
                f.write_str("its parts do not belong together: the key is damaged, restore it from a copy")
            }
            Self::Rejected => f.write_str("the cryptographic library does not accept the key: make another one"),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Reads the one private key of a PEM text.
pub(super) fn from_pem(text: &str, passphrase: Option<&Secret>) -> Result<KeyPair, KeyFileError> {
    let mut found = None;
    for block in pem::decode(text).ok_or(KeyFileError::Malformed)? {
        let is_key = block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
        if is_key && found.replace(block).is_some() {
            return Err(KeyFileError::SeveralKeys);
        }
    }
    let block = found.ok_or(KeyFileError::NoKey)?;
    if block.has_headers {
        return Err(KeyFileError::OldEncryption);
    }
    let der = &block.contents;
    match block.label.as_str() {
        "PRIVATE KEY" => pkcs8(der),
        "ENCRYPTED PRIVATE KEY" => encrypted_pkcs8(der, passphrase),
        "EC PRIVATE KEY" => sec1(der, None),
        "RSA PRIVATE KEY" => pkcs1(der),
        _ => Err(KeyFileError::Unsupported),
    }
}

/// Reads a private key of whatever form; the first parts tell which.
pub(super) fn from_der(der: &[u8], passphrase: Option<&Secret>) -> Result<KeyPair, KeyFileError> {
    let mut parts = Parts::of_sequence(der).ok_or(KeyFileError::Malformed)?;
    if parts.take(tlv::INTEGER).is_none() {
        return encrypted_pkcs8(der, passphrase);
    }
    match parts.peek().map(|value| value.tag) {
        Some(tlv::SEQUENCE) => pkcs8(der),
        Some(tlv::OCTET_STRING) => sec1(der, None),
        Some(tlv::INTEGER) => pkcs1(der),
        _ => Err(KeyFileError::Malformed),
    }
}

fn encrypted_pkcs8(der: &[u8], passphrase: Option<&Secret>) -> Result<KeyPair, KeyFileError> {
    pkcs8(&decrypt_pkcs8(der, passphrase)?)
}

/// Opens an EncryptedPrivateKeyInfo (RFC 5958 §3), PBES2 only (RFC 8018): for keys that somebody else uses, TLS say.
///
/// # Errors
/// [`KeyFileError`] about the encryption or the passphrase.
pub fn decrypt_pkcs8(der: &[u8], passphrase: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut parts = Parts::of_sequence(der).ok_or(KeyFileError::Malformed)?;
    let (Some(algorithm), Some(ciphertext)) = (parts.take(tlv::SEQUENCE), parts.take(tlv::OCTET_STRING)) else {
        return Err(KeyFileError::Malformed);
    };
    if !parts.is_empty() {
        return Err(KeyFileError::Malformed);
    }
    let scheme = EncryptionScheme::from_der(algorithm.whole).map_err(|_| KeyFileError::UnsupportedEncryption)?;
    let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
    let mut buffer = Zeroizing::new(ciphertext.contents.to_vec());
    let plaintext = scheme.decrypt_in_place(passphrase.reveal(), &mut buffer).map_err(|error| match error {
        pkcs5::Error::DecryptFailed => KeyFileError::WrongPassphrase,
        _ => KeyFileError::UnsupportedEncryption,
    })?;
    // A wrong passphrase passes the padding check once in 256 times; then no DER comes out.
    Parts::of_sequence(plaintext).ok_or(KeyFileError::WrongPassphrase)?;
    Ok(Zeroizing::new(plaintext.to_vec()))
}

/// How often PBKDF2 runs: what OWASP asks for with HMAC-SHA-256.
const ITERATIONS: u32 = 600_000;

/// Encrypts PKCS #8 (DER) into an EncryptedPrivateKeyInfo (RFC 5958 §3), DER, which OpenSSL and [`decrypt_pkcs8`] read: PBES2
/// with PBKDF2, HMAC-SHA-256 and AES-256-CBC (RFC 8018 §6.2). The salt and the initialization vector are half of `entropy`
/// each.
///
/// # Errors
/// [`KeyFileError::Rejected`] when the library does not encrypt.
pub fn encrypt_pkcs8(der: &[u8], passphrase: &Secret, entropy: &Entropy) -> Result<Vec<u8>, KeyFileError> {
    let (&[salt, vector], _) = entropy.0.as_chunks::<16>() else { return Err(KeyFileError::Rejected) };
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, vector);
    let scheme = EncryptionScheme::from(parameters.map_err(|_| KeyFileError::Rejected)?);
    let ciphertext = scheme.encrypt(passphrase.reveal(), der).map_err(|_| KeyFileError::Rejected)?;
    let mut buffer = [0; 256];
    let algorithm = scheme.encode_to_slice(&mut buffer).map_err(|_| KeyFileError::Rejected)?;
    let ciphertext = tlv::write(tlv::OCTET_STRING, &[&ciphertext]);
    Ok(tlv::write(tlv::SEQUENCE, &[algorithm, &ciphertext]).to_vec())
}

/// PrivateKeyInfo (RFC 5208), which OneAsymmetricKey (RFC 5958) extends by a public key.
fn pkcs8(der: &[u8]) -> Result<KeyPair, KeyFileError> {
    let OneAsymmetricKey { algorithm, private_key, public_key } =
        OneAsymmetricKey::read(der).ok_or(KeyFileError::Malformed)?;
    let key_pair = match algorithm {
        a if a == alg_id::RSA_ENCRYPTION.as_ref() => pkcs1(private_key)?,
        a if a == alg_id::ED25519.as_ref() => ed25519(private_key)?,
        a => {
            let curve = Curve::ALL.into_iter().find(|curve| curve.key_algorithm().as_ref() == a);
            let set = ParameterSet::ALL.into_iter().find(|set| set.identifier().as_ref() == a);
            match (curve, set) {
                (Some(curve), _) => sec1(private_key, Some(curve))?,
                (None, Some(set)) => ml_dsa(private_key, set)?,
                (None, None) => return Err(unsupported(algorithm)),
            }
        }
    };
    match public_key {
        Some(stated) if !fits(&key_pair, stated) => Err(KeyFileError::Inconsistent),
        Some(_) | None => Ok(key_pair),
    }
}

struct OneAsymmetricKey<'a> {
    /// The contents of the AlgorithmIdentifier.
    algorithm: &'a [u8],
    private_key: &'a [u8],
    public_key: Option<&'a [u8]>,
}

impl<'a> OneAsymmetricKey<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        /// `[0] Attributes OPTIONAL` and `[1] BIT STRING OPTIONAL`, both implicitly tagged.
        const ATTRIBUTES: u8 = 0xa0;
        const PUBLIC_KEY: u8 = 0x81;

        let mut parts = Parts::of_sequence(der)?;
        let version = parts.take(tlv::INTEGER)?.contents;
        let algorithm = parts.take(tlv::SEQUENCE)?.contents;
        let private_key = parts.take(tlv::OCTET_STRING)?.contents;
        parts.take(ATTRIBUTES);
        let public_key = match (version, parts.take(PUBLIC_KEY)) {
            ([0] | [1], None) => None,
            // The first octet counts unused bits: there are none in a key.
            ([1], Some(value)) => Some(value.contents.strip_prefix(&[0])?),
            _ => return None,
        };
        parts.is_empty().then_some(Self { algorithm, private_key, public_key })
    }
}

fn unsupported(algorithm: &[u8]) -> KeyFileError {
    let whole = tlv::write(tlv::SEQUENCE, &[algorithm]);
    let id = Parts::of_sequence(&whole).and_then(|parts| parts.peek()).and_then(|value| Oid::from_der(value.whole));
    id.map_or(KeyFileError::Malformed, KeyFileError::UnsupportedAlgorithm)
}

/// Whether this is the public half of the key.
fn fits(key_pair: &KeyPair, stated: &[u8]) -> bool {
    stated
        == match key_pair {
            KeyPair::Rsa(key) => key.public_key().as_ref(),
            KeyPair::Ecdsa(_, key) => key.public_key().as_ref(),
            KeyPair::Ed25519(key) => key.public_key().as_ref(),
            KeyPair::MlDsa(_, key) => key.public_key().as_ref(),
        }
}

/// RSAPrivateKey (RFC 8017, appendix A.1.2).
fn pkcs1(der: &[u8]) -> Result<KeyPair, KeyFileError> {
    let mut parts = Parts::of_sequence(der).ok_or(KeyFileError::Malformed)?;
    let modulus = parts.take(tlv::INTEGER).and_then(|_| parts.take(tlv::INTEGER)).ok_or(KeyFileError::Malformed)?;
    let magnitude = modulus.contents.strip_prefix(&[0]).unwrap_or(modulus.contents);
    let leading = magnitude.first().map_or(0, |octet| octet.leading_zeros() as usize);
    let bits = magnitude.len() * 8 - leading;
    if !(2048..=4096).contains(&bits) || bits % 8 != 0 {
        return Err(KeyFileError::Key(KeyError::RsaSize { bits }));
    }
    RsaKeyPair::from_der(der).map(KeyPair::Rsa).map_err(|_| KeyFileError::Inconsistent)
}

/// ECPrivateKey (RFC 5915). The curve is in its parameters, unless PKCS #8 around it names it.
fn sec1(der: &[u8], told: Option<Curve>) -> Result<KeyPair, KeyFileError> {
    /// `[0] EXPLICIT ECParameters OPTIONAL`.
    const PARAMETERS: u8 = 0xa0;

    let mut parts = Parts::of_sequence(der).ok_or(KeyFileError::Malformed)?;
    parts.take(tlv::INTEGER).and_then(|_| parts.take(tlv::OCTET_STRING)).ok_or(KeyFileError::Malformed)?;
    // Both are compared as the octets of the curve's OBJECT IDENTIFIER, the last part of the key's AlgorithmIdentifier.
    let named = match parts.take(PARAMETERS) {
        Some(parameters) => {
            let is_named = |curve: &Curve| curve.key_algorithm().as_ref().ends_with(parameters.contents);
            Some(Curve::ALL.into_iter().find(is_named).ok_or(KeyFileError::Unsupported)?)
        }
        None => None,
    };
    let curve = match (told, named) {
        (Some(told), Some(named)) if told != named => return Err(KeyFileError::Inconsistent),
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(KeyFileError::Unsupported),
    };
    EcdsaKeyPair::from_private_key_der(curve.algorithm(), der)
        .map(|key| KeyPair::Ecdsa(curve, key))
        .map_err(|_| KeyFileError::Inconsistent)
}

/// CurvePrivateKey (RFC 8410 §7): an OCTET STRING with the seed.
fn ed25519(der: &[u8]) -> Result<KeyPair, KeyFileError> {
    match der {
        [tlv::OCTET_STRING, 32, seed @ ..] if seed.len() == 32 => {
            Ed25519KeyPair::from_seed_unchecked(seed).map(KeyPair::Ed25519).map_err(|_| KeyFileError::Rejected)
        }
        _ => Err(KeyFileError::Malformed),
    }
}

/// The private key of RFC 9881 §6, told apart by tag: `[0]` the seed, OCTET STRING the expanded key, SEQUENCE both,
/// which must then agree (§8.2).
fn ml_dsa(der: &[u8], set: ParameterSet) -> Result<KeyPair, KeyFileError> {
    /// `[0] IMPLICIT OCTET STRING`.
    const SEED: u8 = 0x80;

    let malformed = KeyFileError::Malformed;
    let from_seed = |seed| PqdsaKeyPair::from_seed(set.algorithm(), seed).map_err(|_| KeyFileError::Malformed);
    // The value itself as the only part of a sequence, so that one reader serves the three forms.
    let wrapped = tlv::write(tlv::SEQUENCE, &[der]);
    let mut parts = Parts::of_sequence(&wrapped).ok_or(malformed.clone())?;
    let value = parts.peek().ok_or(malformed.clone())?;
    let key = match value.tag {
        SEED => from_seed(value.contents)?,
        tlv::OCTET_STRING => PqdsaKeyPair::from_raw_private_key(set.algorithm(), value.contents)
            .map_err(|_| KeyFileError::Inconsistent)?,
        tlv::SEQUENCE => {
            let mut both = Parts::of_sequence(value.whole).ok_or(malformed.clone())?;
            let (seed, expanded) = (both.take(tlv::OCTET_STRING), both.take(tlv::OCTET_STRING));
            let (Some(seed), Some(expanded), true) = (seed, expanded, both.is_empty()) else { return Err(malformed) };
            let key = from_seed(seed.contents)?;
            let own = key.private_key().as_raw_bytes().map_err(|_| KeyFileError::Rejected)?;
            verify_slices_are_equal(own.as_ref(), expanded.contents).map_err(|_| KeyFileError::Inconsistent)?;
            key
        }
        _ => return Err(malformed),
    };
    parts.take(value.tag);
    if parts.is_empty() { Ok(KeyPair::MlDsa(set, key)) } else { Err(KeyFileError::Malformed) }
}
