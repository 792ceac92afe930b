//! Keys made for clients (RFC 7030 §4.4), in this process.

mod content;
mod derivation;
mod opening;
mod recipient;
mod recipient_key;
mod sealing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::{fmt, thread};

use est_core::pkix::{Certificate, KeyType, SubjectPublicKeyInfo};
use est_core::{
    Generated, GeneratedKey, KeyGenerator, KeyPart, KeyRefusal, KeyWish, PortError, PortFuture, Protection,
};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use crate::signer::Signer;
use crate::signer::file::{FileSigner, KeyFileError};

pub use opening::{OpenError, Opened, open};
pub use recipient_key::{RecipientKey, RecipientKeyError};

/// Makes keys with aws-lc-rs, and encrypts them where that is asked for.
///
/// RSA keys take a core for a second or several. At most one for each core is made at a time, on threads that let others go
/// first; the caller decides how many wait.
///
/// The keys are PKCS #8 as OpenSSL 3.0 and others read it: version 0, elliptic-curve keys with the public key in their
/// ECPrivateKey, ML-DSA as its seed.
pub struct LocalKeyGenerator {
    signer: Arc<dyn Signer>,
    certificate: Certificate,
    symmetric: BTreeMap<Vec<u8>, SymmetricKey>,
    recipients: Vec<Certificate>,
    /// For RSA keys: one for each core.
    turns: Semaphore,
}

impl fmt::Debug for LocalKeyGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeyGenerator").finish_non_exhaustive()
    }
}

/// A symmetric key that a client shares with the server: 128 or 256 bits.
#[derive(Clone)]
pub struct SymmetricKey(Zeroizing<Vec<u8>>);

/// A symmetric key has another length than 128 or 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymmetricKeyLength {
    /// Its length in octets.
    pub octets: usize,
}

impl fmt::Display for SymmetricKeyLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the symmetric key has {} octets: 16 or 32 are needed", self.octets)
    }
}

impl std::error::Error for SymmetricKeyLength {}

impl SymmetricKey {
    /// Takes over a key.
    ///
    /// # Errors
    /// [`SymmetricKeyLength`] unless it has 16 or 32 octets.
    pub fn new(octets: Zeroizing<Vec<u8>>) -> Result<Self, SymmetricKeyLength> {
        if matches!(octets.len(), 16 | 32) {
            Ok(Self(octets))
        } else {
            Err(SymmetricKeyLength { octets: octets.len() })
        }
    }

    fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey(..)")
    }
}

impl LocalKeyGenerator {
    /// Signs key packages with `signer`, whose certificate `certificate` is.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, certificate: Certificate) -> Self {
        let turns = Semaphore::new(thread::available_parallelism().map_or(1, usize::from));
        Self { signer, certificate, symmetric: BTreeMap::new(), recipients: Vec::new(), turns }
    }

    /// Adds a symmetric key by the name that a DecryptKeyIdentifier gives.
    #[must_use]
    pub fn with_symmetric_key(mut self, id: Vec<u8>, key: SymmetricKey) -> Self {
        self.symmetric.insert(id, key);
        self
    }

    /// Adds a certificate whose subjectKeyIdentifier an AsymmetricDecryptKeyIdentifier may give.
    #[must_use]
    pub fn with_recipient(mut self, certificate: Certificate) -> Self {
        self.recipients.push(certificate);
        self
    }

    async fn make(&self, wish: &KeyWish) -> Result<Generated, PortError> {
        // Whoever cannot be answered gets no key made.
        let recipient = match self.recipient(&wish.protection) {
            Ok(recipient) => recipient,
            Err(refusal) => return Ok(Generated::Refused(refusal)),
        };
        let (public_key, pkcs8) = match self.make_key(wish.key_type).await? {
            Ok(made) => made,
            Err(refusal) => return Ok(Generated::Refused(refusal)),
        };
        let part = match recipient {
            None => KeyPart::Pkcs8(pkcs8),
            Some(recipient) => {
                let signed = sealing::sign(&pkcs8, &*self.signer, &self.certificate).await?;
                KeyPart::Enveloped(recipient.seal(&signed)?)
            }
        };
        Ok(Generated::Key(GeneratedKey { public_key, part }))
    }

    fn recipient(&self, protection: &Protection) -> Result<Option<sealing::Sealing>, KeyRefusal> {
        match protection {
            Protection::None => Ok(None),
            Protection::Symmetric { key_id, capabilities } => {
                let key = self.symmetric.get(key_id).ok_or(KeyRefusal::UnknownKeyIdentifier)?;
                sealing::Sealing::symmetric(key_id, key, capabilities).map(Some)
            }
            Protection::Asymmetric { key_id, capabilities, shown } => {
                let known = self.recipients.iter().chain(shown.as_deref());
                let certificate = known
                    .into_iter()
                    .find(|certificate| certificate.subject_key_identifier().as_ref() == Some(key_id))
                    .ok_or(KeyRefusal::UnknownKeyIdentifier)?;
                sealing::Sealing::asymmetric(key_id, certificate, capabilities).map(Some)
            }
        }
    }
}

impl KeyGenerator for LocalKeyGenerator {
    fn generate<'a>(&'a self, wish: &'a KeyWish) -> PortFuture<'a, Generated> {
        Box::pin(self.make(wish))
    }
}

type Made = (SubjectPublicKeyInfo, Zeroizing<Vec<u8>>);

impl LocalKeyGenerator {
    /// Makes a key; one of RSA on a thread of its own.
    async fn make_key(&self, key_type: KeyType) -> Result<Result<Made, KeyRefusal>, PortError> {
        let made = if matches!(key_type, KeyType::Rsa(_)) {
            let turn = self.turns.acquire().await;
            let _turn = turn.map_err(|_| PortError("no more keys are made".into()))?;
            let (answer, made) = oneshot::channel();
            let thread = thread::Builder::new().name("rsa-key".into()).spawn(move || {
                step_back();
                // Nobody may be waiting any more.
                let _ = answer.send(FileSigner::generate_pkcs8(key_type));
            });
            thread.map_err(|error| PortError(format!("no thread to make a key: {error}")))?;
            made.await.map_err(|_| PortError("the thread that was to make a key ended early".into()))?
        } else {
            FileSigner::generate_pkcs8(key_type)
        };
        match made {
            Ok((signer, pkcs8)) => Ok(Ok((signer.public_key().clone(), pkcs8))),
            Err(KeyFileError::Unsupported) => Ok(Err(KeyRefusal::KeyTypeNotOffered)),
            Err(error) => Err(PortError(format!("a key of type {key_type} was not made: {error}"))),
        }
    }
}

/// Lets other threads go first: making keys delays nothing else.
#[cfg(target_os = "linux")]
fn step_back() {
    // Of the thread alone. A process that runs at a lower priority already stays there.
    let _ = rustix::process::setpriority_process(None, 10);
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}
