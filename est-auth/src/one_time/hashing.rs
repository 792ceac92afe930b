//! Hashes, a bounded number at a time, and behind everything else that the processor has to do.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use est_core::{PortError, Secret};
use tokio::sync::oneshot;

use super::hash::SecretHasher;
use crate::turns::{Turn, Turns};

/// Hands out leave to compute one hash: some at a time, and some more that wait, in lines of their own.
pub(super) struct Hashing(Turns);

/// Leave to compute one hash.
pub(super) struct Leave(Turn);

impl Hashing {
    pub(super) fn new(concurrency: NonZeroUsize, waiting: usize) -> Self {
        Self(Turns::new(concurrency.get(), waiting))
    }

    /// Waits in `line`; an error when too many wait already.
    pub(super) async fn leave(&self, line: &str) -> Result<Leave, PortError> {
        let turn = self.0.turn(line).await;
        turn.map(Leave).ok_or_else(|| PortError("more passwords are to be checked than can be: try again later".into()))
    }
}

impl Leave {
    /// Whether the secret is the one that was hashed. It lasts until the hash is computed, whoever still waits
    /// for it.
    pub(super) async fn verifies(
        self,
        hasher: Arc<SecretHasher>,
        secret: Secret,
        hash: String,
    ) -> Result<bool, PortError> {
        let (answer, answered) = oneshot::channel();
        // A thread of its own: it cannot be given back the priority that it gives up, and costs little beside a hash.
        let thread = thread::Builder::new().name("password".into()).spawn(move || {
            let _turn = self.0;
            step_back();
            let _ = answer.send(hasher.verifies(&secret, &hash));
        });
        thread.map_err(|error| PortError(format!("no thread to check a password: {error}")))?;
        answered.await.map_err(|_| PortError("the thread that was to check a password ended early".into()))?
    }
}

/// Lets others go first: whoever guesses keeps those waiting who come with passwords, and nobody else.
#[cfg(target_os = "linux")]
fn step_back() {
    // Of the thread alone. A process that runs at a lower priority already stays there.
    let _ = rustix::process::setpriority_process(None, 10);
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[tokio::test]
    async fn gives_the_turn_back_when_the_hash_is_computed() {
        let hashing = Hashing::new(NonZeroUsize::MIN, 0);
        for _ in 0..3 {
            let turn = loop {
                // The answer is there a moment before the turn is.
                match hashing.leave("").await {
                    Ok(turn) => break turn,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let checked = turn.verifies(Arc::new(SecretHasher::argon2id()), Secret::new("x".into()), "broken".into());
            assert!(checked.await.is_err());
        }
    }
}
