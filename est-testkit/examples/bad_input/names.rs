//! Subjects and subjectAltNames that say something else than they seem to.

use crate::Maker;
use est_core::Refusal;
use est_core::pkix::der::DerError;
use est_core::pkix::{AlternativeNameError, AlternativeNameFault, CsrError, NameError, Oid, StringType, oid};
use est_testkit::der::{extension, sequence, set, utf8, value};
use est_testkit::pki::Key;

pub(crate) fn subjects(maker: &mut Maker) {
    maker.group = "subjects";
    let key = Key::p256();
    let of = |text: &[u8]| sequence(&[&set(&[&sequence(&[oid::COMMON_NAME.as_der(), text])])]);
    let with = |subject: &[u8]| key.csr_with_attributes(subject, &[]);
    let names = "RFC 5280 §4.1.2.4";
    let common_name = || oid::COMMON_NAME;
    maker.granted("A subject as it should be", names, &with(&of(&utf8("subjects"))));
    maker.bad(
        "none-at-all",
        "Neither a subject nor a subjectAltName",
        Refusal::NoName,
        "RFC 5280 §4.1.2.6",
        &with(b"\x30\x00"),
    );
    for (case, about, text) in [
        ("nul", "A NUL, at which other software stops reading", &b"www.example\0.attacker.example"[..]),
        ("line-feed", "A line of its own in somebody's log", b"a\n2026-11-21 INFO certificate issued to root"),
        ("carriage-return", "Text that overwrites a line on a terminal", b"a\rroot"),
        ("escape-sequence", "A terminal's control sequence", b"a\x1b[2J"),
        ("delete", "A character that deletes", b"a\x7f"),
        ("c1-control", "A control character of two octets", "a\u{9b}2J".as_bytes()),
    ] {
        let refusal = Refusal::Subject(NameError::ControlCharacter(common_name()));
        maker.bad(case, about, refusal, names, &with(&of(&value(0x0c, &[text]))));
    }
    maker.bad(
        "empty-value",
        "An empty commonName",
        Refusal::Subject(NameError::Empty(common_name())),
        names,
        &with(&of(&utf8(""))),
    );
    for (case, about, text) in [
        ("no-utf-8", "UTF8String with other octets", value(0x0c, &[b"\xff\xfe"])),
        ("overlong-utf-8", "UTF-8 longer than it needs to be", value(0x0c, &[b"\xc0\xaf"])),
        ("surrogates", "Half a character of UTF-16", value(0x0c, &[b"\xed\xa0\x80"])),
        ("integer", "A number as a name", b"\x02\x01\x05".to_vec()),
        ("null", "NULL as a name", b"\x05\x00".to_vec()),
    ] {
        maker.bad(case, about, Refusal::Subject(NameError::NotText(common_name())), names, &with(&of(&text)));
    }
    let asterisk = NameError::Character { id: common_name(), string_type: StringType::Printable, character: '*' };
    maker.bad(
        "printable-asterisk",
        "PrintableString with an asterisk",
        Refusal::Subject(asterisk),
        names,
        &with(&of(&value(0x13, &[b"*"]))),
    );
    for (case, about, found, text) in [
        (
            "teletex-string",
            "TeletexString, which means what the reader likes",
            StringType::Teletex,
            value(0x14, &[b"a"]),
        ),
        ("bmp-string", "BMPString", StringType::Bmp, value(0x1e, &[b"\0a"])),
        ("universal-string", "UniversalString", StringType::Universal, value(0x1c, &[b"\0\0\0a"])),
    ] {
        let refusal = Refusal::Subject(NameError::StringType { id: common_name(), found });
        maker.bad(case, about, refusal, names, &with(&of(&text)));
    }
    let twice = |text: &str| sequence(&[oid::COMMON_NAME.as_der(), &utf8(text)]);
    maker.bad(
        "type-twice-in-an-rdn",
        "One RDN with two commonNames",
        CsrError::Subject(NameError::TypeTwice(common_name())),
        "X.501 §9.3",
        &with(&sequence(&[&set(&[&twice("a"), &twice("b")])])),
    );
    let reversed = Refusal::Subject(NameError::ControlCharacter(common_name()));
    maker.bad(
        "right-to-left",
        "Text that reads backwards for whoever approves it",
        reversed,
        "UAX #9 §2.2",
        &with(&of(&utf8("a\u{202e}elpmaxe.toor"))),
    );
    let length = |id: Oid| Refusal::Subject(NameError::Length(id));
    let bounds = "RFC 5280 Appendix A.1";
    maker.bad(
        "common-name-of-65",
        "A commonName one character too long",
        length(common_name()),
        bounds,
        &with(&of(&utf8(&"ë".repeat(65)))),
    );
    maker.bad(
        "country-of-3",
        "A country of three letters",
        length(oid::COUNTRY),
        bounds,
        &with(&sequence(&[&set(&[&sequence(&[oid::COUNTRY.as_der(), &value(0x13, &[b"DEU"])])])])),
    );
    let malformed = || CsrError::Subject(NameError::Malformed);
    maker.bad("is-a-set", "A SET in place of a name", malformed(), names, &with(b"\x31\x00"));
    maker.bad("empty-rdn", "A relative name without an attribute", malformed(), names, &with(b"\x30\x02\x31\x00"));
    maker.bad(
        "rdn-is-a-sequence",
        "A SEQUENCE in place of a SET",
        malformed(),
        names,
        &with(&sequence(&[&sequence(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("a")])])])),
    );
    maker.bad(
        "attribute-without-a-value",
        "An attribute without a value",
        malformed(),
        names,
        &with(&sequence(&[&set(&[&sequence(&[oid::COMMON_NAME.as_der()])])])),
    );
    let one = set(&[&sequence(&[oid::COMMON_NAME.as_der(), &utf8("a")])]);
    maker.bad(
        "of-65-names",
        "More attributes than any real name has",
        CsrError::Subject(NameError::TooLong),
        names,
        &with(&sequence(&vec![&one[..]; 65])),
    );
}

