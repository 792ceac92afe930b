//! Signed checkpoints of the audit chain: who keeps one, and the public key, finds out when anything before it is
//! changed or taken out, whatever else is made to fit.

mod signed;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use est_backends::{FileSigner, Signer as _};
use est_core::PortError;
use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use est_store::{Chain, Checkpoint, Clock, Database, StoreError};
use zeroize::Zeroizing;

use crate::config::Audit;
use crate::wiring::{WiringError, read_secret};

pub use signed::{CheckpointError, SignedCheckpoint, read_all, read_public_key};

/// Makes checkpoints of a chain, and appends them to a file.
pub struct Checkpoints {
    key: FileSigner,
    path: PathBuf,
    /// The last one that it made, so that a chain that stands still gets no second.
    last: Option<Chain>,
}

impl Checkpoints {
    /// Reads the key. `None` where no checkpoints are configured.
    ///
    /// # Errors
    /// [`WiringError`] when the key cannot be read. One that is gone is not made anew: it would make strangers of all
    /// checkpoints that there are.
    pub fn open(settings: &Audit) -> Result<Option<Self>, WiringError> {
        Self::with(settings, |key| {
            if key.exists() {
                return read(key);
            }
            let key = key.display();
            Err(WiringError(format!(
                "there is no {key}, the key of the checkpoints: bring it back from a backup; `estd run` makes one where \
                 there never was any"
            )))
        })
    }

    /// As [`open`](Self::open), for a server, which makes the key if there is none.
    ///
    /// # Errors
    /// [`WiringError`] when the key can be neither read nor made.
    pub fn open_or_make(settings: &Audit) -> Result<Option<Self>, WiringError> {
        Self::with(settings, read_or_make)
    }

    fn with(
        settings: &Audit,
        key: impl FnOnce(&Path) -> Result<FileSigner, WiringError>,
    ) -> Result<Option<Self>, WiringError> {
        let (Some(path), Some(file)) = (&settings.checkpoint_key, &settings.checkpoints) else { return Ok(None) };
        Ok(Some(Self { key: key(path)?, path: file.clone(), last: None }))
    }

    /// The key that checkpoints are signed with.
    #[must_use]
    pub fn public_key(&self) -> &SubjectPublicKeyInfo {
        self.key.public_key()
    }

    /// Makes a checkpoint of this chain.
    ///
    /// # Errors
    /// [`PortError`] when the key made no signature.
    pub async fn sign(&self, chain: Chain) -> Result<SignedCheckpoint, PortError> {
        let checkpoint = Checkpoint { chain, at: Clock::system().now() };
        let signature = self.key.sign(&checkpoint.to_octets()).await?;
        Ok(SignedCheckpoint { checkpoint, key: self.public_key().digest(), signature })
    }

    /// Makes a checkpoint of the chain of `node` and appends it to the file, unless there is nothing new since the last.
    ///
    /// # Errors
    /// [`CheckpointError`] when the chain cannot be read or the file not be written.
    pub async fn make(&mut self, store: &Database, node: &str) -> Result<Option<SignedCheckpoint>, CheckpointError> {
        let end = store.chain_end(node).await.map_err(|error: StoreError| CheckpointError(error.to_string()))?;
        let Some(end) = end.filter(|end| self.last.as_ref() != Some(end)) else { return Ok(None) };
        let signed = self.sign(end.clone()).await.map_err(|error| CheckpointError(error.to_string()))?;
        self.append(&signed)?;
        self.last = Some(end);
        Ok(Some(signed))
    }

    /// Appends a checkpoint to the file; on disk on return.
    ///
    /// # Errors
    /// [`CheckpointError`] with the file's name.
    pub fn append(&self, checkpoint: &SignedCheckpoint) -> Result<(), CheckpointError> {
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(&self.path)?;
            file.write_all(format!("{checkpoint}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| CheckpointError(format!("cannot write {}: {error}", self.path.display())))
    }
}

fn read_or_make(path: &Path) -> Result<FileSigner, WiringError> {
    if !path.exists() {
        let failed = |why: &dyn std::fmt::Display| WiringError(format!("cannot make {}: {why}", path.display()));
        let (key, text) = FileSigner::generate(KeyType::EcdsaP256).map_err(|error| failed(&error))?;
        match write_secret(path, &text) {
            Ok(()) => return Ok(key),
            // Somebody else was quicker: that key it is.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    read(path)
}

fn read(path: &Path) -> Result<FileSigner, WiringError> {
    let text = read_secret(path)?;
    FileSigner::from_pem(&text, None).map_err(|error| WiringError(format!("{}: {error}", path.display())))
}

/// Writes a file that is whole as soon as it is there, and that its owner alone can read.
fn write_secret(path: &Path, text: &Zeroizing<String>) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&beside, path)
    };
    let written = write();
    fs::remove_file(&beside).and(written)
}
