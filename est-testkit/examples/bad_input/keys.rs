//! Keys that nobody should have.

use std::fs;
use std::path::Path;

use crate::{Maker, NO_ATTRIBUTES, VERSION};
use est_core::pkix::{KeyError, KeyType};
use est_testkit::der::{bit_string, sequence, set, value};
use est_testkit::pki::{Key, name};

pub(crate) fn keys(maker: &mut Maker) {
    maker.group = "keys";
    let signer = Key::p256();
    let with_key = |algorithm: &[u8], key: &[u8]| {
        let spki = sequence(&[&sequence(&[algorithm]), &bit_string(key)]);
        signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &spki, NO_ATTRIBUTES]))
    };
    maker.granted(
        "A key that the server takes",
        "RFC 7030 §4.2.1",
        &Key::generate(KeyType::EcdsaP384).csr("CN=keys", &["DNS:keys.example"]),
    );
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let key = sequence(&[&value(2, &[modulus]), &value(2, &[exponent])]);
        with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &key)
    };
    let modulus = |octets: usize, last: u8| [&[0, 0xff][..], &vec![7; octets - 2], &[last]].concat();
    let e = b"\x01\x00\x01";
    let size = |bits| KeyError::RsaSize { bits };
    let br = "CA/Browser Forum BR §6.1.5";
    maker.bad("rsa-512", "A modulus that anybody can factor", size(512), br, &rsa(&modulus(64, 7), e));
    maker.bad("rsa-1024", "A modulus that somebody can factor", size(1024), br, &rsa(&modulus(128, 7), e));
    maker.bad("rsa-2047", "A modulus one bit short", size(2047), br, &rsa(&[&[0x7f][..], &[7; 255]].concat(), e));
    maker.bad("rsa-16384", "A modulus that keeps a server busy", size(16_384), br, &rsa(&modulus(2048, 7), e));
    maker.bad(
        "rsa-even-modulus",
        "A modulus divisible by two",
        KeyError::RsaEvenModulus,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 8), e),
    );
    maker.bad(
        "rsa-negative-modulus",
        "A modulus below zero",
        KeyError::RsaNegative,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7)[1..], e),
    );
    maker.bad(
        "rsa-exponent-1",
        "An exponent that encrypts nothing",
        KeyError::RsaExponent,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7), b"\x01"),
    );
    maker.bad(
        "rsa-exponent-3",
        "A small exponent",
        KeyError::RsaExponent,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 7), b"\x03"),
    );
    maker.bad(
        "rsa-even-exponent",
        "An even exponent",
        KeyError::RsaExponent,
        "RFC 8017 §3.1",
        &rsa(&modulus(256, 7), b"\x01\x00\x02"),
    );
    maker.bad(
        "rsa-huge-exponent",
        "An exponent that keeps a server busy",
        KeyError::RsaExponent,
        "CA/Browser Forum BR §6.1.6",
        &rsa(&modulus(256, 7), &[1; 200]),
    );
    maker.bad("rsa-zero-modulus", "A modulus of zero", size(0), "RFC 8017 §3.1", &rsa(b"\x00", e));
    maker.bad(
        "rsa-of-garbage",
        "Random octets in place of an RSA key",
        KeyError::Malformed,
        "RFC 8017 §A.1.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &[0x5a; 270]),
    );
    maker.bad(
        "rsa-without-null",
        "An rsaEncryption without its NULL",
        KeyError::Parameters,
        "RFC 3279 §2.3.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", b"\x30\x00"),
    );
    maker.bad(
        "rsa-pss-key",
        "A key bound to PSS",
        KeyError::Unsupported,
        "CA/Browser Forum BR §7.1.3.1",
        &with_key(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", b"\x30\x00"),
    );
    let p256 = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let sp800 = "NIST SP 800-186 §D.1.1";
    maker.bad(
        "p256-off-the-curve",
        "A point that is not on its curve",
        KeyError::EcNotOnCurve,
        sp800,
        &with_key(p256, &[&[4][..], &[7; 64]].concat()),
    );
    maker.bad("p256-infinity", "The point at infinity", KeyError::EcInfinity, sp800, &with_key(p256, &[0]));
    maker.bad(
        "p256-zero",
        "The point (0, 0)",
        KeyError::EcNotOnCurve,
        sp800,
        &with_key(p256, &[&[4][..], &[0; 64]].concat()),
    );
    maker.bad(
        "p256-compressed",
        "A compressed point",
        KeyError::EcCompressed,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[2][..], &[7; 32]].concat()),
    );
    maker.bad(
        "p256-hybrid",
        "A point in hybrid form",
        KeyError::EcForm,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[6][..], &[7; 64]].concat()),
    );
    maker.bad(
        "p256-short",
        "A point with an octet missing",
        KeyError::EcForm,
        "RFC 5480 §2.2",
        &with_key(p256, &[&[4][..], &[7; 63]].concat()),
    );
    maker.bad("p256-empty", "A key without octets", KeyError::EcForm, "RFC 5480 §2.2", &with_key(p256, b""));
    let ec = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    for (case, about, parameters) in [
        ("p224", "P-224", &b"\x06\x05\x2b\x81\x04\x00\x21"[..]),
        ("secp256k1", "secp256k1", b"\x06\x05\x2b\x81\x04\x00\x0a"),
        ("brainpool", "brainpoolP256r1", b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07"),
        ("implicit-curve", "A curve that is said elsewhere", b"\x05\x00"),
    ] {
        let body = with_key(&[&ec[..], parameters].concat(), &[&[4][..], &[7; 64]].concat());
        maker.bad(case, about, KeyError::Unsupported, "RFC 5480 §2.1.1", &body);
    }
    maker.bad(
        "explicit-curve",
        "A curve that the client made up",
        KeyError::EcExplicitParameters,
        "RFC 5480 §2.1.1",
        &with_key(&[&ec[..], b"\x30\x06\x02\x01\x01\x02\x01\x07"].concat(), &[&[4][..], &[7; 64]].concat()),
    );
    for (case, about, algorithm, octets) in [
        ("ed448", "Ed448", &b"\x06\x03\x2b\x65\x71"[..], 57),
        ("x25519", "A key that cannot sign", b"\x06\x03\x2b\x65\x6e", 32),
        ("dsa", "DSA", b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", 32),
        ("ml-kem-768", "ML-KEM, which cannot sign", b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02", 1184),
        ("slh-dsa", "SLH-DSA", b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x14", 32),
        ("unknown", "An algorithm that nobody knows", b"\x06\x03\x2a\x03\x04", 32),
    ] {
        maker.bad(case, about, KeyError::Unsupported, "RFC 7030 §4.2.1", &with_key(algorithm, &vec![7; octets]));
    }
    maker.bad(
        "ed25519-short",
        "An Ed25519 key with an octet missing",
        KeyError::Length,
        "RFC 8410 §4",
        &with_key(b"\x06\x03\x2b\x65\x70", &[7; 31]),
    );
    maker.bad(
        "ed25519-with-null",
        "Ed25519 with parameters, which it does not have",
        KeyError::Parameters,
        "RFC 8410 §3",
        &with_key(b"\x06\x03\x2b\x65\x70\x05\x00", &[7; 32]),
    );
    maker.bad(
        "ml-dsa-65-short",
        "An ML-DSA-65 key with an octet missing",
        KeyError::Length,
        "RFC 9881 §4",
        &with_key(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12", &[7; 1951]),
    );
    maker.bad(
        "ml-dsa-with-null",
        "ML-DSA with parameters, which it does not have",
        KeyError::Parameters,
        "RFC 9881 §2",
        &with_key(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x05\x00", &[7; 1952]),
    );
    let br = "CA/Browser Forum BR §6.1.1.3";
    for (flawed, about, error, cite) in [
        ("rsa-small-factor", "A modulus with a small factor", KeyError::RsaSmallFactor { factor: 751 }, br),
        ("rsa-power-3", "A modulus that is a cube", KeyError::RsaPower { exponent: 3 }, br),
        ("rsa-roca", "A modulus of a flawed chip", KeyError::RsaRoca, br),
        ("rsa-close-primes-2048", "A modulus of two close primes", KeyError::RsaClosePrimes, br),
        ("ec-coordinate-p384", "A coordinate over p", KeyError::EcCoordinate, "NIST SP 800-56A §5.6.2.3.3"),
        ("ed25519-not-canonical", "An Ed25519 key over p", KeyError::Ed25519NotCanonical, "RFC 8032 §5.1.3"),
    ] {
        let spki = flawed_key(flawed);
        let body = signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &spki, NO_ATTRIBUTES]));
        maker.bad(flawed, about, error, cite, &body);
    }
    let not_whole = sequence(&[&sequence(&[p256]), b"\x03\x02\x04\xf0"]);
    maker.bad(
        "half-an-octet",
        "A key of a broken number of octets",
        KeyError::Malformed,
        "RFC 5280 §4.1.2.7",
        &signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &not_whole, NO_ATTRIBUTES])),
    );
    maker.bad("algorithm-is-a-set", "An algorithm in a SET", KeyError::Malformed, "RFC 5280 §4.1.1.2", &{
        let spki = sequence(&[&set(&[p256]), &bit_string(signer.public_key().key())]);
        signer.signed(sequence(&[VERSION, name("CN=keys").as_der(), &spki, NO_ATTRIBUTES]))
    });
}

/// A key that est-core's own tests refuse.
fn flawed_key(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../est-core/tests/keys");
    let text = fs::read_to_string(folder.join(name).with_extension("hex")).expect("a key").replace('\n', "");
    let octet = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    text.as_bytes().chunks(2).map(octet).collect()
}
