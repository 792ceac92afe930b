//! Attributes and extensions that contradict themselves, or ask for too much.

use crate::Maker;
use est_core::Refusal;
use est_core::pkix::{CsrError, KeyUsage, Oid, oid};
use est_testkit::der::{attribute, extension, sequence, utf8};
use est_testkit::pki::{Key, name};

pub(crate) fn attributes(maker: &mut Maker) {
    maker.group = "attributes";
    let key = Key::p256();
    let with = |attributes: &[&[u8]]| key.csr_with_attributes(name("CN=attributes").as_der(), attributes);
    let password = attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("hush-challenge-password")]);
    let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00"]);
    let usage = extension(oid::KEY_USAGE.as_der(), true, b"\x03\x02\x07\x80");
    let microsofts = attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[&sequence(&[&usage])]);
    let unknown = attribute(b"\x06\x03\x2a\x03\x04", &[b"\x05\x00"]);
    let twice = |id: Oid| CsrError::Attribute(id);
    let single = "RFC 2985 §5.4";
    maker.granted("Each attribute once", "RFC 2986 §4.1", &with(&[&request, &unknown]));
    maker.bad(
        "extension-request-twice",
        "Two requests for extensions",
        twice(oid::EXTENSION_REQUEST),
        "RFC 9908 §3.2",
        &with(&[&request, &request]),
    );
    maker.bad(
        "both-extension-requests",
        "The standard's request for extensions, and Microsoft's for others",
        CsrError::ExtensionRequestsDiffer,
        "RFC 2985 §5.4.2",
        &with(&[&request, &microsofts]),
    );
    maker.bad(
        "challenge-password-twice",
        "Two passwords",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&password, &password]),
    );
    maker.bad(
        "challenge-password-of-two-values",
        "A password with two values",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&attribute(oid::CHALLENGE_PASSWORD.as_der(), &[&utf8("hush-one"), &utf8("hush-two")])]),
    );
    maker.bad(
        "challenge-password-of-no-value",
        "A password without a value",
        twice(oid::CHALLENGE_PASSWORD),
        single,
        &with(&[&attribute(oid::CHALLENGE_PASSWORD.as_der(), &[])]),
    );
    maker.bad(
        "extension-request-of-no-value",
        "A request for extensions without a value",
        twice(oid::EXTENSION_REQUEST),
        single,
        &with(&[&attribute(oid::EXTENSION_REQUEST.as_der(), &[])]),
    );
    maker.bad(
        "extension-request-of-two-values",
        "A request for extensions with two values",
        twice(oid::EXTENSION_REQUEST),
        single,
        &with(&[&attribute(oid::EXTENSION_REQUEST.as_der(), &[b"\x30\x00", b"\x30\x00"])]),
    );
    maker.bad(
        "unknown-twice",
        "An attribute that nobody knows, twice",
        twice(Oid::from_der(b"\x06\x03\x2a\x03\x04").expect("an identifier")),
        "RFC 2986 §4.1",
        &with(&[&unknown, &unknown]),
    );
    maker.bad(
        "without-a-set",
        "An attribute whose values are no SET",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &with(&[&sequence(&[b"\x06\x03\x2a\x03\x04", b"\x05\x00"])]),
    );
    maker.bad(
        "id-is-an-integer",
        "An attribute named by a number",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &with(&[&attribute(b"\x02\x01\x05", &[b"\x05\x00"])]),
    );
}

