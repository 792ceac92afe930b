//! Each limit, set low, and a client that runs into it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use est_testkit::https::{Client, base64, post, read_response};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn with_limit(line: &str) -> Server {
    Launch::configured(ESTD, |text| format!("{text}\n[limits]\n{line}\n")).start()
}

/// Reads until the server hangs up; a server that never does fails the test by the client's own patience.
fn is_closed(connection: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    match connection.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_silent_client_is_dropped_at_the_handshake_timeout() {
    let server = with_limit("handshake_timeout = \"1s\"");
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    connection.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("a timeout");
    assert!(is_closed(&mut connection));
}

#[test]
fn an_idle_client_is_dropped_at_the_idle_timeout() {
    let server = with_limit("idle_timeout = \"1s\"");
    let client = Client::new(server.port(), &server.ca());
    let mut never_asks = client.connect().expect("a connection");
    assert!(is_closed(&mut never_asks));
    let mut asks_once = client.connect().expect("a connection");
    asks_once.write_all(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    assert_eq!(read_response(&mut asks_once).expect("an answer").status, 200);
    assert!(is_closed(&mut asks_once));
}

#[test]
fn a_body_that_does_not_come_is_given_up_at_the_request_timeout() {
    let server = with_limit("request_timeout = \"1s\"");
    let client = Client::new(server.port(), &server.ca());
    let mut connection = client.connect().expect("a connection");
    let request = post("/simpleenroll", None, &[b'A'; 100]);
    connection.write_all(&request[..request.len() - 50]).expect("sent");
    let answer = read_response(&mut connection).expect("an answer");
    assert_eq!((answer.status, answer.text()), (408, "the body did not arrive in time\n"));
    assert!(is_closed(&mut connection));
}

#[test]
fn a_head_over_the_limit_is_refused() {
    let server = with_limit("header_bytes = \"8KB\"");
    let client = Client::new(server.port(), &server.ca());
    let head = |size: usize| {
        format!(
            "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: {}\r\n\r\n",
            "a".repeat(size)
        )
    };
    assert_eq!(client.exchange(head(6000).as_bytes()).expect("an answer").status, 200);
    assert_eq!(client.exchange(head(20_000).as_bytes()).expect("an answer").status, 431);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let server = Launch::configured(ESTD, |text| {
        text.replace("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0:8443\"\nmax_body_size = \"2KB\"")
    })
    .start();
    let client = Client::new(server.port(), &server.ca());
    let refused = client.enroll("/simpleenroll", None, &[b'A'; 2049]);
    assert_eq!((refused.status, refused.text()), (413, "the body is longer than 2048 octets\n"));
    assert_eq!(client.enroll("/simpleenroll", None, &[b'A'; 2048]).status, 401);
}

#[test]
fn connections_over_the_limit_push_out_who_has_waited_longest() {
    let server = with_limit("max_connections = 4");
    let client = Client::new(server.port(), &server.ca());
    let mut first = client.connect().expect("a connection");
    let others: Vec<_> = (0..4).map(|_| client.connect().expect("a connection")).collect();
    assert!(is_closed(&mut first));
    drop(others);
}

#[test]
fn a_source_that_has_its_share_of_connections_pushes_out_its_own() {
    let server = with_limit("connections_per_source = 4");
    let client = Client::new(server.port(), &server.ca());
    let mut first = client.connect().expect("a connection");
    let others: Vec<_> = (0..4).map(|_| client.connect().expect("a connection")).collect();
    assert!(is_closed(&mut first));
    drop(others);
}

#[test]
fn a_key_that_is_made_too_late_is_certified_for_nobody_and_another_is_made_for_who_asks_again() {
    let server = Launch::configured(ESTD, |text| {
        let profile = "[[est.label]]\nname = \"keys\"\nca_id = \"main\"\nrequire_san = false\nallowed_key_types = [\"rsa-4096\"]\n";
        format!("{text}\n[est]\nserverkeygen = true\nunlabelled = true\n{profile}\n[limits]\nrequest_timeout = \"150ms\"\n")
    })
    .start();
    let (body, password) = (base64(&Key::p256().csr("CN=device", &[])), server.password(1));
    let ask = |server: &Server| {
        let client = Client::new(server.port(), &server.ca());
        client.enroll("/keys/serverkeygen", Some(&password), body.as_bytes()).status
    };
    let issued = |server: &Server| server.estd_json(&["certs", "list"])["certificates"].as_array().map(Vec::len);
    // The second waits for the key of the first, in vain.
    assert_eq!([ask(&server), ask(&server)], [503; 2]);
    let ended = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status();
    assert!(ended.expect("kill runs").success());
    // What is under way is finished first.
    let launch = server.ended();
    let config = launch.folder().join("estd.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, text.replace("\"150ms\"", "\"10m\"")).expect("the configuration can be written");
    let server = launch.start();
    assert_eq!(issued(&server), Some(0));
    assert_eq!(ask(&server), 200);
    assert_eq!(issued(&server), Some(1));
}

#[test]
fn a_server_leaves_no_core_file_and_warns_where_it_runs_as_root() {
    let server = Server::dev(ESTD);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("the process runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let id = Command::new("id").arg("-u").output().expect("id runs").stdout;
    let (_, log) = server.stop();
    assert_eq!(log.contains("estd runs as root"), id == b"0\n");
}

#[test]
fn an_accept_that_fails_does_not_end_the_server() {
    let server = Launch::dev(ESTD).descriptors(256).start();
    let client = Client::new(server.port(), &server.ca());
    let limit = |soft: usize| {
        let status = Command::new("prlimit")
            .args(["--pid", &server.pid().to_string(), &format!("--nofile={soft}:256")])
            .status();
        assert!(status.expect("prlimit runs").success());
    };
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the process runs").count();
    // From here on every accept fails: there is no descriptor left.
    limit(open);
    let refused = TcpStream::connect(("127.0.0.1", server.port())).expect("the system accepts for it");
    let other = TcpStream::connect(("127.0.0.1", server.port())).expect("the system accepts for it");
    limit(256);
    drop((refused, other));
    let body = base64(&Key::p256().csr("CN=after", &[]));
    client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
}

/// `/cacerts`, on a connection that stays open as far as the client is concerned.
const READ: &[u8] = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_source_that_asks_too_often_is_told_to_come_back_later() {
    let server = with_limit("requests_per_second = 1\nburst = 3");
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let mut ask = || {
        connection.write_all(READ).expect("sent");
        read_response(&mut connection).expect("an answer")
    };
    let answers: Vec<_> = (0..20).map(|_| ask()).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 200));
    let refused = answers.iter().find(|answer| answer.status != 200).expect("a refusal");
    assert_eq!((refused.status, refused.text()), (429, "too many requests: ask again later, and less often\n"));
    let retry_after: u64 = refused.header("Retry-After").and_then(|value| value.parse().ok()).expect("a number");
    assert!((1..=2).contains(&retry_after));
    assert_eq!(server.estd_json(&["audit", "list", "--event", "limit"])["events"], serde_json::json!([]));
    // What was counted is written down in the end: once.
    let (status, log) = server.stop();
    assert!(status.success());
    assert_eq!(log.matches("over limits.requests_per_second were refused").count(), 1, "{log}");
}

