//! Operators with client certificates.

use std::path::PathBuf;
use std::process::Command;

use est_core::pkix::{Certificate, pem};
use est_testkit::https::{Client, base64};
use est_testkit::pki::Key;
use est_testkit::server::{Launch, Server};
use serde_json::{Value, json};

use crate::api::{Api, ESTD, problem};

/// A server that accepts the certificates in `listed`, in addition to tokens or instead of them.
fn with(auth: &str, listed: &str) -> Launch {
    Launch::configured(ESTD, |text| {
        let lines = format!("auth = \"{auth}\"\ntrust_anchors = \"ca.pem\"\nfailure_delay = \"0s\"\n");
        text.replace("auth = \"bearer\"\n", &lines) + listed
    })
}

/// Somebody with a certificate of the server's own CA.
fn holder(server: &Server, subject: &str) -> (Certificate, Client) {
    let key = Key::p256();
    let body = base64(&key.csr(subject, &[]));
    let est = Client::new(server.port(), &server.ca());
    let der = est.enroll("/simpleenroll", Some(&server.password(1)), body.as_bytes()).certificate();
    let certificate = Certificate::parse(&der).expect("a certificate");
    let path = |suffix: &str| -> PathBuf { server.folder().join(format!("{}.{suffix}", certificate.serial_text())) };
    std::fs::write(path("pem"), pem::encode("CERTIFICATE", &der)).expect("a file");
    std::fs::write(path("key"), key.to_pem()).expect("a file");
    let client = Client::with_certificate(server.admin_port(), &server.ca(), &path("pem"), &path("key"));
    (certificate, client)
}

const ALICE: &str = "\n[[admin.certificate]]\nsubject = \"^CN=alice$\"\nissued_here = true\nrole = \"operator\"\n";

/// Not for certificates that are issued here.
const ALICE_OF_ELSEWHERE: &str = "\n[[admin.certificate]]\nsubject = \"^CN=alice$\"\nrole = \"operator\"\n";

#[test]
fn who_is_listed_is_let_in_and_a_device_of_the_same_ca_is_not() {
    let server = with("mtls", ALICE).start();
    let (alice, device) = (holder(&server, "CN=alice"), holder(&server, "CN=device"));
    let api = Api::of(alice.1);
    assert_eq!(api.post("/admin/otp", &json!({})).status, 201);
    let created = &api.read("/admin/audit?event=otp.created")["events"][0];
    assert_eq!((&created["actor"], &created["method"]), (&json!("admin:CN=alice"), &json!("certificate")));
    let refused = Api::of(device.1).get("/admin/certs");
    assert_eq!(problem(&refused).1, "unauthorized");
    let failure = &api.read("/admin/audit?event=admin.auth")["events"][0];
    assert_eq!(failure["reason"], "no [[admin.certificate]] fits CN=device");
    assert_eq!(Api::nobody(&server).get("/admin/certs").status, 401);
    assert_eq!(Api::nobody(&server).get("/ready").status, 200, "probes have no certificate");
    assert_eq!(Api::operator(&server).get("/admin/certs").status, 401, "tokens do not count");
}

#[test]
fn either_way_in_does_where_both_are_open() {
    let server = with("both", ALICE).start();
    let (_, alice) = holder(&server, "CN=alice");
    assert_eq!(Api::of(alice.clone()).get("/admin/certs").status, 200);
    assert_eq!(Api::operator(&server).get("/admin/certs").status, 200);
    let headers = "Authorization: Bearer not-the-right-token\r\n";
    assert_eq!(Api::of(alice).send("GET", "/admin/certs", headers, &[]).status, 401, "a wrong token is no token");
}

#[test]
fn a_certificate_that_was_revoked_opens_nothing() {
    let server = with("both", ALICE).start();
    let (certificate, alice) = holder(&server, "CN=alice");
    let api = Api::of(alice);
    assert_eq!(api.get("/admin/certs").status, 200);
    let path = format!("/admin/certs/{}/revoke", certificate.serial_text());
    assert_eq!(api.post(&path, &json!({ "reason": "keyCompromise" })).status, 200);
    assert_eq!(api.get("/admin/certs").status, 401);
    let log = server.estd_json(&["audit", "list", "--event", "admin.auth.failure"]);
    assert_eq!(log["events"][0]["reason"], "the certificate of admin:CN=alice was revoked");
}

