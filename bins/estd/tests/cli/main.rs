//! The operator's commands, as an operator types them.

mod actors;
mod init;
mod offline_root;
mod output;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use est_core::pkix::Certificate;
use est_testkit::https::{Client, base64};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn estd(arguments: &[&str]) -> Output {
    Command::new(ESTD).args(arguments).output().expect("estd runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Enrolls a new key under this name; the status, and the certificate if there is one.
fn enroll(server: &Server, user: &str, password: &str, name: &str) -> (u16, Option<Certificate>) {
    let body = base64(&Key::p256().csr(&format!("CN={name}"), &[]));
    let request = format!(
        "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Basic {}\r\nContent-Type: application/pkcs10\r\nContent-Length: {}\r\n\r\n{body}",
        base64(format!("{user}:{password}").as_bytes()),
        body.len()
    );
    let answer = Client::new(server.port(), &server.ca()).exchange(request.as_bytes()).expect("an answer");
    let certificate = (answer.status == 200).then(|| Certificate::parse(&answer.certificate()).expect("a certificate"));
    (answer.status, certificate)
}

#[test]
fn check_reports_every_mistake_with_its_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    let dir = dir.to_str().expect("UTF-8");
    stdout(&estd(&["init", dir]));
    let path = format!("{dir}/estd.toml");
    let text = std::fs::read_to_string(&path).expect("the configuration");
    let text = text
        .replace("mode = \"optional\"", "mode = \"requird\"")
        .replace("cert = \"server.pem\"", "cert_path = \"server.pem\"");
    std::fs::write(&path, text).expect("the configuration can be written");
    let checked = estd(&["check", "--config", &path]);
    assert_eq!(checked.status.code(), Some(1));
    let printed = stderr(&checked);
    for part in
        ["estd.toml:9: tls.cert_path", "did you mean `cert`", "tls.client_auth.mode", "did you mean \"required\""]
    {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
}

#[test]
fn check_finds_a_key_that_is_not_its_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    let dir = dir.to_str().expect("UTF-8");
    stdout(&estd(&["init", dir]));
    std::fs::copy(format!("{dir}/server-key.pem"), format!("{dir}/ca-key.pem")).expect("a copy");
    let checked = estd(&["check", "--config", &format!("{dir}/estd.toml")]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(stderr(&checked).contains("ca-key.pem"), "{}", stderr(&checked));
}

#[test]
fn migrate_tells_and_does_what_is_pending() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    let dir = dir.to_str().expect("UTF-8");
    stdout(&estd(&["init", dir]));
    let config = format!("{dir}/estd.toml");
    assert!(stdout(&estd(&["migrate", "--config", &config, "--status"])).contains("8 pending migrations"));
    assert!(stdout(&estd(&["migrate", "--config", &config])).contains("8 migrations applied"));
    assert!(stdout(&estd(&["migrate", "--config", &config, "--status"])).contains("0 pending migrations"));
}

/// What is on record about the making of a configuration's database.
fn migrated(config: &str) -> Vec<String> {
    let listed = stdout(&estd(&["audit", "query", "--event", "store.migrated", "--json", "--config", config]));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let events = listed["events"].as_array().expect("a list").iter();
    events.map(|event| event["reason"].as_str().expect("a reason").to_owned()).collect()
}

const MIGRATIONS: &str = "0001_initial, 0002_compromised_keys, 0003_operation, 0004_keys, 0005_stories, 0006_imports, 0007_holders, 0008_former_ids";

#[test]
fn whoever_makes_a_database_writes_that_down_once() {
    let make: [&dyn Fn(&str); 3] = [
        &|config| drop(stdout(&estd(&["migrate", "--config", config]))),
        &|config| drop(stdout(&estd(&["otp", "create", "--config", config]))),
        &|config| {
            let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
            let mut server = Command::new(ESTD)
                .args(["run", "--config", config])
                .args(listen)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("estd runs");
            let mut said = BufReader::new(server.stdout.take().expect("a pipe")).lines();
            assert!(said.any(|line| line.expect("a line").starts_with("listening on")));
            server.kill().and_then(|()| server.wait()).expect("it ends");
        },
    ];
    for first in make {
        let (_folder, config) = initialized();
        first(&config);
        make.iter().for_each(|again| again(&config));
        assert_eq!(migrated(&config), [MIGRATIONS]);
    }
}

#[test]
fn a_database_of_an_older_version_is_left_alone_by_all_but_who_serves_and_migrate() {
    if !is_installed("sqlite3") {
        return;
    }
    let (folder, config) = initialized();
    let database = folder.path().join("pki/estd.db");
    let sqlite = |statements: &str| {
        let output = Command::new("sqlite3").arg(&database).arg(statements).output().expect("sqlite3 runs");
        stdout(&output)
    };
    for (number, name) in [(1, "0001_initial"), (2, "0002_compromised_keys")] {
        let file = format!("{}/../../est-store/migrations/sqlite/{name}.sql", env!("CARGO_MANIFEST_DIR"));
        // One that begins with a comment looks like an option.
        sqlite(&format!("\n{}", std::fs::read_to_string(file).expect("the migration")));
        sqlite("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at INTEGER)");
        sqlite(&format!("INSERT INTO migrations VALUES ({number}, '{name}', 1700000000)"));
    }
    let before = sqlite(".dump");
    for command in [
        &["otp", "create"][..],
        &["otp", "list"],
        &["certs", "list"],
        &["requests", "list"],
        &["audit", "query"],
        &["audit", "verify"],
        &["audit", "export"],
        &["audit", "checkpoint"],
        &["crl", "--renew"],
        &["prune"],
    ] {
        let output = estd(&[command, &["--config", &config]].concat());
        assert_eq!(output.status.code(), Some(if command == ["audit", "verify"] { 2 } else { 1 }), "{command:?}");
        let errors = stderr(&output);
        assert!(
            errors.contains(
                "lacks the migrations 0003_operation, 0004_keys, 0005_stories, 0006_imports, 0007_holders, 0008_former_ids: run estd migrate"
            ),
            "{command:?}: {errors}"
        );
        assert_eq!(sqlite(".dump"), before, "{command:?}");
    }
    stdout(&estd(&["migrate", "--config", &config]));
    assert_eq!(
        migrated(&config),
        ["0003_operation, 0004_keys, 0005_stories, 0006_imports, 0007_holders, 0008_former_ids"]
    );
}

#[test]
fn a_password_is_good_for_its_entity_and_so_many_requests() {
    let server = Server::dev(ESTD);
    let created = server.estd_json(&[
        "otp",
        "create",
        "--entity",
        "meter-7",
        "--allow",
        "subject:CN=*",
        "--uses",
        "3",
        "--ttl",
        "10m",
    ]);
    assert_eq!((&created["entity_id"], &created["max_uses"]), (&"meter-7".into(), &3.into()));
    let password = created["otp"].as_str().expect("a password");
    assert_eq!(enroll(&server, "meter-8", password, "a").0, 401);
    assert_eq!(enroll(&server, "", password, "a").0, 401);
    for name in ["a", "b", "c"] {
        assert_eq!(enroll(&server, "meter-7", password, name).0, 200);
    }
    assert_eq!(enroll(&server, "meter-7", password, "d").0, 401);
    let listed = server.estd_json(&["otp", "list"]);
    let listed = listed["passwords"].as_array().expect("a list").iter().find(|one| one["id"] == created["id"]);
    assert_eq!(listed.expect("the password")["state"], "spent");
    assert!(!stdout(&server.estd(&["otp", "list"])).contains(password));
}

#[test]
fn a_revoked_password_is_good_for_nothing() {
    let server = Server::dev(ESTD);
    let password = server.password(1);
    let id = password.split('.').next().expect("an id");
    assert!(stdout(&server.estd(&["otp", "revoke", id])).contains("revoked"));
    assert!(stdout(&server.estd(&["otp", "revoke", id])).contains("already revoked"));
    assert_eq!(enroll(&server, "", &password, "a").0, 401);
    let unknown = server.estd(&["otp", "revoke", "nobody"]);
    assert!(!unknown.status.success() && stderr(&unknown).contains("there is no password nobody"));
}

#[test]
fn certificates_are_found_by_every_form_of_their_serial_number() {
    let server = Server::dev(ESTD);
    let (_, certificate) = enroll(&server, "", &server.password(1), "found");
    let certificate = certificate.expect("a certificate");
    let colons = certificate.serial_text();
    let plain = colons.replace(':', "").to_ascii_lowercase();
    for serial in [colons.clone(), plain.clone(), format!("0x{plain}")] {
        let shown = server.estd_json(&["certs", "show", &serial]);
        assert_eq!((&shown["serial"], &shown["subject"]), (&colons.clone().into(), &"CN=found".into()));
        assert_eq!(shown["fingerprint"], certificate.fingerprint().to_string());
    }
    assert!(stdout(&server.estd(&["certs", "list", "--find", "FOUND"])).contains(&colons));
    assert_eq!(
        server.estd_json(&["certs", "list", "--find", "lost"])["certificates"].as_array().map(Vec::len),
        Some(0)
    );
    let wrong = server.estd(&["certs", "revoke", &plain, "--reason", "boredom"]);
    assert!(!wrong.status.success() && stderr(&wrong).contains("keyCompromise"), "{}", stderr(&wrong));
    stdout(&server.estd(&["certs", "revoke", &plain, "--reason", "superseded"]));
    let shown = server.estd_json(&["certs", "show", &plain]);
    assert_eq!((&shown["status"], &shown["revocation_reason"]), (&"revoked".into(), &"superseded".into()));

    let events = server.estd_json(&["audit", "list", "--event", "cert"]);
    let events = events["events"].as_array().expect("a list");
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["cert.revoked", "cert.issued"]);
    assert!(events.iter().all(|event| event["fingerprint"] == certificate.fingerprint().to_string()));
}

