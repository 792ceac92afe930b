//! Python, for the libraries that check ours: `cryptography`, `pkilint`, `pyasn1-alt-modules`, `jsonschema`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peers::skip;

/// A Python that has the modules which a test wants.
#[derive(Debug)]
pub struct Python(PathBuf);

impl Python {
    /// Finds one; `None` skips the test. It is the program in `OHIA_PYTHON`, or that of `target/peers/venv`, which
    /// `test.sh` makes.
    ///
    /// # Panics
    /// When there is none and `EST_REQUIRE_PEERS` is `1`.
    #[must_use]
    pub fn with(modules: &[&str]) -> Option<Self> {
        let program = env::var_os("OHIA_PYTHON").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/venv/bin/python"),
            PathBuf::from,
        );
        let import = format!("import {}", modules.join(", "));
        let mut command = Command::new(&program);
        command.args(["-c", &import]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Self(program));
        }
        skip(&format!("Python with {}", modules.join(" and ")));
        None
    }

    /// The program, to be started with arguments of the caller's.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Runs a script in `folder`; returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, script: &str, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
        let mut command = Command::new(&self.0);
        command.args(["-c", script]).args(arguments).current_dir(folder).stdin(Stdio::null());
        let output = command.output().expect("it was started before");
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{stderr}{stdout}");
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }
}
