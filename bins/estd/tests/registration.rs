//! Who asks for other names than its own: registration authorities (RFC 7030 §3.7) and ChangeSubjectName (RFC 6402 §2.8);
//! and keys that nobody may ask with.

use est_core::pkix::{Certificate, Extension, oid, pem};
use est_testkit::der;
use est_testkit::https::{Client, Response, base64};
use est_testkit::peers::OpenSsl;
use est_testkit::pki::{Key, general_names, name};
use est_testkit::server::{Launch, Server};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

/// `/ras` issues to registration authorities, one of which may enroll meters at `/devices`.
const LABELS: &str = r#"
[est]
unlabelled = true

[[profile]]
name = "movable"
base = "device"
change_subject_name = "any"

[[est.label]]
name = "ras"
ca_id = "main"
profile = "ra"

[[est.label]]
name = "devices"
ca_id = "main"
profile = "movable"

[[est.label]]
name = "fixed"
ca_id = "main"
profile = "device"

[[ra]]
name = "line-4"
certificate = "^CN=ra-4,O=Plant$"
labels = ["devices"]
subject_pattern = "^(CN=meter-[0-9]+)?$"
names = ["dns:^meter-[0-9]+\\.plant\\.example$"]
"#;

const RA: &str = "CN=ra-4,O=Plant";
const METER: (&str, &[&str]) = ("CN=meter-7", &["DNS:meter-7.plant.example"]);

fn launched(edit: impl FnOnce(String) -> String) -> Server {
    Launch::configured(ESTD, |text| edit(text) + LABELS).start()
}

/// Somebody with a certificate.
struct Holder {
    client: Client,
    certificate: Vec<u8>,
}

impl Holder {
    /// Enrolls with a password at a label.
    fn enrolled(server: &Server, label: &str, subject: &str, names: &[&str]) -> Self {
        let key = Key::p256();
        let answer = with_password(server, label, &key.csr(subject, names));
        Self::showing(server, answer.certificate(), &key.to_pem())
    }

    fn showing(server: &Server, certificate: Vec<u8>, key: &str) -> Self {
        let client = Client::showing(server.port(), &server.ca(), std::slice::from_ref(&certificate), key);
        Self { client, certificate }
    }

    fn post(&self, path: &str, request: &[u8]) -> Response {
        self.client.enroll(path, None, base64(request).as_bytes())
    }
}

fn with_password(server: &Server, label: &str, request: &[u8]) -> Response {
    let client = Client::new(server.port(), &server.ca());
    let created = match label.strip_prefix('/') {
        Some(label) => server.estd_json(&["otp", "create", "--label", label]),
        None => server.estd_json(&["otp", "create"]),
    };
    let password = created["otp"].as_str().expect("a password");
    client.enroll(&format!("{label}/simpleenroll"), Some(password), base64(request).as_bytes())
}

fn issued(answer: &Response) -> Certificate {
    Certificate::parse(&answer.certificate()).expect("a certificate")
}

fn refused(answer: &Response, beginning: &str) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().starts_with(beginning), "{}", answer.text());
}

// Registration authorities.

#[test]
fn an_ra_enrolls_others_within_its_limits_and_the_audit_names_both() {
    let server = launched(|text| text);
    let ra = Holder::enrolled(&server, "/ras", RA, &[]);
    let own = Certificate::parse(&ra.certificate).expect("a certificate");
    let actor = format!("certificate {} ({RA})", colons(own.serial()));
    for (subject, whom) in [(METER.0, METER.0), ("", METER.1[0])] {
        let meter = issued(&ra.post("/devices/simpleenroll", &Key::p256().csr(subject, METER.1)));
        assert_eq!(meter.subject(), &name(subject));
        assert_eq!(meter.subject_alt_name(), general_names(METER.1).as_ref());
        assert!(!meter.is_for_ra(), "what it gets is a device's");

        let audit = server.estd_json(&["audit", "list"]);
        let mut events = audit["events"].as_array().expect("events").iter();
        let is_issuance =
            |event: &&serde_json::Value| event["event"] == "cert.issued" && event["serial"] == colons(meter.serial());
        let event = events.find(is_issuance).expect("it is in the audit");
        assert_eq!(event["actor"], actor);
        let reason = event["reason"].as_str().expect("a reason");
        assert!(reason.ends_with(&format!("; for {whom} by the registration authority line-4")), "{reason}");
    }
}

