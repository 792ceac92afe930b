//! What a request may have: the rules of a label, one by one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod extensions;
mod lengths;
mod names;
mod renewal;

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
