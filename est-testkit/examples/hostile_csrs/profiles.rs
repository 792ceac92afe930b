//! What the built-in profiles and some of one's own also ask for.

use est_core::pkix::{KeyType, oid};
use est_testkit::der::{sequence, set, utf8};
use est_testkit::pki::{Key, name};

use crate::{Maker, common_name, directory, dns, email, ip, other_name, printable, uri};

const COMMON_NAME: &str = "CA/Browser Forum BR §7.1.4.3";

pub(crate) fn profiles(maker: &Maker) {
    servers(maker);
    mail(maker);
    plant(maker);
    let request = |text: &str, names: &[&str]| maker.key.csr(text, names);
    for label in ["device", "tls-client", "ra"] {
        maker.pair(
            (label, "common-name-not-in-san", "wildcard-in-the-common-name-alone", "RFC 9525 §6.3"),
            &request("CN=*.a.example", &["DNS:b.example"]),
            &request("CN=*.a.example", &["DNS:*.a.example"]),
        );
    }
}

fn servers(maker: &Maker) {
    let request = |text: &str, names: &[&str]| maker.key.csr(text, names);
    let label = "tls-server";
    for (what, refused, names, granted) in [
        ("of-another", "CN=b.example.com", &["DNS:a.example.com"][..], "CN=a.example.com"),
        ("in-another-case", "CN=A.example.com", &["DNS:a.example.com"], "CN=a.example.com"),
        ("u-label", "CN=bücher.example", &["DNS:xn--bcher-kva.example"], "CN=xn--bcher-kva.example"),
        ("below-a-wildcard", "CN=a.example.com", &["DNS:*.example.com"], "CN=*.example.com"),
        ("wildcard-above", "CN=*.example.com", &["DNS:a.example.com"], "CN=a.example.com"),
        ("address-in-capitals", "CN=2001:DB8::1", &["IP:2001:db8::1"], "CN=2001:db8::1"),
        ("address-in-full", "CN=2001:db8:0:0:0:0:0:1", &["IP:2001:db8::1"], "CN=2001:db8::1"),
        ("address-with-zeros", "CN=192.000.002.001", &["IP:192.0.2.1"], "CN=192.0.2.1"),
        (
            "of-a-uri",
            "CN=https://a.example.com",
            &["URI:https://a.example.com", "DNS:b.example.com"],
            "CN=b.example.com",
        ),
        ("of-a-person", "CN=Ada Example", &["DNS:a.example.com"], "CN=a.example.com"),
    ] {
        let about = (label, "common-name-not-in-san", what, COMMON_NAME);
        maker.pair(about, &request(refused, names), &request(granted, names));
    }
    for (what, refused) in
        [("different", "CN=a.example.com,CN=b.example.com"), ("the-same-twice", "CN=a.example.com,CN=a.example.com")]
    {
        let names = &["DNS:a.example.com", "DNS:b.example.com"];
        let about = (label, "several-common-names", what, COMMON_NAME);
        maker.pair(about, &request(refused, names), &request("CN=a.example.com", names));
    }
    maker.pair(
        (label, "subject-alt-name-required", "common-name-alone", "RFC 9525 §2"),
        &request("CN=a.example.com", &[]),
        &request("CN=a.example.com", &["DNS:a.example.com"]),
    );
    let upn = other_name(&oid::UPN, &utf8("ada@example.com"));
    let registered = b"\x88\x02\x2a\x03".to_vec();
    for (what, refused) in [
        ("email", email("ada@example.com")),
        ("directory", directory(&common_name("a"))),
        ("upn", upn),
        ("registered-id", registered),
    ] {
        let sound = dns("a.example.com");
        maker.pair(
            (label, "name-kind-not-allowed", what, "RFC 9525 §2"),
            &maker.request(&common_name("a.example.com"), &[&sound, &refused]),
            &maker.request(&common_name("a.example.com"), &[&sound, &uri("https://a.example.com/")]),
        );
    }
}

fn mail(maker: &Maker) {
    let request = |text: &str, names: &[&str]| maker.key.csr(text, names);
    let sound = request("CN=Ada Example", &["email:ada@example.com"]);
    maker.pair(
        ("smime", "subject-alt-name-required", "common-name-alone", "RFC 8550 §3"),
        &request("CN=ada@example.com", &[]),
        &request("CN=ada@example.com", &["email:ada@example.com"]),
    );
    for (what, names) in [
        ("dns", &["email:ada@example.com", "DNS:a.example.com"][..]),
        ("address", &["email:ada@example.com", "IP:192.0.2.1"]),
        ("uri", &["email:ada@example.com", "URI:https://a.example.com/ada"]),
    ] {
        maker.pair(("smime", "name-kind-not-allowed", what, "RFC 8550 §3"), &request("CN=Ada Example", names), &sound);
    }
    let with_upn = [email("ada@example.com"), other_name(&oid::UPN, &utf8("ada@example.com"))];
    let mailbox = other_name(&oid::SMTP_UTF8_MAILBOX, &utf8("adë@example.com"));
    maker.pair(
        ("smime", "name-kind-not-allowed", "upn", "RFC 8550 §3"),
        &maker.request(&common_name("Ada Example"), &[&with_upn[0], &with_upn[1]]),
        &maker.request(&common_name("Ada Example"), &[&with_upn[0], &mailbox]),
    );
}

