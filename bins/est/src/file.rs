//! Files: read whole, written so that a reader sees the old contents or the new ones and never half of them.
//!
//! A file that takes the place of another one is what that was to the programs that use it: it keeps owner, group and
//! mode, and a symbolic link goes on leading to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use est_core::pkix::pem;
use zeroize::Zeroizing;

use crate::output::Failure;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever the umask lets.
    Anyone,
    /// Its owner alone: mode 0600.
    Owner,
    /// The same as another file: its owner, group and mode.
    Like(Access),
}

/// A file's owner, group and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    #[cfg(unix)]
    uid: u32,
    #[cfg(unix)]
    gid: u32,
    #[cfg(unix)]
    mode: u32,
}

impl Readers {
    /// As the file at `path` has it; `otherwise` where there is none.
    pub(crate) fn like(path: &Path, otherwise: Self) -> Self {
        fs::metadata(path).map_or(otherwise, |metadata| Self::Like(Access::of(&metadata)))
    }
}

impl Access {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & 0o777 }
    }

    #[cfg(not(unix))]
    fn of(_: &fs::Metadata) -> Self {
        Self {}
    }

    /// Gives a file to the owner and the group, then sets the mode: nobody else can read it in between.
    #[cfg(unix)]
    fn give(self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{PermissionsExt, fchown};
        let made = Self::of(&file.metadata()?);
        if (made.uid, made.gid) != (self.uid, self.gid) {
            fchown(file, Some(self.uid), Some(self.gid)).map_err(|error| {
                let to = format!("user {} and group {}", self.uid, self.gid);
                io::Error::new(error.kind(), format!("it belongs to {to}: run est as that user, or as root ({error})"))
            })?;
        }
        file.set_permissions(fs::Permissions::from_mode(self.mode))
    }

    #[cfg(not(unix))]
    fn give(self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::error(format!("{} cannot be read: {error}", path.display())))
}

/// Reads hexadecimal digits, an even number of them.
pub(crate) fn from_hex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    is_hex.then(|| (0..digits.len()).step_by(2).map(octet).collect::<Option<Vec<u8>>>().map(Zeroizing::new)).flatten()
}

/// The certificates of a PEM file, DER, at least one; other blocks are skipped.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let blocks = pem::decode(&read_text(path)?)
        .ok_or_else(|| Failure::error(format!("{} is not PEM, or is damaged", path.display())))?;
    let is_certificate = |block: &pem::Block| matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE");
    let certificates: Vec<_> = blocks.into_iter().filter(is_certificate).map(|block| block.contents.clone()).collect();
    if certificates.is_empty() {
        return Err(Failure::error(format!("{} holds no PEM certificate", path.display())));
    }
    Ok(certificates)
}

pub(crate) fn certificates_to_pem<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    certificates.into_iter().map(|der| pem::encode("CERTIFICATE", der)).collect()
}

