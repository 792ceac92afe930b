//! One server a database file.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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
        let mut path = own_name(database).into_os_string();
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

/// The name of a file that it has without links, so that everybody has the same lock whatever they call it.
fn own_name(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| match (file.parent().map(Path::canonicalize), file.file_name()) {
        // Not made yet.
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => file.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_to_the_database_leads_to_the_same_lock() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| folder.path().join(name);
        std::fs::create_dir(place("here")).unwrap();
        symlink(place("here"), place("there")).unwrap();
        let first = Lock::take(&place("here/estd.db")).unwrap();
        Lock::take(&place("there/estd.db")).err().expect("the folder is the same, before there is a file");
        File::create(place("here/estd.db")).unwrap();
        symlink(place("here/estd.db"), place("other.db")).unwrap();
        Lock::take(&place("other.db")).err().expect("the file is the same");
        drop(first);
        Lock::take(&place("other.db")).unwrap();
    }
}
