//! Spans, as a collector gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::Launch;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// Takes what comes until the exporter is done, as a collector does: the head and the body of each request.
fn collect(listener: &TcpListener, until: &[&str]) -> Vec<(String, String)> {
    let mut taken: Vec<(String, String)> = Vec::new();
    while !until.iter().all(|word| taken.iter().any(|(_, body)| body.contains(word))) {
        let (stream, _) = listener.accept().expect("a connection");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).expect("a line"), 0, "{head}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut body).expect("a body");
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("an answer");
        // Names and values are text in protobuf too.
        taken.push((head, String::from_utf8_lossy(&body).into_owned()));
    }
    taken
}

#[test]
fn a_collector_gets_a_span_of_a_request_and_of_its_steps() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let server = Launch::configured(ESTD, |text| format!("log.otlp_endpoint = \"{endpoint}\"\n{text}")).start();
    let password = server.password(1);
    let client = Client::new(server.port(), &server.ca());
    let answer =
        client.enroll("/simpleenroll", Some(&password), base64(&Key::p256().csr("CN=spanned", &[])).as_bytes());
    assert_eq!(answer.status, 200);

    let request = "POST /.well-known/est/simpleenroll";
    let collecting = std::thread::spawn(move || {
        collect(&listener, &[request, "http.response.status_code", "authenticate", "claim", "issue", "record"])
    });
    // What is left goes out at the end.
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    let taken = collecting.join().expect("the collector");
    for (head, body) in &taken {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("application/x-protobuf"), "{head}");
        assert!(body.contains("estd") && !body.contains(&password), "{body}");
    }
}

#[test]
fn a_collector_that_is_away_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let server = Launch::configured(ESTD, |text| format!("log.otlp_endpoint = \"{endpoint}\"\n{text}")).start();
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(1);
    let answer = client.enroll("/simpleenroll", Some(&password), base64(&Key::p256().csr("CN=a", &[])).as_bytes());
    assert_eq!(answer.status, 200);
    let (status, log) = server.stop();
    assert!(status.success() && log.contains("the collector does not answer"), "{log}");
}
