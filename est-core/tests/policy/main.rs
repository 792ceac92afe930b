//! What a request may have: the rules of a label, one by one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod lengths;

use std::sync::Arc;

use est_core::pkix::der::check_distinguished;
use est_core::pkix::{Certificate, Csr, Extension, KeyType, KeyUsage, Name, NameError, Oid, StringType, oid};
use est_core::policy::{Allowance, Held, NameKind, NameRule, NameRules, Pattern, Plan, Profile, SubjectRules, decide};
use est_core::{CertificatePath, Label, Linking, NameBinding, Principal, Refusal, Seconds, UnixTime};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, general_names, name, parse_csr, password_holder, profile};

/// Names of this kind and pattern alone.
fn only(rule: &str) -> NameRules {
    let (kind, pattern) = rule.split_once(':').unwrap();
    let kind = NameKind::from_text(kind).unwrap();
    let rule = NameRule { kind, pattern: Some(Pattern::new(pattern).unwrap()) };
    NameRules { allowed: Some(vec![rule]), ..NameRules::default() }
}

fn matching(pattern: Pattern) -> SubjectRules {
    SubjectRules { patterns: vec![pattern], ..SubjectRules::default() }
}

// Keys.

#[test]
fn takes_only_the_key_types_of_the_profile() {
    let p384 = Profile { key_types: Some(vec![KeyType::EcdsaP384, KeyType::Rsa(3072)]), ..profile() };
    let refused = decided(p384.clone(), &Key::p256().csr("CN=a", &[])).unwrap_err();
    let allowed = "ecdsa-p384, rsa-3072".to_string();
    assert_eq!(refused, Refusal::KeyTypeNotAllowed { key_type: KeyType::EcdsaP256, allowed });
    assert!(decided(p384, &Key::generate(KeyType::EcdsaP384).csr("CN=a", &[])).is_ok());
}

// Names.

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

// Extensions.

#[test]
fn gives_the_key_usages_of_the_profile_as_far_as_the_key_can_have_them() {
    let usage = |plan: &Plan| KeyUsage::from_der(&extension(plan, &oid::KEY_USAGE).value).unwrap();
    let ecdsa = decided(profile(), &Key::p256().csr("CN=a", &[])).unwrap();
    assert_eq!(usage(&ecdsa), KeyUsage::DIGITAL_SIGNATURE);
    let rsa = decided(profile(), &Key::generate(KeyType::Rsa(2048)).csr("CN=a", &[])).unwrap();
    assert_eq!(usage(&rsa), KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT));
    assert!(extension(&rsa, &oid::KEY_USAGE).critical);

    let agreement = KeyUsage::KEY_AGREEMENT;
    let all = Profile { key_usage: profile().key_usage.with(agreement), ..profile() };
    for (key_type, expected) in [
        (KeyType::EcdsaP256, KeyUsage::DIGITAL_SIGNATURE.with(agreement)),
        (KeyType::Rsa(2048), KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT)),
        (KeyType::Ed25519, KeyUsage::DIGITAL_SIGNATURE),
        (KeyType::MlDsa65, KeyUsage::DIGITAL_SIGNATURE),
    ] {
        let plan = decided(all.clone(), &Key::generate(key_type).csr("CN=a", &[])).unwrap();
        assert_eq!(usage(&plan), expected, "{key_type}");
    }
}

#[test]
fn narrows_key_usage_to_the_requested_ones() {
    let rsa = Key::generate(KeyType::Rsa(2048));
    let asking = |usage: KeyUsage| decided(profile(), &with_extensions(&rsa, &[Extension::key_usage(usage)]));
    let plan = asking(KeyUsage::KEY_ENCIPHERMENT.with(KeyUsage::KEY_AGREEMENT)).unwrap();
    assert_eq!(extension(&plan, &oid::KEY_USAGE).value, b"\x03\x02\x05\x20");
    let refused = asking(KeyUsage::KEY_AGREEMENT).unwrap_err();
    let allowed = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
    assert_eq!(refused, Refusal::KeyUsage { allowed });
    assert_eq!(refused.to_string(), "the requested key usage is not given here: digitalSignature, keyEncipherment is");
}

#[test]
fn refuses_a_key_usage_that_the_key_cannot_have() {
    let enciphering = Profile { key_usage: KeyUsage::KEY_ENCIPHERMENT, ..profile() };
    let refused = decided(enciphering, &Key::p256().csr("CN=a", &[])).unwrap_err();
    assert_eq!(refused.row().code, "key-usage");
}

#[test]
fn refuses_key_usage_that_cannot_be_read() {
    let malformed = Extension { id: oid::KEY_USAGE, critical: true, value: b"\x04\x01\x80".to_vec() };
    let refused = decided(profile(), &with_extensions(&Key::p256(), &[malformed])).unwrap_err();
    assert_eq!(refused, Refusal::MalformedKeyUsage);
}

