//! Turns at what only so many can have at a time, given fairly.

mod fair;
mod line;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use fair::{Asked, Fair};

pub use line::Line;

/// Gives turns: some at a time, while some more wait in lines.
///
/// The lines share the turns equally, however long they are; an empty line takes no share. Lines within a line share its
/// turns in the same way. Where more would wait than may, the last of the longest line makes room; of lines that are equally
/// long, one is drawn at random, that of the newcomer included.
///
/// What follows for a client that waits alone in a line: multiply, over the lines from the outermost to that one, how many
/// lines take turns there. If at least as many as the product may wait, that client is not refused, and its turn comes
/// within the time in which so many turns end.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<Fair<oneshot::Sender<Turn>>>>);

/// A turn; given to the next one when dropped.
pub struct Turn(Turns);

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl Turns {
    /// Gives so many turns at a time, and lets so many wait. `seed` must be unpredictable: lots are drawn from it.
    #[must_use]
    pub fn new(at_a_time: usize, waiting: usize, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Fair::new(at_a_time, waiting, seed))))
    }

    /// Uses other numbers from here on. Turns that were given stay, and whatever waits goes on waiting.
    pub fn resize(&self, at_a_time: usize, waiting: usize) {
        let called = self.lock().resize(at_a_time, waiting);
        called.into_iter().for_each(|next| self.call(next));
    }

    /// Waits in `line` for a turn; `None` when there is no room to wait, or no more.
    ///
    /// # Cancel safety
    /// Who stops waiting has left the line.
    pub async fn turn(&self, line: Line) -> Option<Turn> {
        let (sender, receiver) = oneshot::channel();
        let asked = self.lock().ask(&line, sender);
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
        let _waiting = Waiting { turns: self, line: &line, number };
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
    line: &'a Line,
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

    fn line(name: &str) -> Line {
        Line::new(vec![name.to_owned()])
    }

    /// Asks for a turn, and for no more than what there is at once.
    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_turn_that_is_given_back_goes_to_the_next_line() {
        let turns = Turns::new(1, 10, 1);
        let first = turns.turn(line("a")).await.unwrap();
        let (mut second, mut third) = (pin!(turns.turn(line("a"))), pin!(turns.turn(line("b"))));
        let mut fourth = pin!(turns.turn(line("a")));
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
        let turns = Turns::new(1, 10, 1);
        let first = turns.turn(line("a")).await.unwrap();
        let mut third = pin!(turns.turn(line("b")));
        {
            let mut gone = Box::pin(turns.turn(line("a")));
            let mut called = Box::pin(turns.turn(line("a")));
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
        let turns = Turns::new(1, 2, 1);
        let _first = turns.turn(line("a")).await.unwrap();
        let (mut second, mut third) = (pin!(turns.turn(line("a"))), pin!(turns.turn(line("a"))));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert!(matches!(poll(pin!(turns.turn(line("a")))), Poll::Ready(None)));
        let mut other = pin!(turns.turn(line("b")));
        assert!(poll(other.as_mut()).is_pending());
        assert!(matches!(poll(third.as_mut()), Poll::Ready(None)));
        assert!(poll(second.as_mut()).is_pending());
    }
}
