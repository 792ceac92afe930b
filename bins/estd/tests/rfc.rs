//! What the RFCs demand of the whole server, and no single part can show.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use est_core::pkix::Certificate;
use est_testkit::https::{Client, Connection, Response, base64, post, read_response};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn ask(connection: &mut Connection, request: &[u8]) -> Response {
    connection.write_all(request).and_then(|()| connection.flush()).expect("sent");
    read_response(connection).expect("an answer")
}

fn get(path: &str) -> Vec<u8> {
    format!("GET /.well-known/est{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A device with a certificate, as files.
fn device(server: &Server, shell: &Shell, key: &Key) -> Client {
    let password = server.password(1);
    let body = base64(&key.csr("CN=device", &["DNS:device.example"]));
    let certificate = Client::new(server.port(), &server.ca())
        .enroll("/simpleenroll", Some(&password), body.as_bytes())
        .certificate();
    let (pem, key_file) = (shell.folder().join("device.pem"), shell.folder().join("device.key"));
    std::fs::write(&pem, est_core::pkix::pem::encode("CERTIFICATE", &certificate)).expect("a file");
    std::fs::write(&key_file, key.to_pem()).expect("a file");
    Client::with_certificate(server.port(), &server.ca(), &pem, &key_file)
}

#[test]
fn serves_a_whole_enrollment_on_one_connection_without_cookies() {
    let server = Server::dev(ESTD);
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let body = base64(&Key::p256().csr("CN=steady", &[]));
    let request = post("/simpleenroll", Some(&server.password(1)), body.as_bytes());
    let request = String::from_utf8(request).expect("text").replace("Connection: close\r\n", "").into_bytes();
    let answers = [
        ask(&mut connection, &get("/cacerts")),
        ask(&mut connection, &get("/csrattrs")),
        ask(&mut connection, &get("/nothing")),
        ask(&mut connection, &request),
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 204, 404, 200]);
    assert!(answers.iter().all(|answer| answer.header("Set-Cookie").is_none()));
    answers[3].certificate();
}

#[test]
fn says_100_before_it_reads_an_announced_body() {
    let server = Server::dev(ESTD);
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let body = base64(&Key::p256().csr("CN=polite", &[]));
    let request = post("/simpleenroll", Some(&server.password(1)), body.as_bytes());
    let request = String::from_utf8(request).expect("text");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    write!(connection, "{head}\r\nExpect: 100-continue\r\n\r\n").and_then(|()| connection.flush()).expect("sent");
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    ask(&mut connection, body.as_bytes()).certificate();
}

#[test]
fn answers_head_as_get_without_the_body() {
    let server = Server::dev(ESTD);
    let mut connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let of_get = ask(&mut connection, &get("/cacerts"));
    let head = String::from_utf8(get("/cacerts")).expect("text").replace("GET", "HEAD");
    connection.write_all(head.as_bytes()).and_then(|()| connection.flush()).expect("sent");
    // Were there a body, the next answer would begin with it.
    let mut heads = Vec::new();
    while !heads.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        connection.read_exact(&mut octet).expect("a head");
        heads.push(octet[0]);
    }
    let head = String::from_utf8(heads).expect("text");
    assert!(head.contains(&format!("Content-Length: {}\r\n", of_get.body.len())), "{head}");
    assert_eq!(ask(&mut connection, &get("/cacerts")).body, of_get.body);
}

#[test]
fn resumes_a_session_and_still_knows_the_client() {
    let (server, shell, key) = (Server::dev(ESTD), Shell::new(), Key::p256());
    let client = device(&server, &shell, &key);
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let mut connection = client.connect().expect("a connection");
        let body = base64(&key.csr("CN=device", &["DNS:device.example"]));
        ask(&mut connection, &post("/simplereenroll", None, body.as_bytes())).certificate();
        kinds.push(connection.conn.handshake_kind());
    }
    assert_eq!(kinds[0], Some(HandshakeKind::Full));
    assert_eq!(kinds[1..], [Some(HandshakeKind::Resumed); 2]);
}

#[test]
fn sends_no_ticket_of_tls_1_3_where_the_configuration_says_so() {
    let without = |text: String| text.replace("[tls]\n", "[tls]\nsession_tickets = false\n");
    let server = Launch::configured(ESTD, without).start();
    for (version, second) in [(&TLS13, HandshakeKind::Full), (&TLS12, HandshakeKind::Resumed)] {
        let client = Client::of_version(server.port(), &server.ca(), version);
        let kinds = [(); 2].map(|()| {
            let mut connection = client.connect().expect("a connection");
            assert_eq!(ask(&mut connection, &get("/cacerts")).status, 200);
            connection.conn.handshake_kind()
        });
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(second)], "{version:?}");
    }
}

