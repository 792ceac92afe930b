//! Requests that are linked to their TLS connections, on real ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use est_core::pkix::{CsrAttr, Oid, oid, read_csr_attrs};
use est_core::{TlsExporter, pkix::Certificate};
use est_testkit::der::{attribute, utf8};
use est_testkit::https::{Client, Connection, Response, base64, decode_base64, post, read_response, split_response};
use est_testkit::peers::is_installed;
use est_testkit::pki::{Key, name};
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A server whose unlabelled path has this policy.
fn linking(policy: &str) -> Server {
    Launch::configured(ESTD, |text| format!("{text}\n[est]\nlinking = \"{policy}\"\n")).start()
}

fn binding(connection: &Connection) -> String {
    let octets = connection.conn.export_keying_material([0; 32], TlsExporter::LABEL, Some(b""));
    TlsExporter(octets.expect("a connection that is up")).to_text()
}

fn csr(key: &Key, link: Option<(Oid, &str)>) -> String {
    let link = link.map(|(id, text)| attribute(id.as_der(), &[&utf8(text)]));
    let attributes: Vec<&[u8]> = link.iter().map(Vec::as_slice).collect();
    base64(&key.csr_with_attributes(name("CN=linked").as_der(), &attributes))
}

/// Enrolls on a connection that the client would keep.
fn enroll(connection: &mut Connection, password: &str, csr: &str) -> Response {
    let request = String::from_utf8(post("/simpleenroll", Some(password), csr.as_bytes())).expect("text");
    let request = request.replace("Connection: close\r\n", "");
    connection.write_all(request.as_bytes()).and_then(|()| connection.flush()).expect("sent");
    read_response(connection).expect("an answer")
}

#[test]
fn takes_what_is_of_this_connection_and_nothing_else_in_either_version_of_tls() {
    for policy in ["optional", "required", "off"] {
        let server = linking(policy);
        for version in [&TLS12, &TLS13] {
            let client = Client::of_version(server.port(), &server.ca(), version);
            let ask = |text: &dyn Fn(&Connection) -> Option<String>| {
                let mut connection = client.connect().expect("a connection");
                let text = text(&connection);
                let link = text.as_deref().map(|text| (oid::CHALLENGE_PASSWORD, text));
                enroll(&mut connection, &server.password(1), &csr(&Key::p256(), link))
            };
            let another = client.connect().expect("a connection");
            let stale = binding(&another);
            let answers = [
                ask(&|connection| Some(binding(connection))),
                ask(&|_| Some(stale.clone())),
                ask(&|_| Some("hunter2".into())),
                ask(&|_| Some("AAECAwQFBgcICQoL".into())),
                ask(&|_| None),
            ];
            let expected = match policy {
                "optional" => [200, 400, 400, 400, 200],
                "required" => [200, 400, 400, 400, 400],
                _ => [200; 5],
            };
            assert_eq!(answers.each_ref().map(|answer| answer.status), expected, "{policy} {version:?}");
            if policy == "required" {
                assert!(answers[1].text().contains("not base64 of this TLS connection's tls-exporter"));
                assert!(
                    answers[3]
                        .text()
                        .starts_with("the request is linked by tls-unique, which this server cannot verify")
                );
                assert!(answers[4].text().starts_with("link the request to its TLS connection"));
            }
        }
    }
}

