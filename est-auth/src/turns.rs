//! Turns at what only so many can have at a time, given fairly.

mod fair;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use fair::{Asked, Fair};

/// Gives turns: some at a time, while some more wait in lines, which are called in turns.
///
/// A line has every turn while the others are empty, and its share as soon as they are not, however long it is; and where
/// as many wait as may, the last of the longest line makes room for one of a shorter line.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<Fair<oneshot::Sender<Turn>>>>);

/// A turn; given to the next one when dropped.
pub struct Turn(Turns);

impl Turns {
    /// Gives so many turns at a time, and lets so many wait.
    #[must_use]
    pub fn new(at_a_time: usize, waiting: usize) -> Self {
        Self(Arc::new(Mutex::new(Fair::new(at_a_time, waiting))))
    }

    /// Goes by other numbers from here on; who has a turn keeps it, and who waits goes on waiting.
    pub fn resize(&self, at_a_time: usize, waiting: usize) {
        let called = self.lock().resize(at_a_time, waiting);
        called.into_iter().for_each(|next| self.call(next));
    }

    /// Waits in `line` for a turn; `None` when there is no room to wait, or no more.
    ///
    /// # Cancel safety
    /// Who stops waiting has left the line.
    pub async fn turn(&self, line: &str) -> Option<Turn> {
        let (sender, receiver) = oneshot::channel();
        let asked = self.lock().ask(line, sender);
        let number = match asked {
            Asked::Runs(_) => return Some(Turn(self.clone())),
            Asked::Full(_) => return None,
            Asked::Waits(number) => number,
            Asked::Displaces(number, displaced) => {
                // Which tells it that it need not wait any more.
                drop(displaced);
                number
            }
        };
        let _waiting = Waiting { turns: self, line, number };
        receiver.await.ok()
    }

    /// How many have a turn.
    #[must_use]
    pub fn running(&self) -> usize {
        self.lock().running()
    }

    /// How many wait for one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    fn call(&self, next: oneshot::Sender<Turn>) {
        // If nobody waits there any more, the turn comes back, is dropped, and so given to the next.
        let _ = next.send(Turn(self.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Fair<oneshot::Sender<Turn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = self.0.lock().leave();
        if let Some(next) = next {
            self.0.call(next);
        }
    }
}

/// A place in a line; given up when dropped, by a client that hangs up say.
struct Waiting<'a> {
    turns: &'a Turns,
    line: &'a str,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.lock().give_up(self.line, self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Asks for a turn, and for no more than what there is at once.
    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_turn_that_is_given_back_goes_to_the_next_line() {
        let turns = Turns::new(1, 10);
        let first = turns.turn("a").await.unwrap();
        let (mut second, mut third) = (pin!(turns.turn("a")), pin!(turns.turn("b")));
        let mut fourth = pin!(turns.turn("a"));
        assert!(poll(second.as_mut()).is_pending() && poll(fourth.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        drop(first);
        let Poll::Ready(Some(second)) = poll(second.as_mut()) else { panic!("a turn") };
        drop(second);
        assert!(poll(fourth.as_mut()).is_pending());
        assert!(matches!(poll(third.as_mut()), Poll::Ready(Some(_))));
    }

    #[tokio::test]
    async fn who_hangs_up_while_waiting_or_being_called_leaves_the_turn_to_the_next() {
        let turns = Turns::new(1, 10);
        let first = turns.turn("a").await.unwrap();
        let mut third = pin!(turns.turn("b"));
        {
            let mut gone = Box::pin(turns.turn("a"));
            let mut called = Box::pin(turns.turn("a"));
            assert!(poll(gone.as_mut()).is_pending() && poll(called.as_mut()).is_pending());
            assert!(poll(third.as_mut()).is_pending());
            drop(gone);
            drop(first);
            // `called` has been given the turn, and never looks.
            drop(called);
        }
        let Poll::Ready(Some(third)) = poll(third.as_mut()) else { panic!("a turn") };
        drop(third);
        assert_eq!((turns.running(), turns.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn who_is_displaced_hears_it_at_once() {
        let turns = Turns::new(1, 2);
        let _first = turns.turn("a").await.unwrap();
        let (mut second, mut third) = (pin!(turns.turn("a")), pin!(turns.turn("a")));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert!(matches!(poll(pin!(turns.turn("a"))), Poll::Ready(None)));
        let mut other = pin!(turns.turn("b"));
        assert!(poll(other.as_mut()).is_pending());
        assert!(matches!(poll(third.as_mut()), Poll::Ready(None)));
        assert!(poll(second.as_mut()).is_pending());
    }
}
