//! Signature algorithms that take every signature for a good one.
//!
//! Not a stand-in for the check: a way to what lies behind it, for fuzzers, whose mutations no signature survives, and
//! for counting instructions without those of the arithmetic.

use std::sync::LazyLock;

use est_core::Algorithms;
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

use crate::pki::ALGORITHMS;

/// The algorithms of [`ALGORITHMS`], none of which looks at the signature.
pub static TRUSTING: LazyLock<Algorithms> = LazyLock::new(|| {
    let leaked = |known: &&'static dyn SignatureVerificationAlgorithm| -> &'static dyn SignatureVerificationAlgorithm {
        Box::leak(Box::new(Trusting(*known)))
    };
    Vec::leak(ALGORITHMS.iter().map(leaked).collect())
});

#[derive(Debug)]
struct Trusting(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Trusting {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}
