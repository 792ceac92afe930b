//! Which extensions a label gives.

use super::*;

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
