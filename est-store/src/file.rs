//! The file that a database is in.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A database that is open: its file and its write-ahead log, by their paths and by what the file system knows them by.
pub(crate) struct DatabaseFile {
    files: Vec<(PathBuf, Identity)>,
}

/// The numbers of a device and of a file on it.
type Identity = (u64, u64);

impl DatabaseFile {
    /// The one at `path`, with its log if it has one yet.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut files = vec![(path.to_owned(), identity(&path.metadata()?))];
        let log = log_of(path);
        files.extend(log.metadata().ok().map(|metadata| (log, identity(&metadata))));
        Ok(Self { files })
    }

    /// Whether the paths lead to the files still. The log is there for as long as the database is open: it goes where another
    /// database was made at the path meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when they do not: what is written then is in no file that anybody finds.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let is_here = |path: &Path, known| path.metadata().is_ok_and(|metadata| identity(&metadata) == known);
        match self.files.iter().find(|(path, known)| !is_here(path, *known)) {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Moved { path: path.clone() }),
        }
    }
}

/// The path of a database's write-ahead log. SQLite follows symbolic links to the database first.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    let beside = |target: PathBuf| path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    let file = path.canonicalize().or_else(|_| path.read_link().map(beside)).unwrap_or_else(|_| path.to_owned());
    let mut log = file.into_os_string();
    log.push("-wal");
    PathBuf::from(log)
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
