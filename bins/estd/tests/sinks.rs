//! Audit records that leave a real server: none is missing after it was killed, stopped, or its file was moved.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use est_testkit::peers::is_installed;
use est_testkit::rsyslog::{Listen, Rsyslog};
use est_testkit::server::{Launch, Server};
use serde_json::Value;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long something may take before a test gives up on it; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

fn with_audit(section: &str) -> Launch {
    Launch::configured(ESTD, |text| format!("{text}\n[audit]\n{section}\n"))
}

/// The records of a file; what a crash left of one does not count.
fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn sequences(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["sequence"].as_u64().expect("a number")).collect()
}

/// Of how many passwords they tell; a record comes again when its server was killed before it knew that it had left.
fn passwords(path: &Path) -> usize {
    let of_passwords = records(path).into_iter().filter(|record| record["event_type"] == "otp.created");
    of_passwords.map(|record| record["sequence"].as_u64()).collect::<BTreeSet<_>>().len()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never comes to this: {what}");
        thread::yield_now();
    }
}

fn create_passwords(server: &Server, count: u32) {
    let _ = server.estd_json(&["otp", "create", "--count", &count.to_string()]);
}

#[test]
fn no_record_is_missing_after_a_kill_between_writing_and_remembering() {
    let launch = with_audit("file = \"audit.jsonl\"").env("OHIA_FAULT", "sink:taken=2");
    let server = launch.start();
    let path = server.folder().join("audit.jsonl");
    wait_until("the start is in the file", || !records(&path).is_empty());
    create_passwords(&server, 20);
    let server = server.ended().start();
    let killed_at = sequences(&records(&path)).len();
    assert!(killed_at > 1, "it was killed before it had written");
    let audit = server.estd_json(&["audit", "list", "--limit", "1000"]);
    let count = audit["events"].as_array().expect("a list").len() as u64;
    let keep = fs::canonicalize(&path).expect("the file is there");
    wait_until("every record is in the file", || sequences(&records(&keep)).contains(&count));
    let mut all = sequences(&records(&path));
    assert!(all.len() as u64 > count, "nothing was written again: {all:?}");
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (1..=count).collect::<Vec<_>>());
}

#[test]
fn what_a_command_writes_as_another_node_leaves_with_a_server_that_has_the_same_database() {
    let server = with_audit("file = \"audit.jsonl\"").start();
    let (path, ghost) = (server.folder().join("audit.jsonl"), server.folder().join("ghost.toml"));
    let text = fs::read_to_string(server.folder().join("estd.toml")).expect("the configuration");
    fs::write(&ghost, text.replacen("[server]", "[server]\nnode = \"ghost\"", 1)).expect("written");
    let made = Command::new(ESTD).args(["otp", "create", "--count", "3", "--config"]).arg(&ghost).output();
    assert!(made.expect("estd runs").status.success());
    let of_ghost = || -> Vec<Value> { records(&path).into_iter().filter(|record| record["node"] == "ghost").collect() };
    wait_until("the records of the other node are in the file", || of_ghost().len() == 3);
    assert_eq!(sequences(&of_ghost()), [1, 2, 3]);
}

#[test]
fn a_record_that_cannot_be_read_leaves_as_such_and_keeps_back_no_other() {
    if !is_installed("sqlite3") {
        return;
    }
    let server = with_audit("file = \"audit.jsonl\"\nevents = [\"otp\"]").start();
    create_passwords(&server, 3);
    let path = server.folder().join("audit.jsonl");
    wait_until("the passwords are in the file", || passwords(&path) == 3);
    let launch = server.kill();
    let config = launch.folder().join("estd.toml");
    let made = Command::new(ESTD).args(["otp", "create", "--count", "3", "--config"]).arg(&config).output();
    assert!(made.expect("estd runs").status.success());
    let damage = "DROP TRIGGER audit_keeps_its_rows; PRAGMA ignore_check_constraints = ON; \
                  UPDATE audit SET method = 'nfc' WHERE sequence = \
                  (SELECT sequence FROM audit WHERE event = 'otp.created' ORDER BY sequence DESC LIMIT 1 OFFSET 1)";
    let damaged =
        Command::new("sqlite3").arg(launch.folder().join("estd.db")).arg(damage).status().expect("sqlite3 runs");
    assert!(damaged.success());
    let server = launch.start();
    wait_until("the other passwords are in the file", || passwords(&path) == 5);
    let records = records(&path);
    let unreadable = records.iter().position(|record| record["event_type"] == "audit.unreadable");
    let [before, stand_in, after] = &records[unreadable.expect("a stand-in") - 1..][..3] else { panic!("{records:?}") };
    assert_eq!((&before["event_type"], &after["event_type"]), (&"otp.created".into(), &"otp.created".into()));
    assert_eq!(stand_in["outcome"], "failure");
    assert_eq!((&stand_in["reason"], &stand_in["node"]), (&"unreadable: column method".into(), &records[0]["node"]));
    let listed = server.estd_json(&["audit", "list", "--limit", "1000"]);
    let unreadable = |record: &&Value| record["event"] == "audit.unreadable";
    assert_eq!(listed["events"].as_array().expect("a list").iter().filter(unreadable).count(), 1);
}

