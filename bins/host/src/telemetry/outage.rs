//! How often it is logged that a port cannot answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many lines within each minute.
const LINES: u64 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts the failures of a port. Every request meets them while a database is unreachable: the first few within a minute are
/// logged, the others counted.
pub(super) struct Outage {
    began: Instant,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// The minute that is counted, from the beginning on.
    minute: u64,
    failures: u64,
    left_out: u64,
}

impl Default for Outage {
    fn default() -> Self {
        Self { began: Instant::now(), counts: Mutex::default() }
    }
}

impl Outage {
    /// Counts one more failure. If it is to be logged, returns how many were left out before.
    pub(super) fn count(&self) -> Option<u64> {
        self.count_at(self.began.elapsed())
    }

    fn count_at(&self, since: Duration) -> Option<u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = since.as_secs() / MINUTE.as_secs();
        if counts.minute != minute {
            counts.minute = minute;
            counts.failures = 0;
        }
        counts.failures += 1;
        if counts.failures > LINES {
            counts.left_out += 1;
            return None;
        }
        Some(std::mem::take(&mut counts.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_within_a_minute_are_logged_and_the_others_counted() {
        let outage = Outage::default();
        let at = |second| outage.count_at(Duration::from_secs(second));
        assert!((0..10).all(|_| at(5) == Some(0)));
        assert!((0..1000).all(|_| at(59).is_none()));
        assert_eq!(at(60), Some(1000));
        assert_eq!(at(61), Some(0));
    }
}
