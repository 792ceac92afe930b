//! Clients that take without giving must not keep others from being served.

use std::io::{self, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use est_core::pkix::{KeyType, pem};
use est_testkit::der;
use est_testkit::https::{Client, Response, base64, post};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{BUSY_PRINCIPALS, Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// The promise is one second, however many others take without giving; it takes under a tenth of one. Handshake, idle
/// and request limits are all far longer, so that nobody is seen to wait for somebody else's patience to end.
const SOON: Duration = Duration::from_secs(1);

fn enrolls_soon(server: &Server, name: &str) {
    let body = base64(&Key::p256().csr(&format!("CN={name}"), &[]));
    let password = server.password(1);
    let begun = Instant::now();
    let answer = Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(&password), body.as_bytes());
    answer.certificate();
    assert!(begun.elapsed() < SOON, "took {:?}", begun.elapsed());
}

#[test]
fn five_hundred_idle_connections_do_not_fill_256_descriptors() {
    let server = Launch::dev(ESTD).descriptors(256).start();
    let silent: Vec<_> =
        (0..500).map(|_| TcpStream::connect(("127.0.0.1", server.port())).expect("a connection")).collect();
    enrolls_soon(&server, "among-silent");
    drop(silent);
    let client = Client::new(server.port(), &server.ca());
    let idle: Vec<_> = (0..500).filter_map(|_| client.connect().ok()).collect();
    assert!(idle.len() > 400, "only {} of 500 got through their handshake", idle.len());
    enrolls_soon(&server, "among-idle");
}

#[test]
fn a_slow_sender_keeps_nobody_waiting() {
    let server = Launch::dev(ESTD).descriptors(256).start();
    let client = Client::new(server.port(), &server.ca());
    let request = post("/simpleenroll", Some("a.b"), &[b'A'; 4000]);
    // Some stop within the head, some within the body.
    let mut slow: Vec<_> = (0..300).filter_map(|_| client.connect().ok()).collect();
    for (number, connection) in slow.iter_mut().enumerate() {
        let sent = if number % 2 == 0 { 40 } else { request.len() - 100 };
        let _ = connection.write_all(&request[..sent]).and_then(|()| connection.flush());
    }
    enrolls_soon(&server, "among-slow");
}

#[test]
fn a_body_that_does_not_come_in_time_is_answered_with_408() {
    let limits = "\n[limits]\nrequest_timeout = \"200ms\"\n";
    let server = Launch::configured(ESTD, |text| text + limits).start();
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let request = post("/simpleenroll", Some("a.b"), &[b'A'; 400]);
    connection.write_all(&request[..request.len() - 100]).and_then(|()| connection.flush()).expect("sent");
    let answer = est_testkit::https::read_response(&mut connection).expect("an answer");
    assert_eq!((answer.status, answer.text()), (408, "the body did not arrive in time\n"));
    assert_eq!(answer.header("Connection"), Some("close"));
}

#[test]
fn a_client_that_hangs_up_within_its_body_harms_nobody() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(1);
    let body = base64(&Key::p256().csr("CN=gone", &[]));
    let request = post("/simpleenroll", Some(&password), body.as_bytes());
    for _ in 0..50 {
        let mut connection = client.connect().expect("a connection");
        connection.write_all(&request[..request.len() - 10]).expect("sent");
        connection.flush().expect("sent");
    }
    enrolls_soon(&server, "after-hang-ups");
    // The password was not touched.
    client.enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate();
}

#[test]
fn a_client_that_hangs_up_before_the_answer_finds_it_when_it_comes_back() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    for number in 0..20 {
        let password = server.password(1);
        let body = base64(&Key::p256().csr(&format!("CN=impatient-{number}"), &[]));
        let mut connection = client.connect().expect("a connection");
        connection.write_all(&post("/simpleenroll", Some(&password), body.as_bytes())).expect("sent");
        connection.flush().expect("sent");
        drop(connection);
        client.enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate();
    }
    let listed = server.estd_json(&["certs", "list"]);
    assert_eq!(listed["certificates"].as_array().map(Vec::len), Some(20));
}

#[test]
fn a_shutdown_loses_no_answer() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(1);
    let body = base64(&Key::p256().csr("CN=last", &[]));
    let request = post("/simpleenroll", Some(&password), body.as_bytes());
    let (head, last) = request.split_at(request.len() - 1);
    let mut connection = client.connect().expect("a connection");
    connection.write_all(head).expect("sent");
    connection.flush().expect("sent");
    // Whatever the order of signal and last octet: who has begun to ask gets an answer.
    let stopping = std::thread::spawn(move || server.stop());
    connection.write_all(last).expect("sent");
    connection.flush().expect("sent");
    est_testkit::https::read_response(&mut connection).expect("an answer").certificate();
    drop(connection);
    let (status, _) = stopping.join().expect("no panic");
    assert!(status.success());
}

