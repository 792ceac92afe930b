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
    let mut server = stopped.start();
    // Certificates name the addresses of before, with and without the key.
    let address = plain(&mut server);
    let named = crl_until(&address, |answer| answer.status == 200);
    let ca = fs::read_to_string(server.ca()).expect("the CA");
    let blocks = est_core::pkix::pem::decode(&ca).expect("PEM");
    let key = est_core::pkix::Certificate::parse(&blocks[0].contents).expect("a certificate").key_digest();
    let key: String = key[..8].iter().map(|octet| format!("{octet:02x}")).collect();
    for path in ["/crl/devices.crl".into(), format!("/crl/devices.{key}.crl"), format!("/crl/factory.{key}.crl")] {
        assert_eq!(
            (get(&address, &path, "").status, get(&address, &path, "").body),
            (200, named.body.clone()),
            "{path}"
        );
    }
    for path in ["/crl/other.crl".into(), format!("/crl/other.{key}.crl"), "/crl/factory.0011223344556677.crl".into()] {
        assert_eq!(get(&address, &path, "").status, 404, "{path}");
    }
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

#[test]
fn a_hold_is_on_the_crl_until_it_is_taken_back_and_nothing_else_can_be() {
    if !is_installed("openssl") {
        return;
    }
    let mut server = launch("").start();
    let address = plain(&mut server);
    let first = crl_until(&address, |answer| answer.status == 200);
    let certificate = enroll(&server, "device");
    let serial = est_core::pkix::Certificate::parse(&certificate).expect("a certificate").serial_text();
    let shell = Shell::new();
    let listed = |answer: &Response| {
        fs::write(shell.folder().join("crl"), &answer.body).expect("written");
        shell.run("openssl crl -inform DER -in crl -noout -text")
    };
    let release = || server.estd(&["certs", "release", &serial]);
    let refused = String::from_utf8_lossy(&release().stderr).into_owned();
    assert!(refused.contains("is not revoked"), "{refused}");
    revoke(&server, &certificate, "certificateHold");
    let held = crl_after(&address, &first);
    assert!(listed(&held).contains("Certificate Hold"), "{}", listed(&held));
    assert!(release().status.success());
    let released = crl_after(&address, &held);
    assert!(listed(&released).contains("No Revoked Certificates"), "{}", listed(&released));
    assert_eq!(server.estd_json(&["certs", "show", &serial])["status"], "active");
    let events = server.estd_json(&["audit", "list", "--event", "cert.released"]);
    assert!(
        events["events"][0]["reason"].as_str().is_some_and(|reason| reason.starts_with("held since 2")),
        "{events}"
    );

    // A hold that becomes a revocation for good.
    revoke(&server, &certificate, "certificateHold");
    revoke(&server, &certificate, "cessationOfOperation");
    let shown = server.estd_json(&["certs", "show", &serial]);
    assert_eq!(shown["revocation_reason"], "cessationOfOperation");
    let refused = String::from_utf8_lossy(&release().stderr).into_owned();
    assert!(refused.contains("is revoked for cessationOfOperation, which is for good"), "{refused}");
    let again = crl_until(&address, |answer| answer.status == 200 && listed(answer).contains("Cessation"));
    assert!(!listed(&again).contains("Hold"));
}

/// Has openssl be the CA of the server, with an index, serial numbers and a CRL of its own.
fn openssl_ca(shell: &Shell, ca: &std::path::Path) {
    let from = ca.parent().expect("a folder").display();
    shell.run(&format!(
        "cp {from}/ca.pem {from}/ca-key.pem . && mkdir new && touch index.txt && echo 0a01 > serial && echo 1f > crlnumber
         cat > openssl.cnf <<'EOF'
[ca]
default_ca = ca
[ca]
database = index.txt
new_certs_dir = new
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca-key.pem
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
crl_extensions = crl
[any]
commonName = supplied
[usr]
extendedKeyUsage = clientAuth, serverAuth
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
EOF
         for name in good bad lost held; do
             openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -subj /CN=$name \
                 -out $name.csr 2>/dev/null
             openssl ca -config openssl.cnf -extensions usr -batch -notext -in $name.csr -out $name.pem 2>/dev/null
         done
         openssl ca -config openssl.cnf -revoke bad.pem -crl_reason superseded 2>/dev/null
         openssl ca -config openssl.cnf -revoke lost.pem -crl_reason keyCompromise 2>/dev/null
         openssl ca -config openssl.cnf -revoke held.pem -crl_reason certificateHold 2>/dev/null
         openssl ca -config openssl.cnf -gencrl -out old.crl 2>/dev/null
         mkdir certs && cp good.pem bad.pem certs/ && openssl x509 -in held.pem -outform DER -out certs/held.der"
    ));
}

