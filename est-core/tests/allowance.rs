//! Whose names somebody with a one-time password may ask for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::oid;
use est_core::policy::{Allowance, IdentityRule, Pattern, Plan, Who, decide};
use est_core::{Principal, Refusal, Seconds};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, name, parse_csr};

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

#[test]
fn an_entity_is_a_host_an_address_a_mailbox_or_a_uri_and_no_other_kind_of_name() {
    const XMPP: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x05";
    let dns = |text: &str| der::value(0x82, &[text.as_bytes()]);
    let mailbox = |text: &str| der::value(0x81, &[text.as_bytes()]);
    for (entity, name) in [
        ("a.example", dns("A.example")),
        ("192.0.2.7", der::value(0x87, &[&[192, 0, 2, 7]])),
        ("a@corp.example", mailbox("a@corp.example")),
        ("urn:dev:1", uri("urn:dev:1")),
    ] {
        assert!(decided(Some(entity), &[], "", &[&name]).is_ok(), "{entity}");
    }
    for (entity, name) in [
        ("administrator@corp.example", upn("administrator@corp.example")),
        ("administrator@corp.example", other(XMPP, "administrator@corp.example")),
        ("ü@corp.example", other(oid::SMTP_UTF8_MAILBOX.as_der(), "ü@corp.example")),
        ("CN=root-admin", directory("CN=root-admin")),
    ] {
        let refusal = decided(Some(entity), &[], "", &[&name]).unwrap_err();
        assert_eq!(refusal.row().code, "name-not-bound", "{entity}");
    }
}

#[test]
fn a_subject_may_be_a_host_an_address_or_a_mailbox_of_the_certificate_and_no_other_name() {
    let mailbox = der::value(0x81, &[b"a@corp.example"]);
    for (allowed, subject, name) in [
        ("dns", "CN=a.example", der::value(0x82, &[b"a.example"])),
        ("ip", "CN=192.0.2.7", der::value(0x87, &[&[192, 0, 2, 7]])),
        ("email", "CN=a@corp.example", mailbox),
    ] {
        assert!(decided(None, &[allowed], subject, &[&name]).is_ok(), "{subject}");
    }
    for (allowed, subject, name) in [
        ("upn", "CN=root-admin", upn("root-admin")),
        ("uri", "CN=urn:root-admin", uri("urn:root-admin")),
        ("directory", "CN=CN\\=root-admin", directory("CN=root-admin")),
    ] {
        let refusal = decided(None, &[allowed], subject, &[&name]).unwrap_err();
        assert_eq!(refusal.row().code, "name-not-bound", "{subject}");
        assert!(decided(None, &[allowed], "", &[&name]).is_ok(), "{allowed}");
    }
}

#[test]
fn a_rule_gives_names_at_the_labels_that_it_lists_alone() {
    let ca = TestCa::new();
    let rule = |name: &str, labels: Option<&str>| IdentityRule {
        name: name.into(),
        who: Who::Entity(Pattern::new("^gw$").unwrap()),
        allowance: Allowance::parse(&[format!("dns:{name}.example")]).unwrap(),
        labels: labels.map(|label| vec![label.into()]),
    };
    for (label, name, allowed) in [
        (Some("servers"), "web.example", true),
        (Some("servers"), "gw.example", false),
        (Some("gateways"), "gw.example", true),
        (Some("gateways"), "web.example", false),
        (Some("gateways"), "any.example", true),
        (Some("others"), "any.example", true),
        (None, "web.example", false),
    ] {
        let mut label = ca.label(label);
        label.identities = vec![rule("web", Some("servers")), rule("gw", Some("gateways")), rule("any", None)];
        let csr = parse_csr(&Key::p256().csr("CN=gw", &[name]));
        let refused = decide(&label, &password(Some("gw"), &[]), &csr, None, NOW).err();
        let code = refused.map(|refusal| refusal.row().code);
        assert_eq!(code, (!allowed).then_some("name-not-bound"), "{:?} {name}", label.name);
    }
}

// Helpers.

/// What a password for this entity, with these names besides, gets.
fn decided(entity: Option<&str>, allowed: &[&str], subject: &str, names: &[&[u8]]) -> Result<Plan, Refusal> {
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(names));
    let csr = parse_csr(&Key::p256().csr_with_extensions(subject, &[&san]));
    decide(&TestCa::new().label(None), &password(entity, allowed), &csr, None, NOW)
}

fn password(entity: Option<&str>, allowed: &[&str]) -> Principal {
    Principal::OneTimePassword {
        id: "p".into(),
        entity: entity.map(Into::into),
        expires: NOW + Seconds(3600),
        label: None,
        allowance: Arc::new(Allowance::parse(allowed).unwrap()),
    }
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
