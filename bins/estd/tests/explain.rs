//! `estd explain`: what a request would get, or which rule refuses it and where that is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

const RULES: &str = r#"
[[profile]]
name = "plc"
base = "device"
key_types = ["ecdsa-p256"]
names = ["dns:^[a-z0-9-]+\\.plant\\.example$"]

[[est.label]]
name = "plcs"
ca_id = "main"
profile = "plc"
require_san = true

[[est.label]]
name = "people"
ca_id = "main"
require_san = false
"#;

fn served() -> Server {
    Launch::configured(ESTD, |text| text + RULES).start()
}

fn config(server: &Server) -> PathBuf {
    server.folder().join("estd.toml")
}

fn explain(config: &Path, csr: &[u8], arguments: &[&str]) -> Output {
    let file = config.with_extension("csr");
    fs::write(&file, base64(csr)).expect("a file");
    let config = config.to_str().expect("UTF-8");
    let file = file.to_str().expect("UTF-8");
    let arguments = [&["explain", "--config", config, "--csr", file], arguments].concat();
    Command::new(ESTD).args(arguments).output().expect("estd runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn tells_what_would_be_issued_and_what_would_be_dropped() {
    let server = served();
    let csr = Key::p256().csr("CN=plc-7", &["DNS:plc-7.plant.example"]);
    let output = explain(&config(&server), &csr, &["--label", "plcs"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = text(&output);
    for line in ["subject    CN=plc-7", "profile    plc", "extKeyUsage: clientAuth", "DNS:plc-7.plant.example"] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[test]
fn tells_which_rule_refuses_and_where_it_is_written() {
    let server = served();
    let lines = fs::read_to_string(config(&server)).expect("the configuration");
    let line_of = |key: &str| 1 + lines.lines().position(|line| line.starts_with(key)).expect("the key is written");
    for (csr, code, place) in [
        (
            Key::generate(est_core::pkix::KeyType::Ed25519).csr("CN=a", &["DNS:a.plant.example"]),
            "key-type-not-allowed",
            format!("key_types in [[profile]] \"plc\", {}:{}", config(&server).display(), line_of("key_types")),
        ),
        (
            Key::p256().csr("CN=a", &["DNS:a.office.example"]),
            "name-pattern",
            format!("names in [[profile]] \"plc\", {}:{}", config(&server).display(), line_of("names")),
        ),
        (
            Key::p256().csr("CN=a", &[]),
            "subject-alt-name-required",
            format!("require_san in [[est.label]] \"plcs\", {}:{}", config(&server).display(), line_of("require_san")),
        ),
        (Key::p256().csr("CN=a", &["DNS:a..example"]), "malformed-name", "RFC 5280 §4.2.1.6".to_owned()),
    ] {
        let output = explain(&config(&server), &csr, &["--label", "plcs"]);
        assert_eq!(output.status.code(), Some(1));
        let text = text(&output);
        assert!(text.contains(code) && text.contains(&place), "{code} and {place} are not in:\n{text}");
    }
}

#[test]
fn shows_other_names_as_people_know_them_and_finds_them() {
    let server = served();
    let csr = Key::p256().csr("CN=mia", &["upn:mia@corp.example", "smtp-utf8:zoë@example.org"]);
    let explained = text(&explain(&config(&server), &csr, &["--label", "people"]));
    let names = "upn:mia@corp.example, smtp-utf8:zoë@example.org";
    assert!(explained.contains(&format!("subjectAltName: {names}")), "{explained}");
    let client = Client::new(server.port(), &server.ca());
    let answer = client.enroll("/people/simpleenroll", Some(&server.password(1)), base64(&csr).as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    for part in ["mia@corp", "zoë@", "upn:mia"] {
        let listed = server.estd_json(&["certs", "list", "--find", part]).to_string();
        assert!(listed.contains(names), "{part}: {listed}");
    }
    assert!(!server.estd_json(&["certs", "list", "--find", "a020060a2b"]).to_string().contains(names));
    assert!(server.estd_json(&["audit", "list"]).to_string().contains(names));
}

#[test]
fn tells_a_request_in_any_text_from_two_requests() {
    let server = served();
    let explained = |body: &str| {
        let file = server.folder().join("request.txt");
        fs::write(&file, body).expect("a file");
        let (config, file) = (config(&server), file.display().to_string());
        let arguments = ["explain", "--label", "people", "--config", &config.display().to_string(), "--csr", &file];
        text(&Command::new(ESTD).args(arguments).output().expect("estd runs"))
    };
    let pem = est_core::pkix::pem::encode("NEW CERTIFICATE REQUEST", &Key::p256().csr("CN=a", &[]));
    let with_text = format!("\u{feff}PKCS #10 Certificate Request Information:\r\n\tVersion: 1\r\n{pem}");
    assert!(explained(&with_text).contains("A certificate would be issued"));
    assert!(explained(&format!("{pem}{pem}")).contains("several-requests"));
}

#[test]
fn tells_the_operator_the_pattern_that_clients_do_not_hear() {
    let server = served();
    let output = explain(&config(&server), &Key::p256().csr("CN=a", &["DNS:a.office.example"]), &["--label", "plcs"]);
    let text = text(&output);
    let pattern = r"pattern    ^[a-z0-9-]+\.plant\.example$";
    assert!(text.contains(pattern) && text.contains("text       DNS:a.office.example is not a name"), "{text}");
}

#[test]
fn refuses_keys_of_the_operators_list_and_tells_which_list() {
    let key = Key::p256();
    let digest: String = key.public_key().digest().iter().map(|octet| format!("{octet:02x}")).collect();
    let launch = Launch::configured(ESTD, |text| text + "\n[est]\nkey_blocklist = \"blocked.txt\"\n");
    fs::write(launch.folder().join("blocked.txt"), format!("# lost in the field\n{digest} # device 7\n"))
        .expect("a file");
    let server = launch.start();
    let output = explain(&config(&server), &key.csr("CN=a", &[]), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("key-blocked") && text.contains("key_blocklist in [est]"), "{text}");
    assert!(explain(&config(&server), &Key::p256().csr("CN=a", &[]), &[]).status.success());
}

#[test]
fn says_what_the_audit_record_says() {
    let server = served();
    for (name, status) in [("a.plant.example", 200), ("a.office.example", 400)] {
        let csr = Key::p256().csr("CN=a", &[&format!("DNS:{name}")]);
        let output = explain(&config(&server), &csr, &["--label", "plcs", "--json"]);
        let explained: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let body = base64(&csr);
        let request = format!(
            "POST /.well-known/est/plcs/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Basic {}\r\nContent-Type: application/pkcs10\r\nContent-Length: {}\r\n\r\n{body}",
            base64(format!(":{}", server.password(1)).as_bytes()),
            body.len()
        );
        let answer = Client::new(server.port(), &server.ca()).exchange(request.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status);
        let audit = server.estd_json(&["audit", "list"]);
        let events = audit["events"].as_array().expect("events");
        let decided =
            events.iter().find(|event| ["cert.issued", "cert.denied"].contains(&event["event"].as_str().unwrap_or("")));
        let recorded = decided.expect("an event")["reason"].as_str().expect("a reason").to_owned();
        // The moment is another one.
        let without_time = |text: &str| text.split("; valid ").next().unwrap_or_default().to_owned();
        assert_eq!(without_time(&recorded), without_time(explained["explanation"].as_str().expect("text")));
    }
}
