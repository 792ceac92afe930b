//! A one-time password is good for the request that used it until that request has its answer.

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn create(server: &Server, ttl: &str) -> String {
    let created = server.estd_json(&["otp", "create", "--ttl", ttl]);
    created["otp"].as_str().expect("a password").to_owned()
}

fn is_expired(server: &Server) -> bool {
    let listed = server.estd_json(&["otp", "list"]);
    listed["passwords"][0]["state"] == "expired"
}

#[test]
fn gives_an_approved_request_its_certificate_after_its_password_has_ended() {
    let label = "\n[est]\nunlabelled = true\n[[est.label]]\nname = \"vetted\"\nca_id = \"main\"\nrequire_san = false\napproval = \"manual\"\n";
    let server = Launch::configured(ESTD, |text| text + label).start();
    let client = Client::new(server.port(), &server.ca());
    let body = base64(&Key::p256().csr("CN=patient", &[]));
    let password = create(&server, "3s");
    let ask = || client.enroll("/vetted/simpleenroll", Some(&password), body.as_bytes());
    assert_eq!(ask().status, 202);
    while !is_expired(&server) {}
    assert_eq!(ask().status, 202, "still waiting");
    let waiting = server.estd_json(&["requests", "list"]);
    let id = waiting["requests"][0]["id"].as_str().expect("an id");
    assert!(server.estd(&["requests", "approve", id]).status.success());
    let certificate = ask().certificate();
    assert_eq!(ask().certificate(), certificate, "the answer can be fetched again");
    // It is good for nothing else.
    let other = base64(&Key::p256().csr("CN=patient", &[]));
    assert_eq!(client.enroll("/vetted/simpleenroll", Some(&password), other.as_bytes()).status, 401);
}

#[test]
fn gives_the_same_answer_again_when_the_password_has_ended_meanwhile() {
    let server = Launch::configured(ESTD, |text| text).start();
    let client = Client::new(server.port(), &server.ca());
    let body = base64(&Key::p256().csr("CN=unlucky", &[]));
    let password = create(&server, "3s");
    let ask = || client.enroll("/simpleenroll", Some(&password), body.as_bytes());
    let certificate = ask().certificate();
    while !is_expired(&server) {}
    assert_eq!(ask().certificate(), certificate);
}
