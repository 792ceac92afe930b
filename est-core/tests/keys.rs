//! Which public keys are refused, each by its own rule, and which of their near twins are not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use est_core::Refusal;
use est_core::pkix::{
    BlocklistError, Csr, CsrError, KeyBlocklist, KeyError, KeyType, SubjectPublicKeyInfo, assemble_csr,
};
use est_core::policy::{Plan, decide};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, name, password_holder};
use est_testkit::trusting::TRUSTING;
use sha2::{Digest, Sha256};

/// A key of `tests/keys`; `make.py` there says how it was made.
fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name).with_extension("hex");
    let text = fs::read_to_string(path).unwrap().replace('\n', "");
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn parse(name: &str) -> Result<KeyType, KeyError> {
    SubjectPublicKeyInfo::parse(&read(name)).map(|key| key.key_type())
}

#[track_caller]
fn refuses(name: &str, error: KeyError) {
    assert_eq!(parse(name), Err(error), "{name}");
}

#[track_caller]
fn takes(name: &str, key_type: KeyType) {
    assert_eq!(parse(name), Ok(key_type), "{name}");
}

#[test]
fn takes_ordinary_keys() {
    for key_type in KeyType::USUAL {
        let number = if key_type > KeyType::Rsa(2048) && key_type <= KeyType::Rsa(4096) { 3 } else { 50 };
        for _ in 0..number {
            let der = Key::generate(key_type).public_key().as_der().to_vec();
            assert_eq!(SubjectPublicKeyInfo::parse(&der).map(|key| key.key_type()), Ok(key_type));
        }
    }
}

#[test]
fn refuses_a_modulus_with_a_factor_below_752() {
    refuses("rsa-small-factor", KeyError::RsaSmallFactor { factor: 751 });
    takes("rsa-small-factor-twin", KeyType::Rsa(2048));
}

#[test]
fn refuses_an_even_modulus() {
    refuses("rsa-even-modulus", KeyError::RsaEvenModulus);
    takes("rsa-even-modulus-twin", KeyType::Rsa(2048));
}

#[test]
fn refuses_exponents_that_are_even_or_small_or_huge() {
    for name in ["rsa-exponent-65535", "rsa-exponent-65538", "rsa-exponent-257-bits"] {
        refuses(name, KeyError::RsaExponent);
    }
    for name in ["rsa-exponent-65539-twin", "rsa-exponent-256-bits-twin"] {
        takes(name, KeyType::Rsa(2048));
    }
}

#[test]
fn refuses_a_modulus_with_the_structure_of_roca() {
    refuses("rsa-roca", KeyError::RsaRoca);
    takes("rsa-roca-twin", KeyType::Rsa(2048));
}

#[test]
fn refuses_primes_that_a_hundred_rounds_of_fermat_find() {
    for bits in [2048, 4096] {
        refuses(&format!("rsa-close-primes-{bits}"), KeyError::RsaClosePrimes);
        refuses(&format!("rsa-close-primes-{bits}-next"), KeyError::RsaClosePrimes);
        takes(&format!("rsa-close-primes-{bits}-twin"), KeyType::Rsa(bits));
    }
}

#[test]
fn refuses_a_modulus_that_is_a_power() {
    for exponent in [2, 3, 5, 7] {
        refuses(&format!("rsa-power-{exponent}"), KeyError::RsaPower { exponent });
        takes(&format!("rsa-power-{exponent}-twin"), KeyType::Rsa(2048));
    }
}

#[test]
fn refuses_points_that_are_not_on_their_curve() {
    for key_type in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521] {
        let key = Key::generate(key_type);
        let der = key.public_key().as_der();
        let point = der.len() - key.public_key().key().len();
        // Another octet in x, in y, and both zero.
        for position in [point + 1, point + 2, der.len() - 1] {
            let mut other = der.to_vec();
            other[position] ^= 1;
            assert_eq!(SubjectPublicKeyInfo::parse(&other), Err(KeyError::EcNotOnCurve));
        }
        let origin = [&der[..=point], &vec![0; der.len() - point - 1]].concat();
        assert_eq!(SubjectPublicKeyInfo::parse(&origin), Err(KeyError::EcNotOnCurve));
    }
    for curve in ["p256", "p384", "p521"] {
        refuses(&format!("ec-twist-{curve}"), KeyError::EcNotOnCurve);
    }
}

#[test]
fn refuses_coordinates_that_are_not_reduced() {
    for (curve, key_type) in [("p256", KeyType::EcdsaP256), ("p384", KeyType::EcdsaP384), ("p521", KeyType::EcdsaP521)]
    {
        refuses(&format!("ec-coordinate-{curve}"), KeyError::EcCoordinate);
        takes(&format!("ec-coordinate-{curve}-twin"), key_type);
    }
}

#[test]
fn refuses_every_encoding_of_a_point_but_the_uncompressed_one() {
    refuses("ec-compressed", KeyError::EcCompressed);
    refuses("ec-hybrid", KeyError::EcForm);
    refuses("ec-explicit-parameters", KeyError::EcExplicitParameters);
    takes("ec-encodings-twin", KeyType::EcdsaP256);
    let twin = read("ec-encodings-twin");
    let twin = SubjectPublicKeyInfo::parse(&twin).unwrap();
    let with = |point: &[u8]| der::sequence(&[&der::sequence(&[twin.algorithm()]), &der::bit_string(point)]);
    assert_eq!(SubjectPublicKeyInfo::parse(&with(&[0])), Err(KeyError::EcInfinity));
    for point in [&[][..], &[4], &[0, 0], &twin.key()[1..], &twin.key()[..64], &[twin.key(), &[0]].concat()] {
        assert_eq!(SubjectPublicKeyInfo::parse(&with(point)), Err(KeyError::EcForm));
    }
}

