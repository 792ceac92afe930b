//! Signed checkpoints of the audit chains: with one of them and the public key, an auditor finds out when anything before it is
//! changed or taken out, whatever else is made to fit.

mod signed;
mod voucher;

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use est_backends::{FileSigner, Signer as _};
use est_core::PortError;
use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use est_store::{Chain, Checkpoint, Clock, Database};
use zeroize::Zeroizing;

use crate::config::Audit;
use crate::wiring::{WiringError, read_secret};

pub use signed::{CheckpointError, ReadCheckpoints, SignedCheckpoint, read_all, read_public_key};
pub use voucher::{NoVoucher, Voucher};

/// How often a voucher is made again because the chain went on meanwhile.
const TRIES: usize = 16;

/// Makes checkpoints of the chains, and appends them to a file.
pub struct Checkpoints {
    key: FileSigner,
    path: PathBuf,
    /// Of what it made the last one, so that chains that stand still get no second.
    last: Vec<Chain>,
}

impl Checkpoints {
    /// Reads the key. `None` where no checkpoints are configured.
    ///
    /// # Errors
    /// [`WiringError`] when the key cannot be read. A missing one is not replaced: that would make strangers of all
    /// checkpoints that there are.
    pub fn open(settings: &Audit) -> Result<Option<Self>, WiringError> {
        Self::with(settings, |key| {
            if key.exists() {
                return read(key);
            }
            let key = key.display();
            Err(WiringError(format!(
                "there is no {key}, the key of the checkpoints. If the server has never run, start it once with `estd run`, \
                 which makes the key. Otherwise bring the key back from a backup"
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
        Ok(Some(Self { key: key(path)?, path: file.clone(), last: Vec::new() }))
    }

    /// The key that checkpoints are signed with.
    #[must_use]
    pub fn public_key(&self) -> &SubjectPublicKeyInfo {
        self.key.public_key()
    }

    /// Makes a checkpoint of this chain alone.
    ///
    /// # Errors
    /// [`PortError`] when the key made no signature.
    pub async fn sign(&self, chain: Chain) -> Result<SignedCheckpoint, PortError> {
        self.sign_checkpoint(Checkpoint { chain, others: None, at: Clock::system().now() }).await
    }

    /// Makes a checkpoint of all chains, which end so, by the node of this name.
    ///
    /// # Errors
    /// [`PortError`] when the key made no signature.
    pub async fn sign_all(&self, node: &str, ends: Vec<Chain>) -> Result<SignedCheckpoint, PortError> {
        self.sign_checkpoint(Checkpoint::of_all(node, ends, Clock::system().now())).await
    }

    async fn sign_checkpoint(&self, checkpoint: Checkpoint) -> Result<SignedCheckpoint, PortError> {
        let signature = self.key.sign(&checkpoint.to_octets()).await?;
        Ok(SignedCheckpoint { checkpoint, key: self.public_key().digest(), signature })
    }

    /// Makes a checkpoint of all chains by the node of this name and appends it to the file, unless there is nothing new
    /// since the last.
    ///
    /// # Errors
    /// [`CheckpointError`] when the chains cannot be read or the file not be written.
    pub async fn make(&mut self, store: &Database, node: &str) -> Result<Option<SignedCheckpoint>, CheckpointError> {
        let ends = store.chain_ends().await.map_err(failed)?;
        if self.last == ends {
            return Ok(None);
        }
        let signed = self.sign_all(node, ends.clone()).await.map_err(failed)?;
        self.append(&signed)?;
        self.last = ends;
        Ok(Some(signed))
    }

    /// Signs the chain of the store's node as it is, and writes that down in it: so that a chain that has such a record is
    /// known for one that somebody with the key has begun.
    ///
    /// # Errors
    /// [`CheckpointError`] when the chain cannot be read or written, or goes on all the time.
    pub async fn vouch(&self, store: &Database) -> Result<(), CheckpointError> {
        for _ in 0..TRIES {
            let end = store.own_chain().await.map_err(failed)?;
            let signature = self.key.sign(&end.to_voucher()).await.map_err(failed)?;
            let voucher = Voucher::new(&end, self.public_key().digest(), signature);
            if store.note_vouched(end, voucher.to_string()).await.map_err(failed)? {
                return Ok(());
            }
        }
        Err(CheckpointError("this node writes too many audit records for one to be vouched for in its place".into()))
    }

    /// Appends a checkpoint to the file; on disk on return.
    ///
    /// # Errors
    /// [`CheckpointError`] with the file's name.
    pub fn append(&self, checkpoint: &SignedCheckpoint) -> Result<(), CheckpointError> {
        let append = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o644).open(&self.path)?;
            // What is left of one that was cut short stays a line of its own.
            let mut last = [b'\n'];
            if file.metadata()?.len() > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            let begin = if last == [b'\n'] { "" } else { "\n" };
            file.write_all(format!("{begin}{checkpoint}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| CheckpointError(format!("cannot write {}: {error}", self.path.display())))
    }
}

fn failed(error: impl std::fmt::Display) -> CheckpointError {
    CheckpointError(error.to_string())
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
