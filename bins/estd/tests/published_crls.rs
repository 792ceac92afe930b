//! The CRLs of a server that runs, before openssl and strongSwan.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use est_testkit::https::{Client, Response, base64, read_response};
use est_testkit::peers::is_installed;
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use est_testkit::shell::Shell;

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// How long a server may take to see that something was revoked, or to try a key again: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

const CRL: &str = "/crl/factory.crl";

/// A server with plain HTTP beside, and these keys in its `[[ca]]`.
fn launch(keys: &str) -> Launch {
    Launch::configured(ESTD, |text| {
        let text = text.replace("[server]\n", "[server]\nhttp_listen = \"127.0.0.1:0\"\n");
        text.replace("\nid = \"main\"\n", &format!("\nid = \"factory\"\n{keys}\n"))
    })
}

/// Where it serves CRLs over plain HTTP.
fn plain(server: &mut Server) -> String {
    let line = server.line_with("CRLs on http://");
    line.trim_start_matches("CRLs on http://").trim_end_matches("/crl/").to_owned()
}

/// Asks over plain HTTP.
fn ask(address: &str, request: &str) -> Response {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("{request}Host: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    read_response(&mut stream).expect("HTTP")
}

fn get(address: &str, path: &str, headers: &str) -> Response {
    ask(address, &format!("GET {path} HTTP/1.1\r\n{headers}"))
}

/// Asks for the CRL until the answer is as wanted.
fn crl_until(address: &str, wanted: impl Fn(&Response) -> bool) -> Response {
    let started = Instant::now();
    loop {
        let answer = get(address, CRL, "");
        if wanted(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{}: {:?}", answer.status, answer.header("ETag"));
        std::thread::yield_now();
    }
}

/// Waits for the CRL with another ETag than this one.
fn crl_after(address: &str, last: &Response) -> Response {
    let tag = last.header("ETag").expect("an ETag").to_owned();
    crl_until(address, |answer| answer.status == 200 && answer.header("ETag") != Some(&tag))
}

/// Enrolls a device; returns its certificate.
fn enroll(server: &Server, name: &str) -> Vec<u8> {
    let body = base64(&Key::p256().csr(&format!("CN={name}"), &[]));
    let client = Client::new(server.port(), &server.ca());
    client.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate()
}

fn revoke(server: &Server, certificate: &[u8], reason: &str) {
    let serial = est_core::pkix::Certificate::parse(certificate).expect("a certificate").serial_text();
    assert!(server.estd(&["certs", "revoke", &serial, "--reason", reason]).status.success());
}

fn number(server: &Server) -> u64 {
    server.estd_json(&["crl"])["number"].as_u64().expect("a number")
}

#[test]
fn tells_others_what_was_revoked_within_seconds() {
    if !is_installed("openssl") || !is_installed("pki") {
        return;
    }
    let mut server = launch("crl_url = \"http://crl.example/crl/factory.crl\"").start();
    let address = plain(&mut server);
    let first = crl_until(&address, |answer| answer.status == 200);
    let (good, bad) = (enroll(&server, "good"), enroll(&server, "bad"));
    revoke(&server, &bad, "keyCompromise");
    let second = crl_after(&address, &first);

    let shell = Shell::new();
    for (name, octets) in [("good.der", &good), ("bad.der", &bad), ("1.crl", &first.body), ("2.crl", &second.body)] {
        fs::write(shell.folder().join(name), octets).expect("written");
    }
    let ca = server.ca();
    let ca = ca.display();
    let said = shell.run(&format!(
        "for number in 1 2; do
             openssl crl -inform DER -in $number.crl -CAfile {ca} -verify -noout -crlnumber -lastupdate -nextupdate 2>&1
             openssl crl -inform DER -in $number.crl -out $number.pem
         done
         openssl x509 -in good.der -out good.pem -ext crlDistributionPoints
         openssl x509 -in bad.der -out bad.pem
         for name in good bad; do openssl verify -x509_strict -crl_check -CRLfile 1.pem -CAfile {ca} $name.pem; done
         openssl verify -x509_strict -crl_check -CRLfile 2.pem -CAfile {ca} good.pem
         pki --verify --in good.der --cacert {ca} --crl 2.crl
         openssl x509 -in good.der -noout -ext crlDistributionPoints"
    ));
    assert_eq!(said.matches("verify OK").count(), 2, "{said}");
    assert_eq!(said.matches(": OK").count(), 3, "{said}");
    assert!(said.contains("crlNumber=0x01") && said.contains("crlNumber=0x02"), "{said}");
    assert!(said.contains("URI:http://crl.example/crl/factory.crl"), "{said}");
    let refused = shell.fails(&format!("openssl verify -crl_check -CRLfile 2.pem -CAfile {ca} bad.pem 2>&1"));
    assert!(refused.contains("certificate revoked"), "{refused}");
    let refused = shell.fails(&format!("pki --verify --in bad.der --cacert {ca} --crl 2.crl 2>&1"));
    assert!(refused.contains("revoked"), "{refused}");
}

#[test]
fn answers_over_plain_http_as_caches_and_others_expect() {
    let mut server = launch("").start();
    let address = plain(&mut server);
    let whole = crl_until(&address, |answer| answer.status == 200);
    assert_eq!(whole.header("Content-Type"), Some("application/pkix-crl"));
    assert_eq!(whole.header("Cache-Control"), Some("public, max-age=3600"));
    let (tag, made) = (whole.header("ETag").expect("a tag"), whole.header("Last-Modified").expect("a time"));
    for condition in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {made}\r\n")] {
        let known = get(&address, CRL, &condition);
        assert_eq!((known.status, known.body.len(), known.header("ETag")), (304, 0, Some(tag)), "{condition}");
    }
    assert_eq!(get(&address, CRL, "If-None-Match: \"1-1\"\r\n").body, whole.body);
    let length = whole.body.len().to_string();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let head = format!("HEAD {CRL} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("a head alone");
    assert!(answer.contains(&format!("Content-Length: {length}\r\n")) && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("\r\nETag: "), "{answer}");

    for path in ["/crl/other.crl", "/crl/factory", "/crl/", "/", "/crl/%66actory.crl/", "/.well-known/est/cacerts"] {
        assert_eq!(get(&address, path, "").status, 404, "{path}");
    }
    assert_eq!(get(&address, "/crl/%66actory.crl", "").body, whole.body);
    let posted = ask(&address, &format!("POST {CRL} HTTP/1.1\r\nContent-Length: 0\r\n"));
    assert_eq!((posted.status, posted.header("Allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask(&address, "POST /.well-known/est/simpleenroll HTTP/1.1\r\nContent-Length: 0\r\n").status, 404);

    // The same over HTTPS.
    let client = Client::new(server.port(), &server.ca());
    let request = format!("GET {CRL} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(client.exchange(request.as_bytes()).expect("an answer").body, whole.body);
}

#[test]
fn its_numbers_only_grow_whoever_makes_the_next_one() {
    let mut server = launch("").start();
    let first = crl_until(&plain(&mut server), |answer| answer.status == 200);
    assert_eq!(number(&server), 1);
    assert_eq!(server.estd_json(&["crl", "--renew"])["number"], 2);
    let address = plain(&mut server);
    crl_after(&address, &first);
    let mut server = server.kill().start();
    let third = crl_until(&plain(&mut server), |answer| answer.status == 200);
    assert_eq!(number(&server), 2, "nothing has changed");
    let certificate = enroll(&server, "device");
    revoke(&server, &certificate, "superseded");
    crl_after(&plain(&mut server), &third);
    assert_eq!(number(&server), 3);
    let records = server.estd_json(&["audit", "list", "--event", "crl.published"]);
    let records = records["events"].as_array().expect("a list").clone();
    let reasons: Vec<&str> = records.iter().filter_map(|record| record["reason"].as_str()).collect();
    assert!(reasons.len() == 3 && reasons[0].starts_with("number 3, 1 revoked, until "), "{reasons:?}");
    assert_eq!(records.iter().filter(|record| record["actor"].is_null()).count(), 2, "{records:?}");
}

#[test]
fn a_ca_with_another_id_goes_on_with_its_revocations_and_its_number() {
    let mut server = launch("").start();
    let address = plain(&mut server);
    let first = crl_until(&address, |answer| answer.status == 200);
    let certificate = enroll(&server, "device");
    revoke(&server, &certificate, "superseded");
    crl_after(&address, &first);
    let before = server.estd_json(&["crl"]);
    let stopped = server.kill();
    let file = stopped.folder().join("estd.toml");
    let text = fs::read_to_string(&file).expect("the configuration").replace("\"factory\"", "\"devices\"");
    fs::write(&file, text).expect("written");
    let server = stopped.start();
    let (after, entries) = (server.estd_json(&["crl"]), "Serial Number");
    assert_eq!((&after["ca_id"], &after["number"], &after["pem"]), (&"devices".into(), &2.into(), &before["pem"]));
    let renewed = server.estd_json(&["crl", "--renew"]);
    assert_eq!(renewed["number"], 3);
    if is_installed("openssl") {
        let shell = Shell::new();
        fs::write(shell.folder().join("crl.pem"), renewed["pem"].as_str().expect("PEM")).expect("written");
        assert_eq!(shell.run("openssl crl -in crl.pem -noout -text").matches(entries).count(), 1);
    }
    assert_eq!(server.estd_json(&["certs", "list"])["certificates"][0]["ca_id"], "devices");
    let renamed = server.estd_json(&["audit", "list", "--event", "ca.renamed"]);
    assert_eq!(renamed["events"].as_array().map(Vec::len), Some(1), "{renamed}");
}

#[test]
fn serves_the_last_one_while_the_key_is_out_of_reach() {
    let mut server = launch("").start();
    let address = plain(&mut server);
    let first = crl_until(&address, |answer| answer.status == 200);
    let certificate = enroll(&server, "device");
    // Another key in its place: as good as none.
    let (key, other) = (server.folder().join("ca-key.pem"), server.folder().join("server-key.pem"));
    let right = fs::read(&key).expect("a key");
    fs::copy(&other, &key).expect("copied");
    revoke(&server, &certificate, "unspecified");
    let failed = server.estd(&["crl", "--renew"]);
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("does not belong to its certificate"), "{said}");
    assert_eq!(get(&address, CRL, "").body, first.body);
    fs::write(&key, right).expect("written");
    let second = crl_after(&address, &first);
    assert!(second.body.len() > first.body.len(), "an entry more");
}

#[test]
fn makes_none_where_none_is_wanted() {
    let mut server = launch("crl = false").start();
    let address = plain(&mut server);
    assert_eq!(get(&address, CRL, "").status, 404);
    let refused = server.estd(&["crl", "--renew"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("crl = false"), "{said}");
}

#[test]
fn writes_a_crl_to_a_file_in_either_form() {
    if !is_installed("openssl") {
        return;
    }
    let (server, shell) = (launch("").start(), Shell::new());
    assert!(server.estd(&["crl", "--renew"]).status.success());
    for (form, more) in [("DER", &[][..]), ("PEM", &["--pem"][..])] {
        let file = shell.folder().join(form);
        let out = file.display().to_string();
        assert!(server.estd(&[&["crl", "--ca", "factory", "--out", &out], more].concat()).status.success());
        let ca = server.ca();
        let said = shell.run(&format!("openssl crl -inform {form} -in {form} -CAfile {} -noout 2>&1", ca.display()));
        assert!(said.contains("verify OK"), "{said}");
    }
    let printed = server.estd(&["crl"]);
    assert!(String::from_utf8_lossy(&printed.stdout).contains("-----BEGIN X509 CRL-----"));
    let unknown = server.estd(&["crl", "--ca", "other"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such [[ca]], but factory"));
}

#[test]
fn a_clock_that_ran_ahead_for_a_moment_is_overcome_by_itself() {
    if !is_installed("openssl") || !is_installed("faketime") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let offset = folder.path().join("offset");
    // Never half written: it is read with every look at the clock.
    let set = |text: &str| {
        fs::write(folder.path().join("next"), text).expect("a file");
        fs::rename(folder.path().join("next"), &offset).expect("a file");
    };
    set("+0");
    let mut server = launch("")
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME_TIMESTAMP_FILE", offset.to_str().expect("UTF-8"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    let address = plain(&mut server);
    let first = crl_until(&address, |answer| answer.status == 200);
    let (good, bad) = (enroll(&server, "good"), enroll(&server, "bad"));
    revoke(&server, &bad, "superseded");
    let second = crl_after(&address, &first);
    set("+172800");
    let ahead = crl_after(&address, &second);
    set("+0");
    let right = crl_after(&address, &ahead);

    let shell = Shell::new();
    for (name, octets) in
        [("good.der", &good), ("bad.der", &bad), ("ahead.crl", &ahead.body), ("right.crl", &right.body)]
    {
        fs::write(shell.folder().join(name), octets).expect("written");
    }
    let ca = server.ca();
    let ca = ca.display();
    let said = shell.run(&format!(
        "for name in good bad; do openssl x509 -in $name.der -out $name.pem; done
         for name in ahead right; do openssl crl -inform DER -in $name.crl -out $name.pem -crlnumber; done
         openssl verify -crl_check -CRLfile right.pem -CAfile {ca} good.pem"
    ));
    assert!(said.contains("good.pem: OK"), "{said}");
    let refused = shell.fails(&format!("openssl verify -crl_check -CRLfile right.pem -CAfile {ca} bad.pem 2>&1"));
    assert!(refused.contains("certificate revoked"), "{refused}");
    let refused = shell.fails(&format!("openssl verify -crl_check -CRLfile ahead.pem -CAfile {ca} good.pem 2>&1"));
    assert!(refused.contains("CRL is not yet valid"), "{refused}");
    // A client that has the one from the future gets the right one, whichever way it asks.
    for condition in [
        format!("If-None-Match: {}\r\n", ahead.header("ETag").expect("a tag")),
        format!("If-Modified-Since: {}\r\n", ahead.header("Last-Modified").expect("a time")),
    ] {
        assert_eq!(get(&address, CRL, &condition).body, right.body, "{condition}");
    }
    assert!(number(&server) > 3, "numbers keep the order");
}
