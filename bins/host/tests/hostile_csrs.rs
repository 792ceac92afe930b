//! Requests that break one rule each, and twins that are the same but for that: cases `RULE-WHAT` of `vectors/csr/LABEL.cases`.
//!
//! The requests are refused with that rule's code, the twins are issued, and what is issued reads back as it was
//! planned. `est-testkit/examples/hostile_csrs` makes the files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use est_core::pkix::{Certificate, Csr};
use est_core::policy::{self, Plan};
use est_core::{CaBackend, Issuance, Label, Order, Principal, Refusal, Site};
use est_testkit::https::decode_base64;
use est_testkit::packed;
use est_testkit::pki::{NOW, password_holder, serial};
use host::config;
use toml_edit::DocumentMut;

/// Every rule that a request can break.
const RULES: [&str; 60] = [
    "br-attribute-order",
    "br-attribute-twice",
    "br-internal-name",
    "br-joined-attributes",
    "br-reserved-address",
    "br-reserved-label",
    "br-subject-attribute",
    "br-underscore",
    "br-wildcard-below-suffix",
    "ca-certificate",
    "change-subject-name",
    "common-name-not-in-san",
    "csr-attribute",
    "csr-change-subject-name",
    "csr-extensions",
    "csr-subject",
    "csr-subject-alt-name",
    "csr-version",
    "duplicate-extension",
    "ec-compressed",
    "ec-explicit-parameters",
    "ec-form",
    "ec-infinity",
    "ec-point-not-on-curve",
    "ed25519-small-order",
    "email-address-not-in-san",
    "ext-key-usage",
    "key-length",
    "key-malformed",
    "key-of-ca",
    "key-parameters",
    "key-reuse",
    "key-type-not-allowed",
    "key-unsupported",
    "key-usage",
    "malformed-der",
    "malformed-ext-key-usage",
    "malformed-key-usage",
    "malformed-name",
    "name-constraint",
    "name-kind-not-allowed",
    "name-pattern",
    "name-required",
    "names-differ",
    "no-name",
    "not-a-csr",
    "possession",
    "rsa-even-modulus",
    "rsa-exponent",
    "rsa-negative",
    "rsa-size",
    "several-common-names",
    "signature-algorithm",
    "subject",
    "subject-alt-name-required",
    "subject-attribute-not-allowed",
    "subject-attribute-required",
    "subject-pattern",
    "weak-hash",
    "wildcard",
];

#[test]
fn each_is_refused_by_the_rule_it_breaks_and_its_twin_is_issued() {
    let (site, backends) = site();
    let cases = cases();
    assert!(cases.len() >= 600, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let label = &site.labels[&case.label];
        match case.decide(label, &case.csr) {
            Err(refusal) if refusal.row().code == case.refusal => {}
            Err(refusal) => wrong.push(format!("{}: {}: {refusal}", case.name, refusal.row().code)),
            Ok(_) => wrong.push(format!("{}: is issued", case.name)),
        }
        match case.decide(label, &case.twin) {
            Err(refusal) => wrong.push(format!("{}: the twin: {refusal}", case.name)),
            Ok(plan) => {
                if let Some(field) = difference(&backends, label, plan, &case.twin) {
                    wrong.push(format!("{}: the twin's {field} is not what was planned", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_rule_is_broken_by_some_request() {
    let broken: BTreeSet<String> = cases().into_iter().map(|case| case.refusal).collect();
    let broken: Vec<&str> = broken.iter().map(String::as_str).collect();
    assert_eq!(broken, RULES);
}

struct Case {
    /// `LABEL/RULE-WHAT`.
    name: String,
    label: String,
    refusal: String,
    /// The certificate of the client, and whether it is to be renewed.
    held: Option<(Arc<Certificate>, bool)>,
    csr: Vec<u8>,
    twin: Vec<u8>,
}

impl Case {
    fn read(label: &str, name: &str, text: &str) -> Self {
        let case: DocumentMut = text.parse().unwrap_or_else(|error| panic!("{label}/{name}: {error}"));
        let text = |key: &str| case.get(key).map(|value| value.as_str().unwrap().to_owned());
        let octets = |key: &str| text(key).map(|text| decode_base64(text.as_bytes()));
        assert!(text("cite").is_some_and(|cite| !cite.is_empty()), "{name} says what nobody wrote");
        let renews = match text("operation").as_deref() {
            None | Some("simpleenroll") => false,
            Some("simplereenroll") => true,
            Some(other) => panic!("{name}: {other}"),
        };
        let held = octets("certificate").map(|der| (Arc::new(Certificate::parse(&der).unwrap()), renews));
        let refusal = text("refusal").unwrap();
        assert!(name.starts_with(&format!("{refusal}-")), "{label}/{name} is about {refusal}");
        let (name, label) = (format!("{label}/{name}"), label.to_owned());
        Self { name, label, refusal, held, csr: octets("csr").unwrap(), twin: octets("twin").unwrap() }
    }

    fn decide(&self, label: &Label, csr: &[u8]) -> Result<Plan, Refusal> {
        let csr = Csr::parse(csr, est_backends::algorithms()).map_err(Refusal::Csr)?;
        match &self.held {
            None => policy::decide(label, &password_holder("device"), &csr, None, NOW),
            Some((certificate, renews)) => {
                let principal = Principal::Certificate(certificate.clone().into());
                policy::decide(label, &principal, &csr, renews.then_some(&**certificate), NOW)
            }
        }
    }
}

/// The first field in which what is issued is not what was planned.
fn difference(backends: &impl CaBackend, label: &Label, plan: Plan, csr: &[u8]) -> Option<&'static str> {
    let csr = Arc::new(Csr::parse(csr, est_backends::algorithms()).unwrap());
    let order = Order { ca: label.ca.clone(), serial: serial(7), plan, csr, ticket: None };
    let issued = match now(backends.issue(&order)).unwrap() {
        Issuance::Issued(der) => Certificate::parse(&der).unwrap(),
        other => panic!("{other:?}"),
    };
    order.plan.difference(&issued, &label.ca.certificate, order.serial)
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/csr")
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (label, text) in packed::groups(&vectors()) {
        cases.extend(packed::cases(&text).into_iter().map(|(name, text)| Case::read(&label, name, text)));
    }
    cases
}

/// The server that is asked.
fn site() -> (Site, impl CaBackend) {
    let folder = vectors().join("site");
    let text = fs::read_to_string(folder.join("site.toml")).unwrap();
    let settings = match config::parse(&text, &folder, |_| None, NOW) {
        Ok((settings, _)) => settings,
        Err(errors) => panic!("{}", errors.iter().map(|error| format!("{error}\n")).collect::<String>()),
    };
    let site = host::site(&settings, est_backends::algorithms()).unwrap();
    let backends = host::wiring::backends(&settings, &site).unwrap();
    (site, backends)
}

/// Runs a future that never waits: without a runtime nothing of ours does.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