#[test]
fn ends_the_connection_after_a_linked_enrollment_only_and_audits_the_link() {
    let server = linking("optional");
    let client = Client::new(server.port(), &server.ca());
    let mut connection = client.connect().expect("a connection");
    let plain = enroll(&mut connection, &server.password(1), &csr(&Key::p256(), None));
    assert_eq!((plain.status, plain.header("Connection")), (200, None));
    let link = binding(&connection);
    let body = csr(&Key::p256(), Some((oid::EST_IDENTITY_LINKING, &link)));
    let linked = enroll(&mut connection, &server.password(1), &body);
    assert_eq!((linked.status, linked.header("Connection")), (200, Some("close")));
    let mut rest = Vec::new();
    assert_eq!(connection.read_to_end(&mut rest).expect("a clean end"), 0);
    let audit = server.estd(&["audit", "list", "--event", "cert.issued"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert_eq!(audit.matches("linked by tls-exporter").count(), 1, "{audit}");
}

#[test]
fn a_retry_on_another_connection_gets_the_same_certificate() {
    let server = linking("required");
    let client = Client::new(server.port(), &server.ca());
    let (key, password) = (Key::p256(), server.password(1));
    let ask = || {
        let mut connection = client.connect().expect("a connection");
        let link = binding(&connection);
        enroll(&mut connection, &password, &csr(&key, Some((oid::CHALLENGE_PASSWORD, &link)))).certificate()
    };
    assert_eq!(ask(), ask());
}

#[test]
fn csrattrs_asks_for_the_link_where_it_is_required() {
    let server = linking("required");
    let client = Client::new(server.port(), &server.ca());
    let request = b"GET /.well-known/est/csrattrs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = client.exchange(request).expect("an answer");
    let elements = read_csr_attrs(&decode_base64(&answer.body)).expect("CsrAttrs");
    let ids: Vec<_> = elements.iter().filter_map(|element| CsrAttr::parse(element)).collect();
    assert_eq!(ids, [CsrAttr::Id(oid::CHALLENGE_PASSWORD), CsrAttr::Id(oid::EST_IDENTITY_LINKING)]);
}

#[test]
fn takes_the_value_that_openssl_computes() {
    if !is_installed("openssl") {
        return;
    }
    let server = linking("required");
    // OpenSSL's command exports without a context. That is an empty context in TLS 1.3 (RFC 8446 §7.5), and another
    // value in TLS 1.2 (RFC 5705 §4), which RFC 9266 does not mean.
    let answer = by_openssl(&server, "-tls1_3", "");
    let certificate = Certificate::parse(&answer.certificate()).expect("a certificate");
    assert_eq!(certificate.subject().to_string(), "CN=linked");
    let answer = by_openssl(&server, "-tls1_2", "");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("not base64 of this TLS connection's tls-exporter"), "{}", answer.text());
}

#[test]
fn binds_nothing_in_tls_1_2_without_the_extended_master_secret() {
    if !is_installed("openssl") {
        return;
    }
    const WITHOUT: &str = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n\
                           [default]\nOptions = -ExtendedMasterSecret\n";
    let answer = by_openssl(&linking("optional"), "-tls1_2", WITHOUT);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().starts_with("the request cannot be linked to its TLS connection"), "{}", answer.text());
}

#[test]
fn ends_an_http_2_connection_after_a_linked_enrollment() {
    let server = linking("required");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.ca()).expect("the CA's file")).expect("a CA certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).expect("TLS 1.3");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let password = base64(format!(":{}", server.password(1)).as_bytes());
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        let octets = stream.get_ref().1.export_keying_material([0; 32], TlsExporter::LABEL, Some(b""));
        let link = TlsExporter(octets.expect("a connection that is up")).to_text();
        let body = csr(&Key::p256(), Some((oid::CHALLENGE_PASSWORD, &link)));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let request = http::Request::post("https://localhost/.well-known/est/simpleenroll")
            .header("Content-Type", "application/pkcs10")
            .header("Authorization", format!("Basic {password}"))
            .body(http_body_util::Full::new(hyper::body::Bytes::from(body)))
            .expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.headers().get("Connection")), (200, None));
        drop(answer);
        // The client has not let go; the server has.
        connection.await.expect("not cancelled").expect("a clean end");
        assert!(sender.ready().await.is_err());
    });
}

/// Enrolls on a connection of `openssl s_client` with this configuration, and with what it prints as keying material.
fn by_openssl(server: &Server, version: &str, configuration: &str) -> Response {
    let shell = Shell::new();
    std::fs::write(shell.folder().join("openssl.cnf"), configuration).expect("a file");
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{}", server.port()), "-CAfile"])
        .arg(server.ca())
        .args([version, "-ign_eof", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"])
        .current_dir(shell.folder())
        .env("OPENSSL_CONF", shell.folder().join("openssl.cnf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let mut stdout = BufReader::new(client.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    let material = loop {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("text"), 0, "no keying material");
        if let Some(hexadecimal) = line.trim().strip_prefix("Keying material: ") {
            break (0..32)
                .map(|at| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).expect("hexadecimal"))
                .collect::<Vec<u8>>();
        }
    };
    let link = base64(&material);
    let body = csr(&Key::p256(), Some((oid::CHALLENGE_PASSWORD, &link)));
    let mut stdin = client.stdin.take().expect("stdin is piped");
    stdin.write_all(&post("/simpleenroll", Some(&server.password(1)), body.as_bytes())).expect("sent");
    stdin.flush().expect("sent");
    let mut printed = Vec::new();
    stdout.read_to_end(&mut printed).expect("the rest");
    client.wait().expect("openssl ends");
    let start = printed.windows(9).position(|window| window == b"HTTP/1.1 ").expect("an answer");
    split_response(&printed[start..]).expect("HTTP").expect("a whole answer").0
}
