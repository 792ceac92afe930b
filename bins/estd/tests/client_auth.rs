//! What each `tls.client_auth.mode` asks of clients, in real handshakes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use est_core::pkix::{Certificate, Extension, oid, pem};
use est_testkit::der::extension;
use est_testkit::https::{Client, base64, post};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;
use serde_json::Value;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long a record may take to be written: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

fn in_mode(mode: &str) -> Launch {
    Launch::configured(ESTD, |text| text.replace("mode = \"optional\"", &format!("mode = \"{mode}\"")))
}

/// Enrolls with a password and keeps certificate and key in the server's folder.
fn device(server: &Server) -> (PathBuf, PathBuf) {
    let key = Key::p256();
    let body = base64(&key.csr("CN=device", &[]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let paths = (server.folder().join("device.pem"), server.folder().join("device.key"));
    std::fs::write(&paths.0, pem::encode("CERTIFICATE", &certificate)).expect("a file");
    std::fs::write(&paths.1, key.to_pem()).expect("a file");
    paths
}

/// Changes the mode of a server that is running, by a restart.
fn restart_in_mode(server: Server, mode: &str) -> Server {
    let config = server.folder().join("estd.toml");
    let launch = server.kill();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let edited = text.replace("mode = \"optional\"", &format!("mode = \"{mode}\""));
    assert_ne!(edited, text);
    std::fs::write(config, edited).expect("the configuration can be written");
    launch.start()
}

fn renews(server: &Server, (certificate, key): &(PathBuf, PathBuf)) -> u16 {
    let body = base64(&Key::p256().csr("CN=device", &[]));
    let client = Client::with_certificate(server.port(), &server.ca(), certificate, key);
    client.enroll("/simplereenroll", None, body.as_bytes()).status
}

/// Whether a client gets an answer at all.
fn is_heard(client: &Client) -> bool {
    client.exchange(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").is_ok()
}

#[test]
fn a_chain_that_nobody_would_look_at_ends_the_handshake() {
    let server = in_mode("optional").start();
    let (certificate, key) = device(&server);
    let text = std::fs::read_to_string(certificate).expect("a file");
    let leaf = pem::decode(&text).expect("PEM").remove(0).contents.clone();
    let key = std::fs::read_to_string(key).expect("a file");
    let shows = |chain: &[Vec<u8>]| is_heard(&Client::showing(server.port(), &server.ca(), chain, &key));
    assert!(shows(&vec![leaf.clone(); 5]));
    assert!(!shows(&vec![leaf.clone(); 6]));
    assert!(shows(&[leaf.clone(), vec![0x30; 16 * 1024]]));
    assert!(!shows(&[leaf.clone(), vec![0x30; 16 * 1024 + 1]]));
    let rest = 32 * 1024 - leaf.len();
    let with = |octets: usize| shows(&[leaf.clone(), vec![0x30; 16 * 1024], vec![0x30; octets - 16 * 1024]]);
    assert!(with(rest) && !with(rest + 1));
}

#[test]
fn required_ends_the_handshake_of_who_shows_nothing_or_a_strangers_certificate() {
    let server = in_mode("optional").start();
    let mine = device(&server);
    let other = in_mode("optional").start();
    let stranger = device(&other);
    let server = restart_in_mode(server, "required");
    assert!(!is_heard(&Client::new(server.port(), &server.ca())));
    assert!(!is_heard(&Client::with_certificate(server.port(), &server.ca(), &stranger.0, &stranger.1)));
    assert!(is_heard(&Client::with_certificate(server.port(), &server.ca(), &mine.0, &mine.1)));
    assert_eq!(renews(&server, &mine), 200);
}

/// The records of an event, the latest first, once there are this many: they are written while the client goes its way.
fn records(server: &Server, event: &str, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let page = server.estd_json(&["audit", "query", "--event", event]);
        let records = page["events"].as_array().expect("a list of records").clone();
        if records.len() >= count || started.elapsed() > PATIENCE {
            assert_eq!(records.len(), count, "{records:?}");
            return records;
        }
    }
}

#[test]
fn a_session_that_does_not_come_about_is_on_record_with_who_and_why() {
    let server = in_mode("optional").start();
    let other = in_mode("optional").start();
    let stranger = device(&other);
    let server = restart_in_mode(server, "required");
    assert!(!is_heard(&Client::with_certificate(server.port(), &server.ca(), &stranger.0, &stranger.1)));
    let [rejected] = &records(&server, "auth.mtls.failure", 1)[..] else { panic!("one record") };
    let shown = pem::decode(&std::fs::read_to_string(&stranger.0).expect("a file")).expect("PEM");
    let shown = Certificate::parse(&shown[0].contents).expect("a certificate");
    assert_eq!(rejected["reason"], "client-certificate-untrusted as CN=device");
    assert_eq!(rejected["fingerprint"], shown.fingerprint().to_string());
    assert_eq!(rejected["serial"], shown.serial_text());
    assert_eq!((&rejected["source"], &rejected["method"]), (&"127.0.0.1".into(), &"certificate".into()));

    assert!(!is_heard(&Client::new(server.port(), &server.ca())));
    records(&server, "tls.failure", 1);
    // A client that does not trust the server, one of the admin API's too, and one that speaks something else.
    assert!(!is_heard(&Client::new(server.port(), &other.ca())));
    records(&server, "tls.failure", 2);
    assert!(!is_heard(&Client::new(server.admin_port(), &other.ca())));
    records(&server, "tls.failure", 3);
    let mut plain = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    plain.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    let _ = plain.read_to_end(&mut Vec::new());
    // Whoever looks whether the port is open has failed at nothing.
    drop(TcpStream::connect(("127.0.0.1", server.port())).expect("a connection"));
    let reasons = records(&server, "tls.failure", 4);
    let reasons: Vec<_> = reasons.iter().rev().map(|record| record["reason"].as_str().expect("a reason")).collect();
    let begins = |reason: &str, with| reason.starts_with(with);
    assert!(begins(reasons[0], "peer sent no certificates"), "{reasons:?}");
    assert!(begins(reasons[1], "received fatal alert: "), "{reasons:?}");
    assert!(begins(reasons[2], "with the admin API: received fatal alert: "), "{reasons:?}");
    assert!(begins(reasons[3], "received corrupt message"), "{reasons:?}");
}

#[test]
fn a_certificate_that_was_asked_for_less_renews_as_what_it_is() {
    let server = in_mode("optional").start();
    let wish = Extension::ext_key_usage(&[oid::CLIENT_AUTH]);
    let asking = extension(wish.id.as_der(), wish.critical, &wish.value);
    let key = Key::p256();
    let body = base64(&key.csr_with_extensions("CN=device", &[&asking]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let paths = (server.folder().join("device.pem"), server.folder().join("device.key"));
    std::fs::write(&paths.0, pem::encode("CERTIFICATE", &certificate)).expect("a file");
    std::fs::write(&paths.1, key.to_pem()).expect("a file");
    let client = Client::with_certificate(server.port(), &server.ca(), &paths.0, &paths.1);
    for extensions in [&[&asking[..]][..], &[]] {
        for operation in ["/simplereenroll", "/simpleenroll"] {
            let body = base64(&Key::p256().csr_with_extensions("CN=device", extensions));
            let renewed = client.enroll(operation, None, body.as_bytes()).certificate();
            let renewed = Certificate::parse(&renewed).expect("a certificate");
            assert_eq!(renewed.extension(&oid::EXT_KEY_USAGE), Some(&wish.value[..]), "{operation}");
        }
    }
}

#[test]
fn a_handshake_without_a_common_suite_or_group_is_logged_by_its_reason() {
    if !est_testkit::peers::is_installed("openssl") {
        return;
    }
    let server = in_mode("optional").start();
    let offers = [
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
        ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        ["-tls1_3", "-groups", "X448"],
    ];
    for offer in offers {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["s_client", "-connect", &format!("127.0.0.1:{}", server.port())]).args(offer);
        let output = openssl.stdin(std::process::Stdio::null()).output().expect("openssl runs");
        assert!(!output.status.success(), "{offer:?}");
    }
    let records = records(&server, "tls.failure", offers.len());
    let (_, log) = server.stop();
    assert!(!log.contains("tls.additional"), "{log}");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a TLS handshake failed")).collect();
    assert_eq!(lines.len(), offers.len(), "{log}");
    for record in records {
        let reason = record["reason"].as_str().expect("a reason");
        assert!(lines.iter().any(|line| line.contains(reason)), "{reason} is not in {lines:?}");
    }
}

#[test]
fn a_certificate_without_its_key_is_on_record_as_what_it_is() {
    let server = in_mode("optional").start();
    let mine = device(&server);
    let certificate = pem::decode(&std::fs::read_to_string(&mine.0).expect("a file")).expect("PEM")[0].contents.clone();
    let thief = Client::showing(server.port(), &server.ca(), std::slice::from_ref(&certificate), &Key::p256().to_pem());
    assert!(!is_heard(&thief));
    let [stolen] = &records(&server, "auth.mtls.failure", 1)[..] else { panic!("one record") };
    let reason = stolen["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("client-certificate-unproven (") && reason.ends_with(" as CN=device"), "{reason}");
    let shown = Certificate::parse(&certificate).expect("a certificate");
    assert_eq!(stolen["fingerprint"], shown.fingerprint().to_string());
}

#[test]
fn a_handshake_that_is_not_completed_in_time_is_on_record() {
    let limited = |text: String| format!("{text}\n[limits]\nhandshake_timeout = \"1s\"\n");
    let server = Launch::configured(ESTD, limited).start();
    let mut slow = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    slow.write_all(&[22, 3, 1, 2]).expect("sent");
    let [late] = &records(&server, "tls.failure", 1)[..] else { panic!("one record") };
    assert_eq!(late["reason"], "it was not complete within limits.handshake_timeout");
    drop(slow);
}

#[test]
fn optional_hears_everybody_and_says_why_a_certificate_does_not_count() {
    let server = in_mode("optional").start();
    let other = in_mode("optional").start();
    let stranger = device(&other);
    assert!(is_heard(&Client::new(server.port(), &server.ca())));
    let client = Client::with_certificate(server.port(), &server.ca(), &stranger.0, &stranger.1);
    assert!(is_heard(&client));
    let body = base64(&Key::p256().csr("CN=stranger", &[]));
    // A client that is about to send its password reads no text; one that says what it reads gets some.
    assert_eq!(client.enroll("/simpleenroll", None, body.as_bytes()).text(), "");
    let request = String::from_utf8(post("/simpleenroll", None, body.as_bytes())).expect("text");
    let request = request.replace("Host: localhost\r\n", "Host: localhost\r\nAccept: */*\r\n");
    let refused = client.exchange(request.as_bytes()).expect("an answer");
    assert_eq!(refused.status, 401);
    assert!(refused.text().starts_with("the client certificate was not issued by a CA that this server trusts"));
    assert!(refused.header("WWW-Authenticate").is_some_and(|offered| offered.starts_with("Basic ")));
    // The password decides where the certificate does not.
    let accepted = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes());
    assert_eq!(accepted.status, 200);
}

#[test]
fn required_for_reenroll_lets_passwords_enroll_and_certificates_renew() {
    let server = in_mode("required_for_reenroll").start();
    let device = device(&server);
    assert_eq!(renews(&server, &device), 200);
    let body = base64(&Key::p256().csr("CN=device", &[]));
    let client = Client::new(server.port(), &server.ca());
    let refused = client.enroll("/simplereenroll", Some(&server.password(1)), body.as_bytes());
    assert_eq!(refused.status, 403);
    assert_eq!(refused.text(), "renew with the certificate that is to be renewed as TLS client certificate\n");
}

#[test]
fn none_asks_nobody_for_a_certificate() {
    let server = in_mode("optional").start();
    let device = device(&server);
    let server = restart_in_mode(server, "none");
    assert_eq!(renews(&server, &device), 401);
    let body = base64(&Key::p256().csr("CN=another", &[]));
    let client = Client::new(server.port(), &server.ca());
    assert_eq!(client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).status, 200);
}

#[test]
fn agrees_on_a_hybrid_post_quantum_key_exchange() {
    let server = in_mode("optional").start();
    let connection = Client::new(server.port(), &server.ca()).connect().expect("a connection");
    let group = connection.conn.negotiated_key_exchange_group().expect("a key exchange");
    assert_eq!(format!("{:?}", group.name()), "X25519MLKEM768");
}

/// What openssl makes of a CSR in the folder of a server: signed by the server's CA, so that only the form is in the way.
fn odd_certificate(server: &Server, name: &str, key: &str, options: &str) -> (PathBuf, PathBuf) {
    let shell = Shell::new();
    let folder = server.folder();
    let (certificate, key_file) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    shell.run(&format!(
        "printf '%b' '1.2.3.4=critical,DER:0500\\nextendedKeyUsage=clientAuth\\n' > unknown.ext
         openssl req -new -newkey {key} -nodes -keyout {key_file} -subj /CN={name} -out odd.csr 2>/dev/null
         openssl x509 -req -in odd.csr -CA {ca} -CAkey {ca_key} -CAcreateserial -days 30 {options} -out {certificate} 2>/dev/null",
        key_file = key_file.display(),
        ca = server.ca().display(),
        ca_key = folder.join("ca-key.pem").display(),
        certificate = certificate.display(),
    ));
    (certificate, key_file)
}

#[test]
fn a_certificate_that_breaks_the_rules_does_not_stand_in_the_way_of_a_password() {
    if !est_testkit::peers::is_installed("openssl") || !est_testkit::peers::is_installed("curl") {
        return;
    }
    let server = in_mode("optional").start();
    let (ec, rsa) = ("ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048");
    let version_1 = ("", "is not of version 3 (RFC 5280 §4.1.2.1)");
    let unknown = ("-extfile unknown.ext", "has a critical extension that is not known here (RFC 5280 §4.2)");
    let mut count = 0;
    for (name, new_key, (options, fault)) in
        [("v1-ec", ec, version_1), ("v1-rsa", rsa, version_1), ("odd-ec", ec, unknown), ("odd-rsa", rsa, unknown)]
    {
        let (certificate, key) = odd_certificate(&server, name, new_key, options);
        for version in ["--tls-max 1.2", "--tlsv1.3"] {
            let shell = Shell::new();
            let curl = |who: &str| {
                shell.run(&format!(
                    "openssl req -new -newkey {ec} -nodes -keyout new.key -subj /CN=device -outform DER 2>/dev/null |
                         openssl base64 -out new.b64
                     curl -sS -o answer -w '%{{http_code}}' {version} --cacert {ca} --cert {certificate} --key {key} {who} \
                         -H 'Content-Type: application/pkcs10' -H 'Accept: */*' --data-binary @new.b64 {url}",
                    ca = server.ca().display(),
                    certificate = certificate.display(),
                    key = key.display(),
                    url = server.est("/simpleenroll"),
                ))
            };
            assert_eq!(curl(&format!("-u :{}", server.password(1))), "200", "{name} {version}");
            count += 1;
            let [latest, ..] = &records(&server, "auth.otp.success", count)[..] else { panic!("a record") };
            let reason = latest["reason"].as_str().unwrap_or_default();
            // Of what has no version 3, nothing else is read.
            let subject = if name.starts_with("v1") { String::new() } else { format!(" as CN={name}") };
            let told = format!("despite client-certificate-nonconforming{subject}: the client certificate {fault}");
            assert_eq!(reason, told, "{version}");
            // Alone it does not authenticate, and the answer says why.
            assert_eq!(curl(""), "401", "{name} {version}");
            let text = std::fs::read_to_string(shell.folder().join("answer")).expect("a text");
            assert!(text.starts_with(&format!("the client certificate {fault}")), "{text}");
        }
        let chain =
            [pem::decode(&std::fs::read_to_string(&certificate).expect("PEM")).expect("PEM")[0].contents.to_vec()];
        // Nobody shows one whose key is somebody else's.
        let holder = std::fs::read_to_string(&key).expect("PEM");
        let thief = odd_certificate(&server, &format!("{name}-thief"), new_key, options).1;
        let thief = std::fs::read_to_string(thief).expect("PEM");
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let shows =
                |key: &str| is_heard(&Client::showing_over(&[version], server.port(), &server.ca(), &chain, key));
            assert!(shows(&holder), "{name} {version:?}");
            assert!(!shows(&thief), "{name} {version:?}");
        }
    }
}
