//! Makes the cases in `bins/host/tests/vectors/csr`: certification requests that break one rule each, and twins that are
//! the same but for that. The files are what counts: this adds the cases that are not there, and is run when a case is
//! added here, or was removed there to be made again.
//!
//! `cargo run -p est-testkit --example hostile_csrs`

mod alternative_names;
mod attributes;
mod baseline;
mod cas;
mod constraints;
mod encoding;
mod extensions;
mod keys;
mod profiles;
mod renewals;
mod signatures;
mod subjects;

use std::fs;
use std::path::{Path, PathBuf};

use est_core::pkix::{Oid, oid, pem};
use est_testkit::der::{attribute, extension, sequence, set, value};
use est_testkit::https::base64;
use est_testkit::packed::Packer;
use est_testkit::pki::Key;

fn main() {
    let maker = Maker::new();
    cas::cas(&maker);
    subjects::subjects(&maker);
    alternative_names::hosts(&maker);
    alternative_names::others(&maker);
    alternative_names::shapes(&maker);
    profiles::profiles(&maker);
    constraints::constraints(&maker);
    baseline::baseline(&maker);
    keys::keys(&maker);
    signatures::signatures(&maker);
    extensions::extensions(&maker);
    attributes::attributes(&maker);
    attributes::changes_of_names(&maker);
    renewals::renewals(&maker);
    encoding::encoding(&maker);
}

struct Maker {
    cases: Packer,
    /// The key of most requests.
    key: Key,
}

/// What one case is about: a label, the code of the refusal, what is wrong, and where it is written.
type About<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Maker {
    fn new() -> Self {
        let cases = Packer::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../bins/host/tests/vectors/csr"));
        let site = cases.folder().join("site");
        fs::create_dir_all(&site).expect("a folder for the site");
        Self { key: kept_key(&site, "device"), cases }
    }

    /// The folder with the site's CAs.
    fn site(&self) -> PathBuf {
        self.cases.folder().join("site")
    }

    fn pair(&self, about: About<'_>, hostile: &[u8], twin: &[u8]) {
        self.write(about, "", hostile, twin);
    }

    /// A pair from the holder of `certificate`, which is renewed if `operation` says so.
    fn held_pair(&self, about: About<'_>, operation: &str, certificate: &[u8], hostile: &[u8], twin: &[u8]) {
        let holder = format!("operation = \"{operation}\"\n{}", block("certificate", certificate));
        self.write(about, &holder, hostile, twin);
    }

    fn write(&self, (label, refusal, what, cite): About<'_>, holder: &str, hostile: &[u8], twin: &[u8]) {
        assert_ne!(hostile, twin, "{label} {refusal} {what}");
        let (hostile, twin) = (block("csr", hostile), block("twin", twin));
        let text = format!("refusal = \"{refusal}\"\ncite = \"{cite}\"\n{holder}{hostile}{twin}");
        self.cases.add(label, &format!("{refusal}-{what}"), &text);
    }

    /// A request for a subject and names, DER each.
    fn request(&self, subject: &[u8], names: &[&[u8]]) -> Vec<u8> {
        if names.is_empty() {
            return self.key.csr_with_attributes(subject, &[]);
        }
        self.with_extensions(subject, &[&alternative_names(names)])
    }

    fn with_extensions(&self, subject: &[u8], extensions: &[&[u8]]) -> Vec<u8> {
        self.key.csr_with_attributes(subject, &[&extension_request(extensions)])
    }
}

fn block(name: &str, der: &[u8]) -> String {
    let encoded = base64(der);
    let lines = encoded.as_bytes().chunks(76).map(|line| format!("{}\n", std::str::from_utf8(line).expect("ASCII")));
    format!("{name} = \"\"\"\n{}\"\"\"\n", lines.collect::<String>())
}

/// The P-256 key in this file, which is made where there is none.
fn kept_key(folder: &Path, name: &str) -> Key {
    let file = folder.join(format!("{name}-key.pem"));
    if !file.exists() {
        fs::write(&file, Key::p256().to_pem()).expect("a file for the key");
    }
    let text = fs::read_to_string(&file).expect("a key");
    Key::p256_from_pkcs8(&pem::decode(&text).expect("PEM")[0].contents)
}

fn extension_request(extensions: &[&[u8]]) -> Vec<u8> {
    attribute(oid::EXTENSION_REQUEST.as_der(), &[&sequence(extensions)])
}

fn alternative_names(names: &[&[u8]]) -> Vec<u8> {
    extension(oid::SUBJECT_ALT_NAME.as_der(), false, &sequence(names))
}

/// A subject with an RDN for each attribute.
fn subject(attributes: &[(Oid, Vec<u8>)]) -> Vec<u8> {
    let rdns: Vec<_> = attributes.iter().map(|(id, value)| set(&[&sequence(&[id.as_der(), value])])).collect();
    sequence(&rdns.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn common_name(text: &str) -> Vec<u8> {
    est_testkit::pki::name(&format!("CN={text}")).as_der().to_vec()
}

fn printable(text: &str) -> Vec<u8> {
    value(0x13, &[text.as_bytes()])
}

fn ia5(text: &str) -> Vec<u8> {
    value(0x16, &[text.as_bytes()])
}

fn dns(text: &str) -> Vec<u8> {
    value(0x82, &[text.as_bytes()])
}

fn email(text: &str) -> Vec<u8> {
    value(0x81, &[text.as_bytes()])
}

fn uri(text: &str) -> Vec<u8> {
    value(0x86, &[text.as_bytes()])
}

/// An iPAddress with the octets of an address.
fn ip(text: &str) -> Vec<u8> {
    match text.parse().expect("an address") {
        std::net::IpAddr::V4(address) => value(0x87, &[&address.octets()]),
        std::net::IpAddr::V6(address) => value(0x87, &[&address.octets()]),
    }
}

fn directory(name: &[u8]) -> Vec<u8> {
    value(0xa4, &[name])
}

fn other_name(id: &Oid, contents: &[u8]) -> Vec<u8> {
    value(0xa0, &[id.as_der(), &value(0xa0, &[contents])])
}
