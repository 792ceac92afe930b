//! subjectAltNames: the syntax of each kind.

use est_core::pkix::oid;
use est_testkit::der::{extension, sequence, set, utf8, value};

use crate::{Maker, common_name, directory, dns, email, ia5, ip, other_name, subject, uri};

const NAMES: &str = "RFC 5280 §4.2.1.6";
const HOSTS: &str = "RFC 1034 §3.5";
const IDNA: &str = "RFC 5891 §5.4";
const MAILBOX: &str = "RFC 5321 §4.1.2";
const URI: &str = "RFC 3986 §3";

/// One name against another.
fn pair(maker: &Maker, refusal: &str, what: &str, cite: &str, hostile: &[u8], twin: &[u8]) {
    let of = |name: &[u8]| maker.request(&common_name("device-1"), &[name]);
    maker.pair(("device", refusal, what, cite), &of(hostile), &of(twin));
}

pub(crate) fn hosts(maker: &Maker) {
    let long = |last: usize| format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(last));
    let (label_of_64, label_of_63) = ("a".repeat(64) + ".example", "a".repeat(63) + ".example");
    let (of_254, of_253) = (long(62), long(61));
    for (what, cite, hostile, twin) in [
        ("label-of-64", HOSTS, label_of_64.as_str(), label_of_63.as_str()),
        ("of-254", HOSTS, &of_254, &of_253),
        ("hyphen-before", HOSTS, "-a.example", "a.example"),
        ("hyphen-after", HOSTS, "a-.example", "a.example"),
        ("empty", NAMES, "", "a.example"),
        ("space-alone", NAMES, " ", "a.example"),
        ("empty-label", HOSTS, "a..example", "a.example"),
        ("dot-before", HOSTS, ".example", "a.example"),
        ("dot-after", NAMES, "a.example.", "a.example"),
        ("space-within", HOSTS, "a b.example", "a-b.example"),
        ("space-after", HOSTS, "a.example ", "a.example"),
        ("nul", HOSTS, "a.example\0.attacker.example", "a.example"),
        ("line-feed", HOSTS, "a.example\nb.example", "a.example"),
        ("port", HOSTS, "a.example:443", "a.example"),
        ("path", HOSTS, "a.example/b", "a.example"),
        ("at", HOSTS, "a@b.example", "a.b.example"),
        ("two-in-one", HOSTS, "a.example,b.example", "a.example"),
        ("address", "RFC 1123 §2.1", "192.0.2.1", "a.example"),
        ("ends-in-a-number", "RFC 1123 §2.1", "a.example.1", "a.1.example"),
        ("wildcard-alone", "RFC 9525 §6.3", "*", "*.a.example"),
        ("wildcard-of-a-top-level", "RFC 9525 §6.3", "*.com", "*.a.com"),
        ("wildcard-within", "RFC 9525 §6.3", "a.*.example", "*.a.example"),
        ("wildcard-last", "RFC 9525 §6.3", "a.example.*", "*.a.example"),
        ("wildcard-twice", "RFC 9525 §6.3", "*.*.example", "*.a.example"),
        ("wildcard-of-a-part", "RFC 9525 §6.3", "a*.b.example", "*.b.example"),
        ("wildcard-before-a-part", "RFC 9525 §6.3", "*a.b.example", "*.b.example"),
        ("a-label-of-nothing", IDNA, "xn--.example", "xn--bcher-kva.example"),
        ("a-label-no-punycode", IDNA, "xn--a.example", "xn--bcher-kva.example"),
        ("a-label-of-ascii", IDNA, "xn--abc-.example", "abc.example"),
        ("a-label-of-capitals", IDNA, "xn--bcher-2pa.example", "xn--bcher-kva.example"),
        ("a-label-of-a-joiner", "RFC 5892 Appendix A", "xn--1ug.example", "xn--bcher-kva.example"),
        ("a-label-in-both-directions", "RFC 5893 §2", "xn--a-0hc.example", "xn--bcher-kva.example"),
        ("a-label-of-a-mark-first", "RFC 5891 §5.4", "xn--abc-jdc.example", "xn--bcher-kva.example"),
        ("a-label-below-a-good-one", IDNA, "xn--bcher-kva.xn--a.example", "xn--bcher-kva.example"),
        ("a-label-below-a-wildcard", IDNA, "*.xn--a.example", "*.xn--bcher-kva.example"),
    ] {
        pair(maker, "malformed-name", &format!("dns-{what}"), cite, &dns(hostile), &dns(twin));
    }
    let latin = value(0x82, &[b"b\xfccher.example"]);
    for (what, hostile) in [("u-label", dns("bücher.example")), ("latin-1", latin)] {
        let twin = dns("xn--bcher-kva.example");
        pair(maker, "csr-subject-alt-name", &format!("dns-{what}"), "RFC 9549 §2", &hostile, &twin);
    }
    for octets in [0, 3, 5, 8, 15, 17, 32] {
        let twin = if octets < 9 { ip("192.0.2.1") } else { ip("2001:db8::1") };
        let hostile = value(0x87, &[&vec![7; octets]]);
        pair(maker, "csr-subject-alt-name", &format!("address-of-{octets}-octets"), NAMES, &hostile, &twin);
    }
}

