//! MariaDB.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::{Daemon, PASSWORD, PASSWORD_IN_URL, USER, folder, free_port, program, run, run_as};
use crate::peers::skip;

/// A MariaDB server.
pub struct MariadbServer {
    daemon: Daemon,
    mariadb: String,
    databases: AtomicU32,
}

impl MariadbServer {
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
        static SHARED: OnceLock<Option<MariadbServer>> = OnceLock::new();
        let found = SHARED.get_or_init(Self::find).as_ref();
        if found.is_none() {
            skip("MariaDB");
        }
        found
    }

    fn launch(tls: Option<(&str, &str)>) -> Option<Self> {
        let (install, server) = (program("mariadb-install-db", [])?, program("mariadbd", [])?);
        let mariadb = program("mariadb", [])?;
        let (folder, account) = folder("mysql");
        let data = format!("--datadir={}", folder.join("data").display());
        let words = [&install, "--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
        run_as(account, &folder, &words);
        let port = free_port();
        let socket = format!("--socket={}", folder.join("socket").display());
        let mut command = vec![server, "--no-defaults".to_owned(), data, socket.clone()];
        command.push(format!("--port={port}"));
        command.extend(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=300"].map(str::to_owned));
        command.extend(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"].map(str::to_owned));
        if let Some((certificate, key)) = tls {
            for (name, text) in [("ssl-cert", certificate), ("ssl-key", key)] {
                let file = folder.join(name);
                std::fs::write(&file, text).expect("a folder of our own can be written to");
                command.push(format!("--{name}={}", file.display()));
            }
        }
        let ready = "ready for connections";
        let daemon = Daemon { folder, port, account, command, ready, signal: "KILL", running: Mutex::new(None) };
        daemon.start();
        let user =
            format!("CREATE USER {USER}@127.0.0.1 IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {USER}@127.0.0.1");
        let started = Self { daemon, mariadb, databases: AtomicU32::new(0) };
        run(started.as_root().args(["-e", &user]));
        Some(started)
    }

    /// The URL of a database that is new with every call.
    ///
    /// # Panics
    /// When there is no server that could make one.
    #[must_use]
    pub fn url(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("mysql", &format!("CREATE DATABASE {name}"));
        format!("mariadb://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{}/{name}", self.daemon.port)
    }

    /// Runs SQL as root in the database at `url`, and returns what it answers: a line for each row, tabs between columns.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, url: &str, sql: &str) -> String {
        let database = url.rsplit('/').next().unwrap_or(url).split('?').next().unwrap_or(url);
        let output = run(self.as_root().args(["-N", "-B", "-e", sql, database]));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
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

    fn as_root(&self) -> Command {
        let mut command = Command::new(&self.mariadb);
        command.arg("--no-defaults").arg("-S").arg(self.daemon.folder.join("socket")).args(["-u", "root"]);
        command
    }
}
