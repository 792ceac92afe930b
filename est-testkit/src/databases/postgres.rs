//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::{Daemon, PASSWORD, PASSWORD_IN_URL, USER, folder, free_port, program, run, run_as};
use crate::peers::skip;

/// A PostgreSQL server.
pub struct PostgresServer {
    daemon: Daemon,
    psql: String,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Starts one; `None` skips the test.
    ///
    /// # Panics
    /// When it does not start, or is not installed and `EST_REQUIRE_PEERS` is `1`.
    #[must_use]
    pub fn find() -> Option<Self> {
        Self::launch(None)
    }

    /// As [`find`](Self::find), with TLS: a certificate with its chain, and its key, PEM.
    ///
    /// # Panics
    /// As [`find`](Self::find).
    #[must_use]
    pub fn with_tls(certificate: &str, key: &str) -> Option<Self> {
        Self::launch(Some((certificate, key)))
    }

    /// The one that the tests of this program share; `None` skips the test.
    ///
    /// # Panics
    /// As [`find`](Self::find).
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        let found = SHARED.get_or_init(Self::find).as_ref();
        if found.is_none() {
            skip("PostgreSQL");
        }
        found
    }

    fn launch(tls: Option<(&str, &str)>) -> Option<Self> {
        let (initdb, postgres) = (program("initdb", installed())?, program("postgres", installed())?);
        let psql = program("psql", installed())?;
        let (folder, account) = folder("postgres");
        let data = folder.join("data").display().to_string();
        std::fs::write(folder.join("password"), PASSWORD).expect("a folder of our own can be written to");
        let password = format!("--pwfile={}", folder.join("password").display());
        // Nothing is lost by not waiting for the disk here: the server is started afterwards.
        let words = [&initdb, "-D", &data, "-U", USER, &password, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"];
        run_as(account, &folder, &[&words[..], &["--no-sync", "--no-instructions"]].concat());
        let port = free_port();
        let mut settings = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", folder.display()),
            "max_connections=300".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "lc_messages=C".to_owned(),
        ];
        if let Some((certificate, key)) = tls {
            for (name, text) in [("server.pem", certificate), ("server.key", key)] {
                let file = folder.join(name);
                std::fs::write(&file, text).expect("a folder of our own can be written to");
                run(Command::new("chmod").arg("600").arg(&file));
                if let Some(account) = account {
                    run(Command::new("chown").arg(account).arg(&file));
                }
            }
            settings.push("ssl=on".to_owned());
            settings.push(format!("ssl_cert_file={}", folder.join("server.pem").display()));
            settings.push(format!("ssl_key_file={}", folder.join("server.key").display()));
        }
        let mut command = vec![postgres, "-D".to_owned(), data];
        command.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        let ready = "database system is ready to accept connections";
        let daemon = Daemon { folder, port, account, command, ready, signal: "QUIT", running: Mutex::new(None) };
        daemon.start();
        Some(Self { daemon, psql, databases: AtomicU32::new(0) })
    }

    /// The URL of a database that is new with every call.
    ///
    /// # Panics
    /// When there is no server that could make one.
    #[must_use]
    pub fn url(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let url = self.url_of("postgres");
        self.run(&url, &format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// Runs SQL in the database at `url`, and returns what it answers: a line for each row, `|` between columns.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, url: &str, sql: &str) -> String {
        let output =
            run(Command::new(&self.psql).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url]));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The folder of its programs: `pg_dump` and so on.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn programs(&self) -> &Path {
        Path::new(&self.psql).parent().expect("a program is in a folder")
    }

    /// The port that it listens on, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.daemon.port
    }

    /// Crashes it: connections break, and what was not committed is gone.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn stop(&self) {
        self.daemon.stop();
    }

    /// Starts it again after [`stop`](Self::stop), and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(&self) {
        self.daemon.start();
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{}/{database}", self.daemon.port)
    }
}

/// Where Debian keeps the programs of each version, the latest first.
fn installed() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}
