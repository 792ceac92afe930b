//! Programs that other people wrote, run by tests.
//!
//! Where one is not installed its tests are skipped, by name; under `EST_REQUIRE_PEERS=1` they fail instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, thread};

/// Whether `program` can be started. Prints the name of the calling test as skipped when it cannot.
///
/// # Panics
/// When it cannot and `EST_REQUIRE_PEERS` is `1`.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    skip(program);
    false
}

/// Whether `file`, which `peer` brings, is there. Prints the name of the calling test as skipped when it is not.
///
/// # Panics
/// When it is not and `EST_REQUIRE_PEERS` is `1`.
#[must_use]
pub fn has_file(peer: &str, file: &Path) -> bool {
    let is_there = file.exists();
    if !is_there {
        skip(peer);
    }
    is_there
}

/// Prints the name of the calling test as skipped, since `peer` is not there.
///
/// # Panics
/// When `EST_REQUIRE_PEERS` is `1`.
#[expect(clippy::print_stderr, reason = "the one way in which a test tells that it was skipped")]
pub(crate) fn skip(peer: &str) {
    let test = thread::current().name().unwrap_or("a test without a name").to_string();
    assert!(env::var_os("EST_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{test} needs {peer}");
    eprintln!("skipped: {test} ({peer} is not installed)");
}

/// OpenSSL's command line in a directory of its own, which is removed at the end.
#[derive(Debug)]
pub struct OpenSsl {
    directory: Directory,
}

impl OpenSsl {
    /// Finds the program; `None` skips the test.
    ///
    /// # Panics
    /// As [`is_installed`].
    #[must_use]
    pub fn find() -> Option<Self> {
        is_installed("openssl").then(|| Self { directory: Directory::new() })
    }

    /// Runs `openssl` with arguments that are separated by blanks and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, arguments: &str) -> String {
        self.try_run(arguments).unwrap_or_else(|error| panic!("openssl {arguments}: {error}"))
    }

    /// As [`run`](Self::run); what it printed is the error where it fails.
    ///
    /// # Errors
    /// When it fails.
    pub fn try_run(&self, arguments: &str) -> Result<String, String> {
        let output = self.start(&arguments.split_whitespace().collect::<Vec<_>>());
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        if output.status.success() { Ok(printed) } else { Err(printed) }
    }

    /// Runs `openssl` with exactly these arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.output().expect("it was started before")
    }

    /// Writes a file for it to read.
    pub fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), contents).expect("a directory of our own can be written to");
    }

    /// Reads a file that it wrote.
    #[must_use]
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path().join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Reads a text file that it wrote.
    #[must_use]
    pub fn text(&self, name: impl AsRef<Path>) -> String {
        String::from_utf8(self.read(name)).expect("a text file is UTF-8")
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory.0
    }
}

/// A directory that is there until it is dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Makes one, below the system's directory for such things.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("est-testkit-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the system's directory for temporary files can be written to");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left over lies in the system's directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