/// A profile with patterns, kinds, attributes and keys of its own.
fn plant(maker: &Maker) {
    const CITE: &str = "the profile's own rule";
    let host = dns("meter-7.plant.example");
    let device = name("serialNumber=7,CN=meter-7,O=Plant").as_der().to_vec();
    let sound = maker.request(&device, &[&host]);
    let attributes = |text: &str| maker.request(name(text).as_der(), &[&host]);
    for (rule, what, hostile) in [
        ("subject-attribute-not-allowed", "country", attributes("serialNumber=7,CN=meter-7,O=Plant,C=DE")),
        ("subject-attribute-not-allowed", "unit", attributes("OU=x,serialNumber=7,CN=meter-7,O=Plant")),
        ("subject-attribute-not-allowed", "by-number", attributes("1.2.3.4=x,serialNumber=7,CN=meter-7,O=Plant")),
        ("subject-attribute-required", "serial-number", attributes("CN=meter-7,O=Plant")),
        ("subject-attribute-required", "everything", maker.request(name("").as_der(), &[&host])),
        ("subject-pattern", "another-organization", attributes("serialNumber=7,CN=meter-7,O=Plantation")),
        ("subject-pattern", "another-order", attributes("O=Plant,CN=meter-7,serialNumber=7")),
        ("subject-pattern", "comma-within", attributes("serialNumber=7,CN=x\\,CN=meter-7,O=Plant")),
        ("subject-pattern", "more-of-the-same", attributes("serialNumber=7,CN=x,CN=meter-7,O=Plant")),
        ("name-required", "dns", maker.request(&device, &[&ip("10.1.2.3")])),
    ] {
        maker.pair(("plant", rule, what, CITE), &hostile, &sound);
    }
    let cn = set(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("meter-7")])]);
    let o = set(&[&sequence(&[oid::ORGANIZATION.as_der(), &utf8("Plant")])]);
    let serial = sequence(&[oid::SERIAL_NUMBER.as_der(), &printable("7")]);
    let joined = set(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("meter-7")]), &serial]);
    maker.pair(
        ("plant", "subject-pattern", "joined-attributes", CITE),
        &maker.request(&sequence(&[&o, &joined]), &[&host]),
        &maker.request(&sequence(&[&o, &cn, &set(&[&serial])]), &[&host]),
    );
    let with = |name: &[u8]| maker.request(&device, &[&host, name]);
    for (what, hostile) in [("uri", uri("urn:a:b")), ("registered-id", b"\x88\x02\x2a\x03".to_vec())] {
        maker.pair(("plant", "name-kind-not-allowed", what, CITE), &with(&hostile), &with(&ip("10.1.2.3")));
    }
    let upn = |text: &str| other_name(&oid::UPN, &utf8(text));
    for (what, hostile, twin) in [
        ("dns-of-another-zone", dns("meter-7.plant.example.com"), dns("meter-8.plant.example")),
        ("dns-below-a-host", dns("a.meter-7.plant.example"), dns("meter-8.plant.example")),
        ("dns-that-ends-alike", dns("meter-7.implant.example"), dns("meter-8.plant.example")),
        ("address-of-another-network", ip("10.2.0.1"), ip("10.1.0.1")),
        ("address-of-another-family", ip("2001:db8::1"), ip("10.1.0.1")),
        ("email-of-another-host", email("ada@example.com"), email("ada@plant.example")),
        ("upn-of-another-host", upn("ada@example.com"), upn("ada@plant.example")),
        (
            "directory-of-another-organization",
            directory(name("CN=a,O=Office").as_der()),
            directory(name("CN=a,O=Plant").as_der()),
        ),
    ] {
        maker.pair(("plant", "name-pattern", what, CITE), &with(&hostile), &with(&twin));
    }
    maker.pair(
        ("plant", "wildcard", "of-the-zone", CITE),
        &with(&dns("*.plant.example")),
        &with(&dns("meter-8.plant.example")),
    );
    for key_type in [KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa(2048), KeyType::MlDsa44] {
        let key = Key::generate(key_type);
        let hostile = key.csr("serialNumber=7,CN=meter-7,O=Plant", &["DNS:meter-7.plant.example"]);
        maker.pair(("plant", "key-type-not-allowed", &key_type.to_string(), CITE), &hostile, &sound);
    }
}