pub(crate) fn others(maker: &Maker) {
    for (what, hostile, twin) in [
        ("relative", "/unit/7", "https://a.example/unit/7"),
        ("relative-to-a-scheme", "//a.example/unit/7", "https://a.example/unit/7"),
        ("empty", "", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("scheme-alone", "urn:", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("scheme-with-a-digit-first", "7urn:a:b", "urn:a:b"),
        ("scheme-with-an-underscore", "u_n:a:b", "urn:a:b"),
        ("without-host", "https://", "https://a.example"),
        ("path-without-host", "https:///unit", "https://a.example/unit"),
        ("port-without-host", "https://:443/", "https://a.example:443/"),
        ("user-without-host", "https://ada@/", "https://ada@a.example/"),
        ("host-with-empty-label", "https://a..example/", "https://a.example/"),
        ("host-with-underscore-and-space", "https://a b.example/", "https://a.example/"),
        ("host-of-a-wildcard", "https://*.a.example/", "https://a.example/"),
        ("host-no-punycode", "https://xn--a.example/", "https://xn--bcher-kva.example/"),
        ("host-ends-in-a-number", "https://192.0.2.256/", "https://192.0.2.25/"),
        ("port-of-letters", "https://a.example:https/", "https://a.example:443/"),
        ("port-of-65536", "https://a.example:65536/", "https://a.example:65535/"),
        ("bracket-open", "coaps://[2001:db8::1/", "coaps://[2001:db8::1]/"),
        ("bracket-of-text", "coaps://[a.example]/", "coaps://[2001:db8::1]/"),
        ("backslash", "https://a.example\\@b.example/", "https://a.example/@b.example/"),
        ("angle-brackets", "https://a.example/<b>", "https://a.example/b"),
        ("quotation-mark", "https://a.example/\"b", "https://a.example/b"),
        ("percent-alone", "https://a.example/100%", "https://a.example/100%25"),
        ("percent-of-letters", "https://a.example/%zz", "https://a.example/%7a"),
        ("line-feed", "https://a.example/\nb", "https://a.example/b"),
    ] {
        pair(maker, "malformed-name", &format!("uri-{what}"), URI, &uri(hostile), &uri(twin));
    }
    let beyond = uri("https://a.example/ë");
    pair(maker, "csr-subject-alt-name", "uri-beyond-ascii", NAMES, &beyond, &uri("https://a.example/%C3%AB"));

    let (local_of_65, local_of_64) = ("l".repeat(65) + "@example.com", "l".repeat(64) + "@example.com");
    for (what, hostile, twin) in [
        ("without-at", "ada", "ada@example.com"),
        ("empty", "", "ada@example.com"),
        ("without-local-part", "@example.com", "ada@example.com"),
        ("without-host", "ada@", "ada@example.com"),
        ("two-hosts", "ada@example.com@example.org", "ada@example.org"),
        ("with-a-name", "Ada <ada@example.com>", "ada@example.com"),
        ("in-angle-brackets", "<ada@example.com>", "ada@example.com"),
        ("two-in-one", "ada,bob@example.com", "ada@example.com"),
        ("with-a-comment", "ada(me)@example.com", "ada@example.com"),
        ("dot-before", ".ada@example.com", "ada@example.com"),
        ("dot-after", "ada.@example.com", "ada@example.com"),
        ("two-dots", "ada..b@example.com", "ada.b@example.com"),
        ("space", "ada b@example.com", "ada.b@example.com"),
        ("host-of-a-wildcard", "ada@*.example.com", "ada@a.example.com"),
        ("host-with-dot-after", "ada@example.com.", "ada@example.com"),
        ("host-no-punycode", "ada@xn--a.example", "ada@xn--bcher-kva.example"),
        ("scheme", "mailto:ada@example.com", "ada@example.com"),
        ("local-part-of-65", &local_of_65, &local_of_64),
    ] {
        pair(maker, "malformed-name", &format!("email-{what}"), MAILBOX, &email(hostile), &email(twin));
    }
    let beyond = email("adë@example.com");
    pair(maker, "csr-subject-alt-name", "email-beyond-ascii", "RFC 9598 §3", &beyond, &email("ade@example.com"));

    let mailbox = |contents: &[u8]| other_name(&oid::SMTP_UTF8_MAILBOX, contents);
    let sound = mailbox(&utf8("adë@xn--bcher-kva.example"));
    for (what, hostile) in [
        ("of-ascii", mailbox(&utf8("ada@xn--bcher-kva.example"))),
        ("without-at", mailbox(&utf8("adë"))),
        ("without-local-part", mailbox(&utf8("@xn--bcher-kva.example"))),
        ("with-a-u-label", mailbox(&utf8("adë@bücher.example"))),
        ("with-a-line-feed", mailbox(&utf8("adë\n@xn--bcher-kva.example"))),
        ("turned-around", mailbox(&utf8("adë\u{202e}@xn--bcher-kva.example"))),
        ("in-another-string-type", mailbox(&ia5("adë@xn--bcher-kva.example"))),
        ("no-utf8", mailbox(&value(0x0c, &[b"ad\xff@example.com"]))),
    ] {
        pair(maker, "malformed-name", &format!("smtp-utf8-{what}"), "RFC 9598 §3", &hostile, &sound);
    }
    let principal = |contents: &[u8]| other_name(&oid::UPN, contents);
    for (what, hostile) in [
        ("integer", principal(b"\x02\x01\x07")),
        ("empty", principal(&utf8(""))),
        ("line-feed", principal(&utf8("ada@example.com\nroot@example.com"))),
        ("turned-around", principal(&utf8("ada\u{202e}@example.com"))),
        ("ia5", principal(&ia5("ada@example.com"))),
    ] {
        let twin = principal(&utf8("ada@example.com"));
        pair(maker, "malformed-name", &format!("upn-{what}"), "[MS-WCCE] §2.2.2.7.7", &hostile, &twin);
    }
    let hardware = |contents: &[u8]| other_name(&oid::HARDWARE_MODULE_NAME, contents);
    let kind = b"\x06\x03\x2a\x03\x04";
    let sound = hardware(&sequence(&[kind, b"\x04\x02\x08\x15"]));
    for (what, hostile) in [
        ("text", hardware(&utf8("0815"))),
        ("without-serial-number", hardware(&sequence(&[kind]))),
        ("serial-number-as-text", hardware(&sequence(&[kind, &utf8("0815")]))),
    ] {
        pair(maker, "malformed-name", &format!("hardware-{what}"), "RFC 4108 §5", &hostile, &sound);
    }
}

pub(crate) fn shapes(maker: &Maker) {
    let sound = dns("a.example");
    let bmp = subject(&[(oid::COMMON_NAME, value(0x1e, &[b"\0a"]))]);
    let long = subject(&[(oid::COMMON_NAME, utf8(&"a".repeat(65)))]);
    let line_feed = subject(&[(oid::COMMON_NAME, utf8("a\nb"))]);
    for (what, hostile, twin) in [
        ("x400-address", value(0xa3, &[]), &sound),
        ("edi-party-name", value(0xa5, &[&value(0xa1, &[&utf8("a")])]), &sound),
        ("directory-empty", directory(&sequence(&[])), &directory(&common_name("a"))),
        ("directory-bmp", directory(&bmp), &directory(&common_name("a"))),
        ("directory-too-long", directory(&long), &directory(&common_name("a"))),
        ("directory-line-feed", directory(&line_feed), &directory(&common_name("a"))),
    ] {
        pair(maker, "malformed-name", what, NAMES, &hostile, twin);
    }
    let upn = oid::UPN;
    for (what, hostile) in [
        ("registered-id-padded", value(0x88, &[b"\x2a\x80\x03"])),
        ("registered-id-empty", value(0x88, &[])),
        ("directory-malformed", directory(&utf8("CN=a"))),
        ("other-name-without-value", value(0xa0, &[upn.as_der()])),
        ("other-name-untagged", value(0xa0, &[upn.as_der(), &utf8("ada@example.com")])),
        ("other-name-with-primitive-tag", value(0xa0, &[upn.as_der(), &value(0x80, &[&utf8("a")])])),
        ("of-no-kind", value(0x89, &[b"a"])),
        ("untagged", ia5("a.example")),
        ("dns-constructed", value(0xa2, &[&ia5("a.example")])),
    ] {
        pair(maker, "csr-subject-alt-name", what, NAMES, &hostile, &sound);
    }
    let with = |value: &[u8]| {
        let names = extension(oid::SUBJECT_ALT_NAME.as_der(), false, value);
        maker.with_extensions(&common_name("device-1"), &[&names])
    };
    for (what, hostile) in [
        ("empty", sequence(&[])),
        ("is-a-set", value(0x31, &[&sound])),
        ("is-a-name", sound.clone()),
        ("no-der", b"a.example".to_vec()),
        ("trailing-octets", [&sequence(&[&sound])[..], b"\0"].concat()),
    ] {
        maker.pair(("device", "csr-subject-alt-name", what, NAMES), &with(&hostile), &with(&sequence(&[&sound])));
    }
    // Issued are both as DER wants them; an RDN that says a thing twice is one that DER cannot mend.
    let common_name = |text: &str| sequence(&[oid::COMMON_NAME.as_der(), &utf8(text)]);
    let twice = sequence(&[&set(&[&common_name("a"), &common_name("b")])]);
    let apart = sequence(&[&set(&[&common_name("a")]), &set(&[&common_name("b")])]);
    maker.pair(
        ("device", "csr-subject-alt-name", "directory-with-a-type-twice-in-an-rdn", "X.501 §9.3"),
        &with(&sequence(&[&directory(&twice)])),
        &with(&sequence(&[&directory(&apart)])),
    );
}
