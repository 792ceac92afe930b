//! Database servers, each with its own folder and port, ended when the test program ends however that happens.
//!
//! A server keeps its promises: what it has committed is on disk. [`PostgresServer::stop`] and
//! [`MariadbServer::stop`] are crashes, and `start` goes on with the same data on the same port.

mod mariadb;
mod postgres;
mod proxy;

pub use mariadb::MariadbServer;
pub use postgres::PostgresServer;
pub use proxy::FlakyProxy;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::peers::skip;

/// What a test asks of a database server, whichever it is.
pub trait DatabaseServer: Sync {
    /// The URL of a database that is new with every call.
    fn url(&self) -> String;

    /// Runs SQL in the database at `url`, and returns what it answers: a line for each row.
    fn run(&self, url: &str, sql: &str) -> String;

    /// The port that it listens on, at 127.0.0.1.
    fn port(&self) -> u16;

    /// Crashes it.
    fn stop(&self);

    /// Starts it again.
    fn start(&self);

    /// How many connections there are to the database at `url`, without those that [`run`](Self::run) makes.
    fn connections(&self, url: &str) -> usize;

    /// Has the leases of all open claims in the database at `url` run out, as half a minute would.
    fn end_leases(&self, url: &str);
}

macro_rules! answer_as_database_servers {
    ($($server:ty { connections: $connections:literal, before: $before:literal })+) => {$(
        impl DatabaseServer for $server {
            fn url(&self) -> String {
                Self::url(self)
            }

            fn run(&self, url: &str, sql: &str) -> String {
                Self::run(self, url, sql)
            }

            fn port(&self) -> u16 {
                Self::port(self)
            }

            fn stop(&self) {
                Self::stop(self);
            }

            fn start(&self) {
                Self::start(self);
            }

            fn connections(&self, url: &str) -> usize {
                let count = self.run(url, concat!("SELECT count(*) FROM ", $connections));
                count.parse().expect("a number")
            }

            fn end_leases(&self, url: &str) {
                self.run(url, concat!($before, "UPDATE claims SET lease_until_micros = 0 WHERE state = 0"));
            }
        }
    )+};
}

answer_as_database_servers! {
    PostgresServer {
        connections: "pg_stat_activity WHERE datname = current_database() AND application_name <> 'psql'",
        // Claims that are just being committed count too.
        before: "LOCK TABLE claims IN EXCLUSIVE MODE; "
    }
    MariadbServer {
        connections: "information_schema.processlist WHERE db = database() AND user <> 'root'",
        before: ""
    }
}

/// The user of every database, and its password.
const USER: &str = "ohia";
const PASSWORD: &str = "p%w/rd@1";
/// As a URL has it.
const PASSWORD_IN_URL: &str = "p%25w%2Frd%401";

/// How long a server may take to come up before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the program in its arguments until its input ends, or a line comes that says to keep the folder; then ends it
/// with the signal `$1`, and removes the folder `$2`.
const KEEPER: &str = r#"
signal=$1 folder=$2; shift 2
"$@" & child=$!
read -r word
kill -"$signal" $child; wait $child
[ -n "$word" ] || rm -rf "$folder"
"#;

/// A server process with a folder and a port.
struct Daemon {
    folder: PathBuf,
    port: u16,
    /// What it runs as, where the tests run as root and it would refuse to.
    account: Option<&'static str>,
    /// The command, and the words in its log that tell that it can be used.
    command: Vec<String>,
    ready: &'static str,
    /// What ends it as a crash would.
    signal: &'static str,
    running: Mutex<Option<Child>>,
}

impl Daemon {
    fn start(&self) {
        let mut running = self.lock();
        if running.is_some() {
            return;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", KEEPER, "keeper", self.signal]).arg(&self.folder).args(as_account(self.account));
        shell.args(&self.command).current_dir(&self.folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = shell.spawn().expect("sh starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let (sender, log) = mpsc::channel();
        // Read to its end, so that the server never waits for a reader.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = Vec::new();
        while said.last().is_none_or(|line: &String| !line.contains(self.ready)) {
            match log.recv_timeout(PATIENCE) {
                Ok(line) => said.push(line),
                Err(_) => {
                    drop(child.stdin.take());
                    let _ = child.wait();
                    panic!("{} does not come up: {said:#?}", self.command[0]);
                }
            }
        }
        *running = Some(child);
    }

    fn stop(&self) {
        if let Some(mut child) = self.lock().take() {
            let told = child.stdin.take().expect("stdin is piped").write_all(b"keep\n");
            told.expect("the shell reads");
            child.wait().expect("the shell ends after the server");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        match self.lock().take() {
            Some(mut child) => {
                drop(child.stdin.take());
                let _ = child.wait();
            }
            None => drop(std::fs::remove_dir_all(&self.folder)),
        }
    }
}

/// Where a program is, among the usual folders and `others`; a test is skipped without it.
fn program(name: &str, others: impl IntoIterator<Item = PathBuf>) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = std::env::split_paths(&path).chain(usual).chain(others);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        skip(name);
    }
    found.map(|file| file.display().to_string())
}

/// A folder for a server that runs as `account`, if this is root.
fn folder(account: &'static str) -> (PathBuf, Option<&'static str>) {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let user = run(Command::new("id").arg("-u"));
    let account = (String::from_utf8_lossy(&user.stdout).trim() == "0").then_some(account);
    if let Some(account) = account {
        run(Command::new("chown").arg(format!("{account}:")).arg(&folder));
    }
    (folder, account)
}

/// The words that make a command run as another user.
fn as_account(account: Option<&str>) -> Vec<String> {
    let Some(account) = account else { return Vec::new() };
    ["setpriv", "--reuid", account, "--regid", account, "--clear-groups"].map(str::to_owned).into()
}

/// Runs a program to its end as another user.
fn run_as(account: Option<&str>, folder: &Path, words: &[&str]) -> Output {
    let words: Vec<_> = as_account(account).into_iter().chain(words.iter().map(|&word| word.to_owned())).collect();
    run(Command::new(&words[0]).args(&words[1..]).current_dir(folder))
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("a program that is installed starts");
    let printed = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {printed}");
    output
}

/// A port of the loopback that nobody uses.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}
