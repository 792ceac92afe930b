//! One single-use password, one certificate: for any client, however often and however simultaneously it asks.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use est_core::pkix::{Certificate, Oid, oid};
use est_testkit::der;
use est_testkit::https::{Client, Response, base64};
use est_testkit::pki::Key;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const CLIENTS: usize = 64;

/// `/looked-at` waits for an operator, and lets an extension of the request through.
const LOOKED_AT: &str = r#"
[[profile]]
name = "templated"
base = "device"
pass_extensions = ["1.3.6.1.4.1.311.25.2.1"]

[est]
unlabelled = true

[[est.label]]
name = "looked-at"
ca_id = "main"
profile = "templated"
approval = "manual"
"#;

/// Sends each body at the same moment, from a connection of its own.
fn all_at_once(server: &Server, password: &str, bodies: &[String]) -> Vec<Response> {
    let client = Client::new(server.port(), &server.ca());
    let barrier = Barrier::new(bodies.len());
    thread::scope(|scope| {
        let start = |body: &String| {
            let (client, barrier, body) = (client.clone(), &barrier, body.clone());
            scope.spawn(move || {
                barrier.wait();
                client.enroll("/simpleenroll", Some(password), body.as_bytes())
            })
        };
        let threads: Vec<_> = bodies.iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn inventory(server: &Server) -> Vec<serde_json::Value> {
    let listed = server.estd_json(&["certs", "list"]);
    listed["certificates"].as_array().expect("a list").clone()
}

#[test]
fn the_same_request_64_times_gets_the_same_certificate_64_times() {
    let server = Server::dev(ESTD);
    let body = base64(&Key::p256().csr("CN=once", &["DNS:once.example"]));
    let answers = all_at_once(&server, &server.password(1), &vec![body; CLIENTS]);
    let certificates: HashSet<Vec<u8>> = answers.iter().map(Response::certificate).collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(inventory(&server).len(), 1);
}

#[test]
fn of_64_different_requests_with_one_password_one_gets_a_certificate() {
    let server = Server::dev(ESTD);
    let key = Key::p256();
    let bodies: Vec<String> =
        (0..CLIENTS).map(|number| base64(&key.csr(&format!("CN=device-{number}"), &[]))).collect();
    let answers = all_at_once(&server, &server.password(1), &bodies);
    let issued = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((issued, refused), (1, CLIENTS - 1));
    for answer in answers.iter().filter(|answer| answer.status == 401) {
        assert_eq!(answer.text(), "the one-time password has been used for another request already\n");
    }
    assert_eq!(inventory(&server).len(), 1);
}

#[test]
fn a_request_is_the_same_whatever_its_signature() {
    let server = Server::dev(ESTD);
    let (key, password) = (Key::p256(), server.password(1));
    // ECDSA is randomised: the same request signed twice is two different bodies.
    let bodies = [key.csr("CN=again", &[]), key.csr("CN=again", &[])];
    assert_ne!(bodies[0], bodies[1]);
    let client = Client::new(server.port(), &server.ca());
    let certificates =
        bodies.map(|body| client.enroll("/simpleenroll", Some(&password), base64(&body).as_bytes()).certificate());
    assert_eq!(certificates[0], certificates[1]);
}

#[test]
fn an_approval_is_for_the_request_that_the_operator_saw() {
    const TEMPLATE: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01";
    let server = Launch::configured(ESTD, |text| text + LOOKED_AT).start();
    let client = Client::new(server.port(), &server.ca());
    let (key, password) = (Key::p256(), server.password(3));
    let extension = der::extension(TEMPLATE, false, &der::utf8("root-admin"));
    let usage = der::extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let ask = |extensions: &[&[u8]]| {
        let body = base64(&key.csr_with_extensions("CN=patient", extensions));
        client.enroll("/looked-at/simpleenroll", Some(&password), body.as_bytes())
    };
    assert_eq!(ask(&[]).status, 202);
    let waiting = server.estd_json(&["requests", "list"]);
    let id = waiting["requests"][0]["id"].as_str().expect("an id");
    assert!(server.estd(&["requests", "approve", id]).status.success());
    assert_eq!(ask(&[&extension]).status, 202, "nobody approved the extension");
    assert_eq!(ask(&[&usage]).status, 202, "nobody approved another key usage");
    let waiting = server.estd_json(&["requests", "list"]);
    let waiting: Vec<_> = waiting["requests"].as_array().expect("a list").iter().collect();
    assert_eq!(waiting.iter().filter(|request| request["state"] == "awaiting").count(), 2, "{waiting:?}");
    let issued = Certificate::parse(&ask(&[]).certificate()).expect("a certificate");
    assert!(issued.extension(&Oid::from_der(TEMPLATE).expect("an identifier")).is_none());
}

#[test]
fn a_renewal_is_answered_again_and_again_with_the_same_certificate() {
    let server = Server::dev(ESTD);
    let folder = server.folder();
    let (key, password) = (Key::p256(), server.password(1));
    let body = base64(&key.csr("CN=renewing", &[]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate();
    let (certificate_path, key_path) = (folder.join("device.pem"), folder.join("device.key"));
    std::fs::write(&certificate_path, est_core::pkix::pem::encode("CERTIFICATE", &certificate)).expect("a file");
    std::fs::write(&key_path, key.to_pem()).expect("a file");
    let client = Client::with_certificate(server.port(), &server.ca(), &certificate_path, &key_path);
    let renewed: HashSet<Vec<u8>> =
        (0..3).map(|_| client.enroll("/simplereenroll", None, body.as_bytes()).certificate()).collect();
    assert_eq!(renewed.len(), 1);
    assert!(!renewed.contains(&certificate));
    assert_eq!(inventory(&server).len(), 2);
}

#[test]
fn a_request_after_the_replay_window_is_a_new_one() {
    let server = Launch::configured(ESTD, |text| text + "\n[est]\nreplay_window = \"1s\"\n" + BUSY_PRINCIPALS).start();
    let folder = server.folder();
    let key = Key::p256();
    let body = base64(&key.csr("CN=renewing", &[]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let (certificate_path, key_path) = (folder.join("device.pem"), folder.join("device.key"));
    std::fs::write(&certificate_path, est_core::pkix::pem::encode("CERTIFICATE", &certificate)).expect("a file");
    std::fs::write(&key_path, key.to_pem()).expect("a file");
    let client = Client::with_certificate(server.port(), &server.ca(), &certificate_path, &key_path);
    let first = client.enroll("/simplereenroll", None, body.as_bytes()).certificate();
    // Asks until the window is over: then the same request is a new one.
    let renewed = std::iter::repeat_with(|| client.enroll("/simplereenroll", None, body.as_bytes()).certificate());
    assert!(renewed.take(100_000).any(|certificate| certificate != first));
}

#[test]
fn an_answer_survives_a_restart() {
    let server = Server::dev(ESTD);
    let (key, password) = (Key::p256(), server.password(1));
    let body = base64(&key.csr("CN=restart", &[]));
    let first = Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(&password), body.as_bytes());
    let server = server.kill().start();
    let second = Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(&password), body.as_bytes());
    assert_eq!(first.certificate(), second.certificate());
    assert_eq!(inventory(&server).len(), 1);
}
