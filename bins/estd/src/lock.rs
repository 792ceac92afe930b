//! One server a database file.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held by the server that serves from a database; the system lets go of it when the process ends, however it ends.
///
/// Whoever holds it knows that leases found in the database belong to a process that is gone.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Lock {
    /// Takes the lock beside the database.
    ///
    /// # Errors
    /// When another server holds it, or the file cannot be made.
    pub(crate) fn take(database: &Path) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = Path::new(&path);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.with_context(|| {
            format!(
                "cannot make {}: estd must be able to make files in the folder of its database (db.url)",
                path.display()
            )
        })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => bail!(
                "another estd serves from {}: stop it first, or give this one a database of its own (db.url)",
                database.display()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}