/// Puts `contents` at `path`, in place of what was there; durable on return. What [`Readers::Anyone`] may read keeps the
/// owner, group and mode of the file that it replaces.
pub(crate) fn write(path: &Path, contents: &str, readers: Readers) -> Result<(), Failure> {
    let target = &resolved(path);
    let readers = if readers == Readers::Anyone { Readers::like(target, readers) } else { readers };
    let written = stage(target, contents, readers).and_then(|staged| {
        let renamed = fs::rename(&staged, target);
        if renamed.is_err() {
            let _ = fs::remove_file(&staged);
        }
        renamed?;
        sync_folder(target)
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Where symbolic links lead; `path` itself where nothing is there yet.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Puts `contents` at `path` unless something is there; durable on return. Says whether it was put there.
pub(crate) fn write_new(path: &Path, contents: &str, readers: Readers) -> Result<bool, Failure> {
    let written = stage(path, contents, readers).and_then(|staged| {
        // A link, other than a rename, never replaces what another process has put there meanwhile.
        let linked = fs::hard_link(&staged, path);
        let removed = fs::remove_file(&staged);
        match linked {
            Ok(()) => removed.and_then(|()| sync_folder(path)).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(_) => create(path, contents, readers).and_then(|()| sync_folder(path)).map(|()| true),
        }
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Renames, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).and_then(|()| sync_folder(to)).map_err(|error| cannot_write(to, &error))
}

/// Keeps other processes from changing files in this file's folder until the lock is dropped. On a file system without
/// locks it keeps nobody.
pub(crate) fn lock_folder(path: &Path) -> Option<File> {
    let folder = File::open(folder_of(path)).ok()?;
    folder.lock().ok().map(|()| folder)
}

/// `path` with `suffix` after it: `key.pem` and `key.pem.old` lie side by side.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("{} cannot be written: {error}", path.display()))
}

/// Writes a file of this process's own in the same folder.
fn stage(path: &Path, contents: &str, readers: Readers) -> io::Result<PathBuf> {
    let staged = beside(path, &format!(".{}.tmp", std::process::id()));
    // What a killed process with the same number has left.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    create(&staged, contents, readers)?;
    Ok(staged)
}

fn create(path: &Path, contents: &str, readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers != Readers::Anyone {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let given = if let Readers::Like(access) = readers { access.give(&file) } else { Ok(()) };
    let written = given.and_then(|()| file.write_all(contents.as_bytes())).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Makes a new name durable, where folders can be synchronised.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder of a test's own, removed with its contents.
#[cfg(test)]
pub(crate) struct Scratch(PathBuf);

#[cfg(test)]
impl Scratch {
    pub(crate) fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("est-{test}-{}", std::process::id()));
        fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn replaces_a_file_whole_and_leaves_nothing_beside_it() {
        let scratch = Scratch::new("replaces");
        let path = scratch.path("a.pem");
        write(&path, "one", Readers::Anyone).unwrap();
        write(&path, "two", Readers::Anyone).unwrap();
        assert_eq!(read_text(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 1);
    }

    #[test]
    fn never_replaces_a_file_that_should_be_new() {
        let scratch = Scratch::new("new");
        let path = scratch.path("a.key");
        assert!(write_new(&path, "one", Readers::Owner).unwrap());
        assert!(!write_new(&path, "two", Readers::Owner).unwrap());
        assert_eq!(read_text(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn keeps_a_private_file_to_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new("private");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (made, replaced) = (scratch.path("made"), scratch.path("replaced"));
        write_new(&made, "secret", Readers::Owner).unwrap();
        write(&replaced, "public", Readers::Anyone).unwrap();
        write(&replaced, "secret", Readers::Owner).unwrap();
        assert_eq!((mode(&made), mode(&replaced)), (0o600, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn replaces_a_file_by_one_for_the_same_readers() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let scratch = Scratch::new("readers");
        let (path, link) = (scratch.path("a.pem"), scratch.path("link.pem"));
        write(&path, "one", Readers::Anyone).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let access = || {
            let metadata = fs::metadata(&path).unwrap();
            (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
        };
        // Only root can give a file away.
        let is_root = access().0 == 0;
        if is_root {
            std::os::unix::fs::chown(&path, Some(33), Some(34)).unwrap();
        }
        let before = access();
        write(&link, "two", Readers::Anyone).unwrap();
        assert_eq!((access(), read_text(&path).unwrap().as_str()), (before, "two"));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let beside = scratch.path("a.pem.new");
        write_new(&beside, "three", Readers::like(&path, Readers::Owner)).unwrap();
        assert_eq!(Readers::like(&beside, Readers::Owner), Readers::like(&path, Readers::Owner));
    }

    #[test]
    fn says_which_file_holds_no_certificate() {
        let scratch = Scratch::new("pem");
        let path = scratch.path("ca.pem");
        write(&path, "no blocks here", Readers::Anyone).unwrap();
        assert!(read_certificates(&path).unwrap_err().text.contains("ca.pem holds no PEM certificate"));
        let text = certificates_to_pem([&b"\x30\x00"[..], b"\x05\x00"]);
        write(&path, &format!("subject=x\n{text}"), Readers::Anyone).unwrap();
        assert_eq!(read_certificates(&path).unwrap(), [b"\x30\x00", b"\x05\x00"]);
    }
}
