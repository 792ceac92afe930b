//! Hashes, a bounded number at a time, and behind everything else that the processor has to do.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

use est_core::PortError;
use tokio::sync::oneshot;

use crate::turns::{Line, Turn, Turns};

/// For so many times as long as its hash took, a wrong password keeps its turn after the answer: guesses have an eighth of
/// each core at most, for priorities alone do not keep what shares a processor from slowing the rest.
const REST: u32 = 7;

/// Gives turns to check a password: some at a time, and some more that wait, in lines.
///
/// One for a process, whatever authenticators come and go: each hash of Argon2 takes 19 MiB and some 20 ms of a core.
pub struct Hashing(Turns);

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hashing").field(&self.0).finish()
    }
}

impl Default for Hashing {
    /// One hash per core.
    fn default() -> Self {
        let seed = RandomState::new().hash_one("turns to check passwords");
        Self::new(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN), seed)
    }
}

impl Hashing {
    /// For every hash that may be computed at a time, so many more may wait: about two seconds, or a quarter of a minute
    /// while somebody guesses.
    const WAITING_PER_WORKER: usize = 128;

    /// Has at most `concurrency` hashes computed at a time; for each of them 128 more may wait. `seed` is what nobody outside
    /// knows: see [`Turns::new`].
    #[must_use]
    pub fn new(concurrency: NonZeroUsize, seed: u64) -> Self {
        Self::with_room(concurrency, concurrency.get().saturating_mul(Self::WAITING_PER_WORKER), seed)
    }

    fn with_room(concurrency: NonZeroUsize, waiting: usize, seed: u64) -> Self {
        Self(Turns::new(concurrency.get(), waiting, seed))
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

    /// Waits in `line`; `None` when too many wait.
    pub(super) async fn turn(&self, line: Line) -> Option<Turn> {
        self.0.turn(line).await
    }
}

/// Checks something in this turn, on a thread that lets others go first: `None` when it does not hold, which keeps its turn
/// longer. It is checked to its end, even if nobody waits for the answer any more.
pub(super) async fn check<T: Send + 'static>(
    turn: Turn,
    holds: impl FnOnce() -> Result<Option<T>, PortError> + Send + 'static,
) -> Result<Option<T>, PortError> {
    let (answer, answered) = oneshot::channel();
    // A thread of its own: it cannot be given back the priority that it gives up, and costs little beside a hash.
    let thread = thread::Builder::new().name("password".into()).spawn(move || {
        let _turn = turn;
        step_back();
        let started = Instant::now();
        let outcome = holds();
        let is_right = matches!(outcome, Ok(Some(_)));
        let _ = answer.send(outcome);
        if !is_right {
            thread::sleep(started.elapsed() * REST);
        }
    });
    thread.map_err(|error| PortError(format!("no thread to check a password: {error}")))?;
    answered.await.map_err(|_| PortError("the thread that was to check a password ended early".into()))?
}

/// Lets other threads go first: guesses delay the checks of passwords, and nothing else.
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
    async fn gives_the_turn_back_when_the_check_is_done() {
        let hashing = Hashing::with_room(NonZeroUsize::MIN, 0, 1);
        for _ in 0..3 {
            let turn = loop {
                // The answer is there a moment before the turn is.
                match hashing.turn(Line::new(Vec::new())).await {
                    Some(turn) => break turn,
                    None => tokio::task::yield_now().await,
                }
            };
            assert!(check::<()>(turn, || Err(PortError("broken".into()))).await.is_err());
        }
    }
}