#[test]
fn narrows_ext_key_usage_to_the_requested_ones() {
    let key = Key::p256();
    let asking = |purposes: &[Oid]| with_extensions(&key, &[Extension::ext_key_usage(purposes)]);
    let all = [oid::CLIENT_AUTH, oid::SERVER_AUTH];
    for (wished, given, is_dropped) in [
        (&[oid::CLIENT_AUTH][..], &[oid::CLIENT_AUTH][..], false),
        (&[oid::CLIENT_AUTH, oid::SERVER_AUTH], &all, false),
        (&[oid::SERVER_AUTH, oid::CLIENT_AUTH], &all, true),
        (&[oid::CODE_SIGNING, oid::SERVER_AUTH], &[oid::SERVER_AUTH], true),
        (&[oid::ANY_EXT_KEY_USAGE], &all, true),
    ] {
        let plan = decided(profile(), &asking(wished)).unwrap();
        assert_eq!(*extension(&plan, &oid::EXT_KEY_USAGE), Extension::ext_key_usage(given), "{wished:?}");
        assert_eq!(plan.dropped == [oid::EXT_KEY_USAGE], is_dropped, "{wished:?}");
    }
    let insisting = Profile { required_ext_key_usage: vec![oid::SERVER_AUTH], ..profile() };
    let plan = decided(insisting, &asking(&[oid::CLIENT_AUTH])).unwrap();
    assert_eq!(*extension(&plan, &oid::EXT_KEY_USAGE), Extension::ext_key_usage(&all));
    let without = Profile { ext_key_usage: Vec::new(), ..profile() };
    let plan = decided(without, &asking(&[oid::CLIENT_AUTH])).unwrap();
    assert!(plan.extensions.iter().all(|extension| extension.id != oid::EXT_KEY_USAGE));
}

#[test]
fn never_narrows_what_makes_a_certificate_what_it_is() {
    let key = Key::p256();
    let asking = with_extensions(&key, &[Extension::ext_key_usage(&[oid::CLIENT_AUTH])]);
    let ra = decided(Profile::built_in("ra").unwrap(), &asking).unwrap();
    let both = Extension::ext_key_usage(&[oid::CLIENT_AUTH, oid::CMC_RA]);
    assert_eq!(*extension(&ra, &oid::EXT_KEY_USAGE), both);
    let public =
        Profile { ext_key_usage: vec![oid::SERVER_AUTH, oid::CLIENT_AUTH], ..Profile::built_in("br-tls").unwrap() };
    let names = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x30\x0d\x82\x0bexample.com");
    let wish = Extension::ext_key_usage(&[oid::CLIENT_AUTH]);
    let wish = der::extension(wish.id.as_der(), false, &wish.value);
    let public = decided(public, &key.csr_with_extensions("CN=example.com", &[&names, &wish])).unwrap();
    let both = Extension::ext_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]);
    assert_eq!(*extension(&public, &oid::EXT_KEY_USAGE), both, "BR §7.1.2.7.10");
}

#[test]
fn a_certificate_for_fewer_purposes_gives_no_more_and_renews_as_what_it_is() {
    let (ca, key) = (TestCa::new(), Key::p256());
    let asking = |purposes: &[Oid]| with_extensions(&key, &[Extension::ext_key_usage(purposes)]);
    let plan = decided(profile(), &asking(&[oid::CLIENT_AUTH])).unwrap();
    let own = Arc::new(Certificate::parse(&ca.issue(&plan, est_testkit::pki::serial(12))).unwrap());
    let mut label = ca.label(None);
    let plain = with_extensions(&key, &[]);
    let purposes = |label: &Label, csr: &[u8], renews: bool| {
        let principal = Principal::Certificate(own.clone().into());
        let plan = decide(label, &principal, &parse_csr(csr), renews.then_some(&*own), NOW)?;
        Ok(Extension::read_ext_key_usage(&extension(&plan, &oid::EXT_KEY_USAGE).value).unwrap())
    };
    for renews in [true, false] {
        for csr in [&plain, &asking(&[oid::CLIENT_AUTH]), &asking(&[oid::SERVER_AUTH, oid::CLIENT_AUTH])] {
            assert_eq!(purposes(&label, csr, renews), Ok(vec![oid::CLIENT_AUTH]));
        }
        let beyond = purposes(&label, &asking(&[oid::SERVER_AUTH]), renews);
        assert_eq!(beyond, Err(Refusal::PurposeNotHeld(oid::SERVER_AUTH)));
    }
    label.certificate_purposes = est_core::PurposeBinding::Any;
    assert_eq!(purposes(&label, &plain, true), Ok(vec![oid::CLIENT_AUTH, oid::SERVER_AUTH]));
    assert_eq!(purposes(&label, &asking(&[oid::SERVER_AUTH]), true), Ok(vec![oid::SERVER_AUTH]));
}

