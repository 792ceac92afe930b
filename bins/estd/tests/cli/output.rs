//! Commands whose output goes nowhere.

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{ESTD, initialized, stderr, stdout};

/// Runs a command whose standard output is a full disk.
fn on_a_full_disk(arguments: &[&str]) -> Output {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    Command::new(ESTD).args(arguments).stdout(full).stderr(Stdio::piped()).output().expect("estd runs")
}

/// Runs a command whose standard output is a pipe that nobody reads any more.
fn into_a_closed_pipe(arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Command::new(ESTD).args(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("estd runs")
}

/// Every command that prints, with a database, a checkpoint key and a certificate request to print about.
fn commands(folder: &std::path::Path, config: &str) -> Vec<Vec<String>> {
    let csr = folder.join("csr.der");
    std::fs::write(&csr, est_testkit::pki::Key::p256().csr("CN=device", &[])).expect("a request");
    let key = folder.join("out");
    let (csr, key) = (csr.display().to_string(), key.display().to_string());
    let of_a_database = [
        "check",
        "otp list",
        "otp list --json",
        "certs list",
        "certs list --json",
        "requests list",
        "requests list --json",
        "audit list",
        "audit list --json",
        "audit export",
        "audit checkpoint",
        "audit checkpoint --public-key",
        "crl --renew",
        "crl --renew --json",
        "crl --renew --out -",
        "migrate --status",
        "migrate",
        "prune --dry-run",
        "prune --json",
    ];
    let of_a_database = of_a_database.iter().map(|command| format!("{command} --config {config}"));
    let others = ["man", "completions bash", "config schema", "--help", "otp --help", "--version"];
    let with_files = [
        format!("explain --csr {csr} --config {config}"),
        format!("explain --csr {csr} --json --config {config}"),
        format!("ca rollover --out {key} --config {config}"),
    ];
    let all = of_a_database.chain(others.map(str::to_owned)).chain(with_files);
    all.map(|command| command.split(' ').map(str::to_owned).collect()).collect()
}

fn prepared() -> (tempfile::TempDir, String) {
    let (folder, config) = initialized();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let audit = "\n[audit]\ncheckpoint_key = \"checkpoints.pem\"\ncheckpoints = \"checkpoints.jsonl\"\n";
    std::fs::write(&config, text + audit).expect("the configuration can be written");
    std::fs::write(folder.path().join("pki/checkpoints.pem"), est_testkit::pki::Key::p256().to_pem()).expect("a key");
    stdout(&super::estd(&["migrate", "--config", &config]));
    stdout(&super::estd(&["otp", "create", "--config", &config]));
    (folder, config)
}

#[test]
fn every_command_whose_output_cannot_be_written_fails_and_says_why() {
    let (folder, config) = prepared();
    for command in commands(folder.path(), &config) {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = on_a_full_disk(&arguments);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains("cannot write to standard output: No space left on device"), "{command:?}: {told}");
        let _ = std::fs::remove_dir_all(folder.path().join("out"));
    }
}

#[test]
fn every_command_ends_quietly_when_nobody_reads_its_output_any_more() {
    let (folder, config) = prepared();
    for command in commands(folder.path(), &config) {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = into_a_closed_pipe(&arguments);
        assert_eq!(output.status.code(), Some(141), "{command:?}: {}", stderr(&output));
        let told = stderr(&output);
        let is_warning = |line: &str| line.starts_with("warning:");
        assert!(told.lines().all(is_warning), "{command:?}: {told}");
        let _ = std::fs::remove_dir_all(folder.path().join("out"));
    }
}

#[test]
fn a_verification_whose_result_cannot_be_printed_is_not_a_good_one() {
    let (_folder, config) = prepared();
    for arguments in
        [&["audit", "verify", "--config", &config][..], &["audit", "verify", "--json", "--config", &config]]
    {
        let output = on_a_full_disk(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
    }
}

#[test]
fn a_password_that_cannot_be_printed_is_revoked() {
    let (_folder, config) = prepared();
    let state = |config: &str| -> Vec<String> {
        let listed = stdout(&super::estd(&["otp", "list", "--json", "--config", config]));
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        let passwords = listed["passwords"].as_array().expect("a list").iter();
        passwords.map(|password| password["state"].as_str().expect("a state").to_owned()).collect()
    };
    assert_eq!(state(&config), ["good"]);
    for (more, revoked) in [(&[][..], 1), (&["--count", "3"], 3), (&["--json"], 1), (&["--json", "--count", "3"], 3)] {
        for run in [on_a_full_disk, into_a_closed_pipe] {
            let before = state(&config).len();
            let output = run(&[&["otp", "create", "--config", &config][..], more].concat());
            assert!(matches!(output.status.code(), Some(1 | 141)), "{more:?}: {}", stderr(&output));
            assert_eq!(stderr(&output).matches(": revoked, because it could not be printed").count(), revoked);
            let after = state(&config);
            assert_eq!(after.len() - before, revoked, "{more:?}");
            assert_eq!(after.iter().filter(|state| *state == "good").count(), 1, "{more:?}");
        }
    }
}
