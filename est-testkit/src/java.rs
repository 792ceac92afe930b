//! Java with Bouncy Castle, as Debian has it (libbcpkix-java), and a reader of certificates that it is good for.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peers::{has_file, is_installed};

/// Where Debian has Bouncy Castle's archives.
const ARCHIVES: [&str; 3] = ["/usr/share/java/bcprov.jar", "/usr/share/java/bcutil.jar", "/usr/share/java/bcpkix.jar"];

/// Java with Bouncy Castle on its class path.
#[derive(Debug)]
pub struct Java(Vec<PathBuf>);

impl Java {
    /// Finds it; `None` skips the test.
    ///
    /// # Panics
    /// When it is not there and `EST_REQUIRE_PEERS` is `1`.
    #[must_use]
    pub fn with_bouncy_castle() -> Option<Self> {
        let is_there =
            is_installed("javac") && ARCHIVES.iter().all(|archive| has_file("Bouncy Castle", Path::new(archive)));
        is_there.then(|| Self(ARCHIVES.iter().map(PathBuf::from).collect()))
    }

    /// The same with another archive.
    #[must_use]
    pub fn and(mut self, archive: &Path) -> Self {
        self.0.push(archive.to_owned());
        self
    }

    /// The class path, as `java -cp` takes it.
    #[must_use]
    pub fn class_path(&self) -> String {
        self.0.iter().map(|archive| archive.display().to_string()).collect::<Vec<_>>().join(":")
    }

    /// Runs a program of one source file in `folder`; returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, source: &Path, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
        let mut command = Command::new("java");
        // What is short-lived pays for the best compiler in vain.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &self.class_path()]).arg(source);
        let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("java runs");
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{stderr}{stdout}");
        stdout.into_owned()
    }

    /// Has each certificate read, encoded again, compared, and its signature verified with the key of `ca`; all DER.
    ///
    /// # Panics
    /// When one is not DER to its last octet, or not the CA's.
    pub fn read_back(&self, ca: &[u8], certificates: &[(impl AsRef<str>, impl AsRef<[u8]>)]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, der: &[u8]| fs::write(folder.path().join(name), der).expect("a file");
        write("ca.der", ca);
        let mut files = vec!["ca.der".to_owned()];
        for (name, der) in certificates {
            files.push(format!("{}.der", name.as_ref()));
            write(&files[files.len() - 1], der.as_ref());
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/ReadBack.java");
        self.run(&source, folder.path(), &files);
    }
}
