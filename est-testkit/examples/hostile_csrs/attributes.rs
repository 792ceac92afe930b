//! Attributes of requests.

use est_core::pkix::oid;
use est_testkit::der::{attribute, sequence, set, utf8, value};
use est_testkit::pki::name;

use crate::{Maker, common_name, dns, email, ip};

pub(crate) fn attributes(maker: &Maker) {
    let subject = common_name("device-1");
    let of = |attributes: &[&[u8]]| maker.key.csr_with_attributes(&subject, attributes);
    let password = |values: &[&[u8]]| attribute(oid::CHALLENGE_PASSWORD.as_der(), values);
    let unknown = |values: &[&[u8]]| attribute(b"\x06\x03\x2a\x03\x04", values);
    let secret = utf8("secret");
    let twin = of(&[&password(&[&secret])]);
    let cite = "RFC 2986 §4.1, RFC 2985 §5.4";
    for (what, hostile) in [
        ("password-twice", of(&[&password(&[&secret]), &password(&[&secret])])),
        ("password-of-two-values", of(&[&password(&[&secret, &utf8("other")])])),
        ("password-without-value", of(&[&password(&[])])),
        ("of-no-known-kind-twice", of(&[&unknown(&[b"\x05\x00"]), &unknown(&[b"\x05\x00"])])),
    ] {
        maker.pair(("device", "csr-attribute", what, cite), &hostile, &twin);
    }
    let request = |values: &[&[u8]]| of(&[&attribute(oid::EXTENSION_REQUEST.as_der(), values)]);
    for (what, hostile) in [
        ("extension-request-without-value", request(&[])),
        ("extension-request-of-two-values", request(&[b"\x30\x00", b"\x30\x00"])),
    ] {
        maker.pair(("device", "csr-attribute", what, cite), &hostile, &of(&[]));
    }
    for (what, hostile) in [
        ("attribute-is-a-set", of(&[&set(&[b"\x06\x03\x2a\x03\x04", &set(&[&secret])])])),
        ("attribute-without-values", of(&[&sequence(&[b"\x06\x03\x2a\x03\x04"])])),
        ("attribute-values-in-sequence", of(&[&sequence(&[b"\x06\x03\x2a\x03\x04", &sequence(&[&secret])])])),
        ("attribute-by-name", of(&[&sequence(&[&utf8("challengePassword"), &set(&[&secret])])])),
    ] {
        maker.pair(("device", "not-a-csr", what, "RFC 2986 §4.1"), &hostile, &twin);
    }
}

/// ChangeSubjectName: where it may not be, and malformed.
pub(crate) fn changes_of_names(maker: &Maker) {
    let of = |values: &[&[u8]]| {
        let change = attribute(oid::CHANGE_SUBJECT_NAME.as_der(), values);
        maker.key.csr_with_attributes(&common_name("device-1"), &[&change])
    };
    let plain = maker.key.csr_with_attributes(&common_name("device-1"), &[]);
    let device_2 = common_name("device-2");
    let names = value(0xa1, &[&dns("device-2.example")]);
    let cite = "RFC 6402 §2.8";
    for (label, what, change) in [
        ("device", "of-the-subject", sequence(&[&device_2])),
        ("device", "of-the-names", sequence(&[&names])),
        ("device", "to-the-same", sequence(&[&common_name("device-1")])),
        ("tls-client", "of-both", sequence(&[&device_2, &names])),
        ("ra", "of-the-subject", sequence(&[&device_2])),
    ] {
        maker.pair((label, "change-subject-name", what, cite), &of(&[&change]), &plain);
    }
    let twin = of(&[&sequence(&[&device_2, &names])]);
    for (what, hostile) in [
        ("empty", sequence(&[])),
        ("is-a-name", device_2.clone()),
        ("is-text", utf8("CN=device-2")),
        ("names-untagged", sequence(&[&device_2, &sequence(&[&dns("device-2.example")])])),
        ("names-tagged-as-before-the-erratum", sequence(&[&value(0xa0, &[&dns("device-2.example")])])),
        ("names-empty", sequence(&[&device_2, &value(0xa1, &[])])),
        ("names-of-3-octets", sequence(&[&device_2, &value(0xa1, &[b"\x87\x03\x01\x02\x03"])])),
        ("in-another-order", sequence(&[&names, &device_2])),
        ("third-part", sequence(&[&device_2, &names, b"\x05\x00"])),
        ("subject-malformed", sequence(&[&sequence(&[&utf8("CN=device-2")]), &names])),
    ] {
        maker.pair(("movable", "csr-change-subject-name", what, cite), &of(&[&hostile]), &twin);
    }
    let change = sequence(&[&device_2, &names]);
    maker.pair(("movable", "csr-attribute", "two-changes-in-one", cite), &of(&[&change, &change]), &twin);
    maker.pair(("movable", "csr-attribute", "change-without-value", cite), &of(&[]), &twin);
    // What is changed to is held to every rule that a plain request is held to.
    let to = |subject: &[u8], names: &[&[u8]]| {
        let names = if names.is_empty() { Vec::new() } else { value(0xa1, names) };
        of(&[&sequence(&[subject, &names])])
    };
    let host = dns("device-2.example");
    for (rule, what, hostile, twin) in [
        ("subject", "to-a-country-of-three", to(name("C=DEU").as_der(), &[&host]), to(name("C=DE").as_der(), &[&host])),
        ("no-name", "to-nothing", to(name("").as_der(), &[]), to(&device_2, &[])),
        ("malformed-name", "to-a-bad-host", to(&device_2, &[&dns("-")]), to(&device_2, &[&host])),
        ("malformed-name", "to-a-bad-mailbox", to(&device_2, &[&email("a")]), to(&device_2, &[&email("a@b.example")])),
        (
            "common-name-not-in-san",
            "to-a-wildcard-alone",
            to(&common_name("*.a.example"), &[&host]),
            to(&common_name("*.a.example"), &[&dns("*.a.example")]),
        ),
        (
            "name-constraint",
            "to-another-network",
            to(&device_2, &[&ip("192.0.2.1")]),
            to(&device_2, &[&ip("192.0.3.1")]),
        ),
        (
            "name-constraint",
            "to-another-zone",
            to(&device_2, &[&dns("a.office.example")]),
            to(&device_2, &[&dns("a.plant.example")]),
        ),
    ] {
        maker.pair(("movable", rule, what, cite), &hostile, &twin);
    }
}
