//! A disk and a system that fail when they are told to: see `faults.c`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs};

use est_testkit::peers::is_installed;
use est_testkit::server::Launch;
use est_testkit::shell::Shell;

/// A folder that says what goes wrong.
pub(crate) struct Faults(Shell);

impl Faults {
    /// None yet; `None` skips the test.
    pub(crate) fn none_yet() -> Option<Self> {
        is_installed("cc").then(|| Self(Shell::new()))
    }

    /// Has them befall that server.
    pub(crate) fn befall(&self, launch: Launch) -> Launch {
        self.environment().into_iter().fold(launch, |launch, (name, value)| {
            launch.env(name, value.to_str().expect("a temporary folder has a name in UTF-8"))
        })
    }

    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", library().join("faults.so")), ("FAULTS", self.0.folder().to_owned())]
    }

    /// Has that go wrong from here on.
    pub(crate) fn begin(&self, what: &str) {
        fs::write(self.0.folder().join(what), "").expect("a folder of our own");
    }

    /// Has it go well again.
    pub(crate) fn end(&self, what: &str) {
        fs::remove_file(self.0.folder().join(what)).expect("it went wrong");
    }

    /// Whether what was to fail once has failed.
    pub(crate) fn has_struck(&self, what: &str) -> bool {
        !self.0.folder().join(what).exists()
    }
}

/// The folder with the library, which is made once.
fn library() -> &'static Path {
    static MADE: OnceLock<Shell> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let shell = Shell::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disaster/faults.c");
        shell.run(&format!("cc -O1 -Wall -Wextra -Werror -shared -fPIC -o faults.so {} -ldl", source.display()));
        shell
    });
    made.folder()
}