#[test]
fn refuses_ext_key_usage_of_which_the_profile_gives_nothing() {
    let key = Key::p256();
    let ipsec = Oid::from_dotted("1.3.6.1.5.5.7.3.17").unwrap();
    let refused = decided(profile(), &with_extensions(&key, &[Extension::ext_key_usage(&[ipsec])])).unwrap_err();
    assert_eq!(refused.row().code, "ext-key-usage");
    let text = "the requested extended key usage (1.3.6.1.5.5.7.3.17) is not given here: clientAuth, serverAuth is; \
                ask for that, or for none";
    assert_eq!(refused.to_string(), text);
    for malformed in [&b""[..], b"\x30\x00", b"\x05\x00", b"\x30\x02\x05\x00"] {
        let asked = Extension { id: oid::EXT_KEY_USAGE, critical: false, value: malformed.to_vec() };
        let refused = decided(profile(), &with_extensions(&key, &[asked])).unwrap_err();
        assert_eq!(refused, Refusal::MalformedExtKeyUsage, "{malformed:02x?}");
    }
}

#[test]
fn refuses_key_usage_that_serves_none_of_the_purposes_that_are_left() {
    let rsa = Key::generate(KeyType::Rsa(2048));
    let asking = |purpose: Oid| {
        let usage = Extension::key_usage(KeyUsage::KEY_ENCIPHERMENT);
        decided(profile(), &with_extensions(&rsa, &[usage, Extension::ext_key_usage(&[purpose])]))
    };
    assert!(asking(oid::SERVER_AUTH).is_ok());
    assert_eq!(asking(oid::CLIENT_AUTH).unwrap_err().row().code, "key-usage");
}

#[test]
fn an_end_entity_may_say_that_it_is_none_of_a_ca_in_any_way() {
    let key = Key::p256();
    for value in
        [&b"\x30\x00"[..], b"\x30\x03\x01\x01\x00", b"\x30\x03\x02\x01\x00", b"\x30\x06\x01\x01\x00\x02\x01\x05"]
    {
        for critical in [true, false] {
            let asked = Extension { id: oid::BASIC_CONSTRAINTS, critical, value: value.to_vec() };
            let plan = decided(profile(), &with_extensions(&key, &[asked])).unwrap();
            assert_eq!(*extension(&plan, &oid::BASIC_CONSTRAINTS), Extension::end_entity(), "{value:02x?}");
        }
    }
}

// What is issued is DER, whatever is asked for.

#[test]
fn issues_no_other_name_or_extension_that_is_not_der_to_its_last_octet() {
    let key = Key::p256();
    let private = Oid::from_dotted("1.3.6.1.4.1.99999.1").unwrap();
    let passing = Profile { passes: vec![private.clone()], ..profile() };
    let set = |parts: &[&[u8]]| der::set(parts);
    for (value, is_der) in [
        (der::utf8("Zoë"), true),
        (der::value(0x0c, &[b"\xff"]), false),
        (der::sequence(&[&der::value(0x0c, &[b"a\xc3"])]), false),
        (set(&[b"\x02\x01\x01", b"\x02\x01\x02"]), true),
        (set(&[b"\x02\x01\x02", b"\x02\x01\x01"]), false),
        (der::sequence(&[&set(&[&der::utf8("b"), &der::utf8("a")])]), false),
        (der::value(0x13, &[b"a@b"]), false),
        (der::value(0x16, &[b"\x80"]), false),
        (der::value(0x1e, &[b"abc"]), false),
        (der::value(0x18, &[b"20261121093000"]), false),
    ] {
        let other = der::value(0xa0, &[private.as_der(), &der::value(0xa0, &[&value])]);
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(&[&other]));
        let named = decided(passing.clone(), &key.csr_with_extensions("CN=a", &[&san]));
        let asked = der::extension(private.as_der(), false, &value);
        let passed = decided(passing.clone(), &key.csr_with_extensions("CN=a", &[&asked]));
        if is_der {
            assert!(named.is_ok() && passed.is_ok(), "{value:02x?}");
            continue;
        }
        let (named, passed) = (named.unwrap_err(), passed.unwrap_err());
        assert_eq!((named.row().code, passed.row().code), ("malformed-name", "csr-extensions"), "{value:02x?}");
        assert!(named.to_string().contains("its value is not DER"), "{named}");
        assert!(passed.to_string().contains("1.3.6.1.4.1.99999.1 is not DER"), "{passed}");
    }
}

