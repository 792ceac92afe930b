//! Who asks: passwords and certificates in every state.

use std::collections::BTreeMap;
use std::fs;

use est_core::pkix::{Certificate, Extension, KeyUsage, Name, TbsCertificate, oid, pem};
use est_core::{Seconds, UnixTime};
use est_testkit::https::{Client, base64};
use est_testkit::pki::{Key, TestCa, general_names, name, serial};
use est_testkit::server::Server;

use crate::case::Fill;

/// The names of the certificate of `as: certificate`.
const SUBJECT: &str = "CN=device-1,O=Example";
const NAMES: &[&str] = &["DNS:device-1.example"];

/// Everybody, known to one server.
pub(crate) struct People {
    clients: BTreeMap<&'static str, Client>,
    fills: BTreeMap<&'static str, String>,
    secrets: Vec<String>,
}

impl People {
    /// Lets everybody have what the cases say that they have.
    pub(crate) fn of(server: &Server) -> Self {
        let mut people = Self { clients: BTreeMap::new(), fills: BTreeMap::new(), secrets: Vec::new() };
        people.make_passwords(server);
        people.make_certificates(server);
        for file in ["ca-key.pem", "server-key.pem"] {
            let text = fs::read_to_string(server.folder().join(file)).expect("a key file");
            people.keep_secret(&text);
        }
        people
    }

    /// The client of `as:`.
    pub(crate) fn client(&self, who: &str) -> &Client {
        self.clients.get(who).unwrap_or_else(|| panic!("as: {who}"))
    }

    /// What must be in no log and no file.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn make_passwords(&mut self, server: &Server) {
        let create = |arguments: &[&str]| {
            let created = server.estd_json(&[&["otp", "create"], arguments].concat());
            created["otp"].as_str().expect("the clear password").to_owned()
        };
        let (good, spent, revoked) = (create(&["--uses", "100"]), create(&["--uses", "1"]), create(&["--uses", "1"]));
        let bound = create(&["--entity", "device-7"]);
        let body = base64(&Key::p256().csr("CN=spender", &["DNS:spender.example"]));
        Client::new(server.port(), &server.ca()).enroll("/simpleenroll", Some(&spent), body.as_bytes()).certificate();
        let (id, _) = revoked.split_once('.').expect("id.secret");
        assert!(server.estd(&["otp", "revoke", id]).status.success());
        for (fill, user, password) in [
            ("basic", "", &good),
            ("basic-for-anybody", "anybody", &good),
            ("basic-spent", "", &spent),
            ("basic-revoked", "", &revoked),
            ("basic-bound", "device-7", &bound),
            ("basic-bound-to-another", "device-8", &bound),
        ] {
            let (_, secret) = password.split_once('.').expect("id.secret");
            let credentials = base64(format!("{user}:{password}").as_bytes());
            self.secrets.extend([secret.to_owned(), credentials.clone()]);
            self.fills.insert(fill, credentials);
        }
        self.fills.insert("password", good);
    }

    fn make_certificates(&mut self, server: &Server) {
        let (port, ca_file) = (server.port(), server.ca());
        self.clients.insert("nobody", Client::new(port, &ca_file));
        let enroll = |key: &Key| {
            let body = base64(&key.csr(SUBJECT, NAMES));
            let password = server.password(1);
            Client::new(port, &ca_file).enroll("/simpleenroll", Some(&password), body.as_bytes()).certificate()
        };
        let (key, lost) = (Key::p256(), Key::p256());
        let (issued, revoked) = (enroll(&key), enroll(&lost));
        let serial_text = Certificate::parse(&revoked).expect("a certificate").serial_text();
        assert!(server.estd(&["certs", "revoke", &serial_text, "--reason", "keyCompromise"]).status.success());

        let ca = Ca::read(server);
        // The years 2019, 2020 and 2049 begin.
        let (past, now, future) = (UnixTime(1_546_300_800), UnixTime(1_577_836_800), UnixTime(2_493_072_000));
        let client = [Extension::end_entity(), Extension::ext_key_usage(&[oid::CLIENT_AUTH])];
        let not_for_clients = [Extension::end_entity(), Extension::ext_key_usage(&[oid::SERVER_AUTH])];
        let authority = [
            Extension::certificate_authority(),
            Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_CERT_SIGN)),
            Extension::ext_key_usage(&[oid::CLIENT_AUTH]),
        ];
        let expired = ca.issue(&key, past, now, &client);
        let early = ca.issue(&key, future, future + Seconds(60), &client);
        let purpose = ca.issue(&key, now, future, &not_for_clients);
        let is_ca = ca.issue(&key, now, future, &authority);
        let mut broken = issued.clone();
        *broken.last_mut().expect("octets") ^= 1;
        let impostor = Ca { key: Key::p256(), ..Ca::read(server) };
        let forged = impostor.issue(&key, now, future, &client);
        let stranger = TestCa::new();
        let stranger = Ca { certificate: stranger.certificate().clone(), key: stranger.key };
        let untrusted = stranger.issue(&key, now, future, &client);
        let stranger = stranger.certificate.as_der().to_vec();
        let root = ca.certificate.as_der().to_vec();
        let pem = key.to_pem();
        self.keep_secret(&pem);
        for (who, chain) in [
            ("certificate", vec![issued.clone()]),
            ("expired", vec![expired]),
            ("not yet valid", vec![early]),
            ("server", vec![purpose]),
            ("ca", vec![is_ca]),
            ("broken", vec![broken]),
            ("forged", vec![forged.clone()]),
            ("forged with root", vec![forged, root.clone()]),
            ("untrusted", vec![untrusted.clone()]),
            ("untrusted with root", vec![untrusted, stranger]),
            ("somebody else", vec![root]),
            ("garbage", vec![b"\x30\x03\x02\x01\x00".to_vec()]),
            ("many", vec![issued; 40]),
        ] {
            self.clients.insert(who, Client::showing(port, &ca_file, &chain, &pem));
        }
        self.clients.insert("revoked", Client::showing(port, &ca_file, &[revoked], &lost.to_pem()));
        self.fills.insert("private-key", pem);
    }

    fn keep_secret(&mut self, pem: &str) {
        self.secrets.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    }
}

impl Fill for People {
    fn fill(&self, name: &str) -> Option<String> {
        self.fills.get(name).cloned()
    }
}

/// The server's CA, in the hands of a test.
struct Ca {
    key: Key,
    certificate: Certificate,
}

impl Ca {
    fn read(server: &Server) -> Self {
        let contents = |file: &str| {
            let text = fs::read_to_string(server.folder().join(file)).expect("a file of `estd init`");
            pem::decode(&text).and_then(|mut blocks| blocks.pop()).expect("PEM").contents.clone()
        };
        let certificate = Certificate::parse(&contents("ca.pem")).expect("a certificate");
        Self { key: Key::p256_from_pkcs8(&contents("ca-key.pem")), certificate }
    }

    fn issue(&self, key: &Key, not_before: UnixTime, not_after: UnixTime, extensions: &[Extension]) -> Vec<u8> {
        let subject: Name = name(SUBJECT);
        let names = general_names(NAMES).expect("names");
        let san = Extension { id: oid::SUBJECT_ALT_NAME, critical: false, value: names.as_der().to_vec() };
        let to_be_signed = TbsCertificate {
            serial: serial(9),
            signature_algorithm: self.key.signature_algorithm(),
            issuer: self.certificate.subject(),
            subject: &subject,
            not_before,
            not_after,
            public_key: key.public_key().as_der(),
            extensions: &[extensions, &[san]].concat(),
        };
        self.key.signed(to_be_signed.to_der())
    }
}
