//! Hashes, a bounded number at a time, and behind everything else that the processor has to do.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use est_core::{PortError, Secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::hash::SecretHasher;

/// Hands out turns to compute a hash: some at a time, and some more that wait.
///
/// One for a process, whatever authenticators come and go: each hash of Argon2 takes 19 MiB and some 20 ms of a core.
#[derive(Debug)]
pub struct Hashing {
    /// One for everybody who has a turn or waits for one.
    admitted: Arc<Semaphore>,
    /// One for everybody who has a turn.
    working: Arc<Semaphore>,
    /// How many of either there are.
    limits: [usize; 2],
}

/// Leave to compute one hash.
pub(super) struct Turn {
    _admitted: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

impl Default for Hashing {
    /// One hash per core.
    fn default() -> Self {
        Self::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

impl Hashing {
    /// For every hash that may be computed at a time, so many more may wait: about two seconds.
    const WAITING_PER_WORKER: usize = 128;

    /// Has at most `concurrency` hashes computed at a time.
    #[must_use]
    pub fn new(concurrency: NonZeroUsize) -> Self {
        Self::with_room(concurrency, concurrency.get().saturating_mul(Self::WAITING_PER_WORKER))
    }

    fn with_room(concurrency: NonZeroUsize, waiting: usize) -> Self {
        let limits = [concurrency.get().saturating_add(waiting), concurrency.get()]
            .map(|limit| limit.min(Semaphore::MAX_PERMITS));
        let [admitted, working] = limits.map(|limit| Arc::new(Semaphore::new(limit)));
        Self { admitted, working, limits }
    }

    /// How many hashes are being computed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.limits[1] - self.working.available_permits()
    }

    /// How many wait to be computed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let admitted = self.limits[0] - self.admitted.available_permits();
        // Somebody may have come or gone between the two looks.
        admitted.saturating_sub(self.running())
    }

    /// Waits for a turn; an error when too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, PortError> {
        let admitted = self
            .admitted
            .clone()
            .try_acquire_owned()
            .map_err(|_| PortError("more passwords are to be checked than can be: try again later".into()))?;
        let working = self.working.clone().acquire_owned().await.expect("nobody closes the semaphore");
        Ok(Turn { _admitted: admitted, _working: working })
    }
}

impl Turn {
    /// Whether the secret is the one that was hashed. The turn lasts until the hash is computed, whoever still waits
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
            let _turn = self;
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

    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn admits_so_many_lets_so_many_wait_and_turns_the_rest_away() {
        let hashing = Hashing::with_room(NonZeroUsize::new(2).unwrap(), 1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(first)) = pin!(hashing.turn()).poll(&mut context) else { panic!("first") };
        let Poll::Ready(Ok(_second)) = pin!(hashing.turn()).poll(&mut context) else { panic!("second") };
        let mut third = pin!(hashing.turn());
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(matches!(pin!(hashing.turn()).poll(&mut context), Poll::Ready(Err(_))));
        assert_eq!((hashing.running(), hashing.waiting()), (2, 1));
        drop(first);
        assert!(matches!(third.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    }

    #[test]
    fn forgets_those_who_no_longer_wait() {
        let hashing = Hashing::with_room(NonZeroUsize::MIN, 1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(_first)) = pin!(hashing.turn()).poll(&mut context) else { panic!("first") };
        for _ in 0..10 {
            assert!(pin!(hashing.turn()).poll(&mut context).is_pending());
        }
    }

    #[tokio::test]
    async fn gives_the_turn_back_when_the_hash_is_computed() {
        let hashing = Hashing::with_room(NonZeroUsize::MIN, 0);
        for _ in 0..3 {
            let turn = loop {
                // The answer is there a moment before the turn is.
                match hashing.turn().await {
                    Ok(turn) => break turn,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let checked = turn.verifies(Arc::new(SecretHasher::argon2id()), Secret::new("x".into()), "broken".into());
            assert!(checked.await.is_err());
        }
    }
}
