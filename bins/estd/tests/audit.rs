//! The audit record, as an auditor has it: exported, and verified where the server does not reach.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use est_store::UnixMicros;
use est_testkit::https::{Client, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::{Value, json};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long the server may take to notice something: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's records as an auditor took them home: an export, a checkpoint from before its end, and the public key.
struct Taken {
    folder: tempfile::TempDir,
    lines: Vec<String>,
    /// The sequence of the last record before the checkpoint.
    checkpoint: usize,
    /// How many lines are records: the checkpoint of the export comes after them.
    records: usize,
}

impl Taken {
    fn from(server: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let _ = server.password(1);
        let checkpoint = text(&server.estd(&["audit", "checkpoint"]));
        let before: Value = serde_json::from_str(&checkpoint).expect("a checkpoint");
        for _ in 0..12 {
            let _ = server.password(1);
        }
        fs::write(folder.path().join("checkpoint.jsonl"), &checkpoint).expect("a file");
        let key = text(&server.estd(&["audit", "checkpoint", "--public-key"]));
        fs::write(folder.path().join("key.pem"), key).expect("a file");
        let lines: Vec<String> = text(&server.estd(&["audit", "export"])).lines().map(str::to_owned).collect();
        let records = lines.len() - 1;
        let checkpoint = usize::try_from(before["sequence"].as_u64().expect("a number")).expect("a small one");
        Self { folder, lines, checkpoint, records }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Verifies these lines against the checkpoint and the key.
    fn verify(&self, lines: &[String], more: &[&str]) -> (Option<i32>, Value) {
        fs::write(self.path("export.jsonl"), lines.join("\n") + "\n").expect("a file");
        let output = Command::new(ESTD)
            .args(["audit", "verify", "--json", "--from"])
            .arg(self.path("export.jsonl"))
            .arg("--checkpoint")
            .arg(self.path("checkpoint.jsonl"))
            .arg("--public-key")
            .arg(self.path("key.pem"))
            .args(more)
            .output()
            .expect("estd runs");
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

#[test]
fn a_chain_that_somebody_made_up_and_a_deleted_revocation_are_not_taken_for_good() {
    if !is_installed("sqlite3") {
        return;
    }
    let server = Server::dev(ESTD);
    let _ = server.password(1);
    let kept = server.folder().join("kept.jsonl");
    fs::write(&kept, text(&server.estd(&["audit", "checkpoint"]))).expect("a file");
    let key = server.folder().join("public.pem");
    fs::write(&key, text(&server.estd(&["audit", "checkpoint", "--public-key"]))).expect("a file");
    let files = ["--checkpoint", kept.to_str().expect("UTF-8"), "--public-key", key.to_str().expect("UTF-8")];
    let verify = |more: &[&str]| server.estd(&[&["audit", "verify"][..], &files, more].concat());
    assert_eq!(verify(&["--state"]).status.code(), Some(0), "{}", told(&verify(&["--state"])));
    // Another node writes into the same database; nothing vouches for its chain.
    let config = server.folder().join("estd.toml");
    let other = server.folder().join("other.toml");
    let lines = fs::read_to_string(&config).expect("the configuration");
    let lines = lines.replacen("[server]\n", "[server]\nnode = \"est-2\"\n", 1);
    fs::write(&other, lines).expect("a file");
    let made = Command::new(ESTD).args(["otp", "create", "--config"]).arg(&other).output();
    assert!(made.expect("estd runs").status.success());
    let doubtful = verify(&[]);
    assert_eq!(doubtful.status.code(), Some(2), "{}", told(&doubtful));
    assert!(told(&doubtful).contains("est-2: this node has not signed its chain"), "{}", told(&doubtful));
    assert_eq!(verify(&["--unproven", "est-2"]).status.code(), Some(0));
    // A checkpoint of all chains by the first node has seen it, and does not vouch for it; the node itself does.
    let all = text(&server.estd(&["audit", "checkpoint"]));
    fs::write(&kept, &all).expect("a file");
    assert!(all.lines().count() == 1 && all.contains("est-2"), "{all}");
    assert_eq!(verify(&[]).status.code(), Some(2));
    let signed = Command::new(ESTD).args(["audit", "checkpoint", "--config"]).arg(&other).output();
    assert!(signed.expect("estd runs").status.success());
    assert_eq!(verify(&[]).status.code(), Some(0), "{}", told(&verify(&[])));
    let database = fs::read_dir(server.folder()).expect("a folder").flatten().map(|entry| entry.path());
    let database =
        database.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).expect("a database");
    let change = |sql: &str| {
        let sql = format!("PRAGMA busy_timeout = 5000; {sql}");
        let changed = Command::new("sqlite3").arg(&database).arg(sql).output();
        assert!(changed.expect("sqlite3 runs").status.success());
    };
    change("DELETE FROM passwords");
    let changed = verify(&["--state"]);
    assert_eq!(changed.status.code(), Some(1), "{}", told(&changed));
    assert!(told(&changed).contains("is on record, and not in the database"), "{}", told(&changed));
    change(
        "DROP TRIGGER audit_keeps_every_row; DELETE FROM audit WHERE node = 'est-2'; DELETE FROM chains WHERE node = 'est-2'",
    );
    let changed = verify(&[]);
    assert_eq!(changed.status.code(), Some(1), "{}", told(&changed));
    assert!(
        told(&changed).contains("est-2: 0 records, and record 1 and all after it were removed"),
        "{}",
        told(&changed)
    );
}

#[test]
fn a_certificate_that_was_moved_to_another_key_of_its_ca_is_named() {
    if !is_installed("sqlite3") {
        return;
    }
    let server = Server::dev(ESTD);
    let password = server.password(1);
    let csr = base64(&Key::p256().csr("CN=moved", &["DNS:moved.example"]));
    let client = Client::new(server.port(), &server.ca());
    assert_eq!(client.enroll("/simpleenroll", Some(&password), csr.as_bytes()).status, 200);
    let verify = || server.estd(&["audit", "verify", "--state"]);
    assert_eq!(verify().status.code(), Some(0), "{}", told(&verify()));
    let database = server.folder().join("estd.db");
    let sql = |sql: &str| {
        let changed = Command::new("sqlite3").arg(&database).arg(format!("PRAGMA busy_timeout = 5000; {sql}")).output();
        assert!(changed.expect("sqlite3 runs").status.success(), "{sql}");
    };
    for (change, back) in [
        ("UPDATE authorities SET name = 'x'", "UPDATE authorities SET name = 'main'"),
        ("UPDATE authorities SET digest = zeroblob(32)", "UPDATE authorities SET digest = (SELECT digest FROM kept)"),
        (
            "INSERT INTO authorities SELECT 'y', zeroblob(32), id, issuer FROM authorities; UPDATE certificates SET ca = 'y'",
            "UPDATE certificates SET ca = 'main'; DELETE FROM authorities WHERE name = 'y'",
        ),
    ] {
        sql(&format!("CREATE TABLE IF NOT EXISTS kept AS SELECT digest FROM authorities; {change}"));
        let changed = verify();
        assert_eq!(changed.status.code(), Some(1), "{change}: {}", told(&changed));
        assert!(told(&changed).contains("does not fit the certificate"), "{change}: {}", told(&changed));
        sql(back);
        assert_eq!(verify().status.code(), Some(0), "{back}: {}", told(&verify()));
    }
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("a small number")
    }
}

/// Changes one value of a line to another.
fn change(line: &str, dice: &mut Dice) -> String {
    let mut object: Value = serde_json::from_str(line).expect("JSON");
    let members = object.as_object_mut().expect("an object");
    let names: Vec<String> = members.keys().cloned().collect();
    let name = names[dice.below(names.len())].as_str();
    let old = members[name].clone();
    let new = match (name, old.as_str()) {
        ("node", Some(text)) => json!(format!("{text}2")),
        (_, None) => json!(old.as_u64().expect("a number") + 1_000),
        ("outcome", Some(text)) => json!(if text == "success" { "failure" } else { "success" }),
        ("hash" | "previous", Some(text)) => json!(text.chars().rev().collect::<String>()),
        ("timestamp", Some(text)) => json!(text.replacen("20", "21", 1)),
        (_, Some(_)) if dice.below(3) == 0 => Value::Null,
        (_, Some(text)) => json!(format!("{text}x")),
    };
    members[name] = new;
    object.to_string()
}

/// Every one of these is found, and where it begins.
#[test]
fn finds_what_was_done_to_an_export() {
    let taken = Taken::from(&Server::dev(ESTD));
    let (code, found) = taken.verify(&taken.lines, &[]);
    assert_eq!((code, &found["result"]), (Some(0), &json!("good")), "{found}");
    assert!(
        found["nodes"][0]["checkpoints"]
            .as_array()
            .is_some_and(|all| { all.len() == 2 && all.iter().all(|one| one["verdict"] == "holds") })
    );
    let mut dice = Dice(0xfeed_beef_0123_4567);
    for round in 0..300 {
        let mut lines = taken.lines.clone();
        let at = dice.below(taken.records);
        let other = (at + 1 + dice.below(taken.records - 1)) % taken.records;
        let (what, first) = match round % 6 {
            0 => {
                lines[at] = change(&lines[at], &mut dice);
                ("change", at)
            }
            1 => {
                lines.remove(at);
                ("remove", at)
            }
            2 => {
                lines.swap(at, other);
                ("swap", at.min(other))
            }
            3 => {
                let copy = lines[other].clone();
                lines.insert(at, copy);
                ("insert", at.min(other))
            }
            4 => {
                lines.truncate(dice.below(taken.checkpoint));
                ("truncate before the checkpoint", lines.len())
            }
            _ => {
                let length = dice.below(lines[at].len() - 1);
                lines[at].truncate(length);
                ("cut a line short", at)
            }
        };
        let (code, found) = taken.verify(&lines, &[]);
        let context = format!("round {round}: {what} at {at}, {other}: {found}");
        assert_eq!(code, Some(1), "{context}");
        let findings = found["nodes"].as_array().expect("nodes").iter().filter(|node| !node["finding"].is_null());
        let sequences: Vec<u64> = findings.filter_map(|node| node["finding"]["sequence"].as_u64()).collect();
        assert!(sequences.contains(&(first as u64 + 1)), "{first}: {context}");
    }
}

#[test]
fn a_checkpoint_counts_only_with_its_signature() {
    let server = Server::dev(ESTD);
    let taken = Taken::from(&server);
    let export = taken.path("whole.jsonl");
    fs::write(&export, taken.lines.join("\n") + "\n").expect("a file");
    let own = taken.lines.last().expect("a line").replace("\"sequence\":", "\"sequence\":1");
    let mut lines = taken.lines.clone();
    *lines.last_mut().expect("a line") = own;
    let (code, found) = taken.verify(&lines, &[]);
    assert_eq!((code, found["forged_checkpoints"].as_array().map(Vec::len)), (Some(1), Some(1)), "{found}");
    // Another server's key vouches for nothing here.
    let stranger = Server::dev(ESTD);
    fs::write(taken.path("key.pem"), text(&stranger.estd(&["audit", "checkpoint", "--public-key"]))).expect("a file");
    let (code, found) = taken.verify(&taken.lines, &[]);
    assert_eq!((code, &found["checkpoints_of_other_keys"]), (Some(2), &json!(2)), "{found}");
    fs::write(taken.path("checkpoint.jsonl"), "").expect("a file");
    let (code, found) = taken.verify(&taken.lines, &[]);
    assert_eq!((code, &found["result"]), (Some(2), &json!("cannot-tell")), "{found}");
    assert_eq!(found["nodes"][0]["checkpoints"], json!([]));
}

#[test]
fn an_export_of_somebody_else_or_cut_short_is_not_called_good() {
    let taken = Taken::from(&Server::dev(ESTD));
    fs::write(taken.path("checkpoint.jsonl"), "").expect("a file");
    assert_eq!(taken.verify(&taken.lines, &[]).0, Some(0));
    // All of it by somebody with a chain and a key of their own, with and without the checkpoint.
    let forger = Taken::from(&Server::dev(ESTD));
    for lines in [&forger.lines[..], &forger.lines[..forger.records], &taken.lines[..8], &[]] {
        let (code, found) = taken.verify(lines, &[]);
        assert_eq!((code, &found["result"]), (Some(2), &json!("cannot-tell")), "{found}");
    }
    assert_eq!(taken.verify(&taken.lines[..8], &["--excerpt"]).0, Some(0), "an excerpt may end anywhere");
}

#[test]
fn only_the_server_makes_the_key_of_the_checkpoints() {
    let server = Server::dev(ESTD);
    text(&server.estd(&["audit", "checkpoint"]));
    let pem = text(&server.estd(&["audit", "checkpoint", "--public-key"]));
    let key = server.folder().join("estd.db.checkpoint-key.pem");
    fs::remove_file(&key).expect("the key is there");
    for (command, expected) in [
        (&["audit", "verify"][..], 2),
        (&["audit", "export"], 1),
        (&["audit", "checkpoint"], 1),
        (&["audit", "checkpoint", "--public-key"], 1),
    ] {
        let output = server.estd(command);
        let said = told(&output);
        assert!(output.status.code() == Some(expected) && said.contains("bring the key back"), "{command:?}: {said}");
        assert!(!key.exists(), "{command:?}");
    }
    fs::write(server.folder().join("public.pem"), pem).expect("a file");
    let public = server.folder().join("public.pem").display().to_string();
    let said = text(&server.estd(&["audit", "verify", "--public-key", &public]));
    assert!(said.contains("2 checkpoints hold"), "{said}");
    // The next start makes another: what the old one signed is not passed over.
    let server = server.kill().start();
    let output = server.estd(&["audit", "verify"]);
    let said = told(&output);
    assert!(output.status.code() == Some(2) && said.contains("a key that is not known"), "{said}");
}

#[test]
fn cannot_tell_is_neither_good_nor_bad() {
    let server = Server::dev(ESTD);
    let taken = Taken::from(&server);
    let verify = |arguments: &[&str]| {
        let output = Command::new(ESTD).args(["audit", "verify"]).args(arguments).output().expect("estd runs");
        (output.status.code(), told(&output))
    };
    let checkpoint = taken.path("checkpoint.jsonl").display().to_string();
    let key = taken.path("key.pem").display().to_string();
    let (code, said) = verify(&["--from", "/nowhere/export.jsonl"]);
    assert!(code == Some(2) && said.contains("cannot read /nowhere/export.jsonl"), "{said}");
    let (code, said) = verify(&["--from", &key]);
    assert!(code == Some(2) && said.contains("has no audit record"), "{said}");
    let (code, said) = verify(&["--from", &checkpoint, "--checkpoint", &checkpoint]);
    assert!(code == Some(2) && said.contains("give --public-key"), "{said}");
    let (code, said) = verify(&["--from", &checkpoint, "--checkpoint", &key, "--public-key", &key]);
    assert!(code == Some(2) && said.contains("line 1 is not a checkpoint"), "{said}");
    let (code, said) = verify(&["--from", &checkpoint, "--public-key", &checkpoint]);
    assert!(code == Some(2) && said.contains("PUBLIC KEY"), "{said}");
}

#[test]
fn verifies_the_database_of_a_server_at_work_and_says_so_in_it() {
    let server = Server::dev(ESTD);
    let _ = server.password(1);
    let output = server.estd(&["audit", "verify"]);
    let said = text(&output);
    assert!(said.contains("as they were written"), "{said}");
    text(&server.estd(&["audit", "export"]));
    text(&server.estd(&["audit", "checkpoint"]));
    let said = text(&server.estd(&["audit", "verify"]));
    assert!(said.contains("2 checkpoints hold, the last at"), "{said}");
    let uses = server.estd_json(&["audit", "query", "--event", "audit"]);
    let names: Vec<&str> =
        uses["events"].as_array().expect("events").iter().filter_map(|event| event["event"].as_str()).collect();
    let expected = [
        "audit.verified",
        "audit.vouched",
        "audit.checkpoint",
        "audit.exported",
        "audit.verified",
        "audit.vouched",
        "audit.started",
    ];
    assert_eq!(names, expected);
    let exported = &uses["events"][3];
    assert!(exported["actor"].as_str().is_some_and(|actor| actor.starts_with("local:")), "{exported}");
    assert!(exported["reason"].as_str().is_some_and(|reason| reason.contains("whole chains")), "{exported}");
}

#[test]
fn a_checkpoint_that_was_cut_short_is_passed_over() {
    let server = Server::dev(ESTD);
    text(&server.estd(&["audit", "checkpoint"]));
    text(&server.estd(&["audit", "checkpoint"]));
    let path = server.folder().join("estd.db.checkpoints.jsonl");
    let whole = fs::read(&path).expect("checkpoints");
    fs::write(&path, &whole[..whole.len() - 20]).expect("a file");
    let said = told(&server.estd(&["audit", "verify"]));
    assert!(said.contains("2 checkpoints hold") && said.contains("line 3 was cut short"), "{said}");
    text(&server.estd(&["audit", "checkpoint"]));
    let output = server.estd(&["audit", "verify"]);
    assert!(output.status.success() && told(&output).contains("3 checkpoints hold"), "{}", told(&output));
}

#[test]
fn an_export_has_nothing_but_what_is_hashed() {
    let taken = Taken::from(&Server::dev(ESTD));
    let mut lines = taken.lines.clone();
    lines[2] = lines[2].replacen('{', "{\"approved_by\":\"the auditor\",", 1);
    let (code, found) = taken.verify(&lines, &[]);
    assert_eq!((code, &found["nodes"][0]["finding"]["kind"]), (Some(1), &json!("unreadable")), "{found}");
}

#[test]
fn an_export_is_on_record_whoever_stops_reading_it() {
    let server = Server::dev(ESTD);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let config = server.folder().join("estd.toml");
    let output = Command::new(ESTD)
        .args(["audit", "export", "--config"])
        .arg(config)
        .stdout(writer)
        .output()
        .expect("estd runs");
    assert_eq!((output.status.code(), told(&output).as_str()), (Some(141), ""));
    let exports = server.estd_json(&["audit", "query", "--event", "audit.exported"]);
    assert_eq!(exports["events"].as_array().map(Vec::len), Some(1), "{exports}");
    assert_eq!(
        exports["events"][0]["reason"].as_str().map(|reason| reason.starts_with("whole chains, of ")),
        Some(true)
    );
}

#[test]
fn an_excerpt_is_verified_as_one() {
    let server = Server::dev(ESTD);
    let taken = Taken::from(&server);
    let lines: Vec<String> =
        text(&server.estd(&["audit", "export", "--event", "otp.created"])).lines().map(str::to_owned).collect();
    assert!(lines.len() >= 13 && lines.iter().all(|line| line.contains("\"otp.created\"")), "{lines:#?}");
    assert_eq!(taken.verify(&lines, &[]).0, Some(1), "as a whole it lacks records");
    let (code, found) = taken.verify(&lines, &["--excerpt"]);
    assert_eq!(code, Some(0), "{found}");
    let mut changed = lines.clone();
    changed[3] = changed[3].replace("otp.created", "otp.revoked");
    let (code, found) = taken.verify(&changed, &["--excerpt"]);
    assert_eq!((code, &found["nodes"][0]["finding"]["kind"]), (Some(1), &json!("changed")), "{found}");
    let none = text(&server.estd(&["audit", "export", "--until", "2020-01-01"]));
    let all = text(&server.estd(&["audit", "export", "--since", "2020-01-01T00:00:00Z"]));
    assert!(none.is_empty() && all.lines().count() > 13, "{none}{all}");
}

#[test]
fn stops_with_a_last_checkpoint_of_a_key_that_nobody_else_can_read() {
    let server = Server::dev(ESTD);
    let export_before = text(&server.estd(&["audit", "export"]));
    let asked = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status().expect("kill runs");
    assert!(asked.success());
    let ended = server.ended();
    let folder = ended.folder();
    let file = |suffix: &str| -> PathBuf {
        let found = fs::read_dir(folder).expect("a folder").filter_map(|entry| Some(entry.ok()?.path()));
        found.into_iter().find(|path| path.to_string_lossy().ends_with(suffix)).expect("it is beside the database")
    };
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&file(".checkpoint-key.pem")), 0o600);
    let checkpoints = fs::read_to_string(file(".checkpoints.jsonl")).expect("checkpoints");
    let last: Value = serde_json::from_str(checkpoints.lines().last().expect("one")).expect("JSON");
    assert!(last["sequence"].as_u64().expect("a number") > export_before.lines().count() as u64, "{last}");
}

