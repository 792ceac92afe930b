//! Linters that others wrote find nothing in what we issue (X-072): CRLs, and certificates for every profile, type of key and
//! shape of name, by the decisions and the CAs of a server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod authorities;
mod crls;
mod linter;
mod requests;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use est_core::pkix::KeyType;
use est_core::{CaBackend, Issuance, Order, Seconds, Site, policy};
use est_testkit::pki::{Key, NOW, parse_csr, password_holder, serial};
use host::config;

use authorities::Authorities;
use linter::Linter;
use requests::SHAPES;

/// A profile, what its label adds, and the CAs that may issue it.
struct Profile {
    name: &'static str,
    label: &'static str,
    cas: &'static [&'static str],
}

const EVERY_CA: &[&str] = &["p256", "rsa", "pss", "ed25519", "ml-dsa", "below"];

const PROFILES: &[Profile] = &[
    Profile { name: "plain", label: "require_san = false", cas: EVERY_CA },
    Profile { name: "named", label: "", cas: EVERY_CA },
    Profile {
        name: "client",
        label: r#"require_san = false
                  default_key_usage = ["digitalSignature"]
                  default_ext_key_usage = ["clientAuth"]"#,
        cas: EVERY_CA,
    },
    Profile {
        name: "server",
        label: r#"default_key_usage = ["digitalSignature"]
                  default_ext_key_usage = ["serverAuth"]
                  max_validity_days = 90"#,
        cas: EVERY_CA,
    },
    Profile { name: "device", label: "profile = \"device\"", cas: EVERY_CA },
    Profile { name: "tls-server", label: "profile = \"tls-server\"", cas: EVERY_CA },
    Profile { name: "tls-client", label: "profile = \"tls-client\"", cas: EVERY_CA },
    // The Baseline Requirements know neither EdDSA nor ML-DSA.
    Profile { name: "br-tls", label: "profile = \"public\"", cas: &["p256", "rsa", "pss", "below"] },
    Profile { name: "ra", label: "profile = \"ra\"", cas: EVERY_CA },
    Profile { name: "smime", label: "profile = \"smime\"", cas: EVERY_CA },
];

/// The profiles that are not built in.
const OWN_PROFILES: &str = r#"
    [[profile]]
    name = "public"
    base = "br-tls"
    crl_urls = ["http://crl.example.com/ca.crl"]
    issuer_urls = ["http://ca.example.com/ca.cer"]
"#;

const KEY_TYPES: [KeyType; 9] = [
    KeyType::Rsa(2048),
    KeyType::Rsa(3072),
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::EcdsaP521,
    KeyType::Ed25519,
    KeyType::MlDsa44,
    KeyType::MlDsa65,
    KeyType::MlDsa87,
];

/// At least so many certificates are looked at: fewer would mean that requests are refused which should not be.
const AT_LEAST: usize = 1_800;

#[test]
fn find_nothing_in_what_is_issued() {
    let Some(mut linter) = Linter::find() else { return };
    let authorities = Authorities::new(linter.folder());
    let settings = settings(&authorities, linter.folder());
    let site = host::site(&settings, est_backends::algorithms()).unwrap();
    let backends = host::wiring::backends(&settings, &site).unwrap();
    let keys = KEY_TYPES.map(Key::generate);
    let mut issued = 0;
    for (number, profile) in PROFILES.iter().enumerate() {
        for (key_number, key) in keys.iter().enumerate() {
            for (shape_number, shape) in SHAPES.iter().enumerate() {
                // Each profile meets each CA, though not with each key and name.
                let ca = profile.cas[(number + key_number + shape_number) % profile.cas.len()];
                let label = format!("{}-{ca}", profile.name);
                if let Some(certificate) = issue(&site, &backends, &label, &shape.request(key)) {
                    let name = format!("{}/{ca}/{}/{}", profile.name, KEY_TYPES[key_number], shape.name);
                    linter.add(&name, &certificate, ca, profile.name == "br-tls");
                    issued += 1;
                }
            }
        }
    }
    for (profile, what, request) in requests::twins() {
        let certificate = issue(&site, &backends, &format!("{profile}-p256"), &request).expect("it is issued");
        linter.add(&format!("{profile}/p256/twin/{what}"), &certificate, "p256", profile == "br-tls");
        issued += 1;
    }
    authorities.lint(&mut linter);
    crls::lint(&settings, &mut linter);
    assert!(issued >= AT_LEAST, "only {issued} certificates were issued");

    let exceptions = linter::exceptions(include_str!("exceptions.txt"));
    let found = linter.run();
    let wrong: Vec<_> = found.iter().filter(|found| !exceptions.iter().any(|one| one.covers(found))).collect();
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), linter::summary(&wrong));
    let idle: Vec<_> = exceptions.iter().filter(|one| !found.iter().any(|found| one.covers(found))).collect();
    assert!(idle.is_empty(), "exceptions.txt lists what nothing reports: {idle:#?}");
}

/// A linter that never finds anything would pass the test above.
#[test]
fn find_what_is_wrong() {
    let Some(mut linter) = Linter::find() else { return };
    let wrong = authorities::wrong();
    for (ca, certificate) in [("root", &wrong.ca), ("other", &wrong.other_ca)] {
        linter.add_ca(ca, certificate);
    }
    linter.add("a key usage that the key cannot have", &wrong.leaf, "root", true);
    linter.add("a certificate of another issuer", &wrong.leaf, "other", false);
    linter.add_crl("a CRL that the Baseline Requirements do not know", &crls::wrong(), "root", true);
    let found = linter.run();
    for (linter, code) in [
        ("pkix", "pkix.key_usage_value_prohibited_for_mldsa"),
        ("serverauth", "cabf.serverauth.prohibited_subject_public_key_algorithm_encoding"),
        ("chain", "pkix.signature_verification_failed"),
        ("cryptography", "signature"),
        ("br-crl", "cabf.crl_prohibited_reason_code"),
    ] {
        let is_found =
            found.iter().any(|found| found.linter == linter && found.code == code && found.severity == "ERROR");
        assert!(is_found, "{linter} does not find {code}:\n{}", linter::summary(&found.iter().collect::<Vec<_>>()));
    }
}

fn settings(authorities: &Authorities, folder: &Path) -> config::Settings {
    let labels = PROFILES.iter().flat_map(|profile| {
        profile.cas.iter().map(move |ca| {
            format!("[[est.label]]\nname = \"{}-{ca}\"\nca_id = \"{ca}\"\n{}\n", profile.name, profile.label)
        })
    });
    let text = authorities.configuration() + OWN_PROFILES + &labels.collect::<String>();
    match config::parse(&text, folder, |_| None, NOW) {
        Ok((settings, _)) => settings,
        Err(errors) => panic!("{}", errors.iter().map(|error| format!("{error}\n")).collect::<String>()),
    }
}

/// What the server would issue; `None` where it refuses.
fn issue(site: &Site, backends: &dyn CaBackend, label: &str, request: &[u8]) -> Option<Vec<u8>> {
    let label = &site.labels[label];
    let csr = Arc::new(parse_csr(request));
    let plan = policy::decide(label, &password_holder("device"), &csr, None, NOW + Seconds(1)).ok()?;
    let order = Order { ca: label.ca.clone(), serial: serial(7), plan, csr, ticket: None };
    match now(backends.issue(&order)).unwrap() {
        Issuance::Issued(der) => Some(der),
        other => panic!("{other:?}"),
    }
}

/// Runs a future that never waits: without a runtime nothing of ours does.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
