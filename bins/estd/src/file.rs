//! Files that commands make and read.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_core::pkix::{Certificate, pem};

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 30;

/// Who may read a file.
pub(crate) enum Readers {
    /// Its owner.
    Owner,
    /// Everybody.
    All,
}

/// Refuses when one of `names` is in the folder already.
pub(crate) fn refuse_existing(folder: &Path, names: &[&str]) -> Result<()> {
    match names.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
        Some(path) => bail!("{} exists already: choose another folder, or move it away", path.display()),
        None => Ok(()),
    }
}

/// Writes a file that everybody may read, in the place of the one that was there: whole, and on disk on return.
pub(crate) fn replace(path: &Path, octets: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // No other writer of the folder can have put a link there: the name cannot be guessed.
    let beside = folder.join(format!(".estd-{}", random()?));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&beside)?;
        let written = file.write_all(octets).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
        written.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file in the place of the one that is there, or that a link there leads to: with its mode, owner and group,
/// whole, and on disk on return.
///
/// # Errors
/// When it cannot be written, or given to its owner; then the file is as it was.
pub(crate) fn replace_like(path: &Path, octets: &[u8]) -> Result<()> {
    let target = fs::canonicalize(path).with_context(|| format!("cannot write {}", path.display()))?;
    write_like(&target, &target, octets)
}

/// Writes the file `path`, or another one in its place, with the mode, owner and group of the file `like`: whole, and on disk
/// on return.
///
/// # Errors
/// As [`replace_like`].
pub(crate) fn write_like(like: &Path, path: &Path, octets: &[u8]) -> Result<()> {
    let write = || {
        let before = fs::metadata(like)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let beside = folder.join(format!(".estd-{}", random()?));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let written = (|| {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(before.permissions())?;
            file.write_all(octets)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        })();
        written.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        anyhow::Ok(File::open(folder)?.sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Puts the file `from` in the place of `path`, or of what a link there leads to, which is in the same folder.
///
/// # Errors
/// When it cannot be renamed; then both files are as they were.
pub(crate) fn rename(from: &Path, path: &Path) -> Result<()> {
    let rename = || {
        let path = fs::canonicalize(path)?;
        fs::rename(from, &path)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    rename().with_context(|| format!("cannot rename {} to {}", from.display(), path.display()))
}

/// What nobody can guess.
fn random() -> Result<String> {
    Ok(host::shell::entropy()?.0[..16].iter().map(|octet| format!("{octet:02x}")).collect())
}

/// Writes a file that was not there.
pub(crate) fn write_new(path: &Path, text: &str, readers: Readers) -> Result<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if length > MAX_BYTES {
        bail!("{} has more than {} MiB: divide it", path.display(), MAX_BYTES >> 20);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The DER of what a file has under this PEM label: in PEM, or alone in DER.
///
/// # Errors
/// When there is nothing, or it is neither.
pub(crate) fn blocks(path: &Path, label: &str) -> Result<Vec<Vec<u8>>> {
    let octets = read(path)?;
    if octets.first() == Some(&0x30) {
        return Ok(vec![octets]);
    }
    let text = std::str::from_utf8(&octets).ok();
    let blocks = text.and_then(pem::decode).with_context(|| format!("{} is neither PEM nor DER", path.display()))?;
    let found: Vec<_> =
        blocks.iter().filter(|block| block.label == label).map(|block| block.contents.clone()).collect();
    if found.is_empty() {
        bail!("{} has no {label} in PEM", path.display());
    }
    Ok(found)
}

/// The certificates in a file: any number in PEM, or one in DER.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let read = |(index, der): (usize, Vec<u8>)| {
        Certificate::parse(&der)
            .map_err(|error| anyhow::anyhow!("{}: certificate {} is {error}", path.display(), index + 1))
    };
    blocks(path, "CERTIFICATE")?.into_iter().enumerate().map(read).collect()
}