#[test]
fn a_second_server_on_the_same_database_is_refused() {
    let server = Server::dev(ESTD);
    let config = server.folder().join("estd.toml");
    let second = estd(&[
        "run",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--config",
        config.to_str().expect("UTF-8"),
    ]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("another estd serves from"), "{}", stderr(&second));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = Server::dev(ESTD);
    let other = Launch::configured(ESTD, |text| text);
    let folder = other.start();
    let config = folder.folder().join("estd.toml");
    let launch = folder.kill();
    let taken = format!("127.0.0.1:{}", server.port());
    let refused = estd(&[
        "run",
        "--listen",
        &taken,
        "--admin-listen",
        "127.0.0.1:0",
        "--config",
        config.to_str().expect("UTF-8"),
    ]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains(&format!("cannot listen on {taken}")), "{}", stderr(&refused));
    drop(launch);
}

#[test]
fn every_command_explains_itself() {
    for command in [
        &["dev"][..],
        &["init"],
        &["run"],
        &["check"],
        &["migrate"],
        &["otp", "create"],
        &["otp", "list"],
        &["otp", "revoke"],
        &["certs", "list"],
        &["certs", "show"],
        &["certs", "revoke"],
        &["requests", "list"],
        &["requests", "approve"],
        &["requests", "deny"],
        &["audit", "list"],
        &["ca", "rollover"],
    ] {
        let help = stdout(&estd(&[command, &["--help"]].concat()));
        assert!(help.contains("Usage: estd"), "{command:?}: {help}");
    }
}

