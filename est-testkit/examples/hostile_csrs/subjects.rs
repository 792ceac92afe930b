//! Subjects: string types, characters, lengths.

use est_core::pkix::{Oid, der, oid};
use est_testkit::der::{sequence, set, utf8, value};
use est_testkit::pki::name;

use crate::{Maker, common_name, dns, email, ia5, printable, subject};

const NAMES: &str = "RFC 5280 §4.1.2.4";
const BOUNDS: &str = "RFC 5280 Appendix A.1";

pub(crate) fn subjects(maker: &Maker) {
    string_types(maker);
    texts(maker);
    lengths(maker);
    email_addresses(maker);
    shapes(maker);
}

/// One attribute with one value against another. The twin's mailbox stands among the names, as it must.
fn pair(maker: &Maker, what: &str, cite: &str, id: &Oid, hostile: &[u8], twin: &[u8]) {
    let mailbox = value(0x81, &[der::contents(twin)]);
    let names = if *id == oid::EMAIL_ADDRESS { vec![mailbox.as_slice()] } else { Vec::new() };
    let of = |value: &[u8]| maker.request(&subject(&[(id.clone(), value.to_vec())]), &names);
    maker.pair(("device", "subject", what, cite), &of(hostile), &of(twin));
}

fn string_types(maker: &Maker) {
    let directory_strings = [
        ("common-name", oid::COMMON_NAME),
        ("organization", oid::ORGANIZATION),
        ("organizational-unit", oid::ORGANIZATIONAL_UNIT),
        ("locality", oid::LOCALITY),
        ("state", oid::STATE),
        ("street", oid::STREET),
        ("title", oid::TITLE),
        ("surname", oid::SURNAME),
        ("given-name", oid::GIVEN_NAME),
    ];
    for (attribute, id) in &directory_strings {
        pair(maker, &format!("{attribute}-teletex"), NAMES, id, &value(0x14, &[b"Line 4"]), &utf8("Line 4"));
    }
    for (attribute, id) in &directory_strings[..3] {
        let bmp = value(0x1e, &[b"\0L\0i\0n\0e"]);
        pair(maker, &format!("{attribute}-bmp"), NAMES, id, &bmp, &printable("Line"));
        pair(maker, &format!("{attribute}-ia5"), NAMES, id, &ia5("Line 4"), &printable("Line 4"));
    }
    let universal = value(0x1c, &[b"\0\0\0L"]);
    pair(maker, "common-name-universal", NAMES, &oid::COMMON_NAME, &universal, &utf8("L"));
    for (what, hostile) in [
        ("common-name-visible", value(0x1a, &[b"a"])),
        ("common-name-numeric", value(0x12, &[b"7"])),
        ("common-name-octets", value(0x04, &[b"a"])),
        ("common-name-integer", b"\x02\x01\x05".to_vec()),
        ("common-name-null", b"\x05\x00".to_vec()),
    ] {
        pair(maker, what, NAMES, &oid::COMMON_NAME, &hostile, &utf8("a"));
    }
    for (what, id, text) in [
        ("country-utf8", oid::COUNTRY, "DE"),
        ("serial-number-utf8", oid::SERIAL_NUMBER, "0815"),
        ("dn-qualifier-utf8", oid::DN_QUALIFIER, "0815"),
    ] {
        pair(maker, what, BOUNDS, &id, &utf8(text), &printable(text));
    }
    let mailbox = "ada@example.com";
    pair(maker, "email-address-utf8", BOUNDS, &oid::EMAIL_ADDRESS, &utf8(mailbox), &ia5(mailbox));
    for (what, hostile) in [("utf8", utf8("example")), ("printable", printable("example"))] {
        let of = |value: Vec<u8>| {
            let domain = subject(&[(oid::DOMAIN_COMPONENT, ia5("com")), (oid::DOMAIN_COMPONENT, value)]);
            maker.request(&domain, &[])
        };
        let what = format!("domain-component-{what}");
        maker.pair(("device", "subject", &what, BOUNDS), &of(hostile), &of(ia5("example")));
    }
    for (what, text) in [("at", "a@b"), ("asterisk", "*"), ("underscore", "a_b"), ("ampersand", "a&b"), ("umlaut", "ë")]
    {
        let id = oid::COMMON_NAME;
        pair(maker, &format!("printable-with-{what}"), "X.680 §41.4", &id, &printable(text), &utf8(text));
    }
    let ia5_beyond = value(0x16, &[b"ada@ex\xe4mple.com"]);
    pair(maker, "ia5-beyond-ascii", "X.680 §41.2", &oid::EMAIL_ADDRESS, &ia5_beyond, &ia5("ada@example.com"));
    for (what, octets) in [
        ("utf8-other-octets", &b"\xff\xfe"[..]),
        ("utf8-overlong", b"\xc0\xaf"),
        ("utf8-surrogate", b"\xed\xa0\x80"),
        ("utf8-beyond-unicode", b"\xf4\x90\x80\x80"),
        ("utf8-half-a-character", b"a\xc3"),
    ] {
        pair(maker, what, "RFC 3629 §3", &oid::COMMON_NAME, &value(0x0c, &[octets]), &utf8("ë"));
    }
}

