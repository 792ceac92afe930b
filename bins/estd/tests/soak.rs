//! Minutes of mixed load while nodes are killed and connections to the database are cut: at the end, what clients hold,
//! the inventory, the audit trail and the passwords tell the same story.
//!
//! `OHIA_SOAK_SECONDS` says how long; without it the run is short.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use est_core::pkix::Certificate;
use est_testkit::databases::PostgresServer;
use est_testkit::https::{Client, Response, base64, post};
use est_testkit::nodes::Nodes;
use est_testkit::pki::Key;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");
const CLIENTS: usize = 8;

/// How many passwords there are for each second of the run: more than are used.
const PASSWORDS_A_SECOND: usize = 12;

/// Random numbers that are the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits") % bound
    }
}

/// What a device asks for, again and again until it has it.
struct Device {
    key: Arc<Key>,
    path: &'static str,
    body: String,
    password: Option<String>,
    /// The certificate that it renews, with its key.
    shown: Option<(Vec<u8>, Arc<Key>)>,
    certificate: Option<Vec<u8>>,
}

impl Device {
    fn ask(&self, nodes: &Nodes, node: usize) -> Option<Response> {
        let client = match &self.shown {
            Some((certificate, key)) => {
                Client::showing(nodes.port(node), nodes.ca(), std::slice::from_ref(certificate), &key.to_pem())
            }
            None => nodes.client(node),
        };
        client.exchange(&post(self.path, self.password.as_deref(), self.body.as_bytes())).ok()
    }