#[test]
fn renews_with_the_same_key_and_with_another() {
    let (server, shell, key) = (Server::dev(ESTD), Shell::new(), Key::p256());
    let client = device(&server, &shell, &key);
    let renewed = |key: &Key| {
        let body = base64(&key.csr("CN=device", &["DNS:device.example"]));
        let certificate = client.enroll("/simplereenroll", None, body.as_bytes()).certificate();
        Certificate::parse(&certificate).expect("a certificate").public_key_der().to_vec()
    };
    assert_eq!(renewed(&key), key.public_key().as_der());
    let other = Key::p256();
    assert_eq!(renewed(&other), other.public_key().as_der());
}

#[test]
fn each_serial_number_is_another() {
    let server = Server::dev(ESTD);
    let client = Client::new(server.port(), &server.ca());
    let password = server.password(50);
    let serials: std::collections::BTreeSet<Vec<u8>> = (0..50)
        .map(|number| {
            let body = base64(&Key::p256().csr(&format!("CN=device-{number}"), &[]));
            let certificate = client.enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate();
            Certificate::parse(&certificate).expect("a certificate").serial().to_vec()
        })
        .collect();
    assert_eq!(serials.len(), 50);
    // 16 octets or more, so that 64 random bits are among them; 20 at most; positive (RFC 5280 §4.1.2.2).
    assert!(serials.iter().all(|serial| (16..=20).contains(&serial.len()) && serial[0] & 0x80 == 0));
}

#[test]
fn refuses_suites_that_hide_or_prove_nothing() {
    if !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    for suites in ["NULL", "aNULL", "EXPORT:DES", "3DES", "RC4", "kRSA:!kPSK"] {
        // A group of suites that openssl itself no longer has says so before it connects.
        let printed = shell.fails(&format!(
            "openssl s_client -connect 127.0.0.1:{} -tls1_2 -cipher '{suites}:@SECLEVEL=0' < /dev/null 2>&1",
            server.port()
        ));
        assert!(printed.contains("alert") || printed.contains("no cipher match"), "{suites}: {printed}");
    }
}

#[test]
fn renegotiates_for_nobody_and_takes_no_early_data() {
    if !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let connect = format!("openssl s_client -connect 127.0.0.1:{}", server.port());
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-tls1_2", "-connect", &format!("127.0.0.1:{}", server.port())]);
    let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("runs");
    // `R` asks for a renegotiation. The pipe stays open, so that openssl ends by the server's refusal alone.
    let mut stdin = openssl.stdin.take().expect("a pipe");
    stdin.write_all(b"R\n").expect("sent");
    let ended = openssl.wait_with_output().expect("it ends");
    drop(stdin);
    let printed = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && printed.contains("no renegotiation"), "{printed}");
    let printed = shell.run(&format!(
        "exec 2>&1; printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | {connect} -tls1_3 -ign_eof"
    ));
    assert!(printed.contains("Max Early Data: 0"), "{printed}");
}

#[test]
fn over_http_2_reads_are_for_all_and_renewals_for_holders() {
    if !is_installed("curl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let ask = |arguments: &str, path: &str| {
        shell.run(&format!(
            "curl -sS --http2 --cacert {} {arguments} -o /dev/null -w '%{{http_version}} %{{http_code}}' {}",
            server.ca().display(),
            server.est(path)
        ))
    };
    assert_eq!(ask("", "/cacerts"), "2 200");
    let renewal = "-H 'Content-Type: application/pkcs10' -d garbage";
    assert_eq!(ask(renewal, "/simplereenroll"), "2 401");
    let password = server.password(1);
    assert_eq!(ask(&format!("{renewal} -u :{password}"), "/simplereenroll"), "2 403");
}

#[test]
fn prints_the_fingerprint_that_openssl_computes() {
    if !is_installed("openssl") {
        return;
    }
    let (mut server, shell) = (Server::dev(ESTD), Shell::new());
    let printed = shell.run(&format!("openssl x509 -in {} -noout -fingerprint -sha256", server.ca().display()));
    let (_, fingerprint) = printed.trim().split_once('=').expect("openssl's form");
    let line = server.line_with("SHA-256 fingerprint");
    assert!(line.contains(fingerprint), "{line}");
}

#[test]
fn the_servers_certificate_names_it_and_lets_it_be_an_ra() {
    if !is_installed("openssl") {
        return;
    }
    let (server, shell) = (Server::dev(ESTD), Shell::new());
    let (ca, certificate) = (server.ca(), server.folder().join("server.pem"));
    shell.run(&format!(
        "openssl verify -x509_strict -CAfile {} -purpose sslserver -verify_hostname localhost {}",
        ca.display(),
        certificate.display()
    ));
    let text = shell.run(&format!("openssl x509 -in {} -noout -ext extendedKeyUsage", certificate.display()));
    assert!(text.contains("TLS Web Server Authentication"), "{text}");
    assert!(
        text.contains("cmcRA") || text.contains("CMC Registration Authority") || text.contains("1.3.6.1.5.5.7.3.28"),
        "{text}"
    );
}

#[test]
fn agrees_on_x25519mlkem768_with_who_offers_it() {
    let server = Server::dev(ESTD);
    let connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let group = connection.conn.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(rustls::NamedGroup::X25519MLKEM768));
}