fn texts(maker: &Maker) {
    for (what, id, twin) in [
        ("empty-common-name", oid::COMMON_NAME, utf8("a")),
        ("empty-organization", oid::ORGANIZATION, utf8("a")),
        ("empty-serial-number", oid::SERIAL_NUMBER, printable("1")),
    ] {
        pair(maker, what, BOUNDS, &id, &value(twin[0], &[]), &twin);
    }
    for (what, text) in [
        ("space-before", " device-1"),
        ("space-after", "device-1 "),
        ("no-break-space-after", "device-1\u{a0}"),
        ("ideographic-space-before", "\u{3000}device-1"),
    ] {
        pair(maker, what, "RFC 4518 §2.6.1", &oid::COMMON_NAME, &utf8(text), &utf8("device-1"));
    }
    pair(maker, "space-alone", "RFC 4518 §2.6.1", &oid::ORGANIZATION, &utf8(" "), &utf8("a"));
    for (what, text) in [
        ("nul", "www.example\0.attacker.example"),
        ("line-feed", "a\n2026-11-21 INFO certificate issued to root"),
        ("carriage-return", "a\rroot"),
        ("tab", "a\tb"),
        ("escape-sequence", "a\u{1b}[2J"),
        ("delete", "a\u{7f}"),
        ("c1-control", "a\u{9b}2J"),
        ("line-separator", "a\u{2028}b"),
        ("right-to-left-override", "a\u{202e}elpmaxe.toor"),
        ("left-to-right-embedding", "a\u{202a}b"),
        ("isolate", "a\u{2066}b\u{2069}"),
    ] {
        let twin = "device-1";
        pair(maker, &format!("with-{what}"), "RFC 4518 §2.2", &oid::COMMON_NAME, &utf8(text), &utf8(twin));
    }
}

fn lengths(maker: &Maker) {
    for (what, id, bound) in [
        ("common-name", oid::COMMON_NAME, 64),
        ("organization", oid::ORGANIZATION, 64),
        ("organizational-unit", oid::ORGANIZATIONAL_UNIT, 64),
        ("title", oid::TITLE, 64),
        ("locality", oid::LOCALITY, 128),
        ("state", oid::STATE, 128),
    ] {
        // Characters count, not octets: each of these takes two.
        let of = |length: usize| utf8(&"ë".repeat(length));
        pair(maker, &format!("{what}-of-{}", bound + 1), BOUNDS, &id, &of(bound + 1), &of(bound));
    }
    let serial_number = |length: usize| printable(&"7".repeat(length));
    pair(maker, "serial-number-of-65", BOUNDS, &oid::SERIAL_NUMBER, &serial_number(65), &serial_number(64));
    let mailbox = |length: usize| {
        let host = format!("{0}.{0}.{0}.example", "h".repeat(60));
        ia5(&format!("{}@{host}", "l".repeat(length - host.len() - 1)))
    };
    pair(maker, "email-address-of-256", BOUNDS, &oid::EMAIL_ADDRESS, &mailbox(256), &mailbox(255));
    for (what, text) in [("one-letter", "D"), ("three-letters", "DEU"), ("digits", "12"), ("signs", "..")] {
        let what = format!("country-of-{what}");
        pair(maker, &what, "RFC 5280 Appendix A.1, ISO 3166-1", &oid::COUNTRY, &printable(text), &printable("DE"));
    }
}

/// Mailboxes in the subject that are not among the names.
fn email_addresses(maker: &Maker) {
    let of = |address: &str, names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| email(name)).collect();
        let subject = subject(&[(oid::COMMON_NAME, utf8("Ada")), (oid::EMAIL_ADDRESS, ia5(address))]);
        maker.request(&subject, &names.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let twin = of("ada@example.com", &["ada@example.com"]);
    for (what, hostile) in [
        ("without-names", of("ada@example.com", &[])),
        ("of-another", of("ada@example.com", &["bob@example.com"])),
        ("in-another-case", of("Ada@example.com", &["ada@example.com"])),
        ("in-angle-brackets", of("<ada@example.com>", &["ada@example.com"])),
        ("without-host", of("ada", &["ada@example.com"])),
        ("of-two-hosts", of("ada@example.com@example.org", &["ada@example.com"])),
    ] {
        let about = ("device", "email-address-not-in-san", what, "RFC 5280 §4.1.2.6");
        maker.pair(about, &hostile, &twin);
    }
}

fn shapes(maker: &Maker) {
    let twin = maker.request(&common_name("a"), &[]);
    let one = set(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("a")])]);
    let attribute = |parts: &[&[u8]]| sequence(&[&set(&[&sequence(parts)])]);
    let id = oid::COMMON_NAME;
    for (what, hostile) in [
        ("is-a-set", value(0x31, &[&one])),
        ("empty-rdn", sequence(&[&set(&[]), &one])),
        ("rdn-is-a-sequence", sequence(&[&sequence(&[&sequence(&[id.as_der(), &utf8("a")])])])),
        ("attribute-without-value", attribute(&[id.as_der()])),
        ("attribute-of-three-parts", attribute(&[id.as_der(), &utf8("a"), &utf8("b")])),
        ("type-is-text", attribute(&[&utf8("CN"), &utf8("a")])),
        ("of-65-attributes", sequence(&vec![&one[..]; 65])),
    ] {
        maker.pair(("device", "csr-subject", what, NAMES), &maker.request(&hostile, &[]), &twin);
    }
    let empty = name("");
    maker.pair(
        ("device", "no-name", "nothing-asked-for", "RFC 5280 §4.1.2.6"),
        &maker.request(empty.as_der(), &[]),
        &maker.request(empty.as_der(), &[&dns("a.example")]),
    );
}
