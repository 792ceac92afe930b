//! Operators with client certificates.

use std::path::PathBuf;

use est_core::pkix::{Certificate, pem};
use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::json;

use crate::api::{Api, ESTD, problem};

/// A server that lets in those whom `listed` lists, besides or instead of those with a token.
fn with(auth: &str, listed: &str) -> Launch {
    Launch::configured(ESTD, |text| {
        let lines = format!("auth = \"{auth}\"\ntrust_anchors = \"ca.pem\"\nfailure_delay = \"0s\"\n");
        text.replace("auth = \"bearer\"\n", &lines) + listed
    })
}

/// Somebody with a certificate of the server's own CA.
fn holder(server: &Server, subject: &str) -> (Certificate, Client) {
    let key = Key::p256();
    let body = base64(&key.csr(subject, &[]));
    let est = Client::new(server.port(), &server.ca());
    let der = est.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let certificate = Certificate::parse(&der).expect("a certificate");
    let path = |suffix: &str| -> PathBuf { server.folder().join(format!("{}.{suffix}", certificate.serial_text())) };
    std::fs::write(path("pem"), pem::encode("CERTIFICATE", &der)).expect("a file");
    std::fs::write(path("key"), key.to_pem()).expect("a file");
    let client = Client::with_certificate(server.admin_port(), &server.ca(), &path("pem"), &path("key"));
    (certificate, client)
}

const ALICE: &str = "\n[[admin.certificate]]\nsubject = \"^CN=alice$\"\nrole = \"operator\"\n";

#[test]
fn who_is_listed_is_let_in_and_a_device_of_the_same_ca_is_not() {
    let server = with("mtls", ALICE).start();
    let (alice, device) = (holder(&server, "CN=alice"), holder(&server, "CN=device"));
    let api = Api::of(alice.1);
    assert_eq!(api.post("/admin/otp", &json!({})).status, 201);
    let created = &api.read("/admin/audit?event=otp.created")["events"][0];
    assert_eq!((&created["actor"], &created["method"]), (&json!("admin:CN=alice"), &json!("certificate")));
    let refused = Api::of(device.1).get("/admin/certs");
    assert_eq!(problem(&refused).1, "unauthorized");
    let failure = &api.read("/admin/audit?event=admin.auth")["events"][0];
    assert_eq!(failure["reason"], "no [[admin.certificate]] fits CN=device");
    assert_eq!(Api::nobody(&server).get("/admin/certs").status, 401);
    assert_eq!(Api::nobody(&server).get("/ready").status, 200, "probes have no certificate");
    assert_eq!(Api::operator(&server).get("/admin/certs").status, 401, "tokens do not count");
}

#[test]
fn either_way_in_does_where_both_are_open() {
    let server = with("both", ALICE).start();
    let (_, alice) = holder(&server, "CN=alice");
    assert_eq!(Api::of(alice.clone()).get("/admin/certs").status, 200);
    assert_eq!(Api::operator(&server).get("/admin/certs").status, 200);
    let headers = "Authorization: Bearer not-the-right-token\r\n";
    assert_eq!(Api::of(alice).send("GET", "/admin/certs", headers, &[]).status, 401, "a wrong token is no token");
}

#[test]
fn a_certificate_that_was_revoked_opens_nothing() {
    let server = with("both", ALICE).start();
    let (certificate, alice) = holder(&server, "CN=alice");
    let api = Api::of(alice);
    assert_eq!(api.get("/admin/certs").status, 200);
    let path = format!("/admin/certs/{}/revoke", certificate.serial_text());
    assert_eq!(api.post(&path, &json!({ "reason": "keyCompromise" })).status, 200);
    assert_eq!(api.get("/admin/certs").status, 401);
    let log = server.estd_json(&["audit", "list", "--event", "admin.auth.failure"]);
    assert_eq!(log["events"][0]["reason"], "the certificate of admin:CN=alice was revoked");
}

#[test]
fn a_fingerprint_lists_one_certificate_and_not_its_namesake() {
    let server = with("both", ALICE).start();
    let config = server.folder().join("estd.toml");
    let (first, _) = holder(&server, "CN=alice");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let entry = format!(
        "\n[[admin.certificate]]\nfingerprint = \"{}\"\nname = \"alice\"\nrole = \"viewer\"\n",
        first.fingerprint()
    );
    std::fs::write(&config, text.replace(ALICE, &entry)).expect("written");
    let path = |suffix: &str| server.folder().join(format!("{}.{suffix}", first.serial_text()));
    let (pem, key) = (path("pem"), path("key"));
    let server = server.kill().start();
    let (_, namesake) = holder(&server, "CN=alice");
    assert_eq!(Api::of(namesake).get("/admin/certs").status, 401);
    let api = Api::of(Client::with_certificate(server.admin_port(), &server.ca(), &pem, &key));
    assert_eq!(api.get("/admin/certs").status, 200);
    assert_eq!(problem(&api.post("/admin/otp", &json!({}))).1, "forbidden");
}

#[test]
fn a_strangers_certificate_opens_nothing() {
    let server = with("both", ALICE).start();
    let other = with("both", ALICE).start();
    let (certificate, _) = holder(&other, "CN=alice");
    let path = |suffix: &str| other.folder().join(format!("{}.{suffix}", certificate.serial_text()));
    let client = Client::with_certificate(server.admin_port(), &server.ca(), &path("pem"), &path("key"));
    assert_eq!(Api::of(client).get("/admin/certs").status, 401);
}
