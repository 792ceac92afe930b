//! Signatures that prove nothing.

use est_core::pkix::{KeyType, assemble_csr};
use est_testkit::der::{bit_string, octet_string, sequence, value};
use est_testkit::pki::{Key, name};

use crate::Maker;

const POSSESSION: &str = "RFC 7030 §4.2.1";

fn info(key: &Key, subject: &str) -> Vec<u8> {
    sequence(&[b"\x02\x01\x00", name(subject).as_der(), key.public_key().as_der(), b"\xa0\x00"])
}

pub(crate) fn signatures(maker: &Maker) {
    let key = &maker.key;
    let (info_, algorithm) = (info(key, "CN=device-1"), key.signature_algorithm());
    let twin = key.signed(info_.clone());
    let with = |signature: &[u8]| assemble_csr(info_.clone(), algorithm, signature);
    let mut flipped = key.sign(&info_);
    *flipped.last_mut().expect("octets") ^= 1;
    let order = value(2, &[b"\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"]);
    for (what, hostile) in [
        ("bit-flipped", with(&flipped)),
        ("of-another-key", with(&Key::p256().sign(&info_))),
        ("of-another-subject", with(&key.sign(&info(key, "CN=device-2")))),
        ("empty", with(b"")),
        ("zeros", with(b"\x30\x06\x02\x01\x00\x02\x01\x00")),
        ("ones", with(b"\x30\x06\x02\x01\x01\x02\x01\x01")),
        ("of-the-group-order", with(&sequence(&[&order, &order]))),
        ("without-der", with(&[7; 64])),
        ("trailing-octet", with(&[&key.sign(&info_)[..], b"\0"].concat())),
    ] {
        maker.pair(("device", "possession", what, POSSESSION), &hostile, &twin);
    }
    let other = Key::p256();
    let stolen = sequence(&[b"\x02\x01\x00", name("CN=device-1").as_der(), other.public_key().as_der(), b"\xa0\x00"]);
    let hostile = assemble_csr(stolen.clone(), algorithm, &key.sign(&stolen));
    maker.pair(("device", "possession", "for-the-key-of-another", POSSESSION), &hostile, &other.signed(stolen));
    let signature = key.sign(&info_);
    for (what, hostile) in [
        ("signature-of-half-an-octet", sequence(&[&info_, algorithm, &value(3, &[&[4], &signature, b"\xf0"])])),
        ("signature-is-an-octet-string", sequence(&[&info_, algorithm, &octet_string(&signature)])),
        ("without-signature", sequence(&[&info_, algorithm])),
        ("without-algorithm", sequence(&[&info_, &bit_string(&signature)])),
        ("algorithm-is-an-identifier", sequence(&[&info_, &algorithm[2..], &bit_string(&signature)])),
        ("fourth-part", sequence(&[&info_, algorithm, &bit_string(&signature), b"\x05\x00"])),
    ] {
        maker.pair(("device", "not-a-csr", what, "RFC 2986 §4.2"), &hostile, &twin);
    }
    algorithms(maker);
}

fn algorithms(maker: &Maker) {
    let rsa = Key::generate(KeyType::Rsa(2048));
    let rsa_info = info(&rsa, "CN=device-1");
    let rsa_twin = rsa.signed(rsa_info.clone());
    let ecdsa_info = info(&maker.key, "CN=device-1");
    let ecdsa_twin = maker.key.signed(ecdsa_info.clone());
    let of = |key: &Key, info: &[u8], algorithm: &[u8]| {
        assemble_csr(info.to_vec(), &sequence(&[algorithm]), &key.sign(info))
    };
    let of_rsa = |algorithm: &[u8]| of(&rsa, &rsa_info, algorithm);
    let of_ecdsa = |algorithm: &[u8]| of(&maker.key, &ecdsa_info, algorithm);
    for (what, hostile, twin) in [
        ("md5-with-rsa", of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00"), &rsa_twin),
        ("sha1-with-rsa", of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00"), &rsa_twin),
        ("sha1-with-ecdsa", of_ecdsa(b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"), &ecdsa_twin),
        ("pss-with-sha1", of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00"), &rsa_twin),
    ] {
        maker.pair(("device", "weak-hash", what, "RFC 9155 §2"), &hostile, twin);
    }
    let ed25519 = Key::generate(KeyType::Ed25519);
    let ed_info = info(&ed25519, "CN=device-1");
    let ml_dsa = Key::generate(KeyType::MlDsa44);
    let ml_info = info(&ml_dsa, "CN=device-1");
    for (what, hostile, twin) in [
        ("md2-with-rsa", of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02\x05\x00"), rsa_twin.clone()),
        ("pss-without-parameters", of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), rsa_twin.clone()),
        ("ecdsa-over-an-rsa-key", of_rsa(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), rsa_twin.clone()),
        ("rsa-over-an-ec-key", of_ecdsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"), ecdsa_twin.clone()),
        (
            "ecdsa-with-a-sequence",
            of_ecdsa(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x30\x00"),
            of_ecdsa(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00"),
        ),
        (
            "ecdsa-with-a-curve",
            of_ecdsa(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
            ecdsa_twin.clone(),
        ),
        (
            "rsa-with-a-sequence",
            of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x30\x00"),
            of_rsa(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
        ),
        ("ecdsa-with-sha224", of_ecdsa(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01"), ecdsa_twin.clone()),
        ("of-no-known-algorithm", of_ecdsa(b"\x06\x03\x2a\x03\x04"), ecdsa_twin.clone()),
        ("digest-alone", of_ecdsa(b"\x06\x08\x2b\x06\x01\x05\x05\x07\x06\x02\x05\x00"), ecdsa_twin.clone()),
        ("ed25519-with-null", of(&ed25519, &ed_info, b"\x06\x03\x2b\x65\x70\x05\x00"), ed25519.signed(ed_info.clone())),
        (
            "ml-dsa-with-null",
            of(&ml_dsa, &ml_info, b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11\x05\x00"),
            ml_dsa.signed(ml_info.clone()),
        ),
        (
            "hash-ml-dsa",
            of(&ml_dsa, &ml_info, b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x20"),
            ml_dsa.signed(ml_info.clone()),
        ),
    ] {
        maker.pair(("device", "signature-algorithm", what, "RFC 5758 §3.2, RFC 9881 §3"), &hostile, &twin);
    }
}