pub(crate) fn alternative_names(maker: &mut Maker) {
    maker.group = "alternative-names";
    let key = Key::p256();
    let with = |names: &[&[u8]]| {
        key.csr_with_extensions("CN=names", &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, &sequence(names))])
    };
    let san = "RFC 5280 §4.2.1.6";
    maker.granted(
        "Names as they should be",
        san,
        &with(&[&value(0x82, &[b"names.example"]), b"\x87\x04\xc0\x00\x02\x01"]),
    );
    let unreadable = |error| CsrError::SubjectAltName(error);
    let first = |fault| unreadable(AlternativeNameError::Name { entry: 1, fault });
    maker.bad("empty", "A list without a name", unreadable(AlternativeNameError::Empty), san, &with(&[]));
    maker.bad(
        "address-of-3-octets",
        "An address of three octets",
        first(AlternativeNameFault::Address { octets: 3, text: false }),
        san,
        &with(&[b"\x87\x03\x01\x02\x03"]),
    );
    maker.bad(
        "address-with-a-mask",
        "An address with a mask, as name constraints have it",
        first(AlternativeNameFault::Address { octets: 8, text: false }),
        san,
        &with(&[b"\x87\x08\x0a\0\0\0\xff\0\0\0"]),
    );
    maker.bad(
        "dns-in-utf-8",
        "A name outside of ASCII",
        first(AlternativeNameFault::AsciiOnly("dNSName")),
        san,
        &with(&[&value(0x82, &["zoë.example".as_bytes()])]),
    );
    maker.bad(
        "constructed-dns",
        "A dNSName in constructed form",
        first(AlternativeNameFault::Kind(0xa2)),
        san,
        &with(&[&value(0xa2, &[&utf8("a.example")])]),
    );
    maker.bad(
        "of-no-kind",
        "A tag that no kind of name has",
        first(AlternativeNameFault::Kind(0x89)),
        san,
        &with(&[&value(0x89, &[b"a"])]),
    );
    maker.bad(
        "other-name-of-garbage",
        "An otherName that is none",
        first(AlternativeNameFault::OtherName),
        san,
        &with(&[b"\xa0\x02\x05\x00"]),
    );
    maker.bad(
        "ten-thousand-names",
        "Many names, for a parser's memory",
        unreadable(AlternativeNameError::Malformed(Some(DerError::TooMany))),
        san,
        &with(&vec![&b"\x82\x01a"[..]; 10_000]),
    );
    maker.bad(
        "not-a-list",
        "A name without a list around it",
        unreadable(AlternativeNameError::Malformed(None)),
        san,
        &key.csr_with_extensions("CN=names", &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x82\x01a")]),
    );
    maker.bad(
        "after-the-list",
        "An octet after the list",
        unreadable(AlternativeNameError::Malformed(Some(DerError::TrailingData))),
        san,
        &key.csr_with_extensions(
            "CN=names",
            &[&extension(oid::SUBJECT_ALT_NAME.as_der(), false, b"\x30\x03\x82\x01a\x00")],
        ),
    );
    maker.bad(
        "address-as-text",
        "An address as people write it",
        first(AlternativeNameFault::Address { octets: 9, text: true }),
        san,
        &with(&[b"\x87\x09192.0.2.7"]),
    );
    let text_that_is_none = value(0xa0, &[b"\x06\x03\x2a\x03\x04", b"\xa0\x03\x0c\x01\xff"]);
    let fault = format!("its value is not DER: {}", DerError::Text);
    maker.bad(
        "other-name-with-text-that-is-none",
        "An otherName whose UTF8String is none",
        Refusal::NameForm { name: "1.2.3.4:#0c01ff".into(), fault },
        "X.690 §8.23",
        &with(&[&text_that_is_none]),
    );
    for (case, about, tag, text) in [
        ("dns-with-a-nul", "A NUL, at which other software stops reading", 0x82, "www.example\0.attacker.example"),
        ("dns-empty", "No name at all", 0x82, ""),
        ("dns-of-a-dot", "The root", 0x82, "."),
        ("dns-with-a-blank", "A blank", 0x82, " "),
        ("dns-with-a-line-feed", "A line of its own in somebody's log", 0x82, "a.example\nroot"),
        ("dns-with-an-empty-label", "Two dots", 0x82, "a..example"),
        ("dns-with-a-last-dot", "A dot at the end", 0x82, "a.example."),
        ("dns-with-a-hyphen-first", "A label that begins with a hyphen", 0x82, "-a.example"),
        ("dns-with-markup", "Markup for whoever shows it", 0x82, "<script>alert(1)</script>"),
        ("dns-with-a-quote", "A quote for whoever puts it into a query", 0x82, "a'; DROP TABLE certificates; --"),
        ("dns-with-a-path", "A path", 0x82, "../../etc/passwd"),
        ("wildcard-of-everything", "All names", 0x82, "*"),
        ("wildcard-of-a-top-level", "All names of a top-level domain", 0x82, "*.com"),
        ("wildcard-in-the-middle", "A wildcard that is not first", 0x82, "a.*.example"),
        ("wildcard-of-a-part", "A wildcard for part of a label", 0x82, "a*.example.org"),
        ("wildcard-twice", "Two wildcards", 0x82, "*.*.example.org"),
        ("mail-without-a-host", "A mailbox nowhere", 0x81, "root"),
        ("mail-with-two-hosts", "A mailbox at two hosts", 0x81, "a@b@c.example"),
        ("mail-with-a-line-feed", "A header for whoever sends mail", 0x81, "a\nBcc:@example.org"),
        ("uri-without-a-scheme", "A URI without a scheme", 0x86, "//example.org/"),
        ("uri-with-a-blank", "A URI with a blank", 0x86, "urn:a b"),
    ] {
        let kind = match tag {
            0x82 => "DNS",
            0x81 => "email",
            _ => "URI",
        };
        let refusal = Refusal::MalformedName(format!("{kind}:{}", text.escape_default()));
        maker.bad(case, about, refusal, san, &with(&[&value(tag, &[text.as_bytes()])]));
    }
    let long_label = "a".repeat(64);
    maker.bad(
        "dns-label-of-64",
        "A label one octet too long",
        Refusal::MalformedName(format!("DNS:{long_label}")),
        "RFC 1035 §2.3.4",
        &with(&[&value(0x82, &[long_label.as_bytes()])]),
    );
    let long_name = vec!["a".repeat(62); 5].join(".");
    maker.bad(
        "dns-of-314",
        "A name too long for the DNS",
        Refusal::MalformedName(format!("DNS:{long_name}")),
        "RFC 1035 §2.3.4",
        &with(&[&value(0x82, &[long_name.as_bytes()])]),
    );
    maker.bad(
        "directory-name-empty",
        "A directory name without an attribute",
        Refusal::MalformedName("dirName:".into()),
        san,
        &with(&[b"\xa4\x02\x30\x00"]),
    );
    maker.bad(
        "x400",
        "An X.400 address, whose contents nobody looks at",
        Refusal::MalformedName("other:a30430020500".into()),
        san,
        &with(&[b"\xa3\x04\x30\x02\x05\x00"]),
    );
}