#[test]
fn a_clock_that_is_set_while_the_server_runs_is_on_record() {
    if !is_installed("faketime") {
        return;
    }
    // What the faketime command does, and besides read again from a file with every look at the clock.
    let folder = tempfile::tempdir().expect("a folder");
    let offset = folder.path().join("offset");
    fs::write(&offset, "+0").expect("a file");
    let server = Launch::dev(ESTD)
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME_TIMESTAMP_FILE", offset.to_str().expect("UTF-8"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    let records = || server.estd_json(&["audit", "query", "--event", "time.changed"])["events"].clone();
    assert_eq!(records(), json!([]));
    // Never half written: it is read with every look at the clock.
    fs::write(folder.path().join("next"), "+86400").expect("a file");
    fs::rename(folder.path().join("next"), &offset).expect("a file");
    let started = Instant::now();
    while records() == json!([]) {
        assert!(started.elapsed() < PATIENCE, "nobody has noticed");
    }
    let records = records();
    let reason = records[0]["reason"].as_str().expect("a reason");
    let (from, to) = reason.strip_prefix("from ").and_then(|times| times.split_once(" to ")).expect("two times");
    let time = |text: &str| text.parse::<UnixMicros>().expect("a time").seconds().0;
    let set_by = time(to) - time(from);
    assert!((86_399..=86_401).contains(&set_by), "{reason}");
}

