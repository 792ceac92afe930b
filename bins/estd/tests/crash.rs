//! `kill -9` at every point of an exchange, under load: nothing is handed out unrecorded, no password is lost.

use std::collections::HashSet;
use std::thread;

use est_testkit::https::{Client, base64, post};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const ROUNDS: usize = 20;
const CLIENTS: usize = 8;
const REQUESTS_EACH: usize = 3;

/// A request with a single-use password of its own, and what its sender holds.
struct Enrollment {
    password: String,
    body: String,
    certificate: Option<Vec<u8>>,
}

impl Enrollment {
    /// Sends the request; whether an answer came is for the server to decide.
    fn send(&mut self, client: &Client) {
        let request = post("/simpleenroll", Some(&self.password), self.body.as_bytes());
        if let Ok(answer) = client.exchange(&request)
            && answer.status == 200
        {
            self.certificate = Some(answer.certificate());
        }
    }
}

fn enrollments(server: &Server, count: usize) -> Vec<Enrollment> {
    let created = server.estd_json(&["otp", "create", "--count", &count.to_string()]);
    let passwords = created["passwords"].as_array().expect("a list").iter();
    let key = Key::p256();
    passwords
        .enumerate()
        .map(|(number, created)| Enrollment {
            password: created["password"].as_str().expect("a password").to_owned(),
            body: base64(&key.csr(&format!("CN=device-{number}"), &[])),
            certificate: None,
        })
        .collect()
}

/// Has several clients send their requests one after the other, all at once.
fn send_all(server: &Server, enrollments: &mut [Enrollment]) {
    let client = Client::new(server.port(), &server.ca());
    thread::scope(|scope| {
        for mine in enrollments.chunks_mut(REQUESTS_EACH) {
            let client = client.clone();
            scope.spawn(move || mine.iter_mut().for_each(|enrollment| enrollment.send(&client)));
        }
    });
}

fn fingerprints(server: &Server, arguments: &[&str], list: &str) -> Vec<String> {
    let listed = server.estd_json(arguments);
    let listed = listed[list].as_array().expect("a list").clone();
    listed.iter().filter_map(|item| item["fingerprint"].as_str().map(str::to_owned)).collect()
}

fn fingerprint(certificate: &[u8]) -> String {
    est_core::pkix::Certificate::parse(certificate).expect("a certificate").fingerprint().to_string()
}

fn survives_a_kill_at(point: &str) {
    let mut killed_under_load = 0;
    for round in 0..ROUNDS {
        let launch = Launch::configured(ESTD, |text| text);
        let server = launch.env("OHIA_FAULT", &format!("{point}={}", 1 + round)).start();
        let mut enrollments = enrollments(&server, CLIENTS * REQUESTS_EACH);
        send_all(&server, &mut enrollments);
        let server = server.ended().start();

        let before: Vec<Option<Vec<u8>>> =
            enrollments.iter().map(|enrollment| enrollment.certificate.clone()).collect();
        killed_under_load += usize::from(before.iter().any(Option::is_none));
        let inventory = fingerprints(&server, &["certs", "list", "--limit", "1000"], "certificates");
        let audit = fingerprints(&server, &["audit", "list", "--event", "cert.issued", "--limit", "1000"], "events");
        for certificate in before.iter().flatten() {
            assert!(inventory.contains(&fingerprint(certificate)), "handed out but not in the inventory");
            assert!(audit.contains(&fingerprint(certificate)), "handed out but not in the audit log");
        }

        // The same requests again: who had an answer gets the same one, everybody else gets theirs.
        enrollments.iter_mut().for_each(|enrollment| enrollment.certificate = None);
        send_all(&server, &mut enrollments);
        let mut distinct = HashSet::new();
        for (enrollment, before) in enrollments.iter().zip(before) {
            let certificate = enrollment.certificate.clone().expect("the same request gets its certificate");
            assert!(before.is_none_or(|before| before == certificate), "another certificate than before the crash");
            assert!(distinct.insert(certificate));
        }
        let inventory = fingerprints(&server, &["certs", "list", "--limit", "1000"], "certificates");
        assert_eq!(inventory.len(), enrollments.len(), "one certificate for each password");
    }
    assert_eq!(killed_under_load, ROUNDS, "each kill cost somebody an answer");
}

#[test]
fn survives_a_kill_before_the_claim() {
    survives_a_kill_at("claim:before");
}

#[test]
fn survives_a_kill_after_the_claim() {
    survives_a_kill_at("claim:after");
}

#[test]
fn survives_a_kill_before_the_signature() {
    survives_a_kill_at("issue:before");
}

#[test]
fn survives_a_kill_after_the_signature() {
    survives_a_kill_at("issue:after");
}

#[test]
fn survives_a_kill_before_the_record() {
    survives_a_kill_at("record:before");
}

#[test]
fn survives_a_kill_after_the_record() {
    survives_a_kill_at("record:after");
}

#[test]
fn survives_a_kill_before_the_reply() {
    survives_a_kill_at("reply:before");
}
