//! CRLs in files and folders, looked at again and again.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use est_auth::{Crl, PathValidator};
use tracing::{error, info, warn};

use crate::shell;

/// The longest CRL file that is read: some millions of entries.
const MAX_BYTES: u64 = 256 << 20;

/// The files and folders that CRLs come from. Of a folder every file counts whose name does not begin with a dot, but
/// no folder within.
#[derive(Debug)]
pub struct CrlFiles {
    paths: Vec<PathBuf>,
    seen: Vec<Stamp>,
    /// What kept it from looking the last time.
    complaint: Option<String>,
}

/// What tells that a file has changed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    path: PathBuf,
    size_bytes: u64,
    modified: Option<SystemTime>,
}

/// Why CRLs cannot be read. Its text is for the operator, and names the file.
#[derive(Debug)]
pub struct CrlFilesError(String);

impl fmt::Display for CrlFilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CrlFilesError {}

impl CrlFiles {
    /// Reads every CRL of these files and folders, PEM or DER.
    ///
    /// # Errors
    /// [`CrlFilesError`] for the first file that cannot be read or holds none. A folder may be empty.
    pub fn read(paths: Vec<PathBuf>) -> Result<(Self, Vec<Crl>), CrlFilesError> {
        let seen = stamps(&paths)?;
        let crls = read(&seen)?;
        Ok((Self { paths, seen, complaint: None }, crls))
    }

    /// Looks whether a file has come, gone or changed since the last time; if so, reads them all. `None` when nothing
    /// has changed.
    ///
    /// # Errors
    /// [`CrlFilesError`] when one cannot be read: once for each change.
    pub fn look(&mut self) -> Result<Option<Vec<Crl>>, CrlFilesError> {
        let found = match stamps(&self.paths) {
            Ok(found) => found,
            Err(CrlFilesError(text)) if self.complaint.as_ref() == Some(&text) => return Ok(None),
            Err(error) => {
                self.complaint = Some(error.0.clone());
                return Err(error);
            }
        };
        self.complaint = None;
        if found == self.seen {
            return Ok(None);
        }
        let crls = read(&found);
        self.seen = found;
        crls.map(Some)
    }

    /// Looks, and has `paths` ask what it found. A change that cannot be read leaves things as they are, and is logged.
    pub fn look_for(&mut self, paths: &PathValidator) {
        match self.look() {
            Ok(None) => {}
            Ok(Some(crls)) => {
                tell(&crls);
                paths.replace_crls(crls);
            }
            Err(error) => error!(%error, "the CRLs have changed and cannot be read: the old ones stay in use"),
        }
    }
}

/// Logs what there is, and what has expired.
pub(crate) fn tell(crls: &[Crl]) {
    let now = shell::now();
    for crl in crls.iter().filter(|crl| crl.next_update() <= now) {
        warn!(issuer = %crl.issuer(), next_update = %crl.next_update(), "a CRL has expired and is ignored");
    }
    info!(count = crls.len(), "CRLs in use");
}

/// Every file, in the order of their names.
fn stamps(paths: &[PathBuf]) -> Result<Vec<Stamp>, CrlFilesError> {
    let mut stamps = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| cannot(path, &error))?;
        if !metadata.is_dir() {
            stamps.push(stamp(path.clone(), &metadata)?);
            continue;
        }
        for entry in fs::read_dir(path).map_err(|error| cannot(path, &error))? {
            let entry = entry.map_err(|error| cannot(path, &error))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            let metadata = match fs::metadata(&path) {
                // It went while the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(|error| cannot(&path, &error))?,
            };
            if !metadata.is_dir() {
                stamps.push(stamp(path, &metadata)?);
            }
        }
    }
    stamps.sort();
    stamps.dedup();
    Ok(stamps)
}

fn stamp(path: PathBuf, metadata: &Metadata) -> Result<Stamp, CrlFilesError> {
    if !metadata.is_file() {
        return Err(CrlFilesError(format!("{} is not a file", path.display())));
    }
    if metadata.len() > MAX_BYTES {
        return Err(CrlFilesError(format!("{} is longer than {MAX_BYTES} octets", path.display())));
    }
    Ok(Stamp { path, size_bytes: metadata.len(), modified: metadata.modified().ok() })
}

fn read(stamps: &[Stamp]) -> Result<Vec<Crl>, CrlFilesError> {
    let mut crls = Vec::new();
    for Stamp { path, .. } in stamps {
        let octets = fs::read(path).map_err(|error| cannot(path, &error))?;
        let read = Crl::read_all(&octets).map_err(|error| CrlFilesError(format!("{}: {error}", path.display())))?;
        crls.extend(read);
    }
    Ok(crls)
}

fn cannot(path: &Path, error: &io::Error) -> CrlFilesError {
    CrlFilesError(format!("cannot read {}: {error}", path.display()))
}