#[test]
fn crls_count_like_any_other_request() {
    let server = with_limit("requests_per_second = 1\nburst = 3");
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let mut ask = || {
        connection.write_all(b"GET /crl/main.crl HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        read_response(&mut connection).expect("an answer").status
    };
    let statuses: Vec<_> = (0..20).map(|_| ask()).collect();
    assert!(!statuses[..3].contains(&429) && statuses.contains(&429), "{statuses:?}");
}

#[test]
fn a_principal_that_asks_too_often_is_refused_and_others_are_not() {
    let server = with_limit("principal_requests_per_second = 1\nprincipal_burst = 2");
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(1);
    let body = base64(&Key::p256().csr("CN=often", &[]));
    let statuses: Vec<u16> =
        (0..12).map(|_| client.enroll("/simpleenroll", Some(&password), body.as_bytes()).status).collect();
    assert!(statuses[..2] == [200, 200] && statuses.contains(&429), "{statuses:?}");
    let other = base64(&Key::p256().csr("CN=other", &[]));
    assert_eq!(client.enroll("/simpleenroll", Some(&server.password(1)), other.as_bytes()).status, 200);
}

#[test]
fn a_connection_is_closed_after_its_last_request() {
    let server = with_limit("requests_per_connection = 3");
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    for number in 1..=3 {
        connection.write_all(READ).expect("sent");
        let answer = read_response(&mut connection).expect("an answer");
        assert_eq!((answer.status, answer.header("Connection")), (200, (number == 3).then_some("close")));
    }
    assert!(is_closed(&mut connection));
}

#[test]
fn a_stranger_who_never_stops_fills_no_trail() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let mut connection = client.connect().expect("a connection");
    let request = post("/simpleenroll", None, b"AAAA");
    let request = String::from_utf8(request).expect("text").replace("Connection: close\r\n", "");
    for _ in 0..400 {
        connection.write_all(request.as_bytes()).expect("sent");
        assert_eq!(read_response(&mut connection).expect("an answer").status, 401);
    }
    let listed = server.estd_json(&["audit", "list", "--event", "auth.failure", "--limit", "1000"]);
    let written = listed["events"].as_array().expect("a list").len();
    assert!((100..300).contains(&written), "{written}");
    // Wrong passwords count towards a lockout however much was left out before.
    let guess = |password| client.enroll("/simpleenroll", Some(password), b"AAAA").status;
    assert!((0..50).all(|_| guess("wrong") == 401));
    assert_eq!(guess(&server.password(1)), 403);
    let (_, log) = server.stop();
    assert!(log.contains("more attempts to authenticate failed"), "{log}");
}
