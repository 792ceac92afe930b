//! What the operator's page promises of days on which something is lost.

use std::fs;

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
    for name in ["estd.db", "estd.db-wal", "estd.db-shm"] {
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
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(String::from_utf8_lossy(&verified.stdout).starts_with("est-1-b: "));
}
