//! Whose names somebody with a one-time password may ask for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use est_core::pkix::{Csr, oid};
use est_core::policy::{
    Allowance, IdentityRule, NameChange, NameKind, NameRule, Pattern, Plan, RegistrationAuthority, Who, decide,
    decide_for,
};
use est_core::{Label, Principal, Refusal, Seconds};
use est_testkit::der;
use est_testkit::pki::{ALGORITHMS, Key, NOW, TestCa, name, parse_csr};

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

/// Names that look like ones below what a pattern allows, and lead to something else. Each comes with patterns that an
/// operator may have written, `.*` and all.
const HOSTILE: [(&str, &[&str]); 4] = [
    (
        "uri:^spiffe://plant\\.example/site-a/.*$",
        &[
            "spiffe://plant.example/site-a/../site-b/dev1",
            "spiffe://plant.example/site-a/./dev1",
            "spiffe://plant.example/site-a/..",
            "spiffe://plant.example/site-a/.../dev1",
            "spiffe://plant.example/site-a/..;x=1/site-b/dev1",
            "spiffe://plant.example/site-a/%2e%2e/site-b/dev1",
            "spiffe://plant.example/site-a/.%2E/site-b/dev1",
            "spiffe://plant.example/site-a/%252e%252e/site-b/dev1",
            "spiffe://plant.example/site-a/..%2fsite-b/dev1",
            "spiffe://plant.example/site-a/x%2Fsite-b",
            "spiffe://plant.example/site-a/..%5csite-b/dev1",
            "spiffe://plant.example/site-a/dev%31",
            "spiffe://plant.example/site-a/dev%00",
            "spiffe://plant.example/site-a//dev1",
            "spiffe://plant.example/site-a/x//../site-b",
            "SPIFFE://plant.example/site-a/dev1",
            "spiffe://PLANT.example/site-a/dev1",
            "spiffe://plant.example/SITE-A/dev1",
            "spiffe://plant.example./site-a/dev1",
            "spiffe://root@plant.example/site-a/dev1",
            "spiffe://plant.example/site-a/dev\u{200b}1",
        ],
    ),
    (
        "uri:^https?://.*plant\\.example.*$",
        &[
            "https://plant.example@evil.example/",
            "https://plant.example:x@evil.example/",
            "https://root@plant.example/",
            "https://plant.example//evil",
            "https://plant.example/%2e%2e",
        ],
    ),
    (
        "dns:^.*\\.plant\\.example$",
        &[
            "*.plant.example",
            "a.plant.example.",
            "A.PLANT.EXAMPLE",
            "a..plant.example",
            ".plant.example",
            "a b.plant.example",
            "evil.example/.plant.example",
            "root@x.plant.example",
            "a*.plant.example",
            "a.*.plant.example",
        ],
    ),
    (
        "email:^.*@plant\\.example$",
        &[
            "root@evil.example@plant.example",
            "\"root@evil.example\"@plant.example",
            "a b@plant.example",
            "@plant.example",
        ],
    ),
];

#[test]
fn no_door_lets_a_name_in_that_others_read_as_another_one() {
    let good = [
        ("uri:^spiffe://plant\\.example/site-a/.*$", "spiffe://plant.example/site-a/dev1"),
        ("uri:^spiffe://plant\\.example/site-a/.*$", "spiffe://plant.example/site-a/line/4..a/"),
        ("uri:^spiffe://plant\\.example/site-a/.*$", "spiffe://plant.example/site-a/caf%C3%A9?q=/../x"),
        ("uri:^urn:x:.*$", "urn:x:1:..:2"),
        ("dns:^.*\\.plant\\.example$", "a.b.plant.example"),
        ("dns:^(\\*|[a-z]+)\\.plant\\.example$", "*.plant.example"),
        ("email:^.*@plant\\.example$", "a.b@plant.example"),
    ];
    for (rule, name) in good {
        for (door, verdict) in through_each_door(rule, name) {
            assert_eq!(verdict, Ok(()), "{door}: {rule} {name}");
        }
    }
    for (rule, names) in HOSTILE {
        for name in names {
            for (door, verdict) in through_each_door(rule, name) {
                assert!(verdict.is_err(), "{door}: {rule} {name}");
            }
        }
    }
}

#[test]
fn hidden_characters_are_refused_wherever_a_name_is_text() {
    for hidden in [
        '\u{200b}',
        '\u{200d}',
        '\u{61c}',
        '\u{ad}',
        '\u{2060}',
        '\u{feff}',
        '\u{e0041}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{34f}',
    ] {
        let text = format!("admin{hidden}");
        let subject = der::sequence(&[&der::set(&[&der::sequence(&[oid::COMMON_NAME.as_der(), &der::utf8(&text)])])]);
        let csr = parse_csr(&Key::p256().csr_with_attributes(&subject, &[]));
        let refused = decide(&TestCa::new().label(None), &password(None, &[]), &csr, None, NOW).unwrap_err();
        assert_eq!(refused.row().code, "subject", "{}", hidden.escape_unicode());
        assert!(!refused.to_string().contains(hidden));
        const XMPP: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x05";
        for name in [upn(&format!("{text}@lab.example")), other(XMPP, &text), der::value(0xa4, &[&subject])] {
            let refused = decided(None, &[], "", &[&name]).unwrap_err();
            assert_eq!(refused.row().code, "malformed-name", "{}", hidden.escape_unicode());
        }
    }
}

