//! Keys that nobody should have, or not here.

use est_core::pkix::{KeyType, der};
use est_testkit::der::{bit_string, sequence, set, value};
use est_testkit::pki::{Key, name};

use crate::{Maker, kept_key};

const VERSION: &[u8] = b"\x02\x01\x00";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const ML_DSA_44: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";

/// A request for `info`, signed by `key` whether or not that fits.
fn request(key: &Key, info: &[u8]) -> Vec<u8> {
    let subject = name("CN=device-1");
    key.signed(sequence(&[VERSION, subject.as_der(), info, b"\xa0\x00"]))
}

fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[algorithm]), &bit_string(key)])
}

pub(crate) fn keys(maker: &Maker) {
    rsa(maker);
    curves(maker);
    others(maker);
    for (label, id, above) in
        [("device", "main", "itself"), ("below", "below", "itself"), ("below", "permitted", "above")]
    {
        let text = "CN=device-1,O=Plant,C=DE";
        let hostile = kept_key(&maker.site(), id).csr(text, &[]);
        let about = (label, "key-of-ca", &*format!("of-the-ca-{above}"), "RFC 5280 §4.1.2.7");
        maker.pair(about, &hostile, &maker.key.csr(text, &[]));
    }
}

fn rsa(maker: &Maker) {
    let key = Key::generate(KeyType::Rsa(2048));
    let mut numbers = der::parts(der::contents(key.public_key().key())).map(der::contents);
    let (modulus, exponent) = (numbers.next().expect("a modulus"), numbers.next().expect("an exponent"));
    let of = |modulus: &[u8], exponent: &[u8]| {
        request(&key, &info(RSA, &sequence(&[&value(2, &[modulus]), &value(2, &[exponent])])))
    };
    let twin = of(modulus, exponent);
    let even = |number: &[u8]| [&number[..number.len() - 1], &[number[number.len() - 1] & 0xfe]].concat();
    // Shorter and longer ones, as the real one begins.
    let sized = |octets: usize| [&b"\0"[..], &modulus[1..].repeat(8)[..octets - 1], b"\x01"].concat();
    let short = [&[0x7f][..], &modulus[2..]].concat();
    let br = "CA/Browser Forum BR §6.1.5, §6.1.6";
    for (what, hostile) in [
        ("rsa-of-512", of(&sized(64), exponent)),
        ("rsa-of-1024", of(&sized(128), exponent)),
        ("rsa-of-1536", of(&sized(192), exponent)),
        ("rsa-of-2047", of(&short, exponent)),
        ("rsa-of-2056-with-a-bit-less", of(&[&[0x7f], &modulus[1..]].concat(), exponent)),
        ("rsa-of-8192", of(&sized(1024), exponent)),
        ("rsa-modulus-even", of(&even(modulus), exponent)),
        ("rsa-modulus-negative", of(&modulus[1..], exponent)),
        ("rsa-modulus-zero", of(&[0], exponent)),
        ("rsa-exponent-1", of(modulus, &[1])),
        ("rsa-exponent-3", of(modulus, &[3])),
        ("rsa-exponent-17", of(modulus, &[17])),
        ("rsa-exponent-65535", of(modulus, &[0, 0xff, 0xff])),
        ("rsa-exponent-even", of(modulus, &even(exponent))),
        ("rsa-exponent-negative", of(modulus, &[0xff, 0x01])),
        ("rsa-exponent-of-257-bits", of(modulus, &[&[1][..], &[0; 31], &[1]].concat())),
        ("rsa-without-exponent", request(&key, &info(RSA, &sequence(&[&value(2, &[modulus])])))),
        ("rsa-of-octets", request(&key, &info(RSA, modulus))),
        ("rsa-without-null", request(&key, &info(&RSA[..11], key.public_key().key()))),
        (
            "rsa-for-pss-alone",
            request(&key, &info(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", key.public_key().key())),
        ),
    ] {
        maker.pair(("device", rule_of(what), what, br), &hostile, &twin);
    }
}

fn curves(maker: &Maker) {
    let key = &maker.key;
    let point = key.public_key().key();
    let of = |point: &[u8]| request(key, &info(P256, point));
    let twin = of(point);
    let mut off = point.to_vec();
    off[64] ^= 1;
    let cite = "RFC 5480 §2.2, NIST SP 800-56A §5.6.2.3";
    maker.pair(("device", "ec-point-not-on-curve", "p256-off-the-curve", cite), &of(&off), &twin);
    maker.pair(("device", "ec-point-not-on-curve", "p256-of-zeros", cite), &of(&[&[4][..], &[0; 64]].concat()), &twin);
    let sign = 2 | point[64] & 1;
    for (what, hostile) in [
        ("p256-infinity", of(&[0])),
        ("p256-empty", of(b"")),
        ("p256-compressed", of(&[&[sign], &point[1..33]].concat())),
        ("p256-hybrid", of(&[&[4 | sign], &point[1..]].concat())),
        ("p256-with-an-octet-less", of(&point[..64])),
        ("p256-with-an-octet-more", of(&[point, &[0]].concat())),
    ] {
        maker.pair(("device", rule_of(what), what, cite), &hostile, &twin);
    }
    let ec = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    for (what, parameters) in [
        ("p224", &b"\x06\x05\x2b\x81\x04\x00\x21"[..]),
        ("secp256k1", b"\x06\x05\x2b\x81\x04\x00\x0a"),
        ("brainpool", b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07"),
        ("curve-said-elsewhere", b"\x05\x00"),
        ("curve-made-up", b"\x30\x06\x02\x01\x01\x02\x01\x07"),
        ("without-curve", b""),
    ] {
        let hostile = request(key, &info(&[&ec[..], parameters].concat(), point));
        let what = format!("ec-{what}");
        maker.pair(("device", rule_of(&what), &what, "RFC 5480 §2.1.1"), &hostile, &twin);
    }
}

fn others(maker: &Maker) {
    let key = Key::generate(KeyType::Ed25519);
    let point = key.public_key().key();
    let of = |algorithm: &[u8], point: &[u8]| request(&key, &info(algorithm, point));
    let twin = of(ED25519, point);
    let identity = [&[1][..], &[0; 31]].concat();
    let of_order_2 = [&[0xec][..], &[0xff; 30], &[0x7f]].concat();
    let mut unreduced = of_order_2.clone();
    unreduced[0] = 0xee;
    for (what, hostile) in [
        ("ed25519-neutral", of(ED25519, &identity)),
        ("ed25519-of-order-2", of(ED25519, &of_order_2)),
        ("ed25519-of-order-4", of(ED25519, &[0; 32])),
        ("ed25519-unreduced", of(ED25519, &unreduced)),
        ("ed25519-with-an-octet-less", of(ED25519, &point[..31])),
        ("ed25519-with-null", of(&[ED25519, b"\x05\x00"].concat(), point)),
        ("ed448", of(b"\x06\x03\x2b\x65\x71", &[7; 57])),
        ("x25519", of(b"\x06\x03\x2b\x65\x6e", point)),
        ("of-an-unknown-algorithm", of(b"\x06\x03\x2a\x03\x04", point)),
    ] {
        maker.pair(("device", rule_of(what), what, "RFC 8410 §3, §4"), &hostile, &twin);
    }
    let algorithm = sequence(&[ED25519]);
    for (what, hostile) in [
        ("of-half-an-octet", sequence(&[&algorithm, &value(3, &[&[4], point, &[0xf0]])])),
        ("algorithm-is-a-set", sequence(&[&set(&[ED25519]), &bit_string(point)])),
        ("is-an-octet-string", sequence(&[&algorithm, &value(4, &[point])])),
        ("without-key", sequence(&[&algorithm])),
        ("of-three-parts", sequence(&[&algorithm, &bit_string(point), &bit_string(point)])),
    ] {
        maker.pair(("device", rule_of(what), what, "RFC 5280 §4.1.2.7"), &request(&key, &hostile), &twin);
    }
    let key = Key::generate(KeyType::MlDsa44);
    let octets = key.public_key().key();
    let of = |algorithm: &[u8], octets: &[u8]| request(&key, &info(algorithm, octets));
    let twin = of(ML_DSA_44, octets);
    for (what, hostile) in [
        ("ml-dsa-with-null", of(&[ML_DSA_44, b"\x05\x00"].concat(), octets)),
        ("ml-dsa-with-an-octet-less", of(ML_DSA_44, &octets[1..])),
        ("ml-dsa-of-another-size", of(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12", octets)),
        ("hash-ml-dsa", of(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x20", octets)),
        ("ml-kem", of(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02", &[7; 1184])),
        ("slh-dsa", of(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x14", &[7; 32])),
    ] {
        maker.pair(("device", rule_of(what), what, "RFC 9881 §2, §4"), &hostile, &twin);
    }
}

/// The code of the rule that such a key breaks.
fn rule_of(what: &str) -> &'static str {
    match what {
        "p256-compressed" => "ec-compressed",
        "ec-curve-made-up" => "ec-explicit-parameters",
        "p256-empty" | "p256-hybrid" | "p256-with-an-octet-less" | "p256-with-an-octet-more" => "ec-form",
        "p256-infinity" => "ec-infinity",
        "ed25519-neutral" | "ed25519-of-order-2" | "ed25519-of-order-4" | "ed25519-unreduced" => "ed25519-small-order",
        "ed25519-with-an-octet-less" | "ml-dsa-of-another-size" | "ml-dsa-with-an-octet-less" => "key-length",
        "algorithm-is-a-set"
        | "is-an-octet-string"
        | "of-half-an-octet"
        | "of-three-parts"
        | "rsa-of-octets"
        | "rsa-without-exponent"
        | "without-key" => "key-malformed",
        "ed25519-with-null" | "ml-dsa-with-null" | "rsa-without-null" => "key-parameters",
        "rsa-modulus-even" => "rsa-even-modulus",
        "rsa-exponent-1"
        | "rsa-exponent-17"
        | "rsa-exponent-3"
        | "rsa-exponent-65535"
        | "rsa-exponent-even"
        | "rsa-exponent-of-257-bits" => "rsa-exponent",
        "rsa-exponent-negative" | "rsa-modulus-negative" => "rsa-negative",
        "rsa-modulus-zero"
        | "rsa-of-1024"
        | "rsa-of-1536"
        | "rsa-of-2047"
        | "rsa-of-2056-with-a-bit-less"
        | "rsa-of-512"
        | "rsa-of-8192" => "rsa-size",
        _ => "key-unsupported",
    }
}