#[test]
fn what_another_server_of_the_ca_issued_and_revoked_is_taken_over() {
    if !is_installed("openssl") || !is_installed("curl") {
        return;
    }
    let mut server = launch("").start();
    let address = plain(&mut server);
    crl_until(&address, |answer| answer.status == 200);
    let shell = Shell::new();
    openssl_ca(&shell, &server.ca());
    let path = |name: &str| shell.folder().join(name).display().to_string();
    let import = || server.estd_json(&["certs", "import", &path("certs"), "--crl", &path("old.crl")]);
    let told = import();
    let counts = |told: &serde_json::Value| ["added", "known", "revoked", "listed"].map(|name| told[name].as_u64());
    assert_eq!(counts(&told), [Some(3), Some(0), Some(2), Some(1)], "{told}");
    let told = import();
    assert_eq!(counts(&told), [Some(0), Some(3), Some(0), Some(0)], "again changes nothing: {told}");
    let states = |name: &str| {
        let listed = server.estd_json(&["certs", "list", "--find", name]);
        (listed["certificates"][0]["status"].clone(), listed["certificates"][0]["revocation_reason"].clone())
    };
    assert_eq!(states("good"), ("active".into(), serde_json::Value::Null));
    assert_eq!(states("bad"), ("revoked".into(), "superseded".into()));
    assert_eq!(states("held"), ("revoked".into(), "certificateHold".into()));
    let soon = server.estd_json(&["certs", "list", "--ends-before", "31d", "--status", "valid"]);
    assert_eq!(soon["certificates"].as_array().map(Vec::len), Some(1), "{soon}");
    let soon = server.estd_json(&["certs", "list", "--ends-before", "29d"]);
    assert_eq!(soon["certificates"].as_array().map(Vec::len), Some(0), "{soon}");

    // The next CRL goes on with the number, and has all three.
    let text = |answer: &Response| {
        fs::write(shell.folder().join("crl"), &answer.body).expect("written");
        shell.run("openssl crl -inform DER -in crl -noout -text -crlnumber 2>&1")
    };
    let next = crl_until(&address, |answer| answer.status == 200 && text(answer).contains("crlNumber=0x20"));
    let said = text(&next);
    for serial in ["0A02", "0A03", "0A04"] {
        assert!(said.contains(&format!("Serial Number: {serial}")), "{said}");
    }
    // Who was good renews, and who was not does not, in the inventory or not.
    for (name, renews) in [("good", true), ("bad", false), ("lost", false), ("held", false)] {
        let status = shell.run(&format!(
            "openssl req -new -key {name}.key -subj /CN={name} -outform DER | openssl base64 -out {name}.b64
             curl -s -o /dev/null -w '%{{http_code}}' --cacert ca.pem --cert {name}.pem --key {name}.key \
                 -H 'Content-Type: application/pkcs10' --data-binary @{name}.b64 {}",
            server.est("/simplereenroll")
        ));
        assert_eq!(status.trim() == "200", renews, "{name}: {status}");
    }
    // The certificate that was missing, later.
    let lost = server.estd_json(&["certs", "import", &path("lost.pem")]);
    assert_eq!(counts(&lost), [Some(1), Some(0), Some(1), Some(0)], "{lost}");
    assert_eq!(states("lost"), ("revoked".into(), "keyCompromise".into()));
    let events = server.estd_json(&["audit", "list", "--event", "cert.imported"]);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(4), "{events}");
    let events = server.estd_json(&["audit", "list", "--event", "crl.imported"]);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");

    // A hold that was released here is not put back by the CRL of before.
    let released = server.estd(&["certs", "release", "0A04"]);
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    let told = import();
    assert_eq!(counts(&told), [Some(0), Some(3), Some(0), Some(0)], "{told}");
    assert_eq!(states("held"), ("active".into(), serde_json::Value::Null));

    // One of somebody else's, and nothing of the rest.
    shell.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=stranger -out x.pem \
             2>/dev/null
         cat good.pem x.pem > mixed.pem",
    );
    let refused = server.estd(&["certs", "import", &path("mixed.pem")]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("mixed.pem: certificate 2, CN=stranger with the serial"),
        "{said}"
    );
    assert!(said.contains("and not of CA `factory`: nothing was imported"), "{said}");
}