#[test]
fn a_long_body_is_read_only_if_it_is_known_who_sends_it() {
    let server = Launch::configured(ESTD, |text| text).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(9);
    let wrong = "0000000000.00000000000000000000";
    let body = vec![b'A'; 100_000];
    for (password, status) in [(None, 401), (Some(wrong), 401), (Some(password.as_str()), 400)] {
        for declared in [true, false] {
            let mut connection = client.connect().expect("a connection");
            let mut request = post("/simpleenroll", password, &body);
            if !declared {
                let head = String::from_utf8_lossy(&request[..request.len() - body.len()]).into_owned();
                let head = head.replace("Content-Length: 100000", "Transfer-Encoding: chunked");
                request = [head.as_bytes(), b"186A0\r\n", &body, b"\r\n0\r\n\r\n"].concat();
            }
            let end = request.len() - if status == 400 { 0 } else { 60_000 };
            connection.write_all(&request[..end]).and_then(|()| connection.flush()).expect("sent");
            // A stranger is answered although the rest of the body has yet to come.
            let answer = est_testkit::https::read_response(&mut connection).expect("an answer");
            assert_eq!(answer.status, status, "{declared} {}", answer.text());
        }
    }
}

#[test]
fn long_bodies_that_never_end_share_a_bounded_room_and_leave_some_to_others() {
    if !is_installed("curl") {
        return;
    }
    let server = Launch::configured(ESTD, |text| text).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(9);
    let request = post("/simpleenroll", Some(&password), &[b'A'; 1_000_000]);
    let unfinished = &request[..request.len() - 1];
    let mut open: Vec<_> = (0..90).filter_map(|_| client.connect().ok()).collect();
    for connection in &mut open {
        // One that is refused may be closed before it has sent everything.
        let _ = connection.write_all(unfinished).and_then(|()| connection.flush());
    }
    enrolls_soon(&server, "among-long-bodies");
    // So does somebody elsewhere with a request that is long itself.
    let names: Vec<String> = (0..750).map(|number| format!("DNS:host-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let body = server.folder().join("long");
    std::fs::write(&body, base64(&Key::p256().csr("CN=long", &names))).expect("a file");
    assert!(std::fs::metadata(&body).expect("a file").len() > 16 * 1024);
    let output = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--interface", "127.0.0.2", "--cacert"])
        .arg(server.ca())
        .args(["--user", &format!(":{password}"), "-H", "Content-Type: application/pkcs10"])
        .args(["--data-binary", &format!("@{}", body.display())])
        .arg(server.est("/simpleenroll"))
        .output()
        .expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "200", "{}", String::from_utf8_lossy(&output.stderr));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 280_000, "{peak} kB resident");
    // The oldest have made room for the others.
    let answer = est_testkit::https::read_response(&mut open[0]).expect("an answer");
    assert_eq!(answer.status, 503);
}

/// Attackers of every kind, who never rest until they are told to.
struct Attack {
    proxy: Client,
    device: Client,
    key: Key,
    ids: Vec<String>,
    is_over: AtomicBool,
    refused: AtomicUsize,
}

impl Attack {
    fn guess(&self, from: &str, password: &str) -> io::Result<Response> {
        let request = String::from_utf8(post("/simpleenroll", Some(password), b"AAAA")).expect("text");
        let request = request.replacen("\r\n", &format!("\r\nX-Forwarded-For: {from}\r\n"), 1);
        self.proxy.exchange(request.as_bytes())
    }

    /// Asks for an RSA key, each time in another way.
    fn ask_for_a_key(&self, number: usize) -> io::Result<Response> {
        let number = format!("{number:016x}");
        let unknown = der::sequence(&[&[0x06, 0x03, 0x2a, 0x03, 0x04], &der::octet_string(number.as_bytes())]);
        let body = base64(&self.key.csr_with_extensions("CN=greedy", &[&unknown]));
        self.device.exchange(&post("/serverkeygen", None, body.as_bytes()))
    }

