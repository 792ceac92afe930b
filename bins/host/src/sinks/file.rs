//! A file that records are appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

const O_NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// A file that records are appended to, opened when it is needed. Its owner may write, and its group read.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    open: Option<File>,
}

impl AppendFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Appends lines. They are on disk when this returns. After an error a part of them may be.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = match self.open.take() {
            Some(file) if is_at(&file, &self.path)? => file,
            // Closing the file that was rotated away loses nothing: what was written to it is on disk.
            Some(_) | None => open(&self.path)?,
        };
        file.write_all(lines)?;
        file.sync_data()?;
        self.open = Some(file);
        Ok(())
    }

    /// Closes the file; the next lines go to whatever has its name then.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

/// Whether `path` still leads to `file`. A file that was cut short in its place does: what is appended goes to its end,
/// wherever that is.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((open.dev(), open.ino()) == (found.dev(), found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let is_there = path.exists();
    let mut options = OpenOptions::new();
    // Opening a pipe would wait for a reader at its other end.
    options.read(true).append(true).create(true).mode(0o640).custom_flags(O_NONBLOCK);
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{} is not a regular file", path.display())));
    }
    if !is_there && let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    // Half a line is what a crash leaves, or a full disk. Its record comes again, in a line of its own.
    let length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use est_testkit::peers::Directory;

    #[test]
    fn goes_on_in_a_new_file_when_the_old_one_was_renamed_or_removed() {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        let mut file = AppendFile::new(path.clone());
        file.append(b"1\n").unwrap();
        file.append(b"2\n").unwrap();
        fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        file.append(b"3\n").unwrap();
        assert_eq!(fs::read(folder.path().join("audit.jsonl.1")).unwrap(), b"1\n2\n");
        assert_eq!(fs::read(&path).unwrap(), b"3\n");
        fs::remove_file(&path).unwrap();
        file.append(b"4\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"4\n");
    }

    #[test]
    fn goes_on_at_the_end_of_a_file_that_was_cut_short() {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        let mut file = AppendFile::new(path.clone());
        file.append(b"1\n").unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2\n");
    }

    #[test]
    fn begins_a_line_of_its_own_after_half_a_line() {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "{\"node\":\"no").unwrap();
        AppendFile::new(path.clone()).append(b"{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"node\":\"no\n{}\n");
    }

    #[test]
    fn makes_a_file_that_others_cannot_read() {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        AppendFile::new(path.clone()).append(b"{}\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o137, 0);
    }

    #[test]
    fn writes_into_nothing_but_a_regular_file_and_waits_for_nobody() {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = AppendFile::new(path.clone()).append(b"{}\n").unwrap_err().to_string();
        assert_eq!(error, format!("{} is not a regular file", path.display()));
    }

    #[test]
    fn tells_of_a_folder_that_went_and_writes_when_it_is_back() {
        let folder = Directory::new();
        let inner = folder.path().join("log");
        let mut file = AppendFile::new(inner.join("audit.jsonl"));
        assert_eq!(file.append(b"1\n").unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(&inner).unwrap();
        file.append(b"1\n").unwrap();
        assert_eq!(fs::read(inner.join("audit.jsonl")).unwrap(), b"1\n");
    }
}
