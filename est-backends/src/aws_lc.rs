//! Verifying signatures with aws-lc-rs.

use std::sync::LazyLock;

use est_core::Algorithms;
use est_core::pkix::{SubjectPublicKeyInfo, der, oid};
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use webpki::aws_lc_rs as provider;

/// Every signature algorithm that requests and certificates may be signed with: RSA PKCS #1 v1.5 and PSS, ECDSA on
/// P-256, P-384 and P-521, each with SHA-256, SHA-384 and SHA-512, Ed25519 and ML-DSA.
///
/// An RSA signature or a hash within RSASSA-PSS may have NULL for parameters or leave them out (RFC 4055 §5, §2.1).
#[must_use]
pub fn algorithms() -> Algorithms {
    static ALGORITHMS: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> =
        LazyLock::new(|| USUAL.iter().copied().chain(spellings_of_pss()).collect());
    &ALGORITHMS
}

static USUAL: Algorithms = &[
    provider::ECDSA_P256_SHA256,
    provider::RSA_PKCS1_2048_8192_SHA256,
    provider::ECDSA_P384_SHA384,
    provider::ED25519,
    provider::ECDSA_P256_SHA384,
    provider::ECDSA_P256_SHA512,
    provider::ECDSA_P384_SHA256,
    provider::ECDSA_P384_SHA512,
    provider::ECDSA_P521_SHA256,
    provider::ECDSA_P521_SHA384,
    provider::ECDSA_P521_SHA512,
    provider::RSA_PKCS1_2048_8192_SHA384,
    provider::RSA_PKCS1_2048_8192_SHA512,
    provider::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    provider::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    provider::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    provider::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    provider::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    provider::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    provider::ML_DSA_44,
    provider::ML_DSA_65,
    provider::ML_DSA_87,
];

/// An algorithm under another spelling of its identifier.
#[derive(Debug)]
struct Spelled {
    known: &'static dyn SignatureVerificationAlgorithm,
    identifier: &'static [u8],
}

impl SignatureVerificationAlgorithm for Spelled {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.known.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.known.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(self.identifier)
    }

    fn fips(&self) -> bool {
        self.known.fips()
    }
}

/// RSASSA-PSS as it may be spelled apart from the usual way: without NULL in its hash or in that of MGF1 (RFC 4055 §2.1),
/// and with the trailerField written out (§3.1). They live as long as the program.
fn spellings_of_pss() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    const RSASSA_PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    const NULL: &[u8] = b"\x05\x00";
    const TRAILER_FIELD: &[u8] = b"\xa3\x03\x02\x01\x01";
    let known = [
        (provider::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, oid::SHA256, 32),
        (provider::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, oid::SHA384, 48),
        (provider::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, oid::SHA512, 64),
    ];
    let mut spellings: Vec<&'static dyn SignatureVerificationAlgorithm> = Vec::new();
    for (known, hash, salt) in known {
        for (of_hash, of_mask) in [(NULL, NULL), (&[][..], NULL), (NULL, &[]), (&[], &[])] {
            for trailer_field in [&[][..], TRAILER_FIELD] {
                let hashed = value(0x30, &[hash.as_der(), of_hash]);
                let mask = value(0x30, &[oid::MGF1.as_der(), &value(0x30, &[hash.as_der(), of_mask])]);
                let salt = value(0xa2, &[&[0x02, 1, salt]]);
                let parameters = [&value(0xa0, &[&hashed])[..], &value(0xa1, &[&mask]), &salt, trailer_field].concat();
                let identifier = [RSASSA_PSS, &value(0x30, &[&parameters])].concat();
                if identifier != known.signature_alg_id().as_ref() {
                    spellings.push(Box::leak(Box::new(Spelled { known, identifier: identifier.leak() })));
                }
            }
        }
    }
    spellings
}

/// A value of less than 128 octets, DER.
fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut der = vec![tag, u8::try_from(contents.len()).expect("an AlgorithmIdentifier is short")];
    der.extend(contents);
    der
}

/// Whether `signature` is one over `message` by the holder of `public_key`.
///
/// `signature_algorithm` is an AlgorithmIdentifier, DER.
pub(crate) fn verifies(
    public_key: &SubjectPublicKeyInfo,
    signature_algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let identifier = der::contents(signature_algorithm);
    algorithms()
        .iter()
        .find(|known| {
            known.signature_alg_id().as_ref() == identifier
                && known.public_key_alg_id().as_ref() == public_key.algorithm()
        })
        .is_some_and(|fitting| fitting.verify_signature(public_key.key(), message, signature).is_ok())
}
