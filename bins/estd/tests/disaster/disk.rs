//! The disk of the database fails, is full, or is not there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use est_core::pkix::Certificate;
use est_testkit::https::{Client, Response, base64, post};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};

use crate::ESTD;
use crate::faults::Faults;

/// As the exit code of a server whose disk has failed: `EX_IOERR`.
const DISK_FAILED: i32 = 74;

/// Asks for a certificate for another key.
fn ask(client: &Client, password: &str) -> io::Result<Response> {
    let csr = Key::p256().csr("CN=device", &[]);
    client.exchange(&post("/simpleenroll", Some(password), base64(&csr).as_bytes()))
}

fn status(server: &Server, password: &str) -> u16 {
    ask(&Client::new(server.port(), &server.ca()), password).expect("an answer").status
}

/// A server where one password may be used as often as it takes.
fn launch() -> Launch {
    Launch::configured(ESTD, |text| text + BUSY_PRINCIPALS)
}

/// What the admin API answers.
fn admin(server: &Server, path: &str) -> Response {
    let token = server.admin_token();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    Client::new(server.admin_port(), &server.ca()).exchange(request.as_bytes()).expect("an answer")
}

/// Whether an answer says that the server could not; asked for again and again until it does, for what is asked at once
/// may be told what was so a second ago.
fn comes_to_say(server: &Server, path: &str, words: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if admin(server, path).text().contains(words) {
            return true;
        }
        thread::yield_now();
    }
    false
}

/// Enrolls until the server has ended; returns the certificates. Once it has failed it issues nothing more.
fn enrolls_to_the_end(client: &Client, password: &str) -> Vec<Vec<u8>> {
    let (mut certificates, mut has_failed) = (Vec::new(), false);
    loop {
        match ask(client, password) {
            Ok(answer) if answer.status == 200 => {
                assert!(!has_failed, "nothing is issued after a failure");
                certificates.push(answer.certificate());
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{}", answer.text());
                has_failed = true;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return certificates,
            Err(_) => has_failed = true,
        }
    }
}

fn fingerprints(certificates: &[Vec<u8>]) -> BTreeSet<String> {
    certificates.iter().map(|der| Certificate::parse(der).expect("a certificate").fingerprint().to_string()).collect()
}

/// The inventory of a server.
fn inventory(server: &Server) -> BTreeSet<String> {
    let listed = server.estd_json(&["certs", "list", "--limit", "1000"]);
    let listed = listed["certificates"].as_array().expect("a list");
    listed.iter().map(|one| one["fingerprint"].as_str().expect("a text").to_owned()).collect()
}

/// A server meets a failure of its disk under load.
fn ends_and_loses_nothing(failure: &str) {
    let Some(faults) = Faults::none_yet() else { return };
    let server = faults.befall(launch()).start();
    meets_its_end(server, |_| faults.begin(failure));
    assert!(faults.has_struck(failure));
}

/// Its disk fails once `fail` was called.
fn meets_its_end(server: Server, fail: impl FnOnce(&Server)) {
    let (client, password) = (Client::new(server.port(), &server.ca()), server.password(100_000));
    let before = ask(&client, &password).expect("an answer").certificate();
    fail(&server);
    let mut certificates = vec![before];
    thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| enrolls_to_the_end(&client, &password))).collect();
        certificates.extend(clients.into_iter().flat_map(|client| client.join().expect("a client")));
    });
    let (status, log, launch) = server.ends();
    assert_eq!(status.code(), Some(DISK_FAILED), "{log}");
    let told = log.lines().last().expect("last words");
    assert!(told.starts_with("estd: the disk has failed under the database ("), "{told}");
    assert!(told.contains("have the file system checked and mounted again, then start estd"), "{told}");

    let server = launch.start();
    let known = inventory(&server);
    let missing: Vec<_> = fingerprints(&certificates).difference(&known).cloned().collect();
    assert_eq!(missing, [""; 0], "of {}", certificates.len());
    assert_eq!(self::status(&server, &password), 200);
    assert!(server.estd(&["audit", "verify"]).status.success());
}

#[test]
fn a_server_whose_log_is_not_synced_ends_and_loses_nothing_that_it_has_answered() {
    ends_and_loses_nothing("sync:estd.db-wal");
}

#[test]
fn a_server_whose_log_is_not_written_ends_and_loses_nothing_that_it_has_answered() {
    ends_and_loses_nothing("write:estd.db-wal");
}

#[test]
fn a_server_whose_checkpoint_fails_ends_and_loses_nothing_that_it_has_answered() {
    ends_and_loses_nothing("sync:estd.db");
}