#[test]
fn issues_names_in_der_and_renews_certificates_that_have_them_unsorted() {
    let attribute = |id: &Oid, text: &str| der::sequence(&[id.as_der(), &der::utf8(text)]);
    let (organization, common) = (attribute(&oid::ORGANIZATION, "Example"), attribute(&oid::COMMON_NAME, "meter-7"));
    let of = |attributes: &[&[u8]]| der::sequence(&[&der::set(attributes)]);
    let (unsorted, sorted) = (of(&[&organization, &common]), of(&[&common, &organization]));
    let key = Key::p256();
    let csr = |name: &[u8]| {
        let names = der::sequence(&[&der::value(0xa4, &[name]), b"\x82\x01a"]);
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &names);
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(&[&san])]);
        key.csr_with_attributes(name, &[&request])
    };
    let ca = TestCa::new();
    let plan = decided(profile(), &csr(&unsorted)).unwrap();
    assert_eq!(plan.subject.as_der(), sorted);
    let issued = ca.issue(&plan, est_testkit::pki::serial(9));
    assert_eq!(check_distinguished(&issued), Ok(()));
    let san = extension(&plan, &oid::SUBJECT_ALT_NAME);
    assert_eq!(check_distinguished(&san.value), Ok(()));

    // One that another CA issued, with everything as it was asked for.
    let mut old = plan.clone();
    old.subject = Name::parse(&unsorted).unwrap();
    let names = der::sequence(&[&der::value(0xa4, &[&unsorted]), b"\x82\x01a"]);
    old.extensions.iter_mut().filter(|one| one.id == oid::SUBJECT_ALT_NAME).for_each(|one| one.value = names.clone());
    let old = Arc::new(Certificate::parse(&ca.issue(&old, est_testkit::pki::serial(10))).unwrap());
    let label = ca.label(None);
    for asked in [&unsorted, &sorted] {
        let csr = parse_csr(&csr(asked));
        let renewed = decide(&label, &Principal::Certificate(old.clone().into()), &csr, Some(&old), NOW).unwrap();
        assert_eq!(renewed.subject.as_der(), sorted);
        assert_eq!(extension(&renewed, &oid::SUBJECT_ALT_NAME).value, san.value);
    }
}

#[test]
fn renews_no_certificate_that_was_not_der() {
    let private = Oid::from_dotted("1.3.6.1.4.1.99999.1").unwrap();
    let other = der::value(0xa0, &[private.as_der(), &der::value(0xa0, &[&der::value(0x0c, &[b"\xff"])])]);
    let names = der::sequence(&[&other, b"\x82\x01a"]);
    let key = Key::p256();
    let ca = TestCa::new();
    let mut plan = decided(profile(), &key.csr("CN=device", &["DNS:a"])).unwrap();
    plan.extensions.iter_mut().filter(|one| one.id == oid::SUBJECT_ALT_NAME).for_each(|one| one.value = names.clone());
    let old = Arc::new(Certificate::parse(&ca.issue(&plan, est_testkit::pki::serial(11))).unwrap());
    let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &names);
    let csr = parse_csr(&key.csr_with_extensions("CN=device", &[&san]));
    let refused =
        decide(&ca.label(None), &Principal::Certificate(old.clone().into()), &csr, Some(&old), NOW).unwrap_err();
    assert!(refused.to_string().contains("its value is not DER"), "{refused}");
}

