//! Argon2id, a bounded number at a time.

use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::password_hash::Error;
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use est_core::{PortError, Secret};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hands out turns: some at a time, and some more that wait.
pub(super) struct Hashing {
    /// One for everybody who has a turn or waits for one.
    admitted: Arc<Semaphore>,
    /// One for everybody who has a turn.
    working: Arc<Semaphore>,
}

/// Leave to compute one hash.
pub(super) struct Turn {
    _admitted: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

impl Hashing {
    pub(super) fn new(concurrency: NonZeroUsize, waiting: usize) -> Self {
        let limit = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { admitted: limit(concurrency.get().saturating_add(waiting)), working: limit(concurrency.get()) }
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
    pub(super) async fn verifies(self, secret: Secret, hash: String) -> Result<bool, PortError> {
        let work = tokio::task::spawn_blocking(move || {
            let _turn = self;
            let hash = PasswordHash::new(&hash)?;
            Argon2::default().verify_password(secret.reveal().as_bytes(), &hash)
        });
        match work.await.map_err(|_| PortError("the thread that was to check a password ended early".into()))? {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(PortError("a stored password hash is not one of Argon2".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn admits_so_many_lets_so_many_wait_and_turns_the_rest_away() {
        let hashing = Hashing::new(NonZeroUsize::new(2).unwrap(), 1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(first)) = pin!(hashing.turn()).poll(&mut context) else { panic!("first") };
        let Poll::Ready(Ok(_second)) = pin!(hashing.turn()).poll(&mut context) else { panic!("second") };
        let mut third = pin!(hashing.turn());
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(matches!(pin!(hashing.turn()).poll(&mut context), Poll::Ready(Err(_))));
        drop(first);
        assert!(matches!(third.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    }

    #[test]
    fn forgets_those_who_no_longer_wait() {
        let hashing = Hashing::new(NonZeroUsize::MIN, 1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(_first)) = pin!(hashing.turn()).poll(&mut context) else { panic!("first") };
        for _ in 0..10 {
            assert!(pin!(hashing.turn()).poll(&mut context).is_pending());
        }
    }

    #[tokio::test]
    async fn tells_a_broken_hash_from_a_wrong_password() {
        let hashing = Hashing::new(NonZeroUsize::MIN, 0);
        let turn = hashing.turn().await.unwrap();
        assert!(turn.verifies(Secret::new("secret".into()), "$argon2id$broken".into()).await.is_err());
    }
}
