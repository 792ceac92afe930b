//! What is not one DER value, or not a certification request.

use crate::{Maker, NO_ATTRIBUTES, RFC_2986, VERSION};
use est_core::pkix::CsrError;
use est_core::pkix::der::DerError;
use est_testkit::der::{attribute, bit_string, sequence, value};
use est_testkit::pki::{Key, TestCa, name};

pub(crate) fn der(maker: &mut Maker) {
    maker.group = "der";
    let key = Key::p256();
    let sound = key.csr("CN=der", &["DNS:der.example"]);
    let subject = name("CN=der");
    let info = |parts: &[&[u8]]| key.signed(sequence(parts));
    let spki = key.public_key().as_der();
    maker.granted("A request that is what all others here are not", RFC_2986, &sound);
    let x690 = "X.690 §10.1";
    maker.bad(
        "trailing-octet",
        "An octet follows the request",
        DerError::TrailingData,
        RFC_2986,
        &[&sound[..], b"\0"].concat(),
    );
    maker.bad(
        "two-requests",
        "A second request follows the first",
        DerError::TrailingData,
        "RFC 7030 §4.2.1",
        &[&sound[..], &sound].concat(),
    );
    maker.bad("truncated", "The last octet is missing", DerError::Truncated, RFC_2986, &sound[..sound.len() - 1]);
    maker.bad("one-octet", "A tag and nothing else", DerError::Truncated, "X.690 §8.1", b"\x30");
    maker.bad(
        "indefinite-length",
        "BER's indefinite length",
        DerError::Length,
        x690,
        &[b"\x30\x80", &sound[4..], b"\0\0"].concat(),
    );
    maker.bad(
        "long-length",
        "A length in more octets than it needs",
        DerError::Length,
        x690,
        &[b"\x30\x83\x00", &sound[2..]].concat(),
    );
    maker.bad(
        "reserved-length",
        "A length of 127 octets' length",
        DerError::Length,
        "X.690 §8.1.3.5",
        b"\x30\xff\x01\x01",
    );
    maker.bad(
        "length-of-4-gib",
        "A length that promises 4 GiB",
        DerError::Truncated,
        "X.690 §8.1.3",
        b"\x30\x84\xff\xff\xff\xff\x02\x01\x00",
    );
    maker.bad(
        "length-of-64-bits",
        "A length that overflows 32 bits",
        DerError::Length,
        "X.690 §8.1.3",
        b"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    let mut nested = b"\x05\x00".to_vec();
    (0..5_000).for_each(|_| nested = sequence(&[&nested]));
    maker.bad(
        "nested-5000-deep",
        "Sequences in sequences, for a parser's stack",
        DerError::TooDeep,
        "X.690 §8.9",
        &nested,
    );
    maker.bad(
        "nested-30-deep-in-an-attribute",
        "The same where an open type hides it",
        DerError::TooDeep,
        "RFC 2986 §4.1",
        &{
            let mut deep = b"\x05\x00".to_vec();
            (0..30).for_each(|_| deep = sequence(&[&deep]));
            key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[&deep])])
        },
    );
    maker.bad(
        "twenty-thousand-values",
        "Many small values, for a parser's memory",
        DerError::TooMany,
        "X.690 §8.9",
        &sequence(&vec![&b"\x05\x00"[..]; 20_000]),
    );
    maker.bad("high-tag", "A tag over 30", DerError::Tag, "X.690 §8.1.2", &[b"\x3f\x81\x00", &sound[1..]].concat());
    maker.bad("end-of-contents", "The tag 0", DerError::Tag, "X.690 §8.1.5", b"\x30\x02\x00\x00");
    maker.bad(
        "constructed-bit-string",
        "The signature in pieces, as BER allows",
        DerError::Tag,
        "X.690 §10.2",
        &sequence(&[
            &sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]),
            key.signature_algorithm(),
            &value(0x23, &[&bit_string(b"a")]),
        ]),
    );
    maker.bad(
        "primitive-sequence",
        "A SEQUENCE in primitive form",
        DerError::Tag,
        "X.690 §8.9.1",
        &[b"\x10", &sound[1..]].concat(),
    );
    maker.bad(
        "long-integer",
        "A version with a superfluous zero",
        CsrError::Version,
        "X.690 §8.3.2",
        &info(&[b"\x02\x02\x00\x00", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "empty-integer",
        "A version without octets",
        CsrError::Version,
        "X.690 §8.3.1",
        &info(&[b"\x02\x00", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "boolean-one",
        "TRUE written as 01",
        DerError::Value,
        "X.690 §11.1",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[b"\x01\x01\x01"])]),
    );
    maker.bad(
        "long-oid-arc",
        "An object identifier with a padded arc",
        DerError::Value,
        "X.690 §8.19.2",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x03\x2a\x80\x01", &[b"\x05\x00"])]),
    );
    maker.bad(
        "dirty-padding",
        "Unused bits that are not zero",
        DerError::Value,
        "X.690 §11.2.1",
        &key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[b"\x03\x02\x04\xff"])]),
    );
    maker.bad("empty-sequence", "An empty SEQUENCE", CsrError::NotACsr, RFC_2986, b"\x30\x00");
    maker.bad("null", "NULL", CsrError::NotACsr, RFC_2986, b"\x05\x00");
    maker.bad(
        "certificate",
        "A certificate in the place of a request",
        CsrError::NotACsr,
        RFC_2986,
        TestCa::new().certificate().as_der(),
    );
    maker.bad(
        "certs-only",
        "The message that the server itself sends",
        CsrError::NotACsr,
        RFC_2986,
        &est_core::pkix::certs_only([TestCa::new().certificate().as_der()]),
    );
    maker.bad("public-key", "A public key alone", CsrError::NotACsr, RFC_2986, spki);
    maker.bad(
        "info-without-signature",
        "What was to be signed, without the signature",
        CsrError::NotACsr,
        RFC_2986,
        &sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-1",
        "Version 1, which does not exist",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x01\x01", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-negative",
        "Version -1",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x01\xff", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-of-72-bits",
        "A version over 64 bits",
        CsrError::Version,
        "RFC 2986 §4.1",
        &info(&[b"\x02\x09\x01\0\0\0\0\0\0\0\0", subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "version-missing",
        "No version",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[subject.as_der(), spki, NO_ATTRIBUTES]),
    );
    maker.bad(
        "attributes-twice",
        "Two sets of attributes",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES, NO_ATTRIBUTES]),
    );
    maker.bad(
        "attributes-primitive",
        "Attributes in primitive form, where a strict walker cannot look",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, b"\x80\x00"]),
    );
    maker.bad(
        "attributes-with-another-tag",
        "Attributes tagged [1]",
        CsrError::NotACsr,
        "RFC 2986 §4.1",
        &info(&[VERSION, subject.as_der(), spki, b"\xa1\x00"]),
    );
    maker.bad("fourth-part", "Something after the signature", CsrError::NotACsr, RFC_2986, &{
        let info = sequence(&[VERSION, subject.as_der(), spki, NO_ATTRIBUTES]);
        let signature = key.sign(&info);
        sequence(&[&info, key.signature_algorithm(), &bit_string(&signature), b"\x05\x00"])
    });
}