#[test]
fn sigterm_ends_it_well() {
    let (status, log) = Server::dev(ESTD).stop();
    assert!(status.success());
    assert!(log.contains("stopped"), "{log}");
}

#[test]
fn the_help_says_what_the_server_is_for_and_how_to_begin() {
    let help = stdout(&estd(&["--help"]));
    assert!(help.starts_with("The Ohia EST server: gives devices"), "{help}");
    assert!(help.contains("estd dev") && help.contains("estd init"), "{help}");
}

#[test]
fn dev_shows_no_password_to_other_users_of_the_machine_and_hides_no_failure() {
    let mut server = Server::dev(ESTD);
    let _ = server.line_with("Stop with");
    let text = server.printed().join("\n");
    assert!(text.contains("  EST_PASSWORD=") && !text.contains("--password"), "{text}");
    assert!(text.contains("curl -fsS --cacert"), "{text}");
}

#[test]
fn listings_begin_with_the_newest() {
    let server = Server::dev(ESTD);
    let id = |audit: &serde_json::Value| audit["events"][0]["number"].as_u64().expect("a number");
    let newest = id(&server.estd_json(&["audit", "list", "--limit", "1"]));
    let first = server.estd_json(&["audit", "list", "--limit", "2"]);
    assert_eq!((id(&first), &first["events"][1]["number"]), (newest, &(newest - 1).into()));
    let cursor = first["cursor"].as_str().expect("there are more");
    assert_eq!(id(&server.estd_json(&["audit", "list", "--after", cursor])), newest - 2);
    for (command, order) in [(["audit", "list"], "the newest first"), (["certs", "list"], "the newest first")] {
        let help = stdout(&estd(&[&command[..], &["--help"]].concat()));
        assert!(help.contains(order) && help.contains("--limit"), "{help}");
    }
}

