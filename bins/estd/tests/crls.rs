//! CRLs and the grace of expired certificates, in a server that runs: openssl is the CA of others.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use est_core::UnixTime;
use est_testkit::https::{Client, Response, base64, post_as};
use est_testkit::peers::OpenSsl;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long a server may take to see that a file has changed: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIG: &str = "\
[ca]\ndefault_ca=c\n\
[c]\ndatabase=index\ncrlnumber=number\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\ncopy_extensions=none\n\
crl_extensions=crl\nx509_extensions=client\nunique_subject=no\n\
[p]\ncommonName=supplied\n\
[crl]\nauthorityKeyIdentifier=keyid\n\
[client]\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=serverAuth,clientAuth\n";

/// A CA that is not the server's, with a device.
struct Others(OpenSsl);

impl Others {
    fn new() -> Option<Self> {
        let openssl = OpenSsl::find()?;
        openssl.write("ca.conf", CONFIG);
        openssl.write("index", "");
        openssl.write("number", "01\n");
        std::fs::create_dir(openssl.path().join("crls")).expect("a folder");
        let others = Self(openssl);
        others.0.run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout others.key -subj /CN=others -days 30 \
             -addext basicConstraints=critical,CA:TRUE -out others.pem",
        );
        others.issue("others.pem", "others.key", "-days 20");
        Some(others)
    }

    /// Issues `device.pem` with the key `device.key`, by this CA and for this time.
    fn issue(&self, ca: &str, key: &str, time: &str) {
        let request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key";
        self.0.run(&format!("{request} -subj /CN=device -out device.csr"));
        self.0.run(&format!(
            "ca -config ca.conf -batch -notext -cert {ca} -keyfile {key} {time} -in device.csr -out device.pem"
        ));
    }

    /// Puts a CRL where the server looks, whole at once.
    fn publish_crl(&self) {
        self.0.run("ca -config ca.conf -gencrl -cert others.pem -keyfile others.key -crldays 7 -out crl.pem");
        std::fs::rename(self.path("crl.pem"), self.path("crls/others.pem")).expect("a file can be moved");
    }

    fn revoke(&self) {
        self.0.run("ca -config ca.conf -cert others.pem -keyfile others.key -revoke device.pem");
    }

    /// Makes openssl forget its revocations.
    fn pardon(&self) {
        self.0.write("index", "");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server that trusts this CA and its own.
    fn server(&self, keys: &str) -> Server {
        let (anchor, crls) = (self.path("others.pem"), self.path("crls"));
        let keys = keys.replace("CRLS", &format!("crls = {:?}", crls.display().to_string()));
        let with = format!("trust_anchors = [\"ca.pem\", {:?}]\n{keys}", anchor.display().to_string());
        Launch::configured(ESTD, |text| text.replace("trust_anchors = \"ca.pem\"", &with)).start()
    }

    /// Issues `device.pem` in the name of the server's CA, until yesterday.
    fn issue_expired(&self, server: &Server) {
        let file = |name: &str| server.folder().join(name).display().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let days_ago = |days: u64| UnixTime(now - days * 86_400).to_string().replace(['-', ':', 'T'], "");
        let time = format!("-startdate {} -enddate {}", days_ago(30), days_ago(1));
        self.issue(&file("ca.pem"), &file("ca-key.pem"), &time);
    }

    /// The device.
    fn client(&self, server: &Server) -> Client {
        let (certificate, key) = (self.path("device.pem"), self.path("device.key"));
        Client::with_certificate(server.port(), &server.ca(), &certificate, &key)
    }

    /// Asks for a certificate with the device's.
    fn ask(&self, server: &Server, operation: &str) -> Response {
        let client = self.client(server);
        // The text of a refusal is for clients that say what they accept.
        let request = post_as(operation, None, base64(&Key::p256().csr("CN=device", &[])).as_bytes());
        let request = String::from_utf8(request).expect("text").replacen("\r\n", "\r\nAccept: */*\r\n", 1);
        client.exchange(request.as_bytes()).expect("an answer")
    }

    /// Asks until the server has seen a file that makes it answer this.
    fn ask_until(&self, server: &Server, status: u16) -> Response {
        let started = Instant::now();
        loop {
            let answer = self.ask(server, "/simpleenroll");
            if answer.status == status {
                return answer;
            }
            assert!(started.elapsed() < PATIENCE, "{}: {}", answer.status, answer.text());
        }
    }
}

