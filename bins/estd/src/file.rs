//! Files that commands make.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

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
