//! Hashes, a bounded number at a time, and behind everything else that the processor has to do.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use est_core::{PortError, Secret};
use tokio::sync::oneshot;

use super::hash::SecretHasher;
use crate::turns::{Turn, Turns};

/// For so many times as long as its hash took, a wrong password keeps its turn after the answer: guesses have an eighth of
/// each core at most, for priorities alone do not keep what shares a processor from slowing the rest.
const REST: u32 = 7;

/// Hands out leave to compute one hash: some at a time, and some more that wait, in lines of their own.
///
/// One for a process, whatever authenticators come and go: each hash of Argon2 takes 19 MiB and some 20 ms of a core.
pub struct Hashing(Turns);

/// Leave to compute one hash.
pub(super) struct Leave(Turn);

impl Default for Hashing {
    /// One hash per core.
    fn default() -> Self {
        Self::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl Hashing {
    /// For every hash that may be computed at a time, so many more may wait: about two seconds, or a quarter of a minute
    /// while somebody guesses.
    const WAITING_PER_WORKER: usize = 128;

    /// Has at most `concurrency` hashes computed at a time; for each of them 128 more may wait.
    #[must_use]
    pub fn new(concurrency: NonZeroUsize) -> Self {
        Self::with_room(concurrency, concurrency.get().saturating_mul(Self::WAITING_PER_WORKER))
    }

    fn with_room(concurrency: NonZeroUsize, waiting: usize) -> Self {
        Self(Turns::new(concurrency.get(), waiting))
    }

    /// How many hashes are being computed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.running()
    }

    /// How many wait to be computed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting()
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
            let started = Instant::now();
            let outcome = hasher.verifies(&secret, &hash);
            let is_right = matches!(outcome, Ok(true));
            let _ = answer.send(outcome);
            if !is_right {
                thread::sleep(started.elapsed() * REST);
            }
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
        let hashing = Hashing::with_room(NonZeroUsize::MIN, 0);
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
