//! What a path validator remembers of chains that it has seen.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use est_core::{CertificatePath, Doubt, Seconds, UnixTime};

use super::path::RevocationStatus;
use crate::recent::Recent;

/// So many verified paths are remembered.
const PATHS: usize = 4096;
/// So many refused chains are remembered, apart from the paths, which they cannot push out.
const REFUSALS: usize = 1024;
/// For so long a chain is refused without another look.
const REFUSED_FOR: Seconds = Seconds(60);

/// The SHA-256 of a chain that was shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChainId([u8; 32]);

impl ChainId {
    /// Hashes every certificate and its length, in their order.
    pub(super) fn of(shown: &[Vec<u8>]) -> Self {
        let mut hash = Context::new(&SHA256);
        for der in shown {
            hash.update(&(der.len() as u64).to_be_bytes());
            hash.update(der);
        }
        Self(hash.finish().as_ref().try_into().expect("32 octets"))
    }
}

/// A path whose signatures, names and purposes were verified.
#[derive(Clone)]
pub(super) struct VerifiedPath {
    pub(super) path: CertificatePath,
    pub(super) revocation: RevocationStatus,
    /// The time in which every certificate of the path is valid, or within the grace that it has.
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    /// When the first CRL that was asked expires.
    pub(super) next_update: UnixTime,
}

/// Paths and refusals, each for the CRLs of one generation.
pub(super) struct Memory {
    verified: Mutex<Recent<ChainId, (u64, VerifiedPath)>>,
    refused: Mutex<Recent<ChainId, Refused>>,
}

#[derive(Clone)]
struct Refused {
    generation: u64,
    doubt: Doubt,
    from: UnixTime,
    until: UnixTime,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { verified: Mutex::new(Recent::new(PATHS)), refused: Mutex::new(Recent::new(REFUSALS)) }
    }

    /// What was found about the chain, if that still holds.
    pub(super) fn recall(&self, id: &ChainId, generation: u64, now: UnixTime) -> Option<Result<VerifiedPath, Doubt>> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((of, path)) = verified
            && of == generation
            && (path.not_before..=path.not_after).contains(&now)
            && now < path.next_update
        {
            return Some(Ok(path));
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        refused
            .filter(|refused| refused.generation == generation && (refused.from..refused.until).contains(&now))
            .map(|refused| Err(refused.doubt))
    }

    /// Remembers what was found at `now`.
    pub(super) fn keep(&self, id: ChainId, generation: u64, now: UnixTime, found: &Result<VerifiedPath, Doubt>) {
        match found {
            Ok(path) => {
                let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
                verified.insert(id, (generation, path.clone()));
            }
            Err(doubt) => {
                let until = match doubt {
                    Doubt::CertificateNotYetValid { not_before } => (now + REFUSED_FOR).min(*not_before),
                    _ => now + REFUSED_FOR,
                };
                let refused = Refused { generation, doubt: doubt.clone(), from: now, until };
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(id, refused);
            }
        }
    }

    /// How many paths.
    pub(super) fn paths(&self) -> usize {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many refusals.
    pub(super) fn refusals(&self) -> usize {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