#[test]
fn refuses_ed25519_keys_that_are_no_point_or_written_in_another_way() {
    refuses("ed25519-not-canonical", KeyError::Ed25519NotCanonical);
    refuses("ed25519-point-not-on-curve", KeyError::Ed25519NotOnCurve);
    takes("ed25519-not-canonical-twin", KeyType::Ed25519);
}

#[test]
fn refuses_parameters_that_are_not_those_of_the_algorithm() {
    for key_type in [KeyType::Rsa(2048), KeyType::Ed25519, KeyType::MlDsa44, KeyType::MlDsa65, KeyType::MlDsa87] {
        let key = Key::generate(key_type);
        let (algorithm, null) = (key.public_key().algorithm(), b"\x05\x00");
        let with = |algorithm: &[u8]| {
            let der = der::sequence(&[&der::sequence(&[algorithm]), &der::bit_string(key.public_key().key())]);
            SubjectPublicKeyInfo::parse(&der).map(|key| key.key_type())
        };
        let other = algorithm.strip_suffix(null).map_or_else(|| [algorithm, null].concat(), <[u8]>::to_vec);
        assert_eq!(with(algorithm), Ok(key_type));
        assert_eq!(with(&other), Err(KeyError::Parameters), "{key_type}");
    }
}

#[test]
fn refuses_keys_of_the_weak_generator_of_debian() {
    for name in ["debian-weak-rsa-64", "debian-weak-rsa-32", "debian-weak-p256", "debian-weak-p384"] {
        let refused = decided(read(name)).unwrap_err();
        assert_eq!(refused, Refusal::Csr(CsrError::Key(KeyError::DebianWeak)), "{name}");
    }
}

#[test]
fn refuses_keys_whose_private_keys_are_published() {
    for name in ["published-rsa", "published-p256", "published-ed25519"] {
        let refused = decided(read(name)).unwrap_err();
        assert_eq!(refused, Refusal::Csr(CsrError::Key(KeyError::Published)), "{name}");
    }
    for name in ["ec-encodings-twin", "ed25519-not-canonical-twin"] {
        assert_eq!(decided(read(name)).err(), None, "{name}");
    }
}

/// What becomes of a request for a key whose private half is not at hand: nobody looks at the signature.
fn decided(key: Vec<u8>) -> Result<Plan, Refusal> {
    let key_type = SubjectPublicKeyInfo::parse(&key).unwrap().key_type();
    let signer = Key::generate(key_type);
    let info = der::sequence(&[b"\x02\x01\x00", name("CN=a").as_der(), &key, b"\xa0\x00"]);
    let csr = assemble_csr(info, signer.signature_algorithm(), &[0]);
    let csr = Csr::parse(&csr, *TRUSTING).unwrap();
    decide(&TestCa::new().label(None), &password_holder("a"), &csr, None, NOW)
}

#[test]
fn an_operators_blocklist_names_keys_by_their_sha256() {
    let [listed, other] = [Key::p256(), Key::p256()];
    let hash: String =
        Sha256::digest(listed.public_key().as_der()).iter().map(|octet| format!("{octet:02x}")).collect();
    let text = format!("# stolen in May\r\n\r\n  {} # laptop 17\r\n{hash}\n{}", hash.to_uppercase(), "0".repeat(64));
    let list = KeyBlocklist::parse(text.as_bytes()).unwrap();
    assert_eq!((list.len(), list.is_empty()), (2, false));
    assert!(list.contains(listed.public_key()));
    assert!(!list.contains(other.public_key()));
    assert!(KeyBlocklist::parse(b"# none yet\n").unwrap().is_empty());
}

#[test]
fn a_blocklist_with_anything_else_on_a_line_is_refused() {
    let hash = "ab".repeat(32);
    for line in [&hash[1..], &hash[2..], &format!("{hash}00"), &format!("{hash} {hash}"), &"xy".repeat(32), "-"] {
        let text = format!("{hash}\n# a comment\n{line}\n");
        assert_eq!(KeyBlocklist::parse(text.as_bytes()).unwrap_err(), BlocklistError { line: 3 }, "{line}");
    }
}

#[test]
fn every_reason_has_a_code_and_a_line_of_its_own() {
    let reasons = [
        KeyError::Malformed,
        KeyError::Unsupported,
        KeyError::Parameters,
        KeyError::Length,
        KeyError::RsaSize { bits: 1024 },
        KeyError::RsaNegative,
        KeyError::RsaEvenModulus,
        KeyError::RsaExponent,
        KeyError::RsaSmallFactor { factor: 751 },
        KeyError::RsaPower { exponent: 2 },
        KeyError::RsaRoca,
        KeyError::RsaClosePrimes,
        KeyError::EcExplicitParameters,
        KeyError::EcCompressed,
        KeyError::EcForm,
        KeyError::EcInfinity,
        KeyError::EcCoordinate,
        KeyError::EcNotOnCurve,
        KeyError::Ed25519SmallOrder,
        KeyError::Ed25519NotCanonical,
        KeyError::Ed25519NotOnCurve,
        KeyError::DebianWeak,
        KeyError::Published,
    ];
    let codes: BTreeSet<_> = reasons.iter().map(KeyError::code).collect();
    let lines: BTreeSet<_> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), lines.len()), (reasons.len(), reasons.len()));
    for reason in reasons {
        let refusal = Refusal::Csr(CsrError::Key(reason));
        assert_eq!((refusal.row().code, refusal.to_string()), (reason.code(), reason.to_string()));
    }
}