#[test]
fn a_stolen_key_opens_nothing_and_enrolls_nothing_with_any_of_its_certificates() {
    let server = with("both", ALICE).start();
    let (first, alice) = holder(&server, "CN=alice");
    let folder = server.folder();
    let path = |name: String| folder.join(name);
    let key = path(format!("{}.key", first.serial_text()));
    let text = std::fs::read_to_string(&key).expect("a key");
    let pair = Key::p256_from_pkcs8(&pem::decode(&text).expect("PEM")[0].contents);
    let own =
        Client::with_certificate(server.port(), &server.ca(), &path(format!("{}.pem", first.serial_text())), &key);
    let renewed = own.enroll("/simplereenroll", None, base64(&pair.csr("CN=alice", &[])).as_bytes()).certificate();
    let second = Certificate::parse(&renewed).expect("a certificate");
    let file = path("second.pem".to_owned());
    std::fs::write(&file, pem::encode("CERTIFICATE", &renewed)).expect("a file");
    let thief = Api::of(Client::with_certificate(server.admin_port(), &server.ca(), &file, &key));
    assert_eq!(thief.get("/admin/certs").status, 200);
    let operator = Api::operator(&server);
    let shown = operator.read(&format!("/admin/certs/{}", first.serial_text()));
    let story = shown["story"].as_array().expect("a story");
    let told = |entry: &Value| (entry["relation"].clone(), entry["serial"].clone(), entry["predecessor"].clone());
    assert_eq!(told(&story[0]), (json!("this"), json!(first.serial_text()), Value::Null));
    assert_eq!(told(&story[1]), (json!("after"), json!(second.serial_text()), json!(first.serial_text())));
    let later = operator.read(&format!("/admin/certs/{}", second.serial_text()));
    assert_eq!((&later["story"][0]["relation"], &later["story"][1]["relation"]), (&json!("before"), &json!("this")));
    let revoke = format!("/admin/certs/{}/revoke", first.serial_text());
    let answer = operator.post(&revoke, &json!({ "reason": "keyCompromise" }));
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains(&second.serial_text()), "{}", answer.text());
    for api in [&thief, &Api::of(alice)] {
        assert_eq!(api.get("/admin/certs").status, 401);
    }
    let thief = Client::with_certificate(server.port(), &server.ca(), &file, &key);
    let refused = thief.enroll("/simplereenroll", None, base64(&Key::p256().csr("CN=alice", &[])).as_bytes());
    assert_eq!((refused.status, refused.text().trim()), (403, "the client certificate has been revoked"));
}

#[test]
fn a_fingerprint_lists_one_certificate_and_not_its_namesake() {
    let server = with("both", ALICE).start();
    let config = server.folder().join("estd.toml");
    let (first, _) = holder(&server, "CN=alice");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let entry = format!(
        "\n[[admin.certificate]]\nfingerprint = \"{}\"\nname = \"alice\"\nrole = \"viewer\"\n",
        first.fingerprint()
    );
    std::fs::write(&config, text.replace(ALICE, &entry)).expect("written");
    let path = |suffix: &str| server.folder().join(format!("{}.{suffix}", first.serial_text()));
    let (pem, key) = (path("pem"), path("key"));
    let server = server.kill().start();
    let (_, namesake) = holder(&server, "CN=alice");
    assert_eq!(Api::of(namesake).get("/admin/certs").status, 401);
    let api = Api::of(Client::with_certificate(server.admin_port(), &server.ca(), &pem, &key));
    assert_eq!(api.get("/admin/certs").status, 200);
    assert_eq!(problem(&api.post("/admin/otp", &json!({}))).1, "forbidden");
}

#[test]
fn a_strangers_certificate_opens_nothing() {
    let server = with("both", ALICE).start();
    let other = with("both", ALICE).start();
    let (certificate, _) = holder(&other, "CN=alice");
    let path = |suffix: &str| other.folder().join(format!("{}.{suffix}", certificate.serial_text()));
    let client = Client::with_certificate(server.admin_port(), &server.ca(), &path("pem"), &path("key"));
    assert_eq!(Api::of(client).get("/admin/certs").status, 401);
}

/// A server that takes the operators of another one's CA, by these further lines.
fn trusting(other: &Server, lines: &str) -> Server {
    let launch = Launch::configured(ESTD, |text| {
        let lines =
            format!("auth = \"both\"\ntrust_anchors = [\"ca.pem\", \"other.pem\"]\nfailure_delay = \"0s\"\n{lines}\n");
        text.replace("auth = \"bearer\"\n", &lines) + ALICE_OF_ELSEWHERE
    });
    std::fs::copy(other.ca(), launch.folder().join("other.pem")).expect("a copy");
    launch.start()
}

