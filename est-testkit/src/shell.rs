//! Shell scripts, as an operator would type them, in a folder of their own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A folder, and `bash` in it.
pub struct Shell(tempfile::TempDir);

impl Shell {
    /// Makes the folder.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a folder is made: nothing of this is a default")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Runs `script`, every command of which must succeed; returns what it printed.
    ///
    /// # Panics
    /// When a command fails.
    pub fn run(&self, script: &str) -> String {
        let output = self.start(script);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script}\n{stdout}{stderr}");
        stdout.into_owned()
    }

    /// Runs `script`, which must fail; returns what it printed.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn fails(&self, script: &str) -> String {
        let output = self.start(script);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{script} succeeds: {printed}");
        printed
    }

    fn start(&self, script: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.folder()).stdin(Stdio::null());
        command.output().expect("bash runs")
    }
}
