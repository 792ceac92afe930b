//! How much a hostile chain may cost.

use std::sync::atomic::{AtomicU32, Ordering};

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// So many signatures may turn out to be wrong while a path is looked for. Some do where several CAs have one name, during a
/// rollover; a chain whose certificates all have the name of the anchor would have a hundred of them checked.
const WRONG_SIGNATURES: u32 = 12;

/// Counts the signatures that are wrong.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(WRONG_SIGNATURES))
    }
}

impl Budget {
    /// These algorithms, which verify nothing more once the budget is spent.
    pub(super) fn algorithms(&self, algorithms: &[&'static dyn SignatureVerificationAlgorithm]) -> Vec<Limited<'_>> {
        algorithms.iter().map(|algorithm| Limited { algorithm: *algorithm, budget: self }).collect()
    }
}

/// An algorithm that verifies for as long as a budget lasts.
#[derive(Debug)]
pub(super) struct Limited<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    budget: &'a Budget,
}

impl SignatureVerificationAlgorithm for Limited<'_> {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let left = &self.budget.0;
        if left.load(Ordering::Relaxed) == 0 {
            return Err(InvalidSignature);
        }
        self.algorithm.verify_signature(public_key, message, signature).inspect_err(|_| {
            left.fetch_sub(1, Ordering::Relaxed);
        })
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.algorithm.fips()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verifies nothing, and takes so long that it counts.
    #[derive(Debug)]
    struct Wrong(AtomicU32);

    impl SignatureVerificationAlgorithm for Wrong {
        fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(InvalidSignature)
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(&[])
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(&[])
        }
    }

    static WRONG: Wrong = Wrong(AtomicU32::new(0));

    #[test]
    fn verifies_no_more_once_so_many_signatures_were_wrong() {
        let budget = Budget::default();
        let limited = Limited { algorithm: &WRONG, budget: &budget };
        for _ in 0..100 {
            assert!(limited.verify_signature(&[], &[], &[]).is_err());
        }
        assert_eq!(WRONG.0.load(Ordering::Relaxed), WRONG_SIGNATURES);
    }
}