#[test]
fn says_what_a_known_other_name_must_be() {
    let key = Key::p256();
    let asking = |id: &Oid, value: &[u8]| {
        let other = der::value(0xa0, &[id.as_der(), &der::value(0xa0, &[value])]);
        let san = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &der::sequence(&[&other]));
        decided(profile(), &key.csr_with_extensions("CN=a", &[&san])).unwrap_err().to_string()
    };
    for (id, value, said) in [
        (&oid::UPN, b"\x16\x03a@b".to_vec(), "holds upn:a@b: a UPN is a UTF8String"),
        (&oid::UPN, b"\x0c\x00".to_vec(), "holds upn:: a UPN is a UTF8String"),
        (
            &oid::HARDWARE_MODULE_NAME,
            der::sequence(&[b"\x06\x03\x2a\x03\x04", &der::utf8("7")]),
            "an OCTET STRING, the hwSerialNum (RFC 4108 §5)",
        ),
        (
            &oid::SMTP_UTF8_MAILBOX,
            der::utf8("a@b.example"),
            "an SmtpUTF8Mailbox is a UTF8String with letters beyond ASCII",
        ),
    ] {
        let text = asking(id, &value);
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn keeps_the_operators_patterns_from_clients() {
    let pattern = || Pattern::new("^secret-[a-z]+$").unwrap();
    let names = NameRule { kind: NameKind::Dns, pattern: Some(pattern()) };
    let by_name = Profile { names: NameRules { allowed: Some(vec![names]), ..NameRules::default() }, ..profile() };
    let by_subject = Profile { subject: matching(pattern()), ..profile() };
    for profile in [by_name, by_subject] {
        let refused = decided(profile.clone(), &Key::p256().csr("CN=a", &["DNS:a.example"])).unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(refused.explanation(&profile).contains("it must match ^secret-[a-z]+$"));
    }
}

#[test]
fn does_not_look_at_a_challenge_password_where_nothing_is_linked() {
    let odd = [&b"\x13\x00"[..], b"\x04\x01a", b"\x02\x01\x05", &der::utf8(&"a".repeat(256))];
    let ca = TestCa::new();
    for value in odd {
        let password = der::attribute(oid::CHALLENGE_PASSWORD.as_der(), &[value]);
        let csr = parse_csr(&Key::p256().csr_with_attributes(name("CN=a").as_der(), &[&password]));
        let ask = |linking| decide(&ca.label(None).with_linking(linking), &password_holder("a"), &csr, None, NOW);
        assert!(ask(Linking::Off).is_ok(), "{value:02x?}");
        assert_eq!(ask(Linking::Optional).unwrap_err().row().code, "csr-attribute", "{value:02x?}");
    }
}

#[test]
fn drops_what_the_profile_does_not_let_through_and_says_so() {
    let unknown = Extension { id: Oid::from_dotted("1.3.6.1.4.1.99999.1").unwrap(), critical: true, value: vec![5, 0] };
    let identifier = Extension::subject_key_identifier(b"mine");
    let plan = decided(profile(), &with_extensions(&Key::p256(), &[unknown.clone(), identifier])).unwrap();
    assert_eq!(plan.dropped, [unknown.id, oid::SUBJECT_KEY_IDENTIFIER]);
    assert_eq!(plan.remarks().unwrap(), "requested extensions dropped: 1.3.6.1.4.1.99999.1 2.5.29.14");
    let own = Extension::subject_key_identifier(&plan.public_key.key_identifier());
    assert_eq!(*extension(&plan, &oid::SUBJECT_KEY_IDENTIFIER), own);
    assert_eq!(plan.extensions.len(), 4);
}

#[test]
fn refuses_to_make_a_ca() {
    let key = Key::p256();
    let constraints = |value: &[u8]| Extension { id: oid::BASIC_CONSTRAINTS, critical: true, value: value.to_vec() };
    for asked in [
        Extension::certificate_authority(),
        constraints(b"\x30\x06\x01\x01\xff\x02\x01\x00"),
        constraints(b"garbage"),
        constraints(b""),
        constraints(b"\x30\x03\x01\x01\x01"),
        constraints(b"\x30\x05\x02\x01\x00\x05\x00"),
        constraints(b"\x30\x06\x02\x01\x00\x01\x01\x00"),
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN),
        Extension::key_usage(KeyUsage::CRL_SIGN),
        Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_CERT_SIGN)),
    ] {
        assert_eq!(decided(profile(), &with_extensions(&key, &[asked])).unwrap_err(), Refusal::CaCertificate);
    }
    let plan = decided(profile(), &with_extensions(&key, &[Extension::end_entity()])).unwrap();
    assert_eq!((extension(&plan, &oid::BASIC_CONSTRAINTS), plan.dropped.len()), (&Extension::end_entity(), 0));
}

// Time.

#[test]
fn n_days_are_n_times_86_400_seconds_with_both_ends_counted() {
    for days in [1, 90, 365] {
        let plan = decided(Profile { validity: Seconds::from_days(days), ..profile() }, &plain()).unwrap();
        assert_eq!(plan.not_before, NOW);
        assert_eq!(plan.not_after.0 - plan.not_before.0 + 1, u64::from(days) * 86_400);
        assert_eq!((plan.clamped_from, plan.remarks()), (None, None));
    }
    let ca = TestCa::new();
    let plan = decided(profile(), &plain()).unwrap();
    let certificate = Certificate::parse(&ca.issue(&plan, est_testkit::pki::serial(1))).unwrap();
    assert_eq!(certificate.not_after(), UnixTime(NOW.0 + 90 * 86_400 - 1), "the boundary second reaches the wire");
}

#[test]
fn clamps_to_the_longest_that_the_label_allows() {
    let long = Profile { validity: Seconds::from_days(30), max_validity: Seconds::from_days(7), ..profile() };
    let plan = decided(long, &plain()).unwrap();
    assert_eq!(plan.not_after, UnixTime(NOW.0 + 7 * 86_400 - 1));
    assert_eq!(plan.clamped_from, Some(UnixTime(NOW.0 + 30 * 86_400 - 1)));
    assert_eq!(plan.remarks().unwrap(), "end clamped from 2026-12-21T09:29:59Z to 2026-11-28T09:29:59Z");
}

#[test]
fn clamps_to_the_end_of_the_ca_certificate() {
    let end = NOW + Seconds::from_days(10);
    let ca = TestCa::with_key(Key::p256(), end);
    let plan = decide(&ca.label(None), &password_holder("p"), &parse_csr(&plain()), None, NOW).unwrap();
    assert_eq!((plan.not_after, plan.clamped_from.is_some()), (end, true));
}

