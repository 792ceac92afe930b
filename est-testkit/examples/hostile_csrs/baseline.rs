//! The Baseline Requirements for domain-validated certificates.

use est_core::pkix::{KeyType, oid};
use est_testkit::der::{sequence, set, utf8};
use est_testkit::pki::{Key, name};

use crate::{Maker, dns, printable};

pub(crate) fn baseline(maker: &Maker) {
    let request = |text: &str, names: &[&str]| maker.key.csr(text, names);
    let host = &["DNS:www.example.com"][..];
    let sound = request("CN=www.example.com,C=DE", host);
    let dv = "CA/Browser Forum BR §7.1.2.7.2";
    for (what, attribute) in [
        ("organization", "O=Example"),
        ("unit", "OU=Example"),
        ("locality", "L=Berlin"),
        ("state", "ST=Berlin"),
        ("serial-number", "serialNumber=7"),
        ("domain-component", "DC=example"),
        ("by-number", "2.5.4.17=10115"),
    ] {
        let hostile = request(&format!("CN=www.example.com,{attribute}"), host);
        maker.pair(("br-tls", "br-subject-attribute", what, dv), &hostile, &sound);
    }
    let rdn = |parts: &[&[u8]]| set(parts);
    let cn = sequence(&[oid::COMMON_NAME.as_der(), &utf8("www.example.com")]);
    let c = sequence(&[oid::COUNTRY.as_der(), &printable("DE")]);
    let of = |rdns: &[&[u8]]| maker.request(&sequence(rdns), &[&dns("www.example.com")]);
    let twin = of(&[&rdn(&[&c]), &rdn(&[&cn])]);
    let subject = "CA/Browser Forum BR §7.1.4.1";
    maker.pair(("br-tls", "br-joined-attributes", "country-and-name", subject), &of(&[&rdn(&[&cn, &c])]), &twin);
    maker.pair(
        ("br-tls", "br-attribute-twice", "country", subject),
        &of(&[&rdn(&[&c]), &rdn(&[&c]), &rdn(&[&cn])]),
        &twin,
    );
    maker.pair(
        ("br-tls", "br-attribute-order", "name-before-country", "CA/Browser Forum BR §7.1.4.2"),
        &of(&[&rdn(&[&cn]), &rdn(&[&c])]),
        &twin,
    );
    let common_name = "CA/Browser Forum BR §7.1.4.3";
    maker.pair(
        ("br-tls", "common-name-not-in-san", "in-another-case", common_name),
        &request("CN=WWW.example.com", host),
        &request("CN=www.example.com", host),
    );
    maker.pair(
        ("br-tls", "several-common-names", "twice", common_name),
        &request("CN=www.example.com,CN=www.example.com", host),
        &request("CN=www.example.com", host),
    );
    maker.pair(
        ("br-tls", "subject-alt-name-required", "common-name-alone", "CA/Browser Forum BR §7.1.2.7.12"),
        &request("CN=www.example.com", &[]),
        &request("CN=www.example.com", host),
    );
    let san = "CA/Browser Forum BR §7.1.2.7.12";
    for (what, refused) in [("email", "email:ada@example.com"), ("uri", "URI:https://www.example.com/")] {
        let hostile = request("", &["DNS:www.example.com", refused]);
        maker.pair(("br-tls", "name-kind-not-allowed", what, san), &hostile, &request("", host));
    }
    let hosts = [
        ("br-internal-name", "single-label", "server", "server.example.com"),
        ("br-internal-name", "top-level", "com", "example.com"),
        ("br-internal-name", "corp", "server.corp", "server.example.com"),
        ("br-internal-name", "internal", "server.internal", "server.example.com"),
        ("br-internal-name", "local", "printer.local", "printer.example.com"),
        ("br-internal-name", "localhost", "a.localhost", "a.example.com"),
        ("br-internal-name", "test", "a.test", "a.example.com"),
        ("br-internal-name", "example", "a.example", "a.example.com"),
        ("br-internal-name", "invalid", "a.invalid", "a.example.com"),
        ("br-internal-name", "onion", "a.onion", "a.example.com"),
        ("br-internal-name", "home-arpa", "a.home.arpa", "a.example.com"),
        ("br-internal-name", "reverse-zone", "1.2.0.192.in-addr.arpa", "1.2.0.192.example.com"),
        ("br-internal-name", "reverse-zone-of-v6", "8.b.d.0.1.0.0.2.ip6.arpa", "8.b.d.0.example.com"),
        ("br-internal-name", "wildcard-of-corp", "*.server.corp", "*.server.example.com"),
        ("br-wildcard-below-suffix", "of-two-labels", "*.co.uk", "*.example.co.uk"),
        ("br-wildcard-below-suffix", "in-japan", "*.a.kobe.jp", "*.city.kobe.jp"),
        ("br-underscore", "first-label", "_dmarc.example.com", "dmarc.example.com"),
        ("br-underscore", "within", "a_b.example.com", "a-b.example.com"),
        ("br-underscore", "below-a-wildcard", "*.a_b.example.com", "*.a-b.example.com"),
        ("br-reserved-label", "no-a-label", "ab--c.example.com", "ab-c.example.com"),
        ("br-reserved-label", "in-capitals", "AB--C.example.com", "AB-C.example.com"),
        ("malformed-name", "a-label-no-punycode", "xn--a.example.com", "xn--bcher-kva.example.com"),
        ("malformed-name", "wildcard-of-a-top-level", "*.com", "*.example.com"),
        ("malformed-name", "dot-after", "www.example.com.", "www.example.com"),
        ("malformed-name", "address", "8.8.8.8", "dns.google"),
    ];
    for (rule, what, hostile, twin) in hosts {
        maker.pair(
            ("br-tls", rule, what, "CA/Browser Forum BR §7.1.2.7.12, §7.1.4.2, §3.2.2.6"),
            &maker.request(name("").as_der(), &[&dns(hostile)]),
            &maker.request(name("").as_der(), &[&dns(twin)]),
        );
    }
    for (what, reserved) in [
        ("private-10", "10.0.0.1"),
        ("private-172", "172.16.0.1"),
        ("private-192", "192.168.1.1"),
        ("shared", "100.64.0.1"),
        ("loopback", "127.0.0.1"),
        ("link-local", "169.254.169.254"),
        ("documentation", "198.51.100.1"),
        ("multicast", "224.0.0.1"),
        ("broadcast", "255.255.255.255"),
        ("this-network", "0.0.0.0"),
        ("v6-loopback", "::1"),
        ("v6-unspecified", "::"),
        ("v6-unique-local", "fd00::1"),
        ("v6-link-local", "fe80::1"),
        ("v6-multicast", "ff02::1"),
        ("v6-documentation", "2001:db8::1"),
        ("v6-mapped", "::ffff:8.8.8.8"),
        ("v6-6to4", "2002:808:808::1"),
    ] {
        let twin = if reserved.contains(':') { "IP:2606:4700:4700::1111" } else { "IP:8.8.8.8" };
        maker.pair(
            ("br-tls", "br-reserved-address", what, "CA/Browser Forum BR §7.1.4.2, RFC 6890"),
            &request("", &[&format!("IP:{reserved}")]),
            &request("", &[twin]),
        );
    }
    for key_type in [KeyType::Ed25519, KeyType::MlDsa65] {
        let hostile = Key::generate(key_type).csr("CN=www.example.com,C=DE", host);
        let about = ("br-tls", "key-type-not-allowed", &*key_type.to_string(), "CA/Browser Forum BR §6.1.5");
        maker.pair(about, &hostile, &sound);
    }
}