#[test]
fn a_restore_that_is_known_of_is_no_fault_and_one_record_more_or_less_is() {
    let server = Server::dev(ESTD);
    let _ = server.password(1);
    let _ = server.estd(&["audit", "checkpoint"]);
    let launch = server.kill();
    let database = launch.folder().join("estd.db");
    let backup = fs::read(&database).expect("the database");
    let log = fs::read(database.with_extension("db-wal")).unwrap_or_default();

    let server = launch.start();
    let _ = server.password(1);
    let _ = server.estd(&["audit", "checkpoint"]);
    let launch = server.kill();
    fs::write(&database, backup).expect("a restore");
    fs::write(database.with_extension("db-wal"), log).expect("a restore");
    let _ = fs::remove_file(database.with_extension("db-shm"));
    // Whatever is written down from here on, and be it that somebody verified, is in a chain of its own.
    let config = launch.folder().join("estd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, text.replacen("[server]\n", "[server]\nnode = \"restored\"\n", 1)).expect("it can be written");

    let verify = |more: &[&str]| {
        let output = Command::new(ESTD)
            .args(["audit", "verify", "--config"])
            .arg(&config)
            .args(more)
            .output()
            .expect("estd runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = verify(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("and all after it were removed"), "{told}");
    let (node, rest) = told.split_once(": ").expect("the node");
    let end: u64 = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("how many records there are");
    assert_eq!(verify(&["--restored", &format!("{node}:{}", end - 1)]).0, Some(1));
    assert_eq!(verify(&["--restored", &format!("another:{end}")]).0, Some(1));
    let (code, told) = verify(&["--restored", &format!("{node}:{end}")]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("where a backup was restored"), "{told}");
}

#[test]
fn a_query_is_narrowed_in_every_way() {
    let server = Server::dev(ESTD);
    let _ = server.password(1);
    let count = |arguments: &[&str]| {
        let listed = server.estd_json(&[&["audit", "query"], arguments].concat());
        listed["events"].as_array().expect("events").len()
    };
    let of_otp = server.estd_json(&["audit", "query", "--event", "otp.created", "--limit", "1"]);
    let actor = of_otp["events"][0]["actor"].as_str().expect("an actor").to_owned();
    let time = of_otp["events"][0]["timestamp"].as_str().expect("a time").to_owned();
    assert!(count(&["--actor", &actor]) > 0 && count(&["--actor", "nobody"]) == 0);
    assert!(count(&["--outcome", "success"]) > 0 && count(&["--outcome", "failure"]) == 0);
    assert!(count(&["--since", &time]) > 0 && count(&["--until", "2020-01-01"]) == 0);
    assert_eq!(count(&["--label", "nowhere"]) + count(&["--source", "192.0.2.1"]) + count(&["--ca", "none"]), 0);
    assert_eq!(count(&["--serial", "0A:0B"]), 0);
}