#[test]
fn issues_nothing_while_the_ca_certificate_is_not_valid() {
    let end = NOW + Seconds::from_days(10);
    let ca = TestCa::with_key(Key::p256(), end);
    let csr = parse_csr(&plain());
    let at = |now| decide(&ca.label(None), &password_holder("p"), &csr, None, now).map(|plan| plan.not_after);
    let begin = ca.certificate().not_before();
    assert_eq!(at(end), Ok(end), "one second is left");
    assert_eq!(at(end + Seconds(1)), Err(Refusal::CaNotValid));
    assert_eq!(at(UnixTime(begin.0 - 1)), Err(Refusal::CaNotValid));
    assert!(at(begin).is_ok());
}

#[test]
fn a_validity_without_end_does_not_overflow() {
    let endless = Profile { validity: Seconds(u64::MAX), max_validity: Seconds(u64::MAX), ..profile() };
    assert!(decided(endless, &plain()).unwrap().clamped_from.is_some());
}

// Renewal, and whose names somebody with a certificate may ask for.

#[test]
fn renews_the_same_names_in_whatever_order() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]);
    assert!(renewal.ask("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]).is_ok());
    assert!(renewal.ask("CN=device,O=Example", &["DNS:b.example", "DNS:a.example"]).is_ok());
}

#[test]
fn refuses_a_renewal_that_changes_the_subject() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    for subject in ["CN=other,O=Example", "CN=Device,O=Example", "O=Example,CN=device", "CN=device", ""] {
        renewal.refuses(subject, &["DNS:a.example"]);
    }
}

#[test]
fn refuses_a_renewal_that_changes_the_san() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "IP:192.0.2.1"]);
    for names in [
        &["DNS:a.example"][..],
        &["DNS:a.example", "IP:192.0.2.1", "DNS:b.example"],
        &["DNS:A.example", "IP:192.0.2.1"],
        &["DNS:a.example", "DNS:192.0.2.1"],
        &[],
    ] {
        renewal.refuses("CN=device,O=Example", names);
    }
    Renewal::of("CN=device,O=Example", &[]).refuses("CN=device,O=Example", &["DNS:a.example"]);
}

#[test]
fn refuses_a_renewal_that_only_looks_the_same() {
    // The same text in another string type is another name, octet for octet.
    let renewal = Renewal::of("CN=device", &[]);
    let printable = der::sequence(&[oid::COMMON_NAME.as_der(), b"\x13\x06device"]);
    let subject = der::sequence(&[&der::set(&[&printable])]);
    let csr = parse_csr(&renewal.key.csr_with_attributes(&subject, &[]));
    assert_eq!(csr.subject().to_string(), name("CN=device").to_string());
    assert_eq!(renewal.decide(&csr).unwrap_err().row().code, "names-differ");
}

#[test]
fn tells_whose_names_a_renewal_must_have() {
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    let refused = renewal.ask("CN=other", &[]).unwrap_err();
    let Refusal::NamesDiffer { expected, held, .. } = refused else { panic!("{refused}") };
    assert_eq!((&*expected, held), ("CN=device,O=Example; DNS:a.example", Held::Renewing));
}

#[test]
fn tells_in_what_the_names_of_a_renewal_differ() {
    let told = |renewal: &Renewal, subject: &[u8], names: &[&str]| {
        let san = general_names(names);
        let san = san.map(|names| der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, names.as_der()));
        let extensions = der::sequence(&san.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&extensions]);
        let attributes = if names.is_empty() { vec![] } else { vec![&*request] };
        let csr = renewal.key.csr_with_attributes(subject, &attributes);
        let Refusal::NamesDiffer { difference, .. } = renewal.decide(&parse_csr(&csr)).unwrap_err() else { panic!() };
        difference
    };
    let renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example", "DNS:b.example"]);
    let own = name("CN=device,O=Example");
    for (subject, difference) in [
        (name("CN=Device,O=Example").as_der(), "the subject's CN differs in upper and lower case"),
        (name("O=Example,CN=device").as_der(), "the subject has its attributes in another order"),
        (name("CN=device").as_der(), "the subject has CN where O is expected"),
        (name("OU=x,CN=device,O=Example").as_der(), "the subject has another OU"),
        (name("O=Example").as_der(), "the subject lacks CN"),
        (name("CN=other,O=Example").as_der(), "the subject's CN is another"),
        (name("").as_der(), "the subject lacks O"),
    ] {
        assert_eq!(told(&renewal, subject, &["DNS:a.example", "DNS:b.example"]), difference);
    }
    let attribute = |id: &Oid, value: &[u8]| der::sequence(&[id.as_der(), value]);
    let (o, cn) =
        (attribute(&oid::ORGANIZATION, &der::utf8("Example")), attribute(&oid::COMMON_NAME, &der::utf8("device")));
    let joined = der::sequence(&[&der::set(&[&o, &cn])]);
    let names = ["DNS:a.example", "DNS:b.example"];
    assert_eq!(told(&renewal, &joined, &names), "the subject puts its attributes into other RDNs");
    let printable = attribute(&oid::COMMON_NAME, b"\x13\x06device");
    let printable = der::sequence(&[&der::set(&[&o]), &der::set(&[&printable])]);
    assert_eq!(told(&renewal, &printable, &names), "the subject's CN is a PrintableString, not a UTF8String");
    for (names, difference) in [
        (&["DNS:A.example", "DNS:b.example"][..], "DNS:A.example is not DNS:a.example: upper and lower case count"),
        (&["DNS:a.example"], "the subjectAltName lacks DNS:b.example"),
        (&["DNS:a.example", "DNS:b.example", "IP:192.0.2.1"], "the subjectAltName has also IP:192.0.2.1"),
        (
            &["DNS:a.example", "DNS:c.example"],
            "the subjectAltName lacks DNS:b.example; the subjectAltName has also DNS:c.example",
        ),
        (&[], "the subjectAltName lacks DNS:a.example, DNS:b.example"),
    ] {
        assert_eq!(told(&renewal, own.as_der(), names), difference);
    }
}

