//! Names outside of what the CA, or the one above it, may certify.

use est_core::pkix::oid;
use est_testkit::der::utf8;
use est_testkit::pki::name;

use crate::{Maker, directory, dns, email, ip, other_name, subject, uri};

const CONSTRAINTS: &str = "RFC 5280 §4.2.1.10";
const RULE: &str = "name-constraint";

pub(crate) fn constraints(maker: &Maker) {
    for label in ["permitted", "below"] {
        permitted(maker, label);
    }
    excluded(maker);
}

fn mailbox(text: &str) -> Vec<u8> {
    other_name(&oid::SMTP_UTF8_MAILBOX, &utf8(text))
}

fn permitted(maker: &Maker, label: &str) {
    let plant = name("CN=device-1,O=Plant,C=DE");
    let names = |names: &[&[u8]]| maker.request(plant.as_der(), names);
    for (what, hostile, twin) in [
        ("dns-of-another-zone", dns("a.office.example"), dns("a.plant.example")),
        ("dns-that-ends-alike", dns("implant.example"), dns("im.plant.example")),
        ("dns-above", dns("example"), dns("plant.example")),
        ("dns-wildcard-above", dns("*.example.com"), dns("*.plant.example")),
        ("dns-that-begins-alike", dns("plant.example.com"), dns("plant.example")),
        ("address-of-another-network", ip("11.0.0.1"), ip("10.0.0.1")),
        ("address-of-another-family", ip("2001:db8::1"), ip("10.255.255.255")),
        ("email-of-another-host", email("ada@office.example"), email("ada@plant.example")),
        ("email-of-a-host-below", email("ada@a.plant.example"), email("ada@PLANT.example")),
        ("smtp-utf8-of-another-host", mailbox("adë@office.example"), mailbox("adë@plant.example")),
        ("uri-of-another-host", uri("https://a.office.example/"), uri("https://a.plant.example/")),
        ("uri-of-the-domain-itself", uri("https://plant.example/"), uri("https://b.a.plant.example/")),
        ("uri-of-an-address", uri("https://10.0.0.1/"), uri("https://a.plant.example:8443/")),
        ("uri-without-authority", uri("urn:plant:a"), uri("coaps://a.plant.example")),
        ("uri-that-only-looks-like-one", uri("urn:x://a.plant.example/"), uri("urn://a.plant.example/")),
        (
            "uri-with-a-user-like-a-host",
            uri("https://a.plant.example@office.example/"),
            uri("https://ada@a.plant.example/"),
        ),
        (
            "uri-with-a-path-like-a-host",
            uri("https://office.example/@a.plant.example"),
            uri("https://a.plant.example/@x"),
        ),
        (
            "directory-of-another",
            directory(name("CN=a,O=Office,C=DE").as_der()),
            directory(name("CN=a,O=PLANT,C=de").as_der()),
        ),
        ("directory-in-another-order", directory(name("CN=a,C=DE,O=Plant").as_der()), directory(plant.as_der())),
    ] {
        maker.pair((label, RULE, what, CONSTRAINTS), &names(&[&hostile]), &names(&[&twin]));
    }
    let request = |text: &str| maker.key.csr(text, &[]);
    for (what, hostile, twin) in [
        ("subject-of-another-organization", "CN=a,O=Office,C=DE", "CN=a,O=Plant,C=DE"),
        ("subject-above", "C=DE", "O=Plant,C=DE"),
        ("common-name-like-a-host", "CN=a.office.example,O=Plant,C=DE", "CN=a.plant.example,O=Plant,C=DE"),
        ("common-name-like-an-address", "CN=11.0.0.1,O=Plant,C=DE", "CN=10.0.0.1,O=Plant,C=DE"),
    ] {
        maker.pair((label, RULE, what, CONSTRAINTS), &request(hostile), &request(twin));
    }
    let good = dns("a.plant.example");
    maker.pair(
        (label, RULE, "one-of-two", CONSTRAINTS),
        &names(&[&good, &dns("a.office.example")]),
        &names(&[&good, &dns("b.plant.example")]),
    );
}

fn excluded(maker: &Maker) {
    let names = |names: &[&[u8]]| maker.request(name("CN=device-1").as_der(), names);
    for (what, hostile, twin) in [
        ("dns-itself", dns("office.example"), dns("theoffice.example")),
        ("dns-below", dns("a.b.office.example"), dns("a.b.plant.example")),
        ("dns-in-capitals", dns("A.OFFICE.Example"), dns("A.PLANT.Example")),
        ("dns-wildcard-below", dns("*.office.example"), dns("*.plant.example")),
        ("address-within", ip("192.0.2.200"), ip("192.0.3.200")),
        ("email-of-the-host", email("ada@office.example"), email("ada@plant.example")),
        ("email-of-a-host-below", email("ada@a.office.example"), email("ada@a.plant.example")),
        ("email-of-one", email("root@plant.example"), email("ada@plant.example")),
        ("smtp-utf8-of-the-host", mailbox("adë@office.example"), mailbox("adë@plant.example")),
        ("uri-of-the-host", uri("https://OFFICE.example:8443/"), uri("https://a.office.example/")),
        ("uri-of-an-address", uri("https://192.0.2.1/"), uri("https://plant.example/")),
        ("uri-without-authority", uri("urn:a:b"), uri("https://plant.example/urn:a:b")),
        ("uri-that-only-looks-like-one", uri("urn:x://plant.example/"), uri("urn://plant.example/x")),
        ("uri-with-a-user", uri("https://plant.example@office.example/"), uri("https://office.example@plant.example/")),
        (
            "directory-below",
            directory(name("CN=a,O=office,C=DE").as_der()),
            directory(name("CN=a,O=Plant,C=DE").as_der()),
        ),
    ] {
        maker.pair(("excluded", RULE, what, CONSTRAINTS), &names(&[&hostile]), &names(&[&twin]));
    }
    let request = |text: &str| maker.key.csr(text, &[]);
    for (what, hostile, twin) in [
        ("subject-below", "CN=a,O=Office,C=DE", "CN=a,O=Plant,C=DE"),
        ("subject-with-more-spaces-and-capitals", "CN=a,O=OFFICE,C=de", "CN=a,O=OFF ICE,C=de"),
        ("common-name-like-a-host", "CN=a.office.example", "CN=a.plant.example"),
        ("common-name-like-an-address", "CN=192.0.2.7", "CN=192.0.3.7"),
    ] {
        maker.pair(("excluded", RULE, what, CONSTRAINTS), &request(hostile), &request(twin));
    }
    let printable =
        |text: &str| subject(&[(oid::COUNTRY, crate::printable("DE")), (oid::ORGANIZATION, crate::printable(text))]);
    maker.pair(
        ("excluded", RULE, "subject-in-another-string-type", "RFC 5280 §7.1"),
        &maker.request(&printable("Office"), &[]),
        &maker.request(&printable("Plant"), &[]),
    );
    // The wildcard stands for the excluded host below it.
    let wide = |host: &str| names(&[&dns(host)]);
    maker.pair(
        ("excluded", RULE, "dns-wildcard-over-it", CONSTRAINTS),
        &wide("*.hosts.example"),
        &wide("*.others.example"),
    );
}
