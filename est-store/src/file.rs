//! The file that a database is in.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A file that is open, by its path and by what the file system knows it by.
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: Identity,
}

/// The numbers of a device and of a file on it.
type Identity = (u64, u64);

impl DatabaseFile {
    /// The one at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(&path.metadata()?) })
    }

    /// Whether the path leads to the file still.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when it does not: what is written to the file then is in no file that anybody finds.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let is_here = self.path.metadata().is_ok_and(|metadata| identity(&metadata) == self.identity);
        if is_here { Ok(()) } else { Err(StoreError::Moved { path: self.path.clone() }) }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere a file that is open can be neither moved nor deleted.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}