#[test]
fn follows_the_crls_of_a_folder_while_it_runs() {
    let Some(others) = Others::new() else { return };
    others.revoke();
    others.publish_crl();
    let server = others.server("CRLS");
    let refused = others.ask(&server, "/simpleenroll");
    assert_eq!((refused.status, refused.text()), (403, "the client certificate has been revoked\n"));
    others.pardon();
    others.publish_crl();
    others.ask_until(&server, 200);
    others.revoke();
    others.publish_crl();
    others.ask_until(&server, 403);
    std::fs::write(others.path("crls/others.pem"), "broken").expect("a file can be written");
    assert_eq!(others.ask(&server, "/simpleenroll").status, 403, "a broken file changes nothing");
    std::fs::remove_file(others.path("crls/others.pem")).expect("a file can be removed");
    let unknown = others.ask_until(&server, 503);
    assert_eq!(unknown.text(), "whether the client certificate was revoked cannot be told at the moment\n");
    assert!(unknown.header("Retry-After").is_some());
}

#[test]
fn lets_in_whom_no_crl_covers_only_under_the_soft_policy_and_logs_it() {
    let Some(others) = Others::new() else { return };
    let hard = others.server("CRLS");
    assert_eq!(others.ask(&hard, "/simpleenroll").status, 503);
    let soft = others.server("CRLS\nrevocation = \"soft\"");
    assert_eq!(others.ask(&soft, "/simpleenroll").status, 200);
    let (_, log) = soft.stop();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("although no CRL tells")).collect();
    assert!(lines.len() == 1 && lines[0].contains("CN=device"), "{lines:?}");
}

#[test]
fn needs_no_crl_for_what_it_issued_itself() {
    let Some(others) = Others::new() else { return };
    let server = others.server("CRLS");
    let key = Key::p256();
    let body = base64(&key.csr("CN=own", &[]));
    let client = Client::new(server.port(), &server.ca());
    let certificate = client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let client = Client::showing(server.port(), &server.ca(), &[certificate], &key.to_pem());
    assert_eq!(client.enroll("/simplereenroll", None, body.as_bytes()).status, 200);
}

#[test]
fn renews_a_certificate_that_expired_yesterday_where_there_is_grace() {
    let Some(others) = Others::new() else { return };
    let without = others.server("");
    others.issue_expired(&without);
    let refused = others.ask(&without, "/simplereenroll");
    assert_eq!(refused.status, 401);
    assert!(refused.text().starts_with("the client certificate expired at "), "{}", refused.text());

    let with = others.server("expired_grace = \"7d\"");
    others.issue_expired(&with);
    assert_eq!(others.ask(&with, "/simplereenroll").status, 200);
    let refused = others.ask(&with, "/simpleenroll");
    assert_eq!(refused.status, 401);
    assert!(refused.text().starts_with("the client certificate expired at "), "{}", refused.text());
}

#[test]
fn gives_grace_in_the_handshake_where_a_certificate_is_required() {
    let Some(others) = Others::new() else { return };
    let launch = |grace: &str| {
        let required = format!("mode = \"required\"\n{grace}");
        Launch::configured(ESTD, |text| text.replace("mode = \"optional\"", &required)).start()
    };
    let with = launch("expired_grace = \"7d\"");
    others.issue_expired(&with);
    assert_eq!(others.ask(&with, "/simplereenroll").status, 200);
    let without = launch("");
    others.issue_expired(&without);
    let cacerts = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(others.client(&with).exchange(cacerts).is_err(), "the certificate is another server's");
    assert!(others.client(&without).exchange(cacerts).is_err());
}
