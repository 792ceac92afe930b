//! `est` at servers that answer in odd ways: a real one, with one answer replaced.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

use est_testkit::https::{Client, base64};
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{estd, run, succeed, text};

/// Something in front of a real server, at `url`.
struct Odd {
    server: Server,
    url: String,
}

impl Odd {
    /// Answers requests for `operation` with `answer`, and has the server answer all others.
    fn new(operation: &'static str, answer: Vec<u8>) -> Self {
        let server = Launch::configured(estd(), |text| text).start();
        let file = |name: &str| server.folder().join(name);
        let chain = CertificateDer::pem_file_iter(file("server.pem")).expect("a certificate file");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(file("server-key.pem")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a key that fits");
        let (config, client) = (Arc::new(config), Client::new(server.port(), &server.ca()));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream.expect("a client"));
                let Some(request) = read_request(&mut stream) else { continue };
                let line = request.split(|octet| *octet == b'\r').next().unwrap_or_default();
                if String::from_utf8_lossy(line).contains(operation) {
                    let _ = stream.write_all(&answer);
                } else {
                    let response = client.exchange(&request).expect("an answer");
                    let headers = response.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
                    let head = format!("HTTP/1.1 {} X\r\n{}\r\n", response.status, headers.collect::<String>());
                    let _ = stream.write_all(&[head.as_bytes(), &response.body].concat());
                }
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { server, url }
    }

    fn run(&self, folder: &Shell, command: &str, more: &[&str]) -> Output {
        let mut est = Command::new(crate::EST);
        est.current_dir(folder.folder()).stdin(Stdio::null()).env_remove("EST_PASSWORD");
        est.arg(command).args(["--server", &self.url, "--cacert"]).arg(self.server.ca()).args(more);
        est.output().expect("est runs")
    }

    fn enroll(&self, folder: &Shell) -> Output {
        let password = self.server.password(1);
        let names = ["--subject", "CN=device", "--key-out", "d.key", "--out", "d.pem", "--password", &password];
        let _ = fs::remove_file(folder.folder().join("d.key"));
        self.run(folder, "enroll", &names)
    }
}

/// One request with its body.
fn read_request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&octets[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if octets.len() >= end + 4 + length.unwrap_or(0) {
                return Some(octets);
            }
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => octets.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn enrolls_where_the_attributes_end_with_the_nul_of_a_c_string() {
    let der = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02";
    let body = base64(der) + "\n\0";
    let odd = Odd::new("csrattrs", answer("200 OK\r\nContent-Type: application/csrattrs", body.as_bytes()));
    let folder = Shell::new();
    let listed = odd.run(&folder, "csrattrs", &[]);
    succeed(&listed);
    assert!(text(&listed).contains("unstructuredName"), "{}", text(&listed));
    let enrolled = odd.enroll(&folder);
    succeed(&enrolled);
    assert!(text(&enrolled).contains("also wants what est does not send: 1.2.840.113549.1.9.2"), "{}", text(&enrolled));
}

#[test]
fn enrolls_where_the_attributes_cannot_be_read_and_says_so() {
    for body in [&b"<html>no</html>"[..], b"BQA=", b"MAMCAQU=", b"\x30\x80\x00"] {
        let odd = Odd::new("csrattrs", answer("200 OK\r\nContent-Type: application/csrattrs", body));
        let folder = Shell::new();
        let enrolled = odd.enroll(&folder);
        succeed(&enrolled);
        let note = "note: what the server wants to see in a request is not known (/csrattrs): ";
        assert!(text(&enrolled).contains(note), "{}: {}", body.escape_ascii(), text(&enrolled));
        assert!(folder.folder().join("d.pem").exists());
        // A renewal says it, too, whatever becomes of it: nobody passes the certificate on here.
        let renewed = odd.run(&folder, "reenroll", &["--cert", "d.pem", "--key", "d.key"]);
        assert!(text(&renewed).contains(note), "{}: {}", body.escape_ascii(), text(&renewed));
        // Asked for the attributes alone, it has none to show.
        assert_eq!(odd.run(&folder, "csrattrs", &[]).status.code(), Some(1));
    }
}

#[test]
fn says_that_it_does_not_speak_digest() {
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest qop=\"auth\", realm=\"estrealm\", nonce=\"7a3c\"";
    let odd = Odd::new("simpleenroll", answer(challenge, b""));
    let refused = odd.enroll(&Shell::new());
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    let words = "it wants HTTP authentication by Digest, which est does not speak";
    assert!(text(&refused).contains(words), "{}", text(&refused));
}

#[test]
fn a_label_that_is_not_there_is_named() {
    let server = Server::dev(estd());
    let folder = Shell::new();
    for command in ["csrattrs", "cacerts"] {
        let refused = run(&folder, &server, command, &["--label", "nosuch"]);
        assert_eq!(refused.status.code(), Some(3), "{command}: {}", text(&refused));
        assert!(text(&refused).contains("there is no such label"), "{command}: {}", text(&refused));
        assert!(text(&refused).contains("the label is \"nosuch\""), "{command}: {}", text(&refused));
    }
    // Where only /csrattrs is not found, the server has none to list (RFC 7030 §4.5.2).
    let odd = Odd::new("csrattrs", answer("404 Not Found", b""));
    let none = odd.run(&folder, "csrattrs", &[]);
    succeed(&none);
    assert!(text(&none).contains("none"), "{}", text(&none));
    succeed(&odd.enroll(&folder));
}

#[test]
fn does_not_miss_an_attribute_by_which_it_links() {
    let listing = |text| text + "\n[est]\ncsr_attributes = [\"challengePassword\", \"1.2.840.113549.1.9.2\"]\n";
    let server = Launch::configured(estd(), listing).start();
    for (link, missed) in
        [("asked", "1.2.840.113549.1.9.2 unstructuredName"), ("never", "1.2.840.113549.1.9.7 challengePassword")]
    {
        let (folder, password) = (Shell::new(), server.password(1));
        let names = ["--subject", "CN=device", &format!("--link={link}"), "--password", &password];
        let enrolled = run(&folder, &server, "enroll", &names);
        succeed(&enrolled);
        let text = text(&enrolled);
        let note = text.lines().find(|line| line.contains("also wants what est does not send")).expect("a note");
        assert!(note.contains(missed), "{note}");
        assert_eq!(note.contains("challengePassword"), link == "never", "{note}");
    }
}
