//! How much somebody has asked for lately.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The span that counts are taken over.
const WINDOW: Duration = Duration::from_secs(60);
/// How many are told apart; all others share one count.
const CAPACITY: usize = 10_000;

/// Counts what happens within a minute, by whom.
pub(super) struct Throttle(Mutex<Counts>);

struct Counts {
    began: Instant,
    counts: HashMap<String, u32>,
    others: u32,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Counts { began: now, counts: HashMap::new(), others: 0 }))
    }

    /// Counts one more of `who`.
    ///
    /// # Errors
    /// How many seconds until there is room again, when `limit` was reached.
    pub(super) fn take(&self, who: &str, limit: u32, now: Instant) -> Result<(), u64> {
        let mut counts = self.at(now);
        let seconds = counts.seconds_left(now);
        let count = counts.of(who);
        if *count >= limit {
            return Err(seconds);
        }
        *count += 1;
        Ok(())
    }

    /// Whether `who` has reached `limit`, without counting.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn look(&self, who: &str, limit: u32, now: Instant) -> Result<(), u64> {
        let counts = self.at(now);
        let reached = counts.counts.get(who).is_some_and(|count| *count >= limit);
        if reached { Err(counts.seconds_left(now)) } else { Ok(()) }
    }

    /// The counts of the window that `now` is in.
    fn at(&self, now: Instant) -> MutexGuard<'_, Counts> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(counts.began) >= WINDOW {
            *counts = Counts { began: now, counts: HashMap::new(), others: 0 };
        }
        counts
    }
}

impl Counts {
    fn of(&mut self, who: &str) -> &mut u32 {
        if self.counts.len() >= CAPACITY && !self.counts.contains_key(who) {
            return &mut self.others;
        }
        self.counts.entry(who.to_owned()).or_default()
    }

    fn seconds_left(&self, now: Instant) -> u64 {
        (self.began + WINDOW).saturating_duration_since(now).as_secs().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_so_many_a_minute_through_and_says_when_there_is_room_again() {
        let start = Instant::now();
        let throttle = Throttle::new(start);
        assert_eq!(throttle.take("a", 2, start), Ok(()));
        assert_eq!(throttle.look("a", 2, start), Ok(()));
        assert_eq!(throttle.take("a", 2, start), Ok(()));
        let later = start + Duration::from_secs(20);
        assert_eq!(throttle.take("a", 2, later), Err(40));
        assert_eq!(throttle.look("a", 2, later), Err(40));
        assert_eq!(throttle.take("b", 2, later), Ok(()));
        assert_eq!(throttle.take("a", 2, start + WINDOW), Ok(()));
    }

    #[test]
    fn holds_a_bounded_number_of_them() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        for number in 0..CAPACITY {
            assert_eq!(throttle.take(&number.to_string(), 1, now), Ok(()));
        }
        assert_eq!(throttle.take("one more", 1, now), Ok(()));
        assert!(throttle.take("another", 1, now).is_err());
    }
}
