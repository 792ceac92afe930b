//! `kill -9` at every point of an exchange, under load, on each kind of database: nothing is handed out unrecorded, no
//! password is lost.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::thread;

use est_testkit::databases::{DatabaseServer, MariadbServer, PostgresServer};
use est_testkit::https::{Client, base64, post};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
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
            password: created["otp"].as_str().expect("a password").to_owned(),
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

/// Has a server killed at each of the passages, one after the other, with its data in a file or in a database server.
fn survives_a_kill_at(point: &str, passages: impl Iterator<Item = usize>, database: Option<&dyn DatabaseServer>) {
    for passage in passages {
        let url = database.map_or_else(|| "sqlite://estd.db".to_owned(), DatabaseServer::url);
        let launch = Launch::configured(ESTD, |text| text.replace("sqlite://estd.db", &url));
        let server = launch.env("OHIA_FAULT", &format!("{point}={passage}")).start();
        let mut enrollments = enrollments(&server, CLIENTS * REQUESTS_EACH);
        send_all(&server, &mut enrollments);
        let launch = server.ended();
        // A server knows that nobody else claims in its file. Others may work on what they claimed in a database server.
        if let Some(database) = database {
            database.end_leases(&url);
        }
        let server = launch.start();

        let before: Vec<Option<Vec<u8>>> =
            enrollments.iter().map(|enrollment| enrollment.certificate.clone()).collect();
        assert!(before.iter().any(Option::is_none), "the kill cost somebody an answer");
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
}

macro_rules! survives {
    ($($name:ident: $point:literal,)+) => {
        #[test]
        fn every_point_is_tried() {
            assert_eq!([$($point),+], host::fault::POINTS);
        }

        mod sqlite {
            $(#[test]
            fn $name() {
                super::survives_a_kill_at($point, 1..=20, None);
            })+
        }

        mod postgres {
            use super::PostgresServer;

            $(#[test]
            fn $name() {
                let Some(server) = PostgresServer::shared() else { return };
                super::survives_a_kill_at($point, (1..=20).step_by(5), Some(server));
            })+
        }

        mod mariadb {
            use super::MariadbServer;

            $(#[test]
            fn $name() {
                let Some(server) = MariadbServer::shared() else { return };
                super::survives_a_kill_at($point, (1..=20).step_by(5), Some(server));
            })+
        }
    };
}

survives! {
    a_kill_before_the_claim: "claim:before",
    a_kill_after_the_claim: "claim:after",
    a_kill_before_the_signature: "issue:before",
    a_kill_after_the_signature: "issue:after",
    a_kill_before_the_record: "record:before",
    a_kill_after_the_record: "record:after",
    a_kill_before_the_reply: "reply:before",
}

#[test]
fn a_kill_between_a_new_key_and_its_certificate_leaves_a_server_that_starts() {
    let launch = Launch::configured(ESTD, |text| text.replace("[tls]\n", "[tls]\nrenew = false\n"));
    let mut server = launch.with_certificate_of(70, 30).start();
    for point in ["tls:key-waits", "tls:certificate", "tls:key"] {
        let shown_before = shown(&server);
        let launch = server.kill();
        let config = launch.folder().join("estd.toml");
        let renew = |fault: &str| {
            let mut estd = Command::new(ESTD);
            estd.args(["tls", "renew", "--new-key", "--config"]).arg(&config).env("OHIA_FAULT", fault);
            estd.output().expect("estd runs").status
        };
        assert_eq!(renew(&format!("{point}=1")).signal(), Some(9), "{point}");
        let checked = Command::new(ESTD).arg("check").arg("--config").arg(&config).output().expect("estd runs");
        assert!(checked.status.success(), "{point}: {}", String::from_utf8_lossy(&checked.stderr));
        server = launch.start();
        let is_renewed = shown(&server) != shown_before;
        assert_eq!(is_renewed, point != "tls:key-waits", "{point}");
        // Another renewal goes on from there, also when it is killed at the same point.
        let launch = server.kill();
        assert_eq!(renew(&format!("{point}=1")).signal(), Some(9), "{point}");
        assert!(renew("").success(), "{point}");
        assert!(!launch.folder().join("server-key.pem.new").exists(), "{point}");
        let mode = std::fs::metadata(launch.folder().join("server-key.pem")).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        server = launch.start();
        shown(&server);
    }
}

/// The certificate that a server shows, in a handshake that succeeds.
fn shown(server: &Server) -> Vec<u8> {
    let connection = Client::new(server.port(), &server.ca()).connect().expect("a handshake");
    connection.conn.peer_certificates().expect("certificates")[0].to_vec()
}
