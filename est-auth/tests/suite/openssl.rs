//! The `openssl` command line as a peer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// `openssl` in a directory of its own, which ends with it.
pub(crate) struct OpenSsl {
    directory: PathBuf,
}

impl OpenSsl {
    /// `None`, said aloud, where `openssl` is not installed; under `EST_REQUIRE_PEERS=1` that is a failure.
    pub(crate) fn find(test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let is_installed = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
        if !is_installed {
            let required = std::env::var_os("EST_REQUIRE_PEERS").is_some_and(|value| value == "1");
            assert!(!required, "openssl is not installed: {test} cannot run");
            eprintln!("skipped: {test} (openssl is not installed)");
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("est-auth-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Some(Self { directory })
    }

    /// Runs it, and returns what it wrote, to standard output and then to standard error. Words are separated by
    /// blanks.
    pub(crate) fn run(&self, command: &str) -> String {
        self.try_run(command).unwrap_or_else(|error| panic!("openssl {command}: {error}"))
    }

    /// Runs it; the error is what it wrote to standard error.
    pub(crate) fn try_run(&self, command: &str) -> Result<String, String> {
        let output =
            Command::new("openssl").args(command.split_whitespace()).current_dir(&self.directory).output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Reads a file that it wrote.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.directory.join(name)).unwrap()
    }

    /// Writes a file for it to read.
    pub(crate) fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        std::fs::write(self.directory.join(name), contents).unwrap();
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}