/// The holder's client for another server than the one that issued the certificate.
fn elsewhere(issuer: &Server, certificate: &Certificate, server: &Server) -> Api {
    let path = |suffix: &str| issuer.folder().join(format!("{}.{suffix}", certificate.serial_text()));
    Api::of(Client::with_certificate(server.admin_port(), &server.ca(), &path("pem"), &path("key")))
}

#[test]
fn a_device_that_enrolls_under_an_operators_name_is_none() {
    let other = with("both", ALICE).start();
    let server = trusting(&other, "");
    let (_, device) = holder(&server, "CN=alice");
    assert_eq!(problem(&Api::of(device).get("/admin/whoami")).1, "unauthorized");
    let failure = &Api::operator(&server).read("/admin/audit?event=admin.auth")["events"][0];
    let reason = "no [[admin.certificate]] fits CN=alice, which was issued here: give a fingerprint, or issued_here";
    assert_eq!(failure["reason"], reason);
    let (alice, _) = holder(&other, "CN=alice");
    assert_eq!(elsewhere(&other, &alice, &server).read("/admin/whoami")["role"], "operator");
}

#[test]
fn a_device_of_a_ca_that_served_here_before_is_no_operator_either() {
    let before = with("both", ALICE_OF_ELSEWHERE).start();
    let (device, _) = holder(&before, "CN=alice");
    let (old, path) = (before.ca(), |suffix: &str| format!("{}.{suffix}", device.serial_text()));
    let launch = before.kill();
    let in_folder = |name: &str| launch.folder().join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=Another CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        .args(["-keyout", "another-key.pem", "-out", "another.pem"])
        .current_dir(launch.folder())
        .output();
    assert!(made.expect("openssl runs").status.success());
    let text = std::fs::read_to_string(in_folder("estd.toml")).expect("the configuration");
    let (head, tail) = text.split_once("[[ca]]").expect("a CA");
    let tail = tail.replacen("\"ca.pem\"", "\"another.pem\"", 1).replacen("\"ca-key.pem\"", "\"another-key.pem\"", 1);
    std::fs::write(in_folder("estd.toml"), format!("{head}[[ca]]{tail}")).expect("written");
    let (pem, key) = (in_folder(&path("pem")), in_folder(&path("key")));
    let server = launch.start();
    let api = Api::of(Client::with_certificate(server.admin_port(), &old, &pem, &key));
    assert_eq!(api.get("/admin/whoami").status, 401);
    assert_eq!(Api::operator(&server).get("/admin/whoami").status, 200);
}

#[test]
fn an_operator_of_the_ca_above_was_not_issued_here_although_rollover_lists_that_ca() {
    let launch = Launch::configured(ESTD, |text| {
        let lines = "auth = \"mtls\"\ntrust_anchors = \"top.pem\"\nfailure_delay = \"0s\"\n";
        let own = "cert = \"below.pem\"\nkey = \"below-key.pem\"\nrollover = \"top.pem\"";
        let text = text.replace("cert = \"ca.pem\"\nkey = \"ca-key.pem\"", own);
        text.replace("auth = \"bearer\"\n", lines) + ALICE_OF_ELSEWHERE
    });
    let script = "
        ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\n' > below.ext
        printf 'subjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' | tee -a below.ext > alice.ext
        openssl req -x509 $ec -keyout top-key.pem -subj /CN=top -days 100 -out top.pem \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
        for name in below alice; do
            openssl req -new $ec -keyout $name-key.pem -subj /CN=$name -out $name.csr
            openssl x509 -req -in $name.csr -CA top.pem -CAkey top-key.pem -CAcreateserial -days 90 \
                -extfile $name.ext -out $name.pem
        done
        chmod 600 below-key.pem";
    let made = Command::new("bash").args(["-euc", script]).current_dir(launch.folder()).output().expect("bash runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = launch.start();
    let path = |name: &str| server.folder().join(name);
    let alice = Client::with_certificate(server.admin_port(), &server.ca(), &path("alice.pem"), &path("alice-key.pem"));
    assert_eq!(Api::of(alice).read("/admin/whoami")["role"], "operator");
}