#[test]
fn a_serial_number_that_is_none_is_told_once() {
    let server = Server::dev(ESTD);
    let shown = stderr(&server.estd(&["certs", "show", "zz"]));
    assert_eq!(
        shown.trim(),
        "estd: `zz` is not a serial number: write it in hexadecimal, as 0A:1B:2C, 0a1b2c or 0x0a1b2c"
    );
}

/// A folder after `estd init`, and its configuration.
fn initialized() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    stdout(&estd(&["init", dir.to_str().expect("UTF-8")]));
    let config = dir.join("estd.toml").to_str().expect("UTF-8").to_owned();
    (folder, config)
}

#[test]
fn a_database_that_is_none_is_told_once() {
    let (folder, config) = initialized();
    std::fs::write(folder.path().join("pki/estd.db"), "nothing that SQLite has ever written, ".repeat(200))
        .expect("it can");
    for command in [&["otp", "list"][..], &["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]] {
        let shown = stderr(&estd(&[command, &["--config", &config]].concat()));
        assert_eq!(shown.matches("not a database").count(), 1, "{shown}");
        assert!(shown.contains("estd.db: "), "{shown}");
    }
}

#[test]
fn only_what_writes_makes_a_database() {
    let (folder, config) = initialized();
    let database = folder.path().join("pki/estd.db");
    for command in [
        &["otp", "list"][..],
        &["otp", "revoke", "a"],
        &["certs", "list"],
        &["certs", "show", "0a"],
        &["requests", "list"],
        &["audit", "list"],
        &["migrate", "--status"],
        &["check"],
    ] {
        let output = estd(&[command, &["--config", &config]].concat());
        assert!(!database.exists(), "{command:?}");
        if !["migrate", "check"].contains(&command[0]) {
            assert_eq!(output.status.code(), Some(1), "{command:?}");
            assert!(stderr(&output).contains("there is no database") && stderr(&output).contains("estd run"));
        }
    }
    stdout(&estd(&["otp", "create", "--config", &config]));
    assert!(database.exists());
    assert!(stdout(&estd(&["otp", "list", "--config", &config])).contains("good"));
}

#[test]
fn a_database_whose_folder_is_missing_or_closed_is_told_with_what_to_do() {
    let (folder, config) = initialized();
    let run =
        || stderr(&estd(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--config", &config]));
    // Where no user can make a file.
    std::fs::create_dir(folder.path().join("pki/estd.db.lock")).expect("a folder");
    let shown = run();
    assert!(shown.contains("estd.db.lock") && shown.contains("must be able to make files in the folder"), "{shown}");

    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, text.replace("sqlite://estd.db", "sqlite://state/estd.db")).expect("it can be written");
    let shown = run();
    assert!(shown.contains("there is no folder") && shown.contains("mkdir -p"), "{shown}");
}

#[test]
fn the_configuration_is_named_by_an_option_a_variable_or_the_default() {
    let (_folder, config) = initialized();
    let run = |variable: &str, arguments: &[&str]| {
        Command::new(ESTD).args(arguments).env("ESTD_CONFIG", variable).output().expect("estd runs")
    };
    stdout(&run(&config, &["check"]));
    stdout(&run(&config, &["otp", "create"]));
    stdout(&run(&config, &["audit", "list"]));
    let other = run(&config, &["check", "--config", "/nowhere/estd.toml"]);
    assert!(!other.status.success() && stderr(&other).contains("/nowhere/estd.toml"), "{}", stderr(&other));
    if !std::path::Path::new("/etc/ohia/estd.toml").exists() {
        let output = Command::new(ESTD).args(["otp", "list"]).env_remove("ESTD_CONFIG").output().expect("estd runs");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            told.contains("/etc/ohia/estd.toml") && told.contains("ESTD_CONFIG") && told.contains("--config"),
            "{told}"
        );
    }
}

#[test]
fn warnings_of_the_configuration_are_for_check_and_for_who_serves() {
    let (_folder, config) = initialized();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let web = "\n[[est.label]]\nname = \"web\"\nca_id = \"main\"\nprofile = \"tls-server\"\n";
    std::fs::write(&config, text + web).expect("the configuration can be written");
    let checked = estd(&["check", "--config", &config]);
    assert!(stderr(&checked).contains("warning: "), "{}", stderr(&checked));
    for command in [&["migrate"][..], &["otp", "create", "--entity", "a"], &["otp", "list"], &["certs", "list"]] {
        let output = estd(&[command, &["--config", &config]].concat());
        stdout(&output);
        assert_eq!(stderr(&output), "", "{command:?}");
    }
}

#[test]
fn init_takes_no_url_for_a_name_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("pki");
    let output = estd(&["init", dir.to_str().expect("UTF-8"), "--name", "https://est.example.com:8443"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean est.example.com?"), "{}", stderr(&output));
    assert!(!dir.exists());
}

#[test]
fn dev_on_a_port_that_is_taken_names_the_option_and_makes_no_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dev");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for option in ["--listen", "--admin-listen"] {
        let other = if option == "--listen" { "--admin-listen" } else { "--listen" };
        let dir = dir.to_str().expect("UTF-8");
        let output = estd(&["dev", "--dir", dir, option, &address, other, "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(1));
        let told = stderr(&output);
        assert!(told.contains(&address) && told.contains(&format!("choose another port with {option} ")), "{told}");
    }
    assert!(!dir.exists());
}

#[test]
fn passwords_are_made_for_every_entity_of_a_file() {
    let (folder, config) = initialized();
    let file = folder.path().join("meters.csv");
    let names: Vec<String> = (0..150).map(|number| format!("meter-{number}")).collect();
    std::fs::write(&file, names.join("\n")).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let made = stdout(&estd(&["otp", "create", "--entities", file, "--uses", "2", "--config", &config]));
    let lines: Vec<&str> = made.lines().collect();
    assert_eq!((lines[0], lines.len()), ("entity_id,otp,id,est_label,expires,max_uses", 151));
    assert!(lines[150].starts_with("meter-149,") && lines[150].ends_with(",2"), "{}", lines[150]);
    std::fs::write(file, "meter-1\nmeter:2\n").expect("a file");
    let wrong = estd(&["otp", "create", "--entities", file, "--config", &config]);
    assert!(!wrong.status.success() && stderr(&wrong).contains("line 2: "), "{}", stderr(&wrong));
    let listed = stdout(&estd(&["otp", "list", "--json", "--config", &config]));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["passwords"].as_array().map(Vec::len), Some(150), "none of a file with a mistake");
}

#[test]
fn the_manual_page_has_files_environment_signals_exit_codes_and_examples() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = stdout(&estd(&["man"]));
    stdout(&estd(&["man", "--out", folder.path().to_str().expect("UTF-8")]));
    let written = std::fs::read_to_string(folder.path().join("estd.1")).expect("a page");
    for section in ["FILES", "ENVIRONMENT", "SIGNALS", "\"EXIT STATUS\"", "EXAMPLES", "\"SEE ALSO\""] {
        for page in [&printed, &written] {
            assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
        }
    }
}
