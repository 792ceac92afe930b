//! Extensions that are asked for.

use est_core::pkix::{Extension, KeyType, KeyUsage, Oid, oid};
use est_testkit::der::{extension, octet_string, sequence, set, utf8};
use est_testkit::pki::Key;

use crate::{Maker, alternative_names, common_name, dns, extension_request};

pub(crate) fn extensions(maker: &Maker) {
    let subject = common_name("device-1");
    let with = |extensions: &[&[u8]]| maker.with_extensions(&subject, extensions);
    let end_entity = extension(oid::BASIC_CONSTRAINTS.as_der(), true, b"\x30\x00");
    let plain = with(&[&end_entity]);
    let basic = |value: &[u8]| with(&[&extension(oid::BASIC_CONSTRAINTS.as_der(), true, value)]);
    let usage = |value: &[u8]| extension(oid::KEY_USAGE.as_der(), true, value);
    let signing = with(&[&usage(b"\x03\x02\x07\x80")]);
    for (what, hostile, twin) in [
        ("ca-true", basic(b"\x30\x03\x01\x01\xff"), &plain),
        ("ca-true-with-path-length", basic(b"\x30\x06\x01\x01\xff\x02\x01\x00"), &plain),
        ("ca-true-after-a-path-length", basic(b"\x30\x06\x02\x01\x00\x01\x01\xff"), &basic(b"\x30\x03\x02\x01\x00")),
        ("ca-false-and-more", basic(b"\x30\x05\x01\x01\x00\x05\x00"), &basic(b"\x30\x03\x01\x01\x00")),
        ("basic-constraints-of-text", basic(&utf8("CA:TRUE")), &plain),
        ("basic-constraints-empty", basic(b""), &plain),
        ("key-cert-sign", with(&[&usage(b"\x03\x02\x02\x84")]), &signing),
        ("crl-sign", with(&[&usage(b"\x03\x02\x01\x82")]), &signing),
        ("key-cert-sign-alone", with(&[&usage(b"\x03\x02\x02\x04")]), &signing),
    ] {
        maker.pair(("device", "ca-certificate", what, "RFC 5280 §4.2.1.9, §4.2.1.3"), &hostile, twin);
    }
    for (what, hostile) in [
        ("octets", octet_string(b"\x80")),
        ("integer", b"\x02\x01\x05".to_vec()),
        ("empty", Vec::new()),
        ("no-der", b"\x03\x03\x07\x80".to_vec()),
        ("padding-not-zero", b"\x03\x02\x07\xff".to_vec()),
        ("trailing-octet", b"\x03\x02\x07\x80\0".to_vec()),
    ] {
        let about = ("device", "malformed-key-usage", what, "RFC 5280 §4.2.1.3");
        maker.pair(about, &with(&[&usage(&hostile)]), &signing);
    }
    usages(maker);

    let unknown =
        |value: &[u8]| extension(Oid::from_dotted("1.3.6.1.4.1.99999.1").expect("an OID").as_der(), false, value);
    let features = |value: &[u8]| extension(b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18", false, value);
    let san = alternative_names(&[&dns("a.example")]);
    for (what, twice) in
        [("usage", usage(b"\x03\x02\x07\x80")), ("names", san.clone()), ("of-no-known-kind", unknown(b"\x05\x00"))]
    {
        let about = ("device", "duplicate-extension", what, "RFC 5280 §4.2");
        maker.pair(about, &with(&[&twice, &twice]), &with(&[&twice]));
    }
    let malformed = "RFC 2985 §5.4.2, RFC 5280 §4.1";
    let of = |value: &[u8]| {
        let request = est_testkit::der::attribute(oid::EXTENSION_REQUEST.as_der(), &[value]);
        maker.key.csr_with_attributes(&subject, &[&request])
    };
    let id = oid::KEY_USAGE;
    for (what, hostile) in [
        ("is-text", of(&utf8("keyUsage"))),
        ("is-a-set", of(&set(&[&end_entity]))),
        ("is-an-extension", of(&end_entity)),
        ("without-value", with(&[&sequence(&[id.as_der()])])),
        ("value-without-octets", with(&[&sequence(&[id.as_der(), b"\x03\x02\x07\x80"])])),
        ("critical-is-an-integer", with(&[&sequence(&[id.as_der(), b"\x02\x01\x01", &octet_string(b"\x05\x00")])])),
        ("fourth-part", with(&[&sequence(&[id.as_der(), b"\x01\x01\xff", &octet_string(b"\x05\x00"), b"\x05\x00"])])),
        ("by-name", with(&[&sequence(&[&utf8("keyUsage"), &octet_string(b"\x03\x02\x07\x80")])])),
    ] {
        maker.pair(("device", "csr-extensions", what, malformed), &hostile, &plain);
    }
    for (what, hostile) in [
        ("passed-no-der", &b"status_request"[..]),
        ("passed-empty", b""),
        ("passed-with-trailing-octets", b"\x05\x00\x00"),
        ("passed-with-a-set-in-no-order", b"\x31\x06\x02\x01\x05\x02\x01\x01"),
        ("passed-with-text-that-is-none", b"\x30\x03\x0c\x01\xff"),
    ] {
        let about = ("passing", "csr-extensions", what, "RFC 5280 §4.1");
        maker.pair(about, &with(&[&features(hostile)]), &with(&[&features(b"\x30\x03\x02\x01\x05")]));
    }
    let twice = extension_request(&[&end_entity]);
    let of = |attributes: &[&[u8]]| maker.key.csr_with_attributes(&subject, attributes);
    maker.pair(
        ("device", "csr-attribute", "two-extension-requests", "RFC 2986 §4.1"),
        &of(&[&twice, &twice]),
        &of(&[&twice]),
    );
    let microsoft = |extensions: &[&[u8]]| {
        est_testkit::der::attribute(oid::MS_EXTENSION_REQUEST.as_der(), &[&sequence(extensions)])
    };
    maker.pair(
        ("device", "csr-extensions", "two-requests-that-differ", "RFC 2985 §5.4.2"),
        &of(&[&twice, &microsoft(&[])]),
        &of(&[&twice, &microsoft(&[&end_entity])]),
    );
    purposes(maker);
}

/// Extended key usages of which the label gives none, or that cannot be read.
fn purposes(maker: &Maker) {
    let with = |value: &[u8]| {
        let purposes = extension(oid::EXT_KEY_USAGE.as_der(), false, value);
        maker.with_extensions(&common_name("device-1"), &[&purposes, &alternative_names(&[&dns("a.example")])])
    };
    let asking = |purposes: &[Oid]| with(&Extension::ext_key_usage(purposes).value);
    let ipsec = Oid::from_dotted("1.3.6.1.5.5.7.3.17").expect("an identifier");
    for (label, what, hostile, twin) in [
        ("device", "of-servers", &[oid::SERVER_AUTH][..], &[oid::SERVER_AUTH, oid::CLIENT_AUTH][..]),
        ("device", "of-ipsec", std::slice::from_ref(&ipsec), &[ipsec.clone(), oid::CLIENT_AUTH]),
        ("tls-client", "of-code", &[oid::CODE_SIGNING], &[oid::CLIENT_AUTH]),
        ("ra", "of-servers", &[oid::SERVER_AUTH], &[oid::CMC_RA]),
    ] {
        let about = (label, "ext-key-usage", what, "RFC 5280 §4.2.1.12, RFC 10002 §3.1");
        maker.pair(about, &asking(hostile), &asking(twin));
    }
    for (what, hostile) in [
        ("empty", sequence(&[])),
        ("of-text", utf8("clientAuth")),
        ("of-text-within", sequence(&[&utf8("clientAuth")])),
    ] {
        let about = ("device", "malformed-ext-key-usage", what, "RFC 5280 §4.2.1.12");
        maker.pair(about, &with(&hostile), &asking(&[oid::CLIENT_AUTH]));
    }
}

/// Key usages that the label does not give to such a key.
fn usages(maker: &Maker) {
    let asking = |key: &Key, usage: KeyUsage| {
        let Extension { id, critical, value } = Extension::key_usage(usage);
        key.csr_with_attributes(
            &common_name("device-1"),
            &[&extension_request(&[
                &extension(id.as_der(), critical, &value),
                &alternative_names(&[&dns("a.example")]),
            ])],
        )
    };
    let signing = KeyUsage::DIGITAL_SIGNATURE;
    let (rsa, p256, ed25519) = (Key::generate(KeyType::Rsa(2048)), &maker.key, Key::generate(KeyType::Ed25519));
    for (label, what, key, hostile) in [
        ("device", "encipherment-with-ec", p256, KeyUsage::KEY_ENCIPHERMENT),
        ("device", "agreement-not-given", p256, KeyUsage::KEY_AGREEMENT),
        ("device", "non-repudiation-not-given", p256, KeyUsage::NON_REPUDIATION),
        ("device", "data-encipherment-not-given", &rsa, KeyUsage::DATA_ENCIPHERMENT),
        ("device", "nothing-at-all", p256, KeyUsage::default()),
        ("device", "encipherment-with-ed25519", &ed25519, KeyUsage::KEY_ENCIPHERMENT),
        ("tls-client", "encipherment-for-a-client", &rsa, KeyUsage::KEY_ENCIPHERMENT),
        ("ra", "encipherment-for-an-ra", &rsa, KeyUsage::KEY_ENCIPHERMENT),
    ] {
        let about = (label, "key-usage", what, "RFC 5280 §4.2.1.3, §4.2.1.12");
        maker.pair(about, &asking(key, hostile), &asking(key, signing));
    }
    let agreeing = |key: &Key| key.csr("CN=device-1", &[]);
    let about = ("agreement", "key-usage", "agreement-with-ed25519", "RFC 8410 §5");
    maker.pair(about, &agreeing(&ed25519), &agreeing(p256));
    let about = ("agreement", "key-usage", "agreement-with-rsa", "RFC 3279 §2.3.1");
    maker.pair(about, &agreeing(&rsa), &agreeing(p256));
}
