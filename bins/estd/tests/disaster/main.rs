//! What the operator's page promises of days on which something is lost.

mod disk;
mod faults;
mod threads;

use std::fs::{self, File};
use std::io::{Read as _, pipe};
use std::process::{Command, Stdio};

use est_core::pkix::Certificate;
use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

struct Device {
    key: Key,
    certificate: Vec<u8>,
}

impl Device {
    fn enrolled(server: &Server, name: &str) -> Self {
        let key = Key::p256();
        let body = base64(&key.csr(&format!("CN={name}"), &[]));
        let client = Client::new(server.port(), &server.ca());
        let answer = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes());
        Self { key, certificate: answer.certificate() }
    }

    fn renews(&self, server: &Server, name: &str) -> u16 {
        let client =
            Client::showing(server.port(), &server.ca(), std::slice::from_ref(&self.certificate), &self.key.to_pem());
        client.enroll("/simplereenroll", None, base64(&Key::p256().csr(&format!("CN={name}"), &[])).as_bytes()).status
    }
}

#[test]
fn without_its_database_a_server_knows_from_the_last_crl_who_was_revoked() {
    let server = Launch::configured(ESTD, |text| text).start();
    let (good, bad) = (Device::enrolled(&server, "good"), Device::enrolled(&server, "bad"));
    let serial = Certificate::parse(&bad.certificate).expect("a certificate").serial_text();
    assert!(server.estd(&["certs", "revoke", &serial, "--reason", "keyCompromise"]).status.success());
    let crl = server.folder().join("last.crl");
    let made = server.estd(&["crl", "--renew", "--out", crl.to_str().expect("UTF-8")]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!((good.renews(&server, "good"), bad.renews(&server, "bad")), (200, 403));

    let launch = server.kill();
    for name in ["estd.db", "estd.db-wal", "estd.db-shm", "estd.db.checkpoints.jsonl"] {
        let _ = fs::remove_file(launch.folder().join(name));
    }
    let config = launch.folder().join("estd.toml");
    let text = fs::read_to_string(&config).expect("the configuration");
    let lines = "[tls.client_auth]\ncrls = \"last.crl\"\nrevocation = \"soft\"\n";
    let text = text.replace("[tls.client_auth]\n", lines).replace("[server]\n", "[server]\nnode = \"est-1-b\"\n");
    fs::write(&config, text).expect("the configuration can be written");
    let server = launch.start();
    assert_eq!((good.renews(&server, "good"), bad.renews(&server, "bad")), (200, 403));
    let verified = server.estd(&["audit", "verify"]);
    let [told, errors] = [&verified.stdout, &verified.stderr].map(|octets| String::from_utf8_lossy(octets));
    assert!(verified.status.success() && told.starts_with("est-1-b: "), "{told}{errors}");
}

/// A server with such a log enrolls and stops as it should. Returns how many lines it has dropped.
fn serves_with_a_log_to(log: impl Into<Stdio>) -> u64 {
    let server = Launch::configured(ESTD, |text| text).log_to(log).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(1000);
    for number in 0..100 {
        let body = base64(&Key::p256().csr(&format!("CN=device-{number}"), &[]));
        assert_eq!(client.enroll("/simpleenroll", Some(&password), body.as_bytes()).status, 200, "{number}");
    }
    assert_eq!(client.enroll("/simpleenroll", Some("wrong"), b"").status, 401);
    let dropped = dropped_lines(&server);
    let ended = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status();
    assert!(ended.expect("kill runs").success());
    let server = server.ended().start();
    let stopped = server.estd_json(&["audit", "list", "--event", "audit.stopped"]);
    assert_eq!(stopped["events"].as_array().map(Vec::len), Some(1), "{stopped}");
    dropped
}

fn dropped_lines(server: &Server) -> u64 {
    let admin = Client::new(server.admin_port(), &server.ca());
    let token = server.admin_token();
    let request = format!(
        "GET /admin/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let metrics = admin.exchange(request.as_bytes()).expect("metrics");
    let dropped = metrics.text().lines().find_map(|line| line.strip_prefix("ohia_log_lines_dropped_total "));
    dropped.expect("the metric").parse().expect("a number")
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let full = File::options().write(true).open("/dev/full").expect("a full disk");
    assert!(serves_with_a_log_to(full) > 0);
}

#[test]
fn a_log_whose_reader_has_gone_stops_nothing() {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    assert!(serves_with_a_log_to(writer) > 0);
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let (mut reader, writer) = pipe().expect("a pipe");
    serves_with_a_log_to(writer);
    let mut read = String::new();
    reader.read_to_string(&mut read).expect("what the pipe holds");
    assert!(read.contains("serving") && !read.contains(" stopped"), "the pipe was full long before the end");
}