#[test]
fn a_file_that_was_moved_is_made_anew_and_a_server_that_stops_writes_its_last_record() {
    let server = with_audit("file = \"audit.jsonl\"").start();
    let (path, moved) = (server.folder().join("audit.jsonl"), server.folder().join("audit.jsonl.1"));
    create_passwords(&server, 3);
    wait_until("the passwords are in the file", || passwords(&path) == 3);
    fs::rename(&path, &moved).expect("the file can be moved");
    let hangup = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().expect("kill runs");
    assert!(hangup.success());
    create_passwords(&server, 3);
    wait_until("the new passwords are in the new file", || passwords(&path) == 3);
    // The folder goes with the server.
    let copy = tempfile::tempdir().expect("a temporary folder");
    let link = copy.path().join("audit.jsonl");
    fs::hard_link(&path, &link).expect("it is the same file system");
    let before = records(&moved);
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    let after = records(&link);
    let all = [before, after].concat();
    assert_eq!(sequences(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!((&all[0]["event_type"], &all[1]["event_type"]), (&"store.migrated".into(), &"audit.started".into()));
    assert_eq!(all.last().map(|record| &record["event_type"]), Some(&Value::from("audit.stopped")));
}

#[test]
fn a_pipe_in_the_place_of_the_file_keeps_a_server_neither_from_serving_nor_from_ending() {
    let server = with_audit("file = \"audit.jsonl\"").start();
    let path = server.folder().join("audit.jsonl");
    wait_until("the start is in the file", || !records(&path).is_empty());
    let pipe = server.folder().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    fs::rename(&pipe, &path).expect("renamed");
    // Its last records are still to leave.
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("audit.jsonl is not a regular file"), "{log}");
}

#[test]
fn a_collector_gets_the_events_that_were_chosen_with_what_their_certificate_says() {
    let Some(mut collector) = Rsyslog::find() else { return };
    let port = collector.port();
    let section = format!("syslog = \"tcp://127.0.0.1:{port}\"\nevents = [\"cert\"]\ninclude_cert_data = true");
    let server = with_audit(&section).start();
    let password = server.password(1);
    let key = est_testkit::pki::Key::p256();
    let body = est_testkit::https::base64(&key.csr("CN=device-1", &[]));
    let request = est_testkit::https::post("/simpleenroll", Some(&password), body.as_bytes());
    let client = est_testkit::https::Client::new(server.port(), &server.ca());
    let answer = client.exchange(&request).expect("an answer");
    assert_eq!(answer.status, 200);

    // The collector comes after the end, and gets it still.
    collector.start(&Listen::Tcp);
    let start = Instant::now();
    let message = loop {
        if let Some(message) = collector.poll() {
            break message;
        }
        assert!(start.elapsed() < PATIENCE, "no message comes: {}", collector.log());
        thread::yield_now();
    };
    assert_eq!(message["msgid"], "cert.issued", "{message}");
    let data = message["structured-data"].as_str().expect("structured data");
    for part in [" subject=\"CN=device-1\"", " issuer=\"", " not_after=\"", " certificate=\"MII"] {
        assert!(data.contains(part), "{part} is not in {data}");
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(collector.poll().is_none(), "another event than those that were chosen");
}
