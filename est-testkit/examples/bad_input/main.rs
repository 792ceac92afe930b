//! Makes the cases in `bins/estd/tests/vectors/bad_input` whose bodies need a signature over hostile contents. The files are
//! what counts: this adds the cases that are not there, and is run when a case is added here, or was removed there to be
//! made again.
//!
//! `cargo run -p est-testkit --example bad_input`

mod attributes;
mod der;
mod keys;
mod names;
mod signature;

use std::path::Path;

use est_core::Refusal;
use est_core::pkix::der::DerError;
use est_core::pkix::{CsrError, KeyError, KeyType};
use est_testkit::https::base64;
use est_testkit::packed::Packer;
use est_testkit::pki::Key;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bins/estd/tests/vectors/bad_input");
    let mut maker = Maker { cases: Packer::new(folder), group: "", path: "/simpleenroll" };
    der::der(&mut maker);
    signature::signature(&mut maker);
    keys::keys(&mut maker);
    attributes::attributes(&mut maker);
    attributes::extensions(&mut maker);
    names::subjects(&mut maker);
    names::alternative_names(&mut maker);
    labels(&mut maker);
}

struct Maker {
    cases: Packer,
    group: &'static str,
    path: &'static str,
}

impl Maker {
    fn bad(&mut self, name: &str, about: &str, refusal: impl Into<Reason>, cite: &str, body: &[u8]) {
        let Reason(refusal) = refusal.into();
        let status = refusal.row().http_status;
        self.write(name, about, &format!("expect: {status}\ntext: {refusal}\n"), cite, body);
    }

    fn granted(&mut self, about: &str, cite: &str, body: &[u8]) {
        self.write("granted", about, "expect: certificate\n", cite, body);
    }

    fn write(&mut self, name: &str, about: &str, expected: &str, cite: &str, body: &[u8]) {
        let encoded = base64(body);
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let (path, body) = (self.path, lines.join("\n"));
        let text = format!(
            "# {about}\n{expected}cite: {cite}\n\n\
             POST /.well-known/est{path} HTTP/1.1\nHost: localhost\nConnection: close\nAuthorization: Basic {{basic}}\n\
             Content-Type: application/pkcs10\nContent-Length: {{length}}\n\n{body}\n"
        );
        self.cases.add(self.group, name, &text);
    }
}

/// Why a case is refused.
struct Reason(Refusal);

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<CsrError> for Reason {
    fn from(error: CsrError) -> Self {
        Self(Refusal::Csr(error))
    }
}

impl From<DerError> for Reason {
    fn from(error: DerError) -> Self {
        CsrError::Der(error).into()
    }
}

impl From<KeyError> for Reason {
    fn from(error: KeyError) -> Self {
        CsrError::Key(error).into()
    }
}

const VERSION: &[u8] = b"\x02\x01\x00";
const NO_ATTRIBUTES: &[u8] = b"\xa0\x00";
const RFC_2986: &str = "RFC 2986 §4";

fn labels(maker: &mut Maker) {
    maker.group = "labels";
    let cite = "RFC 7030 §3.2.2";
    let key = Key::p256();
    maker.path = "/servers/simpleenroll";
    maker.granted("A request that keeps to the label's rules", cite, &key.csr("CN=servers", &["DNS:servers.example"]));
    maker.bad(
        "key-type",
        "A key of a type that the label does not take",
        Refusal::KeyTypeNotAllowed { key_type: KeyType::Ed25519, allowed: "ecdsa-p256".into() },
        cite,
        &Key::generate(KeyType::Ed25519).csr("CN=servers", &["DNS:servers.example"]),
    );
    maker.bad(
        "without-names",
        "No subjectAltName where the label requires one",
        Refusal::SubjectAltNameRequired,
        cite,
        &key.csr("CN=servers", &[]),
    );
    maker.path = "/people/simpleenroll";
    let pattern = || Refusal::SubjectPattern { pattern: "^CN=[a-z]+,O=Example$".into() };
    maker.bad(
        "subject",
        "A subject that the label's pattern does not match",
        pattern(),
        cite,
        &key.csr("CN=Ann,O=Attacker", &[]),
    );
    maker.bad(
        "subject-with-an-escaped-comma",
        "A value that looks like a second attribute",
        pattern(),
        cite,
        &key.csr("CN=ann\\,O=Example", &[]),
    );
    maker.bad(
        "subject-on-a-second-line",
        "A pattern's end of line is no end of text",
        pattern(),
        cite,
        &key.csr("CN=ann,O=Example,OU=x", &[]),
    );
    maker.path = "/simpleenroll";
}
