//! CAs, as `estd init` makes them, and one below another.

use std::fs;
use std::path::Path;

use est_backends::authority::{self, NewRoot, ServerCertificate, Validity};
use est_backends::{FileSigner, RsaPadding, Signer};
use est_core::pkix::{Certificate, Extension, KeyType, KeyUsage, TbsCertificate, assemble_certificate, oid, pem};
use est_core::{Seconds, UnixTime};
use est_testkit::pki::{Key, NOW, TestCa, name, serial};

use crate::linter::Linter;
use crate::now;

/// The id, the subject and the key of each root, and the key that it gets one day.
const ROOTS: [(&str, &str, KeyType, KeyType); 5] = [
    ("p256", "CN=P-256 Root,O=Example,C=DE", KeyType::EcdsaP256, KeyType::EcdsaP384),
    ("rsa", "CN=RSA Root,O=Example,C=DE", KeyType::Rsa(2048), KeyType::Rsa(3072)),
    ("pss", "CN=PSS Root,O=Example,C=DE", KeyType::Rsa(3072), KeyType::EcdsaP521),
    ("ed25519", "CN=Ed25519 Root,O=Example,C=DE", KeyType::Ed25519, KeyType::MlDsa65),
    ("ml-dsa", "CN=ML-DSA Root,O=Example,C=DE", KeyType::MlDsa65, KeyType::MlDsa87),
];

const YEAR: Seconds = Seconds::from_days(365);
const FROM: UnixTime = UnixTime(NOW.0 - YEAR.0);

/// The certificates of the CAs and of a server, in files with their keys.
pub(crate) struct Authorities {
    /// Name, certificate and issuer.
    certificates: Vec<(String, Vec<u8>, String)>,
}

impl Authorities {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut certificates = Vec::new();
        let validity = |years: u64| Validity { not_before: FROM, span: Seconds(YEAR.0 * years) };
        for (id, subject, key_type, next_type) in ROOTS {
            let (mut signer, key) = FileSigner::generate(key_type).unwrap();
            if id == "pss" {
                signer = signer.with_rsa_padding(RsaPadding::Pss);
            }
            let root = now(authority::self_signed_ca(&name(subject), &signer, validity(10), serial(1))).unwrap();
            let parsed = Certificate::parse(&root).unwrap();
            write(folder, id, &root, &key);

            let (server, server_key) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
            let names = authority::local_names();
            let wanted = ServerCertificate {
                names: &names,
                public_key: server.public_key(),
                validity: Validity { not_before: NOW, span: Seconds::from_days(825) },
                serial: serial(2),
            };
            let server = now(authority::server_certificate(&parsed, &signer, &wanted)).unwrap();
            write(folder, &format!("{id}-server"), &server, &server_key);
            certificates.push((format!("{id}/root"), root, id.into()));
            certificates.push((format!("{id}/own server"), server, id.into()));

            let (next, _) = FileSigner::generate(next_type).unwrap();
            let wanted = NewRoot { validity: Validity { not_before: NOW, span: YEAR }, serials: [4, 5, 6].map(serial) };
            let made = now(authority::roll_over(&parsed, &signer, &next, &wanted)).unwrap();
            let new = format!("{id}-new");
            write_certificate(folder, &new, &made.new_with_new);
            certificates.push((format!("{id}/new root"), made.new_with_new, new.clone()));
            certificates.push((format!("{id}/old with new"), made.old_with_new, new));
            certificates.push((format!("{id}/new with old"), made.new_with_old, id.into()));

            if id == "p256" {
                let (below, key) = FileSigner::generate(KeyType::EcdsaP384).unwrap();
                let der = intermediate(&parsed, &signer, &below);
                write(folder, "below", &der, &key);
                certificates.push((format!("{id}/intermediate"), der, id.into()));
            }
        }
        Self { certificates }
    }

    /// What a configuration says of them.
    pub(crate) fn configuration(&self) -> String {
        let cas = ROOTS.map(|(id, ..)| ca(id)).concat();
        format!(
            "[tls]\ncert = \"p256-server.pem\"\nkey = \"p256-server-key.pem\"\nclient_auth.trust_anchors = \"p256.pem\"\n\
             {cas}{}chain = \"p256.pem\"\n",
            ca("below")
        )
    }

    /// Has their own certificates looked at, and names them as issuers.
    pub(crate) fn lint(&self, linter: &mut Linter) {
        for (name, certificate, issuer) in &self.certificates {
            linter.add(name, certificate, issuer, false);
        }
    }
}

fn ca(id: &str) -> String {
    let padding = if id == "pss" { "pss" } else { "pkcs1" };
    format!(
        "[[ca]]\nid = \"{id}\"\ncert = \"{id}.pem\"\nkey = \"{id}-key.pem\"\nrsa_padding = \"{padding}\"\nvalidity_days = 90\n"
    )
}

fn write_certificate(folder: &Path, id: &str, certificate: &[u8]) {
    fs::write(folder.join(format!("{id}.der")), certificate).unwrap();
    fs::write(folder.join(format!("{id}.pem")), pem::encode("CERTIFICATE", certificate)).unwrap();
}

fn write(folder: &Path, id: &str, certificate: &[u8], key: &str) {
    write_certificate(folder, id, certificate);
    fs::write(folder.join(format!("{id}-key.pem")), key).unwrap();
}

/// An issuing CA, as operators get it from somewhere else.
fn intermediate(root: &Certificate, signer: &FileSigner, below: &FileSigner) -> Vec<u8> {
    let path_length_zero = vec![0x30, 6, 1, 1, 0xff, 2, 1, 0];
    let extensions = [
        Extension { id: oid::BASIC_CONSTRAINTS, critical: true, value: path_length_zero },
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)),
        Extension::subject_key_identifier(&below.public_key().key_identifier()),
        Extension::authority_key_identifier(&root.subject_key_identifier().unwrap()),
    ];
    let to_be_signed = TbsCertificate {
        serial: serial(3),
        signature_algorithm: signer.signature_algorithm(),
        issuer: root.subject(),
        subject: &name("CN=Issuing CA,O=Example,C=DE"),
        not_before: FROM,
        not_after: NOW + YEAR,
        public_key: below.public_key().as_der(),
        extensions: &extensions,
    }
    .to_der();
    let signature = now(signer.sign(&to_be_signed)).unwrap();
    assemble_certificate(to_be_signed, signer.signature_algorithm(), &signature)
}

/// A certificate that is wrong in every way which the linters are to find.
pub(crate) struct Wrong {
    pub(crate) ca: Vec<u8>,
    pub(crate) other_ca: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
}

/// An ML-DSA key for encipherment.
pub(crate) fn wrong() -> Wrong {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let key = Key::generate(KeyType::MlDsa44);
    let to_be_signed = TbsCertificate {
        serial: serial(4),
        signature_algorithm: ca.key.signature_algorithm(),
        issuer: ca.certificate().subject(),
        subject: &name("CN=a.example.com"),
        not_before: NOW,
        not_after: NOW + Seconds::from_days(1),
        public_key: key.public_key().as_der(),
        extensions: &[Extension::end_entity(), Extension::key_usage(KeyUsage::KEY_ENCIPHERMENT)],
    };
    let leaf = ca.key.signed(to_be_signed.to_der());
    Wrong { ca: ca.certificate().as_der().to_vec(), other_ca: other.certificate().as_der().to_vec(), leaf }
}
