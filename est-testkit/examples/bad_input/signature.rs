//! Signatures that prove nothing.

use crate::{Maker, NO_ATTRIBUTES, RFC_2986, VERSION};
use est_core::pkix::{CsrError, KeyType, Oid, assemble_csr};
use est_testkit::der::{sequence, value};
use est_testkit::pki::{Key, name};

pub(crate) fn signature(maker: &mut Maker) {
    maker.group = "signature";
    let key = Key::p256();
    let cite = "RFC 7030 §4.2.1";
    let sound = key.csr("CN=signature", &["DNS:signature.example"]);
    let info = sequence(&[VERSION, name("CN=signature").as_der(), key.public_key().as_der(), NO_ATTRIBUTES]);
    let ecdsa_sha256 = key.signature_algorithm();
    maker.granted("A request with the signature that the others lack", cite, &sound);
    let mut broken = sound.clone();
    *broken.last_mut().expect("octets") ^= 1;
    maker.bad("flipped-bit", "One bit of the signature is another", CsrError::Possession, cite, &broken);
    let mut changed = sound.clone();
    let at = changed.windows(9).position(|octets| octets == b"signature").expect("the subject");
    changed[at] = b'S';
    maker.bad("changed-subject", "The subject was changed after signing", CsrError::Possession, cite, &changed);
    maker.bad(
        "key-of-another",
        "A request for somebody else's key",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, &Key::p256().sign(&info)),
    );
    maker.bad(
        "empty",
        "No octets in the signature",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, b""),
    );
    maker.bad(
        "zeros",
        "The signature (0, 0)",
        CsrError::Possession,
        "FIPS 186-5 §6.4.2",
        &assemble_csr(info.clone(), ecdsa_sha256, b"\x30\x06\x02\x01\x00\x02\x01\x00"),
    );
    maker.bad("group-order", "The signature (n, n)", CsrError::Possession, "FIPS 186-5 §6.4.2", &{
        let order = value(2, &[b"\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"]);
        assemble_csr(info.clone(), ecdsa_sha256, &sequence(&[&order, &order]))
    });
    maker.bad(
        "raw-form",
        "r and s one after the other, without DER",
        CsrError::Possession,
        "RFC 5758 §3.2",
        &assemble_csr(info.clone(), ecdsa_sha256, &[7; 64]),
    );
    maker.bad(
        "half-an-octet",
        "A signature of a broken number of octets",
        CsrError::NotACsr,
        RFC_2986,
        &sequence(&[&info, ecdsa_sha256, &value(3, &[&[4], b"\xf0"])]),
    );
    maker.bad(
        "of-another-message",
        "A sound signature over other octets",
        CsrError::Possession,
        cite,
        &assemble_csr(info.clone(), ecdsa_sha256, &key.sign(b"something else")),
    );
    let rsa = Key::generate(KeyType::Rsa(2048));
    let rsa_info = sequence(&[VERSION, name("CN=signature").as_der(), rsa.public_key().as_der(), NO_ATTRIBUTES]);
    for (case, algorithm, info, key) in [
        ("md5-with-rsa", &b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00"[..], &rsa_info, &rsa),
        ("sha1-with-rsa", b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", &rsa_info, &rsa),
        ("ecdsa-with-sha1", b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", &info, &key),
    ] {
        let body = assemble_csr(info.clone(), &sequence(&[algorithm]), &key.sign(info));
        maker.bad(case, "A hash for which collisions can be bought", CsrError::WeakHash, "RFC 9155 §2", &body);
    }
    let id = |oid: &[u8]| Oid::from_der(oid).expect("an object identifier");
    let ecdsa_sha256_id = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    for (case, about, algorithm, error) in [
        (
            "md2-with-rsa",
            "MD2",
            &b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02\x05\x00"[..],
            CsrError::SignatureHash("MD2"),
        ),
        (
            "sha224-with-rsa",
            "SHA-224",
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e\x05\x00",
            CsrError::SignatureHash("SHA-224"),
        ),
        (
            "of-an-unknown-algorithm",
            "An algorithm that nobody knows",
            b"\x06\x03\x2a\x03\x04",
            CsrError::SignatureAlgorithm(id(b"\x06\x03\x2a\x03\x04")),
        ),
        (
            "algorithm-of-another-key",
            "ECDSA named over an RSA key",
            ecdsa_sha256_id,
            CsrError::SignatureKey { algorithm: id(ecdsa_sha256_id), key_type: KeyType::Rsa(2048) },
        ),
        (
            "pss-with-sha1",
            "PSS with its defaults, which are SHA-1",
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00",
            CsrError::WeakHash,
        ),
    ] {
        let body = assemble_csr(rsa_info.clone(), &sequence(&[algorithm]), &rsa.sign(&rsa_info));
        maker.bad(case, about, error, "RFC 8017 §A.2", &body);
    }
    maker.bad(
        "ecdsa-with-parameters",
        "Parameters other than NULL, which some write where ECDSA has none",
        CsrError::SignatureParameters(id(ecdsa_sha256_id)),
        "RFC 5758 §3.2",
        &assemble_csr(info.clone(), &sequence(&[ecdsa_sha256_id, b"\x30\x00"]), &key.sign(&info)),
    );
    let no_signature = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x06\x02";
    maker.bad(
        "none",
        "id-alg-noSignature, a digest in place of a signature",
        CsrError::SignatureAlgorithm(id(no_signature)),
        "RFC 6402 §2.4",
        &assemble_csr(info, &sequence(&[no_signature, b"\x05\x00"]), &[7; 32]),
    );
}