#[test]
fn an_ra_may_not_ask_for_what_lies_outside_of_its_limits() {
    let server = launched(|text| text);
    let ra = Holder::enrolled(&server, "/ras", RA, &[]);
    let outside = "the registration authority line-4 may not ask for this: ";
    for (subject, names) in [
        ("CN=pump-7", METER.1),
        ("CN=meter-7,O=Plant", METER.1),
        (METER.0, &["DNS:meter-7.office.example"]),
        (METER.0, &["DNS:meter-7.plant.example", "DNS:pump-7.plant.example"]),
        (METER.0, &["IP:192.0.2.1"]),
        ("CN=ra-5,O=Plant", &[]),
    ] {
        refused(&ra.post("/devices/simpleenroll", &Key::p256().csr(subject, names)), outside);
    }
    // At a label that is not its own it is a holder like any other.
    let differ = "subject and subjectAltName must be those of the certificate that authenticates";
    for label in ["/ras", "/fixed"] {
        let answer = ra.post(&format!("{label}/simpleenroll"), &Key::p256().csr(METER.0, METER.1));
        refused(&answer, differ);
    }
    // And it gets no certificate for servers.
    let servers = Extension::ext_key_usage(&[oid::SERVER_AUTH]);
    let servers = der::extension(servers.id.as_der(), servers.critical, &servers.value);
    let answer = ra.post("/simpleenroll", &Key::p256().csr_with_extensions(RA, &[&servers]));
    refused(&answer, "certificates of this label are for serverAuth");
    let answer = ra.post("/devices/simplereenroll", &Key::p256().csr(METER.0, METER.1));
    refused(&answer, differ);
}

#[test]
fn who_is_no_ra_enrolls_nobody_else() {
    let server = launched(|text| text);
    let differ = "subject and subjectAltName must be those of the certificate that authenticates";
    // The purpose without the name, and the name without the purpose.
    for (label, subject) in [("/ras", "CN=ra-5,O=Plant"), ("/devices", RA)] {
        let holder = Holder::enrolled(&server, label, subject, &[]);
        refused(&holder.post("/devices/simpleenroll", &Key::p256().csr(METER.0, METER.1)), differ);
    }
}

#[test]
fn an_ra_of_another_trusted_ca_counts_for_nothing() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout others.key -subj /CN=others -days 30 \
         -addext basicConstraints=critical,CA:TRUE -out others.pem",
    );
    openssl.run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ra.key -subj /O=Plant/CN=ra-4 -days 30 \
         -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28 \
         -CA others.pem -CAkey others.key -out ra.pem",
    );
    let path = |file: &str| openssl.path().join(file);
    let anchor = format!("trust_anchors = [\"ca.pem\", {:?}]", path("others.pem").display().to_string());
    let server = launched(|text| text.replace("trust_anchors = \"ca.pem\"", &anchor));
    let client = Client::with_certificate(server.port(), &server.ca(), &path("ra.pem"), &path("ra.key"));
    let ask = |subject: &str, names: &[&str]| {
        client.enroll("/devices/simpleenroll", None, base64(&Key::p256().csr(subject, names)).as_bytes())
    };
    refused(&ask(METER.0, METER.1), "subject and subjectAltName must be those of the certificate that authenticates");
    assert_eq!(ask(RA, &[]).status, 200, "it is known, and may ask for itself");
}

#[test]
fn an_ra_renews_its_own_certificate() {
    let server = launched(|text| text);
    let ra = Holder::enrolled(&server, "/ras", RA, &[]);
    let key = Key::p256();
    let answer = ra.post("/ras/simplereenroll", &key.csr(RA, &[]));
    let renewed = issued(&answer);
    assert!(renewed.is_for_ra());
    let again = Holder::showing(&server, renewed.as_der().to_vec(), &key.to_pem());
    assert_eq!(again.post("/devices/simpleenroll", &Key::p256().csr(METER.0, METER.1)).status, 200);
}

// ChangeSubjectName.

/// A request in the holder's names that wants others.
fn changing(key: &Key, subject: Option<&str>, names: &[&str]) -> Vec<u8> {
    let subject = subject.map(|text| name(text).as_der().to_vec()).unwrap_or_default();
    let names = general_names(names).map(|names| {
        let mut tagged = names.as_der().to_vec();
        tagged[0] = 0xa1;
        tagged
    });
    let change = der::sequence(&[&subject, &names.unwrap_or_default()]);
    let change = der::attribute(oid::CHANGE_SUBJECT_NAME.as_der(), &[&change]);
    let own = general_names(METER.1).expect("names");
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, own.as_der());
    let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&san])]);
    key.csr_with_attributes(name(METER.0).as_der(), &[&request, &change])
}