    /// Takes an answer in; one that contradicts an earlier one ends the test.
    fn hear(&mut self, answer: &Response, tally: &Tally) {
        match answer.status {
            200 => {
                let certificate = answer.certificate();
                let before = self.certificate.replace(certificate.clone());
                assert!(before.is_none_or(|before| before == certificate), "the same request got another certificate");
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            503 => {
                assert!(answer.header("Retry-After").is_some(), "503 says when to come again");
                tally.unavailable.fetch_add(1, Ordering::Relaxed);
            }
            status => panic!("{status} for a request in order: {}", answer.text()),
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    unavailable: AtomicUsize,
    cut: AtomicUsize,
    refused: AtomicUsize,
}

/// What clients do until `over`: enroll, renew, ask again, and try what is not theirs.
fn client(nodes: &Nodes, seed: usize, passwords: &Mutex<Vec<String>>, tally: &Tally, over: &AtomicBool) -> Vec<Device> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1));
    let mut devices: Vec<Device> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let node = dice.below(nodes.count());
        let number = devices.len();
        let turn = match dice.below(10) {
            0..=3 => {
                let Some(password) = passwords.lock().expect("no panic").pop() else { break };
                let key = Arc::new(Key::p256());
                let body = base64(&key.csr(&format!("CN=device-{seed}-{number}"), &[]));
                let path = "/simpleenroll";
                devices.push(Device { key, path, body, password: Some(password), shown: None, certificate: None });
                number
            }
            4..=5 if devices.iter().any(|device| device.certificate.is_some()) => {
                let holders: Vec<_> = devices.iter().filter(|device| device.certificate.is_some()).collect();
                let holder = holders[dice.below(holders.len())];
                let certificate = holder.certificate.clone().expect("it was filtered");
                let subject = Certificate::parse(&certificate).expect("a certificate").subject().to_string();
                let key = Arc::new(Key::p256());
                let body = base64(&key.csr(&subject, &[]));
                let shown = Some((certificate, holder.key.clone()));
                let path = "/simplereenroll";
                devices.push(Device { key, path, body, password: None, shown, certificate: None });
                number
            }
            6 => {
                let body = base64(&Key::p256().csr("CN=stranger", &[]));
                let guess = format!("{:08}.{}", dice.below(99_999_999), "x".repeat(20));
                let request = post("/simpleenroll", Some(&guess), body.as_bytes());
                if let Ok(answer) = nodes.client(node).exchange(&request) {
                    assert!([401, 403, 429, 503].contains(&answer.status), "{} for a stranger", answer.status);
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                }
                continue;
            }
            _ if !devices.is_empty() => dice.below(devices.len()),
            _ => continue,
        };
        match devices[turn].ask(nodes, node) {
            Some(answer) => devices[turn].hear(&answer, tally),
            None => {
                tally.cut.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    devices
}

fn list(nodes: &Nodes, command: &[&str], what: &str) -> Vec<serde_json::Value> {
    let listed = nodes.with(0, |server| server.estd_json(command));
    listed[what].as_array().expect("a list").clone()
}

fn fingerprints(rows: &[serde_json::Value]) -> Vec<String> {
    rows.iter().map(|row| row["fingerprint"].as_str().expect("a fingerprint").to_owned()).collect()
}

#[test]
fn keeps_every_promise_while_a_server_is_killed() {
    let nodes = Nodes::start(ESTD, 1, configured);
    soak(&nodes, seconds().div_ceil(4), |_| nodes.kill_and_restart(0, || {}));
}

#[test]
fn keeps_every_promise_while_nodes_and_their_database_are_killed() {
    let Some(server) = PostgresServer::find() else { return };
    let url = server.url();
    let nodes = Nodes::start(ESTD, 3, |text| configured(text).replace("sqlite://estd.db", &url));
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    soak(&nodes, seconds(), |dice| match dice.below(8) {
        0 => {
            server.stop();
            server.start();
        }
        1..=3 => {
            server.run(&url, cut);
        }
        _ => nodes.kill_and_restart(dice.below(nodes.count()), || {}),
    });
}

fn seconds() -> usize {
    std::env::var("OHIA_SOAK_SECONDS").ok().map_or(20, |text| text.parse().expect("whole seconds"))
}

/// Has clients work for so long while `disturb` is called now and then, and looks at what came of it.
fn soak(nodes: &Nodes, seconds: usize, disturb: impl Fn(&mut Dice)) {
    let wanted = (PASSWORDS_A_SECOND * seconds).to_string();
    let created = nodes.with(0, |server| server.estd_json(&["otp", "create", "--count", &wanted]));
    let created = created["passwords"].as_array().expect("a list").iter();
    let passwords: Vec<String> =
        created.map(|created| created["otp"].as_str().expect("a password").to_owned()).collect();
    let passwords = Mutex::new(passwords);
    let (tally, over) = (Tally::default(), AtomicBool::new(false));

    let mut devices: Vec<Device> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                let (passwords, tally, over) = (&passwords, &tally, &over);
                scope.spawn(move || client(nodes, seed, passwords, tally, over))
            })
            .collect();
        let mut dice = Dice(7);
        let end = Instant::now() + Duration::from_secs(seconds as u64);
        while Instant::now() < end {
            // Not to wait for anything: a run has so many disturbances in it.
            thread::park_timeout(Duration::from_millis(500 + dice.below(1_500) as u64));
            disturb(&mut dice);
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    });

    // Nothing is down any more: whoever has no certificate yet gets it for the same request, and the others theirs again.
    for (number, device) in devices.iter_mut().enumerate() {
        let mut tries = 0;
        while device.certificate.is_none() || tries == 0 {
            let answer = device.ask(nodes, number % nodes.count()).expect("an answer");
            device.hear(&answer, &tally);
            tries += 1;
            assert!(tries < 100, "no certificate, however often it is asked for");
        }
    }
    let held: Vec<String> = devices
        .iter()
        .map(|device| {
            let certificate = device.certificate.as_deref().expect("everybody has a certificate");
            Certificate::parse(certificate).expect("a certificate").fingerprint().to_string()
        })
        .collect();
    let distinct: HashSet<&String> = held.iter().collect();
    assert_eq!(distinct.len(), held.len(), "two requests got one certificate");

    let inventory = fingerprints(&list(nodes, &["certs", "list", "--limit", "1000000"], "certificates"));
    assert_eq!(inventory.iter().collect::<HashSet<_>>(), distinct, "what was issued is what clients hold");
    assert_eq!(inventory.len(), held.len());
    let mut recorded =
        fingerprints(&list(nodes, &["audit", "list", "--event", "cert.issued", "--limit", "1000000"], "events"));
    recorded.extend(fingerprints(&list(
        nodes,
        &["audit", "list", "--event", "cert.renewed", "--limit", "1000000"],
        "events",
    )));
    assert_eq!(recorded.len(), held.len(), "one record for each certificate");
    assert_eq!(recorded.iter().collect::<HashSet<_>>(), distinct);

    let spent: HashSet<&str> = devices
        .iter()
        .filter_map(|device| device.password.as_deref())
        .filter_map(|text| text.split('.').next())
        .collect();
    for password in list(nodes, &["otp", "list"], "passwords") {
        let id = password["id"].as_str().expect("an id");
        assert_eq!(password["remaining_uses"].as_u64(), Some(u64::from(!spent.contains(id))), "password {id}");
    }
    assert!(tally.answered.load(Ordering::Relaxed) > held.len(), "some asked again");
    let verified = nodes.with(0, |server| server.estd(&["audit", "verify"]));
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    tell(held.len(), &tally);
}

#[expect(clippy::print_stdout, reason = "what the run was worth")]
fn tell(certificates: usize, tally: &Tally) {
    println!("{certificates} certificates; {tally:?}");
}

/// Answers can be fetched for as long as the run lasts, and who guesses passwords locks nobody else out, since all
/// clients have one address here.
fn configured(text: String) -> String {
    let text = text.replace("[otp]\n", "[otp]\nmax_failures = 1000\nfailure_window = \"1s\"\n");
    format!("{text}\n[est]\nreplay_window = \"1d\"\n")
}
