//! Verifying signatures with aws-lc-rs.

use est_core::Algorithms;
use est_core::pkix::{SubjectPublicKeyInfo, der};
use webpki::aws_lc_rs as provider;

/// Every signature algorithm that requests and certificates may be signed with: RSA PKCS #1 v1.5 and PSS, ECDSA on
/// P-256, P-384 and P-521, each with SHA-256, SHA-384 and SHA-512, Ed25519 and ML-DSA.
#[must_use]
pub fn algorithms() -> Algorithms {
    static ALGORITHMS: Algorithms = &[
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
        provider::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        provider::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        provider::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        provider::ML_DSA_44,
        provider::ML_DSA_65,
        provider::ML_DSA_87,
    ];
    ALGORITHMS
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