#[test]
fn names_that_authenticate_need_not_have_the_form_of_new_ones() {
    // T61String and BMPString, IA5String, a UTF8String country, a mailbox that no rfc822Name repeats.
    let value = |id: &Oid, value: &[u8]| der::set(&[&der::sequence(&[id.as_der(), value])]);
    let subjects = [
        der::sequence(&[&value(&oid::COMMON_NAME, b"\x14\x06device")]),
        der::sequence(&[&value(&oid::COMMON_NAME, b"\x1e\x04\0d\0e")]),
        der::sequence(&[&value(&oid::COUNTRY, &der::utf8("DE")), &value(&oid::SERIAL_NUMBER, &der::utf8("7"))]),
        der::sequence(&[&value(&oid::EMAIL_ADDRESS, b"\x16\x07a@b.com")]),
        der::sequence(&[&value(&oid::COMMON_NAME, der::utf8(&"x".repeat(70)).as_slice())]),
    ];
    for subject in subjects {
        let strict = NameRules { require_san: true, ..NameRules::default() };
        let renewal = Renewal::of_subject(&subject, Profile { names: strict, ..profile() });
        let csr = parse_csr(&renewal.key.csr_with_attributes(&subject, &[]));
        assert!(renewal.decide(&csr).is_ok(), "{:02x?}: {:?}", subject, renewal.decide(&csr));
        // The same names as those of another certificate, and of nobody's.
        let holder = Principal::Certificate(renewal.certificate.clone().into());
        assert!(decide(&renewal.label, &holder, &csr, None, NOW).is_ok());
        assert!(decide(&renewal.label, &password_holder("p"), &csr, None, NOW).is_err());
    }
}

#[test]
fn names_that_the_label_does_not_give_are_refused_in_renewals_too() {
    let mut renewal = Renewal::of("CN=device,O=Example", &["DNS:a.example"]);
    renewal.label.profile.subject = matching(Pattern::new("^CN=[a-z]+,O=Other$").unwrap());
    let refused = renewal.ask("CN=device,O=Example", &["DNS:a.example"]).unwrap_err();
    assert_eq!(refused.row().code, "subject-pattern");
    renewal.label.profile = Profile { names: only("dns:^.*[.]other$"), ..profile() };
    let refused = renewal.ask("CN=device,O=Example", &["DNS:a.example"]).unwrap_err();
    assert_eq!(refused.row().code, "name-pattern");
}

