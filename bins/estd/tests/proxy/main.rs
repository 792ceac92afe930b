//! Client certificates that a proxy forwards (RFC 9440), and those that somebody else makes up.

mod packaged;

use std::path::PathBuf;

use est_core::pkix::pem;
use est_testkit::der::{attribute, utf8};
use est_testkit::https::{Client, Response, base64, post};
use est_testkit::pki::{Key, TestCa, name};
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// A server, the proxy that it lists, and the files of a device with a certificate of its.
struct World {
    server: Server,
    proxy: Party,
    device: Party,
}

/// A certificate and its key.
struct Party {
    key: Key,
    certificate: Vec<u8>,
    files: (PathBuf, PathBuf),
}

impl Party {
    /// Enrolls at `server` as `name`.
    fn enroll(server: &Server, name: &str) -> Self {
        let key = Key::p256();
        let body = base64(&key.csr(&format!("CN={name}"), &[]));
        let client = Client::new(server.port(), &server.ca());
        let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
        let files = (server.folder().join(format!("{name}.pem")), server.folder().join(format!("{name}.key")));
        std::fs::write(&files.0, pem::encode("CERTIFICATE", &certificate)).expect("a file");
        std::fs::write(&files.1, key.to_pem()).expect("a file");
        Self { key, certificate, files }
    }

    fn client(&self, server: &Server) -> Client {
        Client::with_certificate(server.port(), &server.ca(), &self.files.0, &self.files.1)
    }

    fn header(&self) -> String {
        format!("Client-Cert: :{}:\r\n", base64(&self.certificate))
    }
}

impl World {
    /// Starts a server and, once its CA has made the certificates, the same with this mode.
    fn new(addresses: &str, mode: &str) -> Self {
        let server = Launch::configured(ESTD, |text| text).start();
        let (proxy, device) = (Party::enroll(&server, "proxy"), Party::enroll(&server, "device"));
        let config = server.folder().join("estd.toml");
        let launch = server.kill();
        let text = std::fs::read_to_string(&config).expect("the configuration");
        let text = text.replace("mode = \"optional\"", &format!("mode = \"{mode}\""));
        let listed = format!("{text}\n[[server.proxy]]\naddresses = [{addresses}]\ncertificate = \"proxy.pem\"\n");
        std::fs::write(config, listed).expect("the configuration can be written");
        Self { server: launch.start(), proxy, device }
    }

    fn listed() -> Self {
        Self::new("\"127.0.0.0/8\"", "optional")
    }

    /// The same, with a proxy that passes its clients' addresses on in `header`, and these further lines.
    fn telling(self, header: &str, lines: &str) -> Self {
        let config = self.server.folder().join("estd.toml");
        let launch = self.server.kill();
        let text = std::fs::read_to_string(&config).expect("the configuration");
        let told = format!("certificate = \"proxy.pem\"\nclient_address = \"{header}\"");
        let told = text.replace("certificate = \"proxy.pem\"", &told) + lines;
        std::fs::write(config, told).expect("the configuration can be written");
        Self { server: launch.start(), ..self }
    }

    /// Asks to renew as the device, by `client`, with these header lines.
    fn renew(&self, client: &Client, headers: &str) -> Response {
        let body = base64(&Key::p256().csr("CN=device", &[]));
        self.post(client, "/simplereenroll", None, headers, &body)
    }

    fn post(&self, client: &Client, path: &str, password: Option<&str>, headers: &str, body: &str) -> Response {
        let request = String::from_utf8(post(path, password, body.as_bytes())).expect("text");
        let request = request.replacen("\r\n", &format!("\r\nAccept: */*\r\n{headers}"), 1);
        client.exchange(request.as_bytes()).expect("an answer")
    }
}

#[test]
fn a_listed_proxy_speaks_for_the_certificate_that_it_forwards() {
    let world = World::listed();
    let proxy = world.proxy.client(&world.server);
    let renewed = world.renew(&proxy, &world.device.header());
    est_core::pkix::Certificate::parse(&renewed.certificate()).expect("a certificate");
    // Further certificates go along, as the handshake would have brought them.
    let chain = format!("{}Client-Cert-Chain: :{}:\r\n", world.device.header(), base64(&world.proxy.certificate));
    assert_eq!(world.renew(&proxy, &chain).status, 200);
    let audit = world.server.estd(&["audit", "list", "--event", "reenroll.success"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("CN=device") && !audit.contains("CN=proxy"), "{audit}");
}

#[test]
fn forwarded_certificates_are_judged_like_shown_ones() {
    let world = World::listed();
    let proxy = world.proxy.client(&world.server);
    let stranger = TestCa::new().device(&Key::p256(), "CN=device", &[]);
    let header = format!("Client-Cert: :{}:\r\n", base64(stranger.as_der()));
    let refused = world.renew(&proxy, &header);
    assert_eq!(refused.status, 401);
    assert!(refused.text().starts_with("the client certificate"), "{}", refused.text());
    let refused = world.renew(&proxy, "Client-Cert: :bm90IGEgY2VydGlmaWNhdGU=:\r\n");
    assert_eq!((refused.status, refused.text()), (401, "the client certificate cannot be read\n"));
}

#[test]
fn the_proxys_own_certificate_is_no_identity() {
    let world = World::listed();
    let proxy = world.proxy.client(&world.server);
    let body = base64(&world.proxy.key.csr("CN=proxy", &[]));
    let refused = world.post(&proxy, "/simpleenroll", None, "", &body);
    assert_eq!((refused.status, refused.text()), (401, ""));
    let password = world.server.password(1);
    assert_eq!(world.post(&proxy, "/simpleenroll", Some(&password), "", &body).status, 200);
}

#[test]
fn nobody_else_is_believed() {
    let world = World::listed();
    let nobody = Client::new(world.server.port(), &world.server.ca());
    let header = world.device.header();
    assert_eq!(world.renew(&nobody, &header).status, 401);
    // Another certificate of the same CA, from the same address.
    let other = Party::enroll(&world.server, "other");
    let refused = world.renew(&other.client(&world.server), &header);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("CN=other; no subjectAltName"), "{}", refused.text());
    // A header that nobody looks at may be anything.
    let device = world.device.client(&world.server);
    assert_eq!(world.renew(&device, "Client-Cert: %2D%2D\r\nClient-Cert-Chain: ?\r\n").status, 200);
}