pub(crate) fn extensions(maker: &mut Maker) {
    maker.group = "extensions";
    let key = Key::p256();
    let with = |extensions: &[&[u8]]| key.csr_with_extensions("CN=extensions", extensions);
    let of = |id: &Oid, contents: &[u8]| extension(id.as_der(), true, contents);
    let rfc5280 = |section: &str| format!("RFC 5280 §{section}");
    let usage = of(&oid::KEY_USAGE, b"\x03\x02\x07\x80");
    maker.granted("An extension as it should be", &rfc5280("4.2.1.3"), &with(&[&usage]));
    let constraints = rfc5280("4.2.1.9");
    maker.bad(
        "ca-true",
        "A request to be a CA",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff")]),
    );
    maker.bad(
        "ca-true-with-a-path-length",
        "A request to be a CA for others",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x06\x01\x01\xff\x02\x01\x05")]),
    );
    maker.bad(
        "ca-true-not-critical",
        "The same, not critical",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&extension(oid::BASIC_CONSTRAINTS.as_der(), false, b"\x30\x03\x01\x01\xff")]),
    );
    maker.bad(
        "ca-true-in-ber",
        "TRUE written as 01, which a lenient parser takes for TRUE",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\x01")]),
    );
    maker.bad(
        "basic-constraints-of-garbage",
        "basicConstraints that nobody can read",
        Refusal::CaCertificate,
        &constraints,
        &with(&[&of(&oid::BASIC_CONSTRAINTS, b"hush")]),
    );
    maker.bad(
        "ca-true-by-microsofts-attribute",
        "A request to be a CA in Microsoft's attribute",
        Refusal::CaCertificate,
        &constraints,
        &{
            let constraints = of(&oid::BASIC_CONSTRAINTS, b"\x30\x03\x01\x01\xff");
            let request = attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[&sequence(&[&constraints])]);
            key.csr_with_attributes(name("CN=extensions").as_der(), &[&request])
        },
    );
    let usages = rfc5280("4.2.1.3");
    maker.bad(
        "key-cert-sign",
        "A request to sign certificates",
        Refusal::CaCertificate,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x02\x84")]),
    );
    maker.bad(
        "crl-sign",
        "A request to sign CRLs",
        Refusal::CaCertificate,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x01\x82")]),
    );
    let allowed = KeyUsage::DIGITAL_SIGNATURE;
    maker.bad(
        "key-usage-of-another-kind",
        "Only a usage that the key is not given",
        Refusal::KeyUsage { allowed },
        "RFC 10002 §3.1",
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x02\x06\x40")]),
    );
    maker.bad(
        "key-usage-empty",
        "No usage at all",
        Refusal::KeyUsage { allowed },
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x03\x01\x00")]),
    );
    maker.bad(
        "key-usage-of-garbage",
        "A keyUsage that is no BIT STRING",
        Refusal::MalformedKeyUsage,
        &usages,
        &with(&[&of(&oid::KEY_USAGE, b"\x05\x00")]),
    );
    maker.bad(
        "key-usage-twice",
        "An extension twice",
        CsrError::DuplicateExtension(oid::KEY_USAGE),
        &rfc5280("4.2"),
        &with(&[&usage, &usage]),
    );
    maker.bad(
        "names-twice",
        "Two subjectAltNames",
        CsrError::DuplicateExtension(oid::SUBJECT_ALT_NAME),
        &rfc5280("4.2"),
        &with(&[&of(&oid::SUBJECT_ALT_NAME, b"\x30\x03\x82\x01a"), &of(&oid::SUBJECT_ALT_NAME, b"\x30\x03\x82\x01b")]),
    );
    for (case, about, list) in [
        ("list-is-null", "NULL in place of the list", &b"\x05\x00"[..]),
        ("list-is-a-set", "A SET in place of the list", b"\x31\x00"),
        ("entry-is-null", "NULL in place of an extension", b"\x30\x02\x05\x00"),
        ("entry-without-an-id", "An extension without a name", b"\x30\x04\x30\x02\x04\x00"),
        ("entry-named-by-a-number", "An extension named by a number", b"\x30\x07\x30\x05\x02\x01\x05\x04\x00"),
    ] {
        let request = attribute(oid::EXTENSION_REQUEST.as_der(), &[list]);
        let body = key.csr_with_attributes(name("CN=extensions").as_der(), &[&request]);
        maker.bad(case, about, CsrError::Extensions, "RFC 2985 §5.4.2", &body);
    }
    maker.bad(
        "value-is-no-octet-string",
        "An extension whose value stands there bare",
        CsrError::Extensions,
        &rfc5280("4.1"),
        &with(&[&sequence(&[oid::KEY_USAGE.as_der(), b"\x03\x02\x07\x80"])]),
    );
}