#[test]
fn no_pattern_of_the_operators_is_told_to_a_client() {
    let rules = Profile { names: only("dns:^[a-z]+[.]secret[.]example$"), ..profile() };
    let refused = decided(rules, &Key::p256().csr("CN=a", &["DNS:a.example"])).unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match ^[a-z]+[.]secret[.]example$"));
    let subjects = Profile { subject: matching(Pattern::new("^CN=secret$").unwrap()), ..profile() };
    let refused = decided(subjects, &Key::p256().csr("CN=a", &[])).unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match ^CN=secret$"));
    let holder = Principal::OneTimePassword {
        id: "p".into(),
        entity: Some("a".into()),
        expires: NOW + Seconds(3600),
        label: None,
        allowance: Arc::new(Allowance::parse(&["dns:^[a-z]+[.]secret[.]example$"]).unwrap()),
    };
    let csr = parse_csr(&Key::p256().csr("CN=a", &["DNS:b.example"]));
    let refused = decide(&TestCa::new().label(None), &holder, &csr, None, NOW).unwrap_err();
    assert!(refused.to_string().starts_with("you may not ask for DNS:b.example: your own names are a; "), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
    assert!(refused.explanation(&profile()).contains("it must match dns:^[a-z]+[.]secret[.]example$"));
}

#[test]
fn any_name_is_for_certificates_that_no_ca_of_the_server_issued() {
    let (ca, manufacturer) = (TestCa::new(), TestCa::named("CN=Manufacturer"));
    let mut label = ca.label(None);
    label.certificate_names = NameBinding::Any;
    let ask = |ca: &TestCa, above: &[&TestCa]| {
        let device = ca.device(&Key::p256(), "CN=device", &[]);
        let issuers = above.iter().map(|ca| Arc::new(ca.certificate().clone())).collect();
        let holder = Principal::Certificate(CertificatePath::new(device, issuers));
        decide(&label, &holder, &parse_csr(&Key::p256().csr("CN=other", &[])), None, NOW).map(drop)
    };
    assert_eq!(ask(&manufacturer, &[&manufacturer]), Ok(()));
    let line = manufacturer.certifies("CN=Line 4", Key::p256());
    assert_eq!(ask(&line, &[&line, &manufacturer]), Ok(()));
    // The CA itself; one with another key and its name, as before a rollover; one below it.
    let (renamed, below) = (TestCa::new(), ca.certifies("CN=Below", Key::p256()));
    for (issuer, above) in [(&ca, &[&ca][..]), (&ca, &[]), (&renamed, &[&renamed]), (&below, &[&below, &ca])] {
        assert_eq!(ask(issuer, above).unwrap_err().row().code, "names-differ");
    }
}

#[test]
fn holds_a_certificate_to_its_own_names_where_the_label_says_so() {
    let ca = TestCa::new();
    let device = ca.device(&Key::p256(), "CN=device", &["DNS:a.example"]);
    let holder = Principal::Certificate(device.into());
    let csr = |subject: &str, names: &[&str]| parse_csr(&Key::p256().csr(subject, names));
    let label = ca.label(None);
    let ask = |label: &Label, csr: &Csr| decide(label, &holder, csr, None, NOW).map(|_| ());
    assert_eq!(ask(&label, &csr("CN=other", &[])).unwrap_err().row().code, "names-differ");
    assert_eq!(ask(&label, &csr("CN=device", &["DNS:a.example"])), Ok(()));
}

#[test]
fn a_renewal_is_bound_to_its_names_whatever_the_label_says_of_others() {
    let mut renewal = Renewal::of("CN=device", &[]);
    renewal.label.certificate_names = NameBinding::Any;
    renewal.refuses("CN=other", &[]);
}

// Helpers.

struct Renewal {
    label: Label,
    key: Key,
    certificate: Arc<Certificate>,
}

impl Renewal {
    fn of(subject: &str, names: &[&str]) -> Self {
        let (ca, key) = (TestCa::new(), Key::p256());
        let certificate = ca.device(&key, subject, names);
        assert_eq!(certificate.subject_alt_name(), general_names(names).as_ref());
        Self { label: ca.label(None), key, certificate }
    }

    /// With a subject of any octets, at a label with this profile.
    fn of_subject(subject: &[u8], profile: Profile) -> Self {
        let (ca, key) = (TestCa::new(), Key::p256());
        let mut plan =
            decide(&ca.label(None), &password_holder("p"), &parse_csr(&key.csr("CN=a", &[])), None, NOW).unwrap();
        plan.subject = Name::parse(subject).unwrap();
        let certificate = Arc::new(Certificate::parse(&ca.issue(&plan, est_testkit::pki::serial(2))).unwrap());
        let mut label = ca.label(None);
        label.profile = profile;
        Self { label, key, certificate }
    }

    fn decide(&self, csr: &Csr) -> Result<Plan, Refusal> {
        let holder = Principal::Certificate(self.certificate.clone().into());
        decide(&self.label, &holder, csr, Some(&self.certificate), NOW)
    }

    fn ask(&self, subject: &str, names: &[&str]) -> Result<Plan, Refusal> {
        self.decide(&parse_csr(&self.key.csr(subject, names)))
    }

    fn refuses(&self, subject: &str, names: &[&str]) {
        assert_eq!(self.ask(subject, names).unwrap_err().row().code, "names-differ", "{subject} {names:?}");
    }
}

fn decided(profile: Profile, csr: &[u8]) -> Result<Plan, Refusal> {
    let ca = TestCa::new();
    let mut label = ca.label(None);
    label.profile = profile;
    decide(&label, &password_holder("p"), &parse_csr(csr), None, NOW)
}

fn plain() -> Vec<u8> {
    Key::p256().csr("CN=a", &[])
}

fn with_extensions(key: &Key, extensions: &[Extension]) -> Vec<u8> {
    let encoded: Vec<_> = extensions.iter().map(|e| der::extension(e.id.as_der(), e.critical, &e.value)).collect();
    key.csr_with_extensions("CN=a", &encoded.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn extension<'a>(plan: &'a Plan, id: &Oid) -> &'a Extension {
    plan.extensions.iter().find(|extension| extension.id == *id).unwrap_or_else(|| panic!("no extension {id}"))
}
