//! Which names a label gives.

use super::*;

#[test]
fn requires_a_san_where_the_profile_does() {
    let strict = Profile { names: NameRules { require_san: true, ..NameRules::default() }, ..profile() };
    let key = Key::p256();
    assert_eq!(decided(strict.clone(), &key.csr("CN=a", &[])).unwrap_err(), Refusal::SubjectAltNameRequired);
    assert!(decided(strict, &key.csr("CN=a", &["DNS:a.example"])).is_ok());
}

#[test]
fn refuses_a_request_for_no_name_at_all() {
    assert_eq!(decided(profile(), &Key::p256().csr("", &[])).unwrap_err(), Refusal::NoName);
}

#[test]
fn matches_the_subject_pattern_against_rfc_4514_text() {
    let pattern = Pattern::new("^CN=device-[0-9]+,O=Example$").unwrap();
    let devices = Profile { subject: matching(pattern), ..profile() };
    let key = Key::p256();
    assert!(decided(devices.clone(), &key.csr("CN=device-12,O=Example", &[])).is_ok());
    for subject in ["CN=device-x,O=Example", "CN=device-1,O=Other", "CN=device-1,O=Example,C=DE", ""] {
        let refused = decided(devices.clone(), &key.csr(subject, &["DNS:a.example"])).unwrap_err();
        assert_eq!(refused.row().code, "subject-pattern", "{subject}");
    }
    assert!(Pattern::new("(").is_err());
}

#[test]
fn an_attribute_value_cannot_pass_for_another_attribute() {
    let pattern = Pattern::new("^CN=[^,]+,O=Example$").unwrap();
    let devices = Profile { subject: matching(pattern), ..profile() };
    let sly = Key::p256().csr("CN=root\\,O=Example", &[]);
    assert_eq!(parse_csr(&sly).subject().common_name(), Some("root,O=Example"));
    assert_eq!(decided(devices, &sly).unwrap_err().row().code, "subject-pattern");
}

#[test]
fn refuses_subjects_that_are_no_text() {
    let key = Key::p256();
    let with_value = |value: &[u8]| {
        let attribute = der::sequence(&[oid::COMMON_NAME.as_der(), value]);
        let subject = der::sequence(&[&der::set(&[&attribute])]);
        decided(profile(), &key.csr_with_attributes(&subject, &[])).unwrap_err()
    };
    assert_eq!(with_value(&der::utf8("")), Refusal::Subject(NameError::Empty(oid::COMMON_NAME)));
    assert_eq!(with_value(&der::utf8("a\nb")), Refusal::Subject(NameError::ControlCharacter(oid::COMMON_NAME)));
    for value in [&b"\x0c\x01\xff"[..], b"\x30\x00", b"\x02\x01\x05"] {
        assert_eq!(with_value(value), Refusal::Subject(NameError::NotText(oid::COMMON_NAME)), "{value:02x?}");
    }
    for (value, found) in [(&b"\x14\x01a"[..], StringType::Teletex), (b"\x1e\x02\0a", StringType::Bmp)] {
        let fault = NameError::StringType { id: oid::COMMON_NAME, found };
        assert_eq!(with_value(value), Refusal::Subject(fault), "{value:02x?}");
    }
    for (character, text) in [('_', b"\x13\x03a_b"), ('@', b"\x13\x03a@b"), ('*', b"\x13\x03*.b")] {
        let said = with_value(text).to_string();
        assert!(said.contains(&format!("CN has the character {character}, which a PrintableString")), "{said}");
    }
}

#[test]
fn refuses_names_that_are_not_of_their_kind() {
    let key = Key::p256();
    for text in
        ["DNS:a b.example", "DNS:*.com", "DNS:a..b", "email:nobody", "URI:nothing", "DNS:192.0.2.1.", "DNS:a\nb"]
    {
        let refused = decided(profile(), &key.csr("CN=a", &[text])).unwrap_err();
        assert_eq!(refused.row().code, "malformed-name", "{text}");
        assert!(!refused.to_string().contains('\n'), "one line for the client");
    }
    for text in ["DNS:a.example", "DNS:*.a.example", "IP:2001:db8::1", "email:a@b.example", "URI:urn:uuid:1"] {
        assert!(decided(profile(), &key.csr("CN=a", &[text])).is_ok(), "{text}");
    }
}

#[test]
fn no_refusal_writes_text_that_reads_as_something_else() {
    let attribute = der::sequence(&[oid::COMMON_NAME.as_der(), &der::utf8("a\u{202e}b\u{1b}[2J\u{2028}c\u{85}")]);
    let directory = der::value(0xa4, &[&der::sequence(&[&der::set(&[&attribute])])]);
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(&[&directory]));
    let refused = decided(profile(), &Key::p256().csr_with_extensions("CN=a", &[&san])).unwrap_err();
    assert_eq!(refused.row().code, "malformed-name");
    let text = refused.explanation(&profile());
    assert!(text.contains("CN=a\\E2\\80\\AEb\\1B[2J\\E2\\80\\A8c\\C2\\85"), "{}", text.escape_debug());
}

#[test]
fn refuses_kinds_of_name_whose_contents_are_not_looked_at() {
    for name in [&b"\xa3\x00"[..], b"\xa5\x00"] {
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(&[name]));
        let refused = decided(profile(), &Key::p256().csr_with_extensions("CN=a", &[&san])).unwrap_err();
        assert_eq!(refused.row().code, "malformed-name");
    }
}

#[test]
fn san_is_critical_exactly_when_the_subject_is_empty() {
    let key = Key::p256();
    for (subject, critical) in [("CN=a", false), ("", true)] {
        let plan = decided(profile(), &key.csr(subject, &["DNS:a.example"])).unwrap();
        assert_eq!(extension(&plan, &oid::SUBJECT_ALT_NAME).critical, critical, "{subject:?}");
    }
}

#[test]
fn subject_and_san_are_carried_over_octet_for_octet() {
    // A BMPString would be refused, but the order of a multi-valued RDN and of the names is the client's own.
    let cn = der::sequence(&[oid::COMMON_NAME.as_der(), &der::utf8("zebra")]);
    let ou = der::sequence(&[oid::ORGANIZATIONAL_UNIT.as_der(), b"\x13\x01a"]);
    let subject = der::sequence(&[&der::set(&[&ou, &cn])]);
    let upn = der::value(
        0xa0,
        &[b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03", &der::value(0xa0, &[&der::utf8("u@e")])],
    );
    let names = der::sequence(&[b"\x82\x09z.example", &upn, b"\x82\x09a.example", b"\x87\x04\xc0\x00\x02\x01"]);
    let request = der::extension(oid::SUBJECT_ALT_NAME.as_der(), true, &names);
    let attribute = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&request])]);
    let plan = decided(profile(), &Key::p256().csr_with_attributes(&subject, &[&attribute])).unwrap();
    assert_eq!(plan.subject.as_der(), subject);
    assert_eq!(extension(&plan, &oid::SUBJECT_ALT_NAME).value, names);
}

#[test]
fn the_key_is_carried_over_octet_for_octet() {
    let key = Key::p256();
    let plan = decided(profile(), &key.csr("CN=a", &[])).unwrap();
    assert_eq!(plan.public_key.as_der(), key.public_key().as_der());
}
