//! Reads that are repeated: the page looks every few seconds, and a poller for ever. One record says it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long one record covers the same read by the same caller from the same address.
const STANDS: Duration = Duration::from_secs(600);
/// How many reads are remembered; beyond that each is written down.
const MOST: usize = 4_096;

/// Which reads were written down lately.
#[derive(Default)]
pub(super) struct RepeatedReads(Mutex<HashMap<Read, Instant>>);

/// A read, as its record tells it apart from others.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Read {
    pub(super) actor: String,
    pub(super) method: &'static str,
    pub(super) source: Option<String>,
    pub(super) what: String,
}

impl RepeatedReads {
    /// Whether a record of this read that still stands was written.
    pub(super) fn has(&self, read: &Read, now: Instant) -> bool {
        let reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.get(read).is_some_and(|at| now.saturating_duration_since(*at) < STANDS)
    }

    /// Remembers that it was written down.
    pub(super) fn add(&self, read: Read, now: Instant) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.len() >= MOST {
            reads.retain(|_, at| now.saturating_duration_since(*at) < STANDS);
        }
        if reads.len() < MOST {
            reads.insert(read, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(actor: &str, what: &str) -> Read {
        Read { actor: actor.to_owned(), method: "bearer", source: Some("192.0.2.1".to_owned()), what: what.to_owned() }
    }

    #[test]
    fn one_record_stands_for_ten_minutes_of_the_same_read() {
        let (reads, now) = (RepeatedReads::default(), Instant::now());
        let first = read("admin:alice", "GET /admin/certs");
        assert!(!reads.has(&first, now));
        reads.add(first.clone(), now);
        assert!(reads.has(&first, now + STANDS - Duration::from_secs(1)));
        assert!(!reads.has(&first, now + STANDS));
        for other in [
            read("admin:bob", "GET /admin/certs"),
            read("admin:alice", "GET /admin/certs/01"),
            Read { source: None, ..first },
        ] {
            assert!(!reads.has(&other, now));
        }
    }

    #[test]
    fn reads_beyond_what_is_remembered_are_written_down_each_time() {
        let (reads, now) = (RepeatedReads::default(), Instant::now());
        for number in 0..=MOST {
            reads.add(read("admin:alice", &number.to_string()), now);
        }
        assert!(!reads.has(&read("admin:alice", &MOST.to_string()), now));
        reads.add(read("admin:alice", "later"), now + STANDS);
        assert!(reads.has(&read("admin:alice", "later"), now + STANDS));
    }
}
