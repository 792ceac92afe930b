//! Who proved a moment ago to know a secret.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use est_core::{Entropy, Secret};
use subtle::ConstantTimeEq;

use crate::recent::Recent;

/// So many proofs are remembered.
const REMEMBERED_PROOFS: usize = 4096;

/// Remembers secrets that were verified, so that a client that repeats its request does not cost a hash every time.
///
/// What it keeps is worth nothing elsewhere: MACs with a key that never leaves the process. Each counts for the one
/// stored hash that it was verified against.
pub(super) struct Proven {
    key: hmac::Key,
    /// By the password's id.
    proofs: Mutex<Recent<String, Proof>>,
}

struct Proof {
    tag: hmac::Tag,
    hash: String,
}

impl Proven {
    pub(super) fn new(entropy: &Entropy) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &entropy.0), proofs: Mutex::new(Recent::new(REMEMBERED_PROOFS)) }
    }

    /// Whether this very secret was verified against this very hash.
    pub(super) fn holds(&self, id: &String, secret: &Secret, hash: &str) -> bool {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.get(id).is_some_and(|proof| {
            bool::from(proof.hash.as_bytes().ct_eq(hash.as_bytes()))
                && hmac::verify(&self.key, secret.reveal().as_bytes(), proof.tag.as_ref()).is_ok()
        })
    }

    /// Remembers that this secret was verified against this hash.
    pub(super) fn remember(&self, id: &str, secret: &Secret, hash: &str) {
        let proof = Proof { tag: hmac::sign(&self.key, secret.reveal().as_bytes()), hash: hash.into() };
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).insert(id.into(), proof);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_for_the_same_id_secret_and_hash_only() {
        let proven = Proven::new(&Entropy([3; 32]));
        let secret = |text: &str| Secret::new(text.into());
        assert!(!proven.holds(&"id".into(), &secret("secret"), "hash"));
        proven.remember("id", &secret("secret"), "hash");
        assert!(proven.holds(&"id".into(), &secret("secret"), "hash"));
        assert!(!proven.holds(&"other".into(), &secret("secret"), "hash"));
        assert!(!proven.holds(&"id".into(), &secret("secres"), "hash"));
        assert!(!proven.holds(&"id".into(), &secret("secret"), "rehash"));
    }
}
