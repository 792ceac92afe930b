//! Certification requests by openssl, checked with our algorithms.

use est_auth::{PathValidator, Purpose};
use est_backends::{FileSigner, Signer, algorithms};
use est_core::Seconds;
use est_core::pkix::{Csr, CsrError, CsrTemplate, KeyType, Name, assemble_certificate, assemble_csr, oid};
use est_core::policy::decide;
use est_testkit::der;
use est_testkit::peers::OpenSsl;
use est_testkit::pki::{Key, NOW, TestCa, parse_csr, password_holder, serial};

use crate::now;

const PSS: &str = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";

/// Makes a key and a request; returns the request's DER.
fn request(openssl: &OpenSsl, key: &str, options: &str) -> Vec<u8> {
    openssl.run(&format!("genpkey -algorithm {key} -out key.pem"));
    openssl.run(&format!("req -new -key key.pem -subj /CN=device-1 {options} -outform DER -out csr.der"));
    openssl.read("csr.der")
}

#[test]
fn accepts_every_key_and_signature_algorithm() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (key, hashes, key_type) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", true, KeyType::Rsa(2048)),
        ("RSA -pkeyopt rsa_keygen_bits:3072", true, KeyType::Rsa(3072)),
        ("EC -pkeyopt ec_paramgen_curve:P-256", true, KeyType::EcdsaP256),
        ("EC -pkeyopt ec_paramgen_curve:P-384", true, KeyType::EcdsaP384),
        ("EC -pkeyopt ec_paramgen_curve:P-521", true, KeyType::EcdsaP521),
        ("ED25519", false, KeyType::Ed25519),
    ] {
        let hashes: &[&str] = if hashes { &["-sha256", "-sha384", "-sha512"] } else { &[""] };
        for hash in hashes {
            let paddings: &[&str] = if matches!(key_type, KeyType::Rsa(_)) { &["", PSS] } else { &[""] };
            for padding in paddings {
                let der = request(&openssl, key, &format!("{hash} {padding}"));
                let csr = Csr::parse(&der, algorithms()).unwrap_or_else(|error| panic!("{key} {hash}: {error}"));
                assert_eq!(csr.public_key().key_type(), key_type);
                assert_eq!(csr.subject().common_name(), Some("device-1"));
            }
        }
    }
}

#[test]
fn refuses_hashes_that_no_longer_count() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (key, hash) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", "-sha1"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "-md5"),
        ("EC -pkeyopt ec_paramgen_curve:P-256", "-sha1"),
    ] {
        let der = request(&openssl, key, hash);
        assert_eq!(Csr::parse(&der, algorithms()).err(), Some(CsrError::WeakHash), "{key} {hash}");
    }
    // PSS hides its hash in its parameters.
    let der = request(&openssl, "RSA -pkeyopt rsa_keygen_bits:2048", &format!("-sha1 {PSS}"));
    assert_eq!(Csr::parse(&der, algorithms()).err(), Some(CsrError::WeakHash));
}

/// The AlgorithmIdentifiers of RSA with SHA-2 in every spelling that RFC 4055 lets pass (§2.1, §3.1, §5), and the key that signs
/// so.
fn rsa_spellings() -> Vec<(Key, Vec<u8>)> {
    let mut spellings = Vec::new();
    const NULL: &[u8] = b"\x05\x00";
    const RSASSA_PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    for (bits, hash, octets) in [(256, oid::SHA256, 32), (384, oid::SHA384, 48), (512, oid::SHA512, 64)] {
        for (of_hash, of_mask) in [(NULL, NULL), (&[][..], NULL), (NULL, &[]), (&[], &[])] {
            let hashed = der::sequence(&[hash.as_der(), of_hash]);
            let mask = der::sequence(&[oid::MGF1.as_der(), &der::sequence(&[hash.as_der(), of_mask])]);
            for trailer_field in [&[][..], b"\xa3\x03\x02\x01\x01"] {
                let parameters = der::sequence(&[
                    &der::value(0xa0, &[&hashed]),
                    &der::value(0xa1, &[&mask]),
                    &der::value(0xa2, &[&[0x02, 1, octets]]),
                    trailer_field,
                ]);
                let key = Key::generate(KeyType::Rsa(2048)).with_pss(bits);
                spellings.push((key, der::sequence(&[RSASSA_PSS, &parameters])));
            }
        }
    }
    for parameters in [NULL, &[]] {
        let identifier = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
        spellings.push((Key::generate(KeyType::Rsa(2048)), der::sequence(&[identifier, parameters])));
    }
    spellings
}

