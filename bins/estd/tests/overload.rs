//! Clients that take without giving must not keep others from being served.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use est_testkit::https::{Client, base64, post};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

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
fn long_bodies_that_never_end_share_a_bounded_room() {
    let server = Launch::configured(ESTD, |text| text + "\n[limits]\nrequest_timeout = \"5s\"\n").start();
    let client = Client::new(server.port(), &server.ca());
    let request = post("/simpleenroll", None, &[b'A'; 1_000_000]);
    let unfinished = &request[..request.len() - 1];
    let mut open: Vec<_> = (0..90).filter_map(|_| client.connect().ok()).collect();
    for connection in &mut open {
        // One that is refused may be closed before it has sent everything.
        let _ = connection.write_all(unfinished).and_then(|()| connection.flush());
    }
    enrolls_soon(&server, "among-long-bodies");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 250_000, "{peak} kB resident");
    // Nobody is left waiting: there was no room, or the body did not end in time.
    let answers = open.iter_mut().filter_map(|connection| est_testkit::https::read_response(connection).ok());
    let statuses: Vec<u16> = answers.map(|answer| answer.status).collect();
    assert!(statuses.contains(&503) && statuses.iter().all(|status| [408, 503].contains(status)), "{statuses:?}");
}