#[test]
fn a_holder_changes_its_names_to_those_that_it_was_allowed() {
    let ca = TestCa::new();
    let device = ca.device(&Key::p256(), "CN=device-1", &["DNS:device-1.example"]);
    let holder = Principal::Certificate(device.clone().into());
    let change = |subject: &str| {
        let change = der::sequence(&[name(subject).as_der()]);
        let change = der::attribute(oid::CHANGE_SUBJECT_NAME.as_der(), &[&change]);
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, device.subject_alt_name().unwrap().as_der());
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&san])]);
        parse_csr(&Key::p256().csr_with_attributes(name("CN=device-1").as_der(), &[&request, &change]))
    };
    let rule = IdentityRule {
        name: "movers".into(),
        who: Who::Certificate {
            subject: Some(Pattern::new("^CN=device-1$").unwrap()),
            name: None,
            issuer: None,
            fingerprint: None,
        },
        allowance: Allowance::parse(&["subject:CN=device-1-*"]).unwrap(),
        labels: None,
    };
    for (allowed, rules, subject, said) in [
        (NameChange::Refused, vec![rule.clone()], "CN=device-1-new", "change-subject-name"),
        (NameChange::Listed, vec![], "CN=device-1-new", "name-not-bound"),
        (NameChange::Listed, vec![rule.clone()], "CN=device-1-new", "issued"),
        (NameChange::Listed, vec![rule.clone()], "CN=device-2", "name-not-bound"),
        (NameChange::Any, vec![rule], "CN=device-2", "name-not-bound"),
        (NameChange::Any, vec![], "CN=device-2", "issued"),
    ] {
        let mut label = ca.label(None);
        label.profile.change_subject_name = allowed;
        label.identities = rules;
        for renewing in [None, Some(&*device)] {
            let decided = decide(&label, &holder, &change(subject), renewing, NOW);
            let code = decided.map_or_else(|refusal| refusal.row().code, |_| "issued");
            assert_eq!(code, said, "{allowed:?} {subject}");
        }
    }
}

// Helpers.

/// What becomes of a name that a profile, a registration authority, an identity and a password allow by this rule.
fn through_each_door(rule: &str, name: &str) -> [(&'static str, Result<(), Refusal>); 4] {
    let (kind, pattern) = rule.split_once(':').unwrap();
    let tag = match kind {
        "uri" => 0x86,
        "dns" => 0x82,
        _ => 0x81,
    };
    let san = der::sequence(&[&der::value(tag, &[name.as_bytes()])]);
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), true, &san);
    let csr = Csr::parse(&Key::p256().csr_with_extensions("", &[&san]), ALGORITHMS);
    let rules = || {
        let kind = NameKind::from_text(kind).unwrap();
        vec![NameRule { kind, pattern: Some(Pattern::new(pattern).unwrap()) }]
    };
    let ca = TestCa::new();
    let (plain, own) = (ca.label(None), Principal::Certificate(ca.device(&Key::p256(), "CN=device", &[]).into()));
    let ask = |label: &Label, principal: &Principal, ra: Option<&RegistrationAuthority>| {
        let csr = csr.clone().map_err(Refusal::Csr)?;
        decide_for(label, principal, ra, &csr, None, NOW).map(drop)
    };
    let mut profiled = plain.clone();
    profiled.profile.names.allowed = Some(rules());
    let ra = RegistrationAuthority {
        name: "ra".into(),
        certificate: Pattern::new("^CN=ra$").unwrap(),
        subject_pattern: None,
        names: Some(rules()),
    };
    let mut identified = plain.clone();
    identified.identities = vec![IdentityRule {
        name: "devices".into(),
        who: Who::Certificate {
            subject: None,
            name: None,
            issuer: Some(Pattern::new("CN=").unwrap()),
            fingerprint: None,
        },
        allowance: Allowance::new(vec![Pattern::new("^$").unwrap()], rules(), vec![rule.into()]),
        labels: None,
    }];
    [
        ("profile", ask(&profiled, &password(None, &[]), None)),
        ("authority", ask(&plain, &own, Some(&ra))),
        ("identity", ask(&identified, &own, None)),
        ("password", ask(&plain, &password(None, &[rule]), None)),
    ]
}

/// What a password for this entity, with these further names, gets.
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