#[test]
fn a_holder_changes_its_names_where_the_profile_allows_it() {
    let Some(openssl) = OpenSsl::find() else { return };
    let server = launched(|text| text);
    let meter = Holder::enrolled(&server, "/devices", METER.0, METER.1);
    let ca = server.ca();
    for (subject, names, printed, critical) in [
        (None, &["DNS:meter-8.plant.example"][..], "subject=\n", true),
        (Some("CN=meter-8,O=Plant"), &["DNS:meter-8.plant.example"], "subject=O = Plant, CN = meter-8\n", false),
        (Some("CN=meter-8"), &[], "subject=CN = meter-8\n", false),
    ] {
        let request = changing(&Key::p256(), subject, names);
        for operation in ["/devices/simplereenroll", "/devices/simpleenroll"] {
            let answer = meter.post(operation, &request);
            let certificate = issued(&answer);
            assert_eq!(certificate.subject(), &name(subject.unwrap_or_default()));
            assert_eq!(certificate.subject_alt_name(), general_names(names).as_ref());
            let san = certificate.extensions().iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME);
            assert_eq!(san.is_some_and(|san| san.critical), critical);

            openssl.write("changed.pem", pem::encode("CERTIFICATE", certificate.as_der()));
            openssl.run(&format!("verify -x509_strict -purpose sslclient -trusted {} changed.pem", ca.display()));
            let text = openssl.run("x509 -in changed.pem -noout -subject -ext subjectAltName");
            assert!(text.starts_with(printed), "{text}");
            assert_eq!(text.contains("Subject Alternative Name: critical"), critical, "{text}");
            assert_eq!(text.contains("DNS:meter-8.plant.example"), !names.is_empty(), "{text}");

            let again = meter.post(operation, &request);
            assert_eq!(again.certificate(), certificate.as_der(), "a retry gets the same certificate");
        }
    }
}

#[test]
fn a_holder_keeps_its_names_where_the_profile_does_not_let_it_change_them() {
    let server = launched(|text| text);
    let meter = Holder::enrolled(&server, "/fixed", METER.0, METER.1);
    let request = changing(&Key::p256(), Some("CN=meter-8"), &["DNS:meter-8.plant.example"]);
    let told = "this label does not let the names of a certificate be changed: leave ChangeSubjectName out";
    for operation in ["/fixed/simplereenroll", "/fixed/simpleenroll"] {
        refused(&meter.post(operation, &request), told);
    }
    // Where it is allowed, the request itself must still be in the names of the certificate.
    let pump = Holder::enrolled(&server, "/devices", "CN=pump-1", &[]);
    let differ = "subject and subjectAltName must be those of the certificate that authenticates";
    refused(&pump.post("/devices/simplereenroll", &request), differ);
}

// Keys.

#[test]
fn a_compromised_key_is_refused_for_everybody() {
    let server = launched(|text| text);
    let ra = Holder::enrolled(&server, "/ras", RA, &[]);
    let key = Key::p256();
    let certificate = issued(&with_password(&server, "/devices", &key.csr(METER.0, METER.1)));
    let serial = colons(certificate.serial());
    assert!(server.estd(&["certs", "revoke", &serial, "--reason", "keyCompromise"]).status.success());

    let told = "a certificate for this key was revoked because the key was compromised: make a new one";
    refused(&with_password(&server, "/devices", &key.csr(METER.0, METER.1)), told);
    refused(&with_password(&server, "", &key.csr("CN=somebody else", &[])), told);
    refused(&ra.post("/devices/simpleenroll", &key.csr("CN=meter-8", &[])), told);
    refused(&ra.post("/ras/simplereenroll", &key.csr(RA, &[])), told);
    let reasons = server.estd_json(&["audit", "list"]);
    let told = reasons["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["reason"].to_string().contains("key-compromised"));
    assert_eq!(told.count(), 4, "{reasons:#}");
    assert_eq!(with_password(&server, "/devices", &Key::p256().csr(METER.0, METER.1)).status, 200);
}

/// A serial number as `estd` writes it.
fn colons(serial: &[u8]) -> String {
    serial.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}
