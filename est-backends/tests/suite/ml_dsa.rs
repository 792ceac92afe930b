//! ML-DSA keys (RFC 9881), from vectors that others made.

use est_backends::{FileSigner, KeyFileError, Signer, algorithms};
use est_core::pkix::{KeyType, der, pem};

use crate::now;

struct Vector {
    key_type: KeyType,
    seed: &'static str,
    expanded: &'static str,
    both: &'static str,
    public: &'static str,
    /// The AlgorithmIdentifier of key and signature: no parameters (RFC 9881 §2).
    identifier: &'static [u8],
    signature_size: usize,
}

macro_rules! vector {
    ($key_type:ident, $set:literal, $last:literal, $size:literal) => {
        Vector {
            key_type: KeyType::$key_type,
            seed: include_str!(concat!("../vectors/ml-dsa/", $set, "-seed.pem")),
            expanded: include_str!(concat!("../vectors/ml-dsa/", $set, "-expanded.pem")),
            both: include_str!(concat!("../vectors/ml-dsa/", $set, "-both.pem")),
            public: include_str!(concat!("../vectors/ml-dsa/", $set, "-public.pem")),
            identifier: &[0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, $last],
            signature_size: $size,
        }
    };
}

const VECTORS: [Vector; 3] =
    [vector!(MlDsa44, "44", 0x11, 2420), vector!(MlDsa65, "65", 0x12, 3309), vector!(MlDsa87, "87", 0x13, 4627)];

fn der_of(text: &str) -> Vec<u8> {
    pem::decode(text).unwrap().remove(0).contents.clone()
}

fn verifies(signer: &FileSigner, message: &[u8], signature: &[u8]) -> bool {
    let identifier = der::contents(signer.signature_algorithm());
    let algorithm = algorithms().iter().find(|known| known.signature_alg_id().as_ref() == identifier).unwrap();
    algorithm.verify_signature(signer.public_key().key(), message, signature).is_ok()
}

#[test]
fn reads_the_three_forms_of_a_private_key() {
    for vector in VECTORS {
        for text in [vector.seed, vector.expanded, vector.both] {
            let signer = FileSigner::from_pem(text, None).unwrap();
            assert_eq!(signer.public_key().key_type(), vector.key_type);
            assert_eq!(signer.public_key().as_der(), der_of(vector.public));
            assert_eq!(signer.signature_algorithm(), vector.identifier);

            let signature = now(signer.sign(b"message")).unwrap();
            assert_eq!(signature.len(), vector.signature_size);
            assert!(verifies(&signer, b"message", &signature));
            assert!(!verifies(&signer, b"massage", &signature));
        }
    }
}

#[test]
fn refuses_private_keys_that_contradict_themselves() {
    for text in [
        include_str!("../vectors/ml-dsa/44-both-bad-seed.pem"),
        include_str!("../vectors/ml-dsa/44-expanded-bad-hash.pem"),
    ] {
        assert_eq!(FileSigner::from_pem(text, None).err(), Some(KeyFileError::Inconsistent));
    }
}

/// The parts of an expanded key (FIPS 204, algorithm 24) that its public key or its own hash of that depends on: a
/// change in any of them makes another key or none. (What is left out is the seed of deterministic signatures.)
#[test]
fn refuses_an_expanded_key_with_a_changed_part() {
    let expanded = der_of(VECTORS[0].expanded);
    let start = expanded.len() - 2560;
    for (part, offset) in [("rho", 0), ("tr", 64), ("s1", 128), ("s2", 128 + 4 * 96), ("t0", 128 + 8 * 96)] {
        let mut changed = expanded.clone();
        changed[start + offset] ^= 1;
        assert_eq!(FileSigner::from_der(&changed, None).err(), Some(KeyFileError::Inconsistent), "{part}");
    }
    // Coefficients of s1 and s2 are at most 2 in magnitude: three set bits stand for none of them.
    let mut out_of_range = expanded;
    out_of_range[start + 128] = 0xff;
    assert_eq!(FileSigner::from_der(&out_of_range, None).err(), Some(KeyFileError::Inconsistent));
}

#[test]
fn refuses_a_private_key_without_its_form() {
    let seed = der_of(VECTORS[0].seed);
    // The seed as a bare OCTET STRING is an expanded key of the wrong length.
    let mut untagged = seed.clone();
    let at = untagged.len() - 34;
    assert_eq!(untagged[at], 0x80);
    untagged[at] = 0x04;
    assert_eq!(FileSigner::from_der(&untagged, None).err(), Some(KeyFileError::Inconsistent));
}

#[test]
fn writes_new_keys_as_their_seed() {
    for vector in VECTORS {
        let (signer, text) = FileSigner::generate(vector.key_type).unwrap();
        let written = der_of(&text);
        let known = der_of(vector.seed);
        // Everything but the 32 octets of the seed is the same.
        assert_eq!(written.len(), known.len());
        assert_eq!(written[..known.len() - 32], known[..known.len() - 32]);
        assert_eq!(FileSigner::from_pem(&text, None).unwrap().public_key(), signer.public_key());
    }
}
