//! Whose names somebody with a one-time password may ask for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::oid;
use est_core::policy::{Allowance, Plan, decide};
use est_core::{Principal, Refusal};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, name, parse_csr, password_holder};

#[test]
fn a_star_crosses_no_boundary_within_a_name() {
    for (allowed, good, bad) in [
        (
            "uri:https://*.lab.example/x",
            vec![uri("https://a.lab.example/x")],
            vec![
                uri("https://evil.example/.lab.example/x"),
                uri("https://evil.example?.lab.example/x"),
                uri("https://evil.example#.lab.example/x"),
                uri("https://root@evil.lab.example/x"),
            ],
        ),
        (
            "uri:spiffe://plant.example/line/*",
            vec![uri("spiffe://plant.example/line/4"), uri("spiffe://plant.example/line/4..a")],
            vec![
                uri("spiffe://plant.example/line/4/../../admin"),
                uri("spiffe://plant.example/line/.."),
                uri("spiffe://plant.example/line/."),
                uri("spiffe://plant.example/line/%2E%2e"),
                uri("spiffe://plant.example/line/4%2fadmin"),
            ],
        ),
        (
            "uri:^spiffe://plant\\.example/line/[a-z0-9./%]+$",
            vec![uri("spiffe://plant.example/line/4/a.b")],
            vec![uri("spiffe://plant.example/line/4/../../admin"), uri("spiffe://plant.example/line/4/.%2e/admin")],
        ),
        (
            "directory:CN=*,O=Lab",
            vec![directory("CN=a,O=Lab"), directory("CN=a\\,OU=Admins,O=Lab")],
            vec![directory("CN=root-admin,OU=Admins,O=Lab")],
        ),
        ("upn:*@lab.example", vec![upn("a@lab.example")], vec![upn("root@evil.example@lab.example")]),
        (
            "1.3.6.1.4.1.311.20.2.3:*@lab.example",
            vec![upn("a@lab.example")],
            vec![upn("root@evil.example@lab.example")],
        ),
        (
            "smtp-utf8:*@lab.example",
            vec![other(oid::SMTP_UTF8_MAILBOX.as_der(), "ü@lab.example")],
            // No mailbox at all.
            vec![],
        ),
    ] {
        for good in good {
            decided(Some("rack-1"), &[allowed], "", &[&good]).unwrap_or_else(|error| panic!("{allowed}: {error}"));
        }
        for bad in bad {
            let refusal = decided(Some("rack-1"), &[allowed], "", &[&bad]).unwrap_err();
            assert_eq!(refusal.row().code, "name-not-bound", "{allowed}: {refusal}");
        }
    }
    // Every URI is every URI.
    assert!(decided(None, &["uri"], "", &[&uri("spiffe://plant.example/line/../admin")]).is_ok());
}

// Helpers.

/// What a password for this entity, with these names besides, gets.
fn decided(entity: Option<&str>, allowed: &[&str], subject: &str, names: &[&[u8]]) -> Result<Plan, Refusal> {
    let Principal::OneTimePassword { id, expires, label, .. } = password_holder("p") else { panic!("a password") };
    let allowance = Arc::new(Allowance::parse(allowed).unwrap());
    let principal = Principal::OneTimePassword { id, entity: entity.map(Into::into), expires, label, allowance };
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(names));
    let extensions: &[&[u8]] = if names.is_empty() { &[] } else { &[&san] };
    let csr = parse_csr(&Key::p256().csr_with_extensions(subject, extensions));
    decide(&TestCa::new().label(None), &principal, &csr, None, NOW)
}

fn uri(text: &str) -> Vec<u8> {
    der::value(0x86, &[text.as_bytes()])
}

fn directory(text: &str) -> Vec<u8> {
    der::value(0xa4, &[name(text).as_der()])
}

fn upn(text: &str) -> Vec<u8> {
    other(oid::UPN.as_der(), text)
}

fn other(id: &[u8], text: &str) -> Vec<u8> {
    der::value(0xa0, &[id, &der::value(0xa0, &[&der::utf8(text)])])
}