#[test]
fn the_right_certificate_from_another_address_is_not_believed() {
    let world = World::new("\"192.0.2.0/24\", \"::1\"", "optional");
    let refused = world.renew(&world.proxy.client(&world.server), &world.device.header());
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("CN=proxy; no subjectAltName"), "{}", refused.text());
}

#[test]
fn a_header_that_cannot_be_read_is_the_proxys_fault() {
    let world = World::listed();
    let proxy = world.proxy.client(&world.server);
    let header = world.device.header();
    for headers in [
        format!("Client-Cert: {}\r\n", base64(&world.device.certificate)),
        format!("{header}{header}"),
        "Client-Cert: ::\r\n".into(),
        header.replace("Client-Cert", "Client-Cert-Chain"),
        format!("{header}Client-Cert-Chain: oh\r\n"),
    ] {
        let refused = world.renew(&proxy, &headers);
        let expected = (400, "the proxy's Client-Cert or Client-Cert-Chain header cannot be read\n");
        assert_eq!((refused.status, refused.text()), expected, "{headers}");
    }
}

#[test]
fn a_link_cannot_be_checked_behind_a_proxy() {
    let world = World::listed();
    let proxy = world.proxy.client(&world.server);
    // Even the binding of the proxy's own connection is not that of the client's.
    let link = attribute(est_core::pkix::oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("hunter2")]);
    let body = base64(&Key::p256().csr_with_attributes(name("CN=device").as_der(), &[&link]));
    let refused = world.post(&proxy, "/simplereenroll", None, &world.device.header(), &body);
    assert_eq!(refused.status, 400);
    assert!(refused.text().starts_with("the request cannot be linked to its TLS connection"), "{}", refused.text());
}

#[test]
fn in_mode_required_the_proxy_passes_the_handshake_itself() {
    let world = World::new("\"127.0.0.1\"", "required");
    let proxy = world.proxy.client(&world.server);
    assert_eq!(world.renew(&proxy, &world.device.header()).status, 200);
    let nobody = Client::new(world.server.port(), &world.server.ca());
    let request = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(nobody.exchange(request).is_err());
}

#[test]
fn the_record_has_the_address_that_a_listed_proxy_tells_and_nobody_elses_word_for_it() {
    let world = World::listed().telling("forwarded", "");
    let proxy = world.proxy.client(&world.server);
    let forwarded = "Forwarded: for=198.51.100.9, for=\"[2001:db8::7]:4711\"\r\nX-Forwarded-For: 203.0.113.1\r\n";
    assert_eq!(world.renew(&proxy, &format!("{}{forwarded}", world.device.header())).status, 200);
    assert_eq!(world.renew(&world.device.client(&world.server), forwarded).status, 200);
    let listed = world.server.estd_json(&["audit", "list", "--event", "reenroll.success"]);
    let sources: Vec<_> = listed["events"].as_array().expect("a list").iter().map(|event| &event["source"]).collect();
    assert_eq!(sources, ["127.0.0.1", "2001:db8::7"]);
}

#[test]
fn who_hides_its_address_behind_a_proxy_is_limited_and_harms_nobody_who_does_not() {
    let limits = "\n[limits]\nrequests_per_second = 1\nburst = 3\n";
    let world = World::listed().telling("x-forwarded-for", limits);
    let proxy = world.proxy.client(&world.server);
    let status = |address: &str| {
        let headers = format!("{}X-Forwarded-For: {address}\r\n", world.device.header());
        world.renew(&proxy, &headers).status
    };
    let statuses: Vec<_> = (0..10).map(|_| status("192.0.2.8, unknown")).collect();
    assert!(statuses[..3] == [200; 3] && statuses.contains(&429), "{statuses:?}");
    assert_eq!(status("\u{ff}\", 192.0.2.8"), 200);
    // Nor does anybody choose another address each time.
    let statuses: Vec<_> = (0..10).map(|number| status(&format!("198.51.100.{number}, 192.0.2.9"))).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}
