//! DER, and what a certification request is made of.

use est_testkit::der::{attribute, bit_string, sequence, value};
use est_testkit::pki::{Key, TestCa, name};

use crate::{Maker, common_name};

pub(crate) fn encoding(maker: &Maker) {
    let key = &maker.key;
    let subject = name("CN=device-1");
    let (version, spki, none) = (&b"\x02\x01\x00"[..], key.public_key().as_der(), &b"\xa0\x00"[..]);
    let info = |parts: &[&[u8]]| sequence(parts);
    let sound = info(&[version, subject.as_der(), spki, none]);
    let signature = key.sign(&sound);
    let around = |info: &[u8]| sequence(&[info, key.signature_algorithm(), &bit_string(&signature)]);
    let twin = around(&sound);
    let signed = |parts: &[&[u8]]| key.signed(info(parts));
    let contents = &twin[4..];
    let length = u16::try_from(contents.len()).expect("short").to_be_bytes();
    let with_header = |header: &[u8]| [header, contents].concat();
    let unknown = |value: &[u8]| key.csr_with_attributes(subject.as_der(), &[&attribute(b"\x06\x01\x2a", &[value])]);
    let mut nested = b"\x05\x00".to_vec();
    (0..30).for_each(|_| nested = sequence(&[&nested]));
    let x690 = "X.690 §8, §10, §11";
    for (what, hostile) in [
        ("length-of-three-octets", with_header(&[0x30, 0x83, 0, length[0], length[1]])),
        ("length-of-four-octets", with_header(&[0x30, 0x84, 0, 0, length[0], length[1]])),
        ("length-indefinite", [&[0x30, 0x80], contents, &[0, 0]].concat()),
        ("length-beyond-the-end", with_header(&[0x30, 0x82, length[0], length[1] + 1])),
        ("length-before-the-end", with_header(&[0x30, 0x82, length[0], length[1] - 1])),
        ("length-reserved", with_header(&[0x30, 0xff])),
        ("trailing-octet", [&twin[..], b"\0"].concat()),
        ("trailing-value", [&twin[..], b"\x05\x00"].concat()),
        ("twice", twin.repeat(2)),
        ("cut-short", twin[..twin.len() - 1].to_vec()),
        ("cut-in-the-middle", twin[..twin.len() / 2].to_vec()),
        ("tag-over-30", [b"\x3f\x81\x00", &twin[1..]].concat()),
        ("sequence-primitive", [b"\x10", &twin[1..]].concat()),
        ("end-of-contents", unknown(b"\x00\x00")),
        (
            "signature-in-pieces",
            sequence(&[&sound, key.signature_algorithm(), &value(0x23, &[&bit_string(&signature)])]),
        ),
        ("boolean-of-one", unknown(b"\x01\x01\x01")),
        ("null-with-an-octet", unknown(b"\x05\x01\x00")),
        ("integer-with-ones-more", unknown(b"\x02\x02\xff\x80")),
        ("oid-arc-padded", unknown(b"\x06\x03\x2a\x80\x01")),
        ("oid-arc-open", unknown(b"\x06\x02\x2a\x81")),
        ("bit-string-padding", unknown(b"\x03\x02\x04\xff")),
        ("bit-string-of-nothing", unknown(b"\x03\x00")),
        ("nested-too-deeply", unknown(&nested)),
        ("of-too-many-values", unknown(&sequence(&vec![&b"\x05\x00"[..]; 5_000]))),
        ("empty", Vec::new()),
        ("pem-in-place-of-der", b"-----BEGIN CERTIFICATE REQUEST-----".to_vec()),
    ] {
        maker.pair(("device", "malformed-der", what, x690), &hostile, &twin);
    }
    let rfc2986 = "RFC 2986 §4";
    for (what, hostile) in [
        ("empty-sequence", sequence(&[])),
        ("null", b"\x05\x00".to_vec()),
        ("certificate", TestCa::new().certificate().as_der().to_vec()),
        ("public-key", spki.to_vec()),
        ("info-alone", sound.clone()),
        ("version-missing", signed(&[subject.as_der(), spki, none])),
        ("subject-missing", signed(&[version, spki, none])),
        ("attributes-twice", signed(&[version, subject.as_der(), spki, none, none])),
        ("attributes-primitive", signed(&[version, subject.as_der(), spki, b"\x80\x00"])),
        ("attributes-with-another-tag", signed(&[version, subject.as_der(), spki, b"\xa1\x00"])),
        ("info-is-a-set", key.signed(value(0x31, &[version, subject.as_der(), spki, none]))),
    ] {
        maker.pair(("device", "not-a-csr", what, rfc2986), &hostile, &twin);
    }
    for (what, version) in [
        ("1", &b"\x02\x01\x01"[..]),
        ("2", b"\x02\x01\x02"),
        ("negative", b"\x02\x01\xff"),
        ("of-72-bits", b"\x02\x09\x01\0\0\0\0\0\0\0\0"),
        ("with-a-zero-more", b"\x02\x02\x00\x00"),
        ("without-octets", b"\x02\x00"),
    ] {
        let hostile = signed(&[version, subject.as_der(), spki, none]);
        maker.pair(("device", "csr-version", what, "RFC 2986 §4.1"), &hostile, &twin);
    }
    let other = Key::p256();
    let swapped = sequence(&[version, common_name("device-1").as_slice(), other.public_key().as_der(), none]);
    maker.pair(("device", "possession", "key-swapped-after-signing", rfc2986), &around(&swapped), &twin);
}
