//! A real `estd` in a process and a folder of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use est_core::UnixTime;
use est_core::pkix::{Certificate, TbsCertificate, pem};

use crate::pki::{Key, serial};

/// How long a process may take before a test gives up on it. Long, because machines differ; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

/// A section of a configuration: one password, or one certificate, may ask as often as a test has it ask.
pub const BUSY_PRINCIPALS: &str = "\n[limits]\nprincipal_requests_per_second = 1000000\n";

/// A running server. Ends, and its folder disappears, when it is dropped.
pub struct Server {
    program: PathBuf,
    folder: tempfile::TempDir,
    child: Running,
    url: String,
    admin_url: Option<String>,
    lines: mpsc::Receiver<String>,
    log: thread::JoinHandle<String>,
    printed: Vec<String>,
}

/// How to start a server.
pub struct Launch {
    program: PathBuf,
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    descriptors: Option<u32>,
    log: Option<Stdio>,
    dev: bool,
}

impl Launch {
    /// Prepares `estd dev` in a fresh folder. `program` is the binary: `env!("CARGO_BIN_EXE_estd")`.
    #[must_use]
    pub fn dev(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            environment: Vec::new(),
            descriptors: None,
            log: None,
            dev: true,
        }
    }

    /// Prepares `estd run` with the files that `estd init` makes, after `edit` has changed `estd.toml`.
    #[must_use]
    pub fn configured(program: impl AsRef<Path>, edit: impl FnOnce(String) -> String) -> Self {
        let launch = Self { dev: false, ..Self::dev(program) };
        let output = launch.command().arg("init").arg(launch.folder.path()).output().expect("estd init runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = launch.folder.path().join("estd.toml");
        let text = std::fs::read_to_string(&path).expect("estd init writes estd.toml");
        std::fs::write(&path, edit(text)).expect("estd.toml can be written");
        launch
    }

    /// Prepares `estd run` with the files of this folder, among them `estd.toml`.
    #[must_use]
    pub fn of(program: impl AsRef<Path>, folder: tempfile::TempDir) -> Self {
        Self { dev: false, folder, ..Self::dev(program) }
    }

    /// Prepares another `estd run` with the files of this one, after `edit` has changed `estd.toml`.
    ///
    /// # Panics
    /// When a file cannot be copied.
    #[must_use]
    pub fn another(&self, edit: impl FnOnce(String) -> String) -> Self {
        let launch = Self { dev: false, ..Self::dev(&self.program) };
        for entry in std::fs::read_dir(self.folder.path()).expect("a folder of our own can be read") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a file has a name");
            std::fs::copy(&path, launch.folder.path().join(name)).expect("a file can be copied");
        }
        let path = launch.folder.path().join("estd.toml");
        let text = std::fs::read_to_string(&path).expect("estd.toml can be read");
        std::fs::write(&path, edit(text)).expect("estd.toml can be written");
        launch
    }

    /// The same, run by this program: one that becomes the server in the end.
    #[must_use]
    pub fn by(mut self, program: impl AsRef<Path>) -> Self {
        self.program = program.as_ref().to_owned();
        self
    }

    /// The folder in which it will run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has the TLS certificate begin and end so many days before and after now, and leaves the rest of it as it is.
    ///
    /// # Panics
    /// When a file is not as `estd init` makes it.
    #[must_use]
    pub fn with_certificate_of(self, days_before: u64, days_after: i64) -> Self {
        const DAY: u64 = 86_400;
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).expect("estd init makes it");
        let decode = |text: &str| pem::decode(text).expect("PEM")[0].contents.clone();
        let before = Certificate::parse(&decode(&read("server.pem"))).expect("a certificate");
        let ca = Key::p256_from_pkcs8(&decode(&read("ca-key.pem")));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
        // An hour more, so that the days until then are the same number for as long as a test runs.
        let end = now.checked_add_signed(days_after * 86_400 + 3600).expect("a time");
        let to_be_signed = TbsCertificate {
            serial: serial(7),
            signature_algorithm: ca.signature_algorithm(),
            issuer: before.issuer(),
            subject: before.subject(),
            not_before: UnixTime(now - days_before * DAY),
            not_after: UnixTime(end),
            public_key: before.public_key_der(),
            extensions: before.extensions(),
        };
        let made = pem::encode("CERTIFICATE", &ca.signed(to_be_signed.to_der()));
        std::fs::write(self.folder.path().join("server.pem"), made).expect("it can be written");
        self
    }

    /// Lets the process open so many files.
    #[must_use]
    pub fn descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Has the server log elsewhere than to the test.
    #[must_use]
    pub fn log_to(mut self, log: impl Into<Stdio>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Panics
    /// When it does not come to listen.
    #[must_use]
    pub fn start(self) -> Server {
        let Self { program, folder, environment, descriptors, log, dev } = self;
        let log = log.unwrap_or_else(Stdio::piped);
        Server::spawn(program, folder, &environment, descriptors, log, dev)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Server {
    /// Starts `estd dev`.
    #[must_use]
    pub fn dev(program: impl AsRef<Path>) -> Self {
        Launch::dev(program).start()
    }

    fn spawn(
        program: PathBuf,
        folder: tempfile::TempDir,
        environment: &[(String, String)],
        descriptors: Option<u32>,
        log: Stdio,
        dev: bool,
    ) -> Self {
        let mut command = match descriptors {
            Some(limit) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={limit}:{limit}")).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        if dev {
            command
                .args(["dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--dir"])
                .arg(folder.path());
        } else {
            command.args(["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--config"]);
            command.arg(folder.path().join("estd.toml"));
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        if environment.iter().all(|(name, _)| name != "RUST_LOG") {
            command.env("RUST_LOG", "trace");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("estd starts");
        let stderr = child.stderr.take();
        let log = thread::spawn(move || {
            let mut octets = Vec::new();
            // Logs are text, but a reader of evidence takes them as they are.
            let _ = stderr.map(|stderr| BufReader::new(stderr).read_to_end(&mut octets));
            String::from_utf8_lossy(&octets).into_owned()
        });
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut printed = Vec::new();
        let mut admin_url = None;
        let url = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    if let Some(url) = line.strip_prefix("admin API on ") {
                        admin_url = Some(url.to_owned());
                    }
                    let url = line.strip_prefix("listening on ").map(str::to_owned);
                    printed.push(line);
                    if let Some(url) = url {
                        break url;
                    }
                }
                Err(_) => {
                    let _ = child.kill();
                    let log = log.join().unwrap_or_default();
                    panic!("estd does not listen; it printed {printed:?} and logged {log}");
                }
            }
        };
        Self { program, folder, child: Running(child), url, admin_url, lines, log, printed }
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL with the base path of EST and `rest`: `/cacerts`, `/label/simpleenroll`.
    #[must_use]
    pub fn est(&self, rest: &str) -> String {
        format!("{}/.well-known/est{rest}", self.url)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL ends with a port")
    }

    /// The port of the admin API.
    ///
    /// # Panics
    /// When it is not enabled.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        let url = self.admin_url.as_deref().expect("[admin] enabled = true");
        url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL ends with a port")
    }

    /// The token of the admin API that `estd init` made.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn admin_token(&self) -> String {
        let token = std::fs::read_to_string(self.folder.path().join("admin-token")).expect("estd init makes a token");
        token.trim().to_owned()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// The folder with `ca.pem` and `estd.toml`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it printed up to now.
    #[must_use]
    pub fn printed(&mut self) -> &[String] {
        self.printed.extend(self.lines.try_iter());
        &self.printed
    }

    /// Waits for the line of its output that contains `words`.
    ///
    /// # Panics
    /// When none comes.
    pub fn line_with(&mut self, words: &str) -> String {
        let mut seen = 0;
        loop {
            if let Some(line) = self.printed[seen..].iter().find(|line| line.contains(words)) {
                return line.clone();
            }
            seen = self.printed.len();
            self.printed.push(self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line says {words}")));
        }
    }

    /// Runs another `estd` command against the same configuration: `["otp", "list"]`.
    #[must_use]
    pub fn estd(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join("estd.toml"))
            .output()
            .expect("estd runs")
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn estd_json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.estd(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("--json prints JSON")
    }

    /// Creates a one-time password that may be used so often, for anybody.
    #[must_use]
    pub fn password(&self, uses: u32) -> String {
        let created = self.estd_json(&["otp", "create", "--uses", &uses.to_string()]);
        created["otp"].as_str().expect("the clear password").to_owned()
    }

    /// Sends SIGTERM and waits for the end; returns the status and the log.
    ///
    /// # Panics
    /// When it had ended before.
    pub fn stop(mut self) -> (ExitStatus, String) {
        let status = Command::new("kill").args(["-TERM", &self.child.0.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "the server had ended before");
        let status = self.child.0.wait().expect("the process can be waited for");
        (status, self.log.join().expect("the log is read"))
    }

    /// Sends SIGKILL; returns what is needed to start it again on the same folder.
    #[must_use]
    pub fn kill(self) -> Launch {
        let Self { program, folder, child, .. } = self;
        drop(child);
        // The files exist, so that `run` uses them.
        Launch { program, folder, environment: Vec::new(), descriptors: None, log: None, dev: false }
    }

    /// Waits until it ends by itself, killed by a fault point; returns what is needed to start it again.
    #[must_use]
    pub fn ended(self) -> Launch {
        self.ends().2
    }

    /// Waits until it ends by itself; returns the status, the log, and what is needed to start it again.
    ///
    /// # Panics
    /// When the log cannot be read.
    #[must_use]
    pub fn ends(mut self) -> (ExitStatus, String, Launch) {
        let status = self.child.0.wait().expect("the process can be waited for");
        let Self { program, folder, log, .. } = self;
        let launch = Launch { program, folder, environment: Vec::new(), descriptors: None, log: None, dev: false };
        (status, log.join().expect("the log is read"), launch)
    }
}

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
