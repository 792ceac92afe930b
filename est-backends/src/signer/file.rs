//! A signer with a key from a file.

mod key_file;
mod key_pair;
pub(crate) mod tlv;

use std::fmt;
use std::sync::Arc;

use est_core::pkix::{KeyType, SubjectPublicKeyInfo, pem};
use est_core::{PortError, PortFuture, Secret};
use zeroize::Zeroizing;

use crate::aws_lc;
use crate::signer::Signer;
use key_pair::KeyPair;

pub use key_file::{KeyFileError, decrypt_pkcs8, encrypt_pkcs8};

/// Signs with a private key that was read from a file and lies in memory.
///
/// Signs with RSA PKCS #1 v1.5 and SHA-256 (or, asked to, PSS), ECDSA with the hash of the curve's size, Ed25519,
/// ML-DSA with an empty context.
pub struct FileSigner {
    key_pair: Arc<KeyPair>,
    public_key: SubjectPublicKeyInfo,
    padding: RsaPadding,
    signature_algorithm: Vec<u8>,
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// How an RSA key signs; always with SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5, which every verifier knows.
    #[default]
    Pkcs1,
    /// RSASSA-PSS with a salt as long as the hash.
    Pss,
}

impl FileSigner {
    /// Reads the one private key in a PEM text: PKCS #8 (encrypted or not), `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// [`KeyFileError`], which says what to do about it and never what was in the file.
    pub fn from_pem(text: &str, passphrase: Option<&Secret>) -> Result<Self, KeyFileError> {
        Self::new(key_file::from_pem(text, passphrase)?)
    }

    /// Reads a private key in DER: the same forms as [`FileSigner::from_pem`].
    ///
    /// # Errors
    /// [`KeyFileError`], which says what to do about it and never what was in the file.
    pub fn from_der(der: &[u8], passphrase: Option<&Secret>) -> Result<Self, KeyFileError> {
        Self::new(key_file::from_der(der, passphrase)?)
    }

    /// Makes a key. Returns it with its text for a file: PKCS #8, PEM; ML-DSA as its seed.
    ///
    /// # Errors
    /// [`KeyFileError::Unsupported`] for an RSA size other than 2048, 3072 and 4096, [`KeyFileError::Rejected`] when
    /// the library could not make a key.
    pub fn generate(key_type: KeyType) -> Result<(Self, Zeroizing<String>), KeyFileError> {
        let (signer, pkcs8) = Self::generate_pkcs8(key_type)?;
        Ok((signer, Zeroizing::new(pem::encode("PRIVATE KEY", &pkcs8))))
    }

    /// As [`FileSigner::generate`], with the key's PKCS #8 in DER.
    pub(crate) fn generate_pkcs8(key_type: KeyType) -> Result<(Self, Zeroizing<Vec<u8>>), KeyFileError> {
        let (key_pair, pkcs8) = KeyPair::generate(key_type)?;
        Ok((Self::new(key_pair)?, pkcs8))
    }

    /// Makes an RSA key sign with this padding; changes nothing for other keys.
    #[must_use]
    pub fn with_rsa_padding(mut self, padding: RsaPadding) -> Self {
        self.padding = padding;
        self.signature_algorithm = self.key_pair.signature_algorithm(padding);
        self
    }

    fn new(key_pair: KeyPair) -> Result<Self, KeyFileError> {
        let public_key = SubjectPublicKeyInfo::parse(&key_pair.public_key()).map_err(KeyFileError::Key)?;
        let padding = RsaPadding::default();
        let signature_algorithm = key_pair.signature_algorithm(padding);
        prove_consistency(&key_pair, &public_key, &signature_algorithm)?;
        Ok(Self { key_pair: Arc::new(key_pair), public_key, padding, signature_algorithm })
    }
}

/// Signs something and verifies it: finds keys whose halves do not fit each other before a CA has used them.
fn prove_consistency(
    key_pair: &KeyPair,
    public_key: &SubjectPublicKeyInfo,
    signature_algorithm: &[u8],
) -> Result<(), KeyFileError> {
    let message = b"a key signs this once, when it is read";
    let signature = key_pair.sign(RsaPadding::default(), message).map_err(|_| KeyFileError::Rejected)?;
    if aws_lc::verifies(public_key, signature_algorithm, message, &signature) {
        Ok(())
    } else {
        Err(KeyFileError::Inconsistent)
    }
}

impl Signer for FileSigner {
    fn signature_algorithm(&self) -> &[u8] {
        &self.signature_algorithm
    }

    fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.public_key
    }

    /// Keys that take a third of a millisecond and more sign on a blocking thread, where there is a runtime.
    fn sign<'a>(&'a self, message: &'a [u8]) -> PortFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let is_slow = matches!(self.public_key.key_type(), KeyType::Rsa(_) | KeyType::EcdsaP521);
            let signature = match tokio::runtime::Handle::try_current() {
                Ok(runtime) if is_slow => {
                    let (key_pair, padding, message) = (self.key_pair.clone(), self.padding, message.to_vec());
                    runtime
                        .spawn_blocking(move || key_pair.sign(padding, &message))
                        .await
                        .map_err(|_| PortError("the thread that was to sign ended early".into()))?
                }
                Ok(_) | Err(_) => self.key_pair.sign(self.padding, message),
            };
            signature.map_err(|_| PortError("the cryptographic library made no signature".into()))
        })
    }

    fn is_in_process(&self) -> bool {
        true
    }
}