#[test]
fn accepts_rsa_identifiers_with_and_without_null() {
    for (key, identifier) in rsa_spellings() {
        let attributes = b"\xa0\x00";
        let name = Name::from_text("CN=a").unwrap();
        let info = der::sequence(&[b"\x02\x01\x00", name.as_der(), key.public_key().as_der(), attributes]);
        let signature = key.sign(&info);
        let csr = Csr::parse(&assemble_csr(info.clone(), &identifier, &signature), algorithms());
        assert!(csr.is_ok(), "{identifier:02x?}: {csr:?}");
        let another = assemble_csr(info.clone(), &identifier, &key.sign(b"something else"));
        assert_eq!(Csr::parse(&another, algorithms()).err(), Some(CsrError::Possession), "{identifier:02x?}");

        // Certificates of clients are judged by the same list.
        let ca = TestCa::with_key(key, NOW + Seconds::from_days(3650));
        let device = parse_csr(&Key::p256().csr("CN=device", &[]));
        let plan = decide(&ca.label(None), &password_holder("device"), &device, None, NOW).unwrap();
        let to_be_signed = plan.to_be_signed(ca.certificate(), serial(7), &identifier);
        let signature = ca.key.sign(&to_be_signed);
        let leaf = assemble_certificate(to_be_signed, &identifier, &signature);
        let paths = PathValidator::new(&[ca.certificate().as_der()], &[] as &[&[u8]], Purpose::ClientAuth).unwrap();
        assert!(paths.with_algorithms(algorithms()).validate(&[leaf], NOW).is_ok(), "{identifier:02x?}");
    }
}

#[test]
fn refuses_a_signature_with_a_flipped_bit() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (key, options) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", ""),
        ("RSA -pkeyopt rsa_keygen_bits:2048", PSS),
        ("EC -pkeyopt ec_paramgen_curve:P-256", ""),
        ("EC -pkeyopt ec_paramgen_curve:P-521", ""),
        ("ED25519", ""),
    ] {
        let mut der = request(&openssl, key, options);
        let last = der.len() - 1;
        for bit in 0..8 {
            der[last] ^= 1 << bit;
            assert_eq!(Csr::parse(&der, algorithms()).err(), Some(CsrError::Possession), "{key} bit {bit}");
            der[last] ^= 1 << bit;
        }
        assert!(Csr::parse(&der, algorithms()).is_ok());
    }
}

#[test]
fn refuses_a_request_for_somebody_elses_key() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem");
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    let (signer, other) = (
        FileSigner::from_pem(&openssl.text("key.pem"), None).unwrap(),
        FileSigner::from_pem(&openssl.text("other.pem"), None).unwrap(),
    );
    assert_eq!(Csr::parse(&signed(&signer, &other), algorithms()).err(), Some(CsrError::Possession));
    assert!(Csr::parse(&signed(&signer, &signer), algorithms()).is_ok());
}

#[test]
fn accepts_and_refuses_ml_dsa_requests() {
    for key_type in [KeyType::MlDsa44, KeyType::MlDsa65, KeyType::MlDsa87] {
        let (signer, _) = FileSigner::generate(key_type).unwrap();
        let mut der = signed(&signer, &signer);
        assert_eq!(Csr::parse(&der, algorithms()).unwrap().public_key().key_type(), key_type);
        *der.last_mut().unwrap() ^= 1;
        assert_eq!(Csr::parse(&der, algorithms()).err(), Some(CsrError::Possession));
    }
}

#[test]
fn openssl_verifies_the_requests_that_our_signers_sign() {
    let Some(openssl) = OpenSsl::find() else { return };
    for key_type in [KeyType::Rsa(2048), KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521, KeyType::Ed25519] {
        let (signer, _) = FileSigner::generate(key_type).unwrap();
        openssl.write("csr.der", signed(&signer, &signer));
        // It says whether the signature fits, but not by its exit status.
        let said = openssl.run("req -in csr.der -inform DER -verify -noout");
        assert!(said.contains("verify OK"), "{key_type}: {said}");
    }
}

/// A request for the key of `holder`, signed by `signer`.
fn signed(signer: &FileSigner, holder: &FileSigner) -> Vec<u8> {
    let template = CsrTemplate {
        subject: Name::from_text("CN=device-1").unwrap(),
        subject_alt_name: None,
        public_key: holder.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let to_be_signed = template.to_be_signed();
    let signature = now(signer.sign(&to_be_signed)).unwrap();
    assemble_csr(to_be_signed, signer.signature_algorithm(), &signature)
}