#[test]
fn a_server_whose_files_may_not_grow_ends_and_loses_nothing_that_it_has_answered() {
    // The signal that comes with it is ignored, so that the system says EFBIG.
    let launch = launch();
    let wrapper = launch.folder().join("limited");
    fs::write(&wrapper, format!("#!/bin/sh\ntrap '' XFSZ\nexec {ESTD} \"$@\"\n")).expect("a file");
    fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("its owner's");
    meets_its_end(launch.by(&wrapper).start(), |server| {
        let pid = server.pid().to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, "--fsize=4096:"]).status();
        assert!(limited.expect("prlimit runs").success());
    });
}

#[test]
fn a_full_disk_is_no_failure_and_room_on_it_is_enough_to_go_on() {
    let Some(faults) = Faults::none_yet() else { return };
    let server = faults.befall(launch()).start();
    let password = server.password(1000);
    for _ in 0..3 {
        faults.begin("full");
        // There is room in the log for as long as it is shorter than its file; for little things longer than for others.
        let is_full = (0..1000).any(|_| {
            status(&server, &password) == 503 && admin(&server, "/admin/health").text().contains("was not taken")
        });
        assert!(is_full, "the disk was never full");
        faults.end("full");
        assert_eq!(status(&server, &password), 200);
        assert!(comes_to_say(&server, "/admin/health", "{\"status\":\"healthy\""));
    }
    let (ended, _) = server.stop();
    assert!(ended.success());
}

#[test]
fn a_database_that_was_moved_away_takes_nothing_until_it_is_back() {
    let server = launch().start();
    let password = server.password(1000);
    let [here, away, other] = ["estd.db", "away.db", "other.db"].map(|name| server.folder().join(name));
    fs::rename(&here, &away).expect("it can be moved");
    assert_eq!(status(&server, &password), 503);
    assert!(comes_to_say(&server, "/ready", "the database does not answer"));
    assert!(comes_to_say(&server, "/admin/health", "estd.db is not there any more"));
    fs::copy(&away, &other).expect("it can be copied");
    fs::rename(&other, &here).expect("it can be replaced");
    assert_eq!(status(&server, &password), 503, "it is another file");
    fs::rename(&away, &here).expect("it can be put back");
    assert_eq!(status(&server, &password), 200);
    assert!(comes_to_say(&server, "/ready", "ok"));
    let (ended, log) = server.stop();
    assert!(ended.success() && log.contains("is not there any more"));
}

#[test]
fn a_database_whose_log_was_deleted_takes_nothing_and_has_lost_nothing_at_the_next_start() {
    let server = launch().start();
    let password = server.password(1000);
    for _ in 0..20 {
        assert_eq!(status(&server, &password), 200);
    }
    let [here, away, log] = ["estd.db", "away.db", "estd.db-wal"].map(|name| server.folder().join(name));
    assert_ne!(fs::metadata(&log).expect("there is a log").len(), 0);
    fs::rename(&here, &away).expect("it can be moved");
    assert!(comes_to_say(&server, "/admin/health", "estd.db is not there any more"));
    // A command makes no database beside the log of another one, which SQLite would delete.
    let refused = server.estd(&["otp", "create"]);
    assert!(!refused.status.success() && !here.exists());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("bring the file back"), "{said}");
    // Something else deletes it.
    fs::remove_file(&log).expect("it can be deleted");
    fs::rename(&away, &here).expect("it can be put back");
    assert_eq!(status(&server, &password), 503, "its log is gone");
    let server = server.kill().start();
    assert_eq!(inventory(&server).len(), 20);
    assert_eq!(status(&server, &password), 200);
    let verified = server.estd(&["audit", "verify", "--state"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_database_that_somebody_has_locked_keeps_nobody_waiting_for_longer_than_ten_seconds() {
    if !is_installed("sqlite3") {
        return;
    }
    let server = launch().start();
    let password = server.password(1000);
    let mut shell = Command::new("sqlite3");
    shell.arg(server.folder().join("estd.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().expect("sqlite3 runs");
    let mut statements = shell.stdin.take().expect("a pipe");
    writeln!(statements, "BEGIN IMMEDIATE; SELECT 'locked';").expect("it reads");
    let mut said = String::new();
    BufReader::new(shell.stdout.take().expect("a pipe")).read_line(&mut said).expect("it answers");
    assert_eq!(said, "locked\n");
    let client = Client::new(server.port(), &server.ca());
    // The second comes while the first waits, and so on.
    let longest = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let (client, password) = (&client, &password);
                scope.spawn(move || {
                    thread::sleep(Duration::from_secs(number));
                    let begun = Instant::now();
                    assert_eq!(ask(client, password).expect("an answer").status, 503);
                    begun.elapsed()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).max()
    });
    assert!(longest < Some(Duration::from_secs(10)), "{longest:?}");
    assert!(comes_to_say(&server, "/ready", "the database does not answer"));
    assert!(comes_to_say(&server, "/admin/health", "another process has locked the database"));
    drop(statements);
    assert!(shell.wait().expect("it ends").success());
    assert_eq!(status(&server, &password), 200);
}