    /// Does what attackers do.
    fn go_on(&self, attacker: usize) {
        let secret = "0".repeat(20);
        for round in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let number = attacker + 1_000 * round;
            let answer = match attacker % 4 {
                // Passwords that do not exist, from everywhere, and from the networks of one subscriber.
                0 => self.guess(&format!("2001:{:x}::7", number % 65_536), &format!("{number:010}.{secret}")),
                1 => self.guess(&format!("2001:db8:0:{:x}::7", number % 65_536), &format!("{number:010}.{secret}")),
                // Passwords that exist.
                2 => {
                    let id = &self.ids[number % self.ids.len()];
                    self.guess(&format!("198.51.{}.7", number % 256), &format!("{id}.{secret}"))
                }
                _ => self.ask_for_a_key(number),
            };
            if answer.is_ok_and(|answer| answer.status == 503) {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn whoever_attacks_a_client_with_a_good_credential_gets_its_answer() {
    let server = Launch::configured(ESTD, |text| text + "\n[est]\nserverkeygen = true\n" + BUSY_PRINCIPALS).start();
    let enroll = |name: &str| {
        let (key, client) = (Key::p256(), Client::new(server.port(), &server.ca()));
        let body = base64(&key.csr(&format!("CN={name}"), &[]));
        let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
        (certificate, key)
    };
    let (proxy, greedy, honest) = (enroll("proxy"), enroll("greedy"), enroll("honest"));
    let (config, file) = (server.folder().join("estd.toml"), server.folder().join("proxy.pem"));
    let launch = server.kill();
    std::fs::write(file, pem::encode("CERTIFICATE", &proxy.0)).expect("a file");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let proxied = "[[server.proxy]]\naddresses = [\"127.0.0.1\"]\ncertificate = \"proxy.pem\"\n\
                   client_address = \"x-forwarded-for\"\n";
    std::fs::write(&config, format!("{text}\n{proxied}")).expect("the configuration can be written");
    let server = launch.env("RUST_LOG", "info").start();
    let showing = |(certificate, key): &(Vec<u8>, Key)| {
        Client::showing(server.port(), &server.ca(), std::slice::from_ref(certificate), &key.to_pem())
    };
    let create = |_| server.password(1);
    let attack = Attack {
        proxy: showing(&proxy),
        device: showing(&greedy),
        key: Key::generate(KeyType::Rsa(2048)),
        ids: (0..20).map(create).map(|password| password.split('.').next().expect("an id").to_owned()).collect(),
        is_over: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
    };
    let passwords: Vec<String> = (0..3).map(create).collect();
    let enrolls = |client: &Client, path: &str, password: Option<&str>| {
        let body = base64(&Key::p256().csr("CN=honest", &[]));
        client.enroll(path, password, body.as_bytes()).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        for attacker in 0..280 {
            let attack = &attack;
            scope.spawn(move || attack.go_on(attacker));
        }
        // Before somebody was refused there is room for everybody.
        while attack.refused.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        let by_password = passwords
            .iter()
            .map(|password| enrolls(&Client::new(server.port(), &server.ca()), "/simpleenroll", Some(password)));
        let by_certificate = (0..3).map(|_| enrolls(&showing(&honest), "/simplereenroll", None));
        let statuses = by_password.chain(by_certificate).collect();
        attack.is_over.store(true, Ordering::Relaxed);
        statuses
    });
    assert_eq!(statuses, [200; 6]);
}

/// The records of passwords that were accepted, once there are this many: they are written while the client goes its way.
fn accepted(server: &Server, count: usize) -> Vec<serde_json::Value> {
    let begun = Instant::now();
    loop {
        let page = server.estd_json(&["audit", "list", "--event", "auth.otp.success"]);
        let records = page["events"].as_array().expect("a list of records").clone();
        if records.len() >= count || begun.elapsed() > Duration::from_secs(60) {
            assert_eq!(records.len(), count, "{records:?}");
            return records;
        }
    }
}

#[test]
fn a_right_password_is_on_record_once_although_its_request_breaks_off() {
    let operations = "\n[est]\nserverkeygen = true\ncsrattrs_auth = true\n";
    let server = Launch::configured(ESTD, |text| text + operations).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(9);
    let body = vec![b'A'; 100_000];
    let declared = |operation: &str| {
        let request = String::from_utf8(post(operation, Some(&password), &body)).expect("text");
        request.split_once("\r\n\r\n").map(|(head, _)| head.to_owned()).expect("a head")
    };
    let chunked = |operation: &str| {
        let head = declared(operation).replace("Content-Length: 100000", "Transfer-Encoding: chunked");
        format!("{head}\r\n\r\n186A0\r\n{}", "A".repeat(20_000))
    };
    let mut count = 0;
    for operation in ["/simpleenroll", "/serverkeygen"] {
        for sent in [
            format!("{}\r\n\r\n", declared(operation)),
            format!("{}\r\n\r\n{}", declared(operation), "A".repeat(60_000)),
            format!("{}\r\nExpect: 100-continue\r\n\r\n", declared(operation)),
            chunked(operation),
        ] {
            let mut connection = client.connect().expect("a connection");
            connection.write_all(sent.as_bytes()).and_then(|()| connection.flush()).expect("sent");
            connection.sock.shutdown(std::net::Shutdown::Write).expect("closed");
            count += 1;
            let id = password.split('.').next().expect("an id");
            let [latest, ..] = &accepted(&server, count)[..] else { panic!("no record") };
            assert_eq!(latest["actor"], format!("password {id}"), "{latest}");
        }
        // One that arrives whole is on record as often.
        let whole = client.exchange(&post(operation, Some(&password), &body)).expect("an answer");
        assert_eq!(whole.status, 400);
        count += 1;
        accepted(&server, count);
    }
    let request = String::from_utf8(post("/csrattrs", Some(&password), b"")).expect("text");
    let request = request.replace("POST ", "GET ").replace("Content-Length: 0\r\n", "");
    client.exchange(request.as_bytes()).expect("an answer");
    accepted(&server, count + 1);
    let failed = server.estd_json(&["audit", "list", "--event", "enroll.failure"]);
    let reasons = failed["events"].as_array().expect("records").iter().map(|record| &record["reason"]);
    assert_eq!(reasons.filter(|reason| *reason == "body-incomplete").count(), count - 2);
}
