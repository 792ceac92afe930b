//! The TLS server's own certificates and their keys, as files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::sync::Arc;

use est_backends::{FileSigner, Signer};
use est_core::Seconds;
use est_core::pkix::{Extension, TbsCertificate, pem};
use est_testkit::peers::Directory;
use est_testkit::pki::{Key, NOW, TestCa, name, serial};
use host::{config, wiring};
use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;

const SEED: &str = include_str!("../../../est-backends/tests/vectors/ml-dsa/65-seed.pem");
const EXPANDED: &str = include_str!("../../../est-backends/tests/vectors/ml-dsa/65-expanded.pem");
const BOTH: &str = include_str!("../../../est-backends/tests/vectors/ml-dsa/65-both.pem");
const CONTRADICTING: &str = include_str!("../../../est-backends/tests/vectors/ml-dsa/44-both-bad-seed.pem");

/// What becomes of a server with the certificate of `certified`'s key and the private key in `key`.
fn load(certified: &str, key: &str) -> Result<Vec<Arc<CertifiedKey>>, String> {
    let (folder, ca) = (Directory::new(), TestCa::with_key(Key::p256(), NOW + Seconds::from_days(30)));
    let certified = FileSigner::from_pem(certified, None).unwrap();
    let certificate = TbsCertificate {
        serial: serial(2),
        signature_algorithm: ca.key.signature_algorithm(),
        issuer: ca.certificate().subject(),
        subject: &name("CN=server"),
        not_before: NOW,
        not_after: NOW + Seconds::from_days(1),
        public_key: certified.public_key().as_der(),
        extensions: &[Extension::end_entity()],
    };
    let certificate = ca.key.signed(certificate.to_der());
    for (file, text) in [
        ("ca.pem", pem::encode("CERTIFICATE", ca.certificate().as_der())),
        ("ca-key.pem", ca.key.to_pem()),
        ("server.pem", pem::encode("CERTIFICATE", &certificate)),
        ("server-key.pem", key.to_owned()),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let text = r#"
        [tls]
        cert = "server.pem"
        key = "server-key.pem"
        client_auth.trust_anchors = "ca.pem"
        [[ca]]
        id = "main"
        cert = "ca.pem"
        key = "ca-key.pem"
    "#;
    let (settings, _) = config::parse(text, folder.path(), |_| None, NOW).unwrap();
    wiring::tls_certificates(&settings.tls).map_err(|error| error.to_string())
}

#[test]
fn reads_the_three_forms_of_an_ml_dsa_key() {
    for key in [SEED, EXPANDED, BOTH] {
        let loaded = load(SEED, key).unwrap();
        let signer = loaded[0].key.choose_scheme(&[SignatureScheme::ML_DSA_65]).unwrap();
        assert_eq!(signer.sign(b"message").unwrap().len(), 3309);
    }
}

#[test]
fn says_what_is_wrong_with_a_key() {
    let error = load(SEED, CONTRADICTING).unwrap_err();
    assert!(error.contains("server-key.pem: its parts do not belong together"), "{error}");
    let error = load(SEED, &Key::p256().to_pem()).unwrap_err();
    assert!(error.contains("server-key.pem: it is not the key of the certificate of CN=server"), "{error}");
}
