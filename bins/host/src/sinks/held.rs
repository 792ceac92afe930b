//! A chain that a sink is given.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A chain that nobody else gives to the sink meanwhile.
#[derive(Debug)]
pub(super) struct Held {
    /// The node that writes it.
    pub(super) node: String,
    /// The last record that the sink was given.
    pub(super) given: u64,
    /// The last record that the outbox knows the sink to have taken.
    pub(super) confirmed: u64,
    /// When the sink was given records that it may not have taken yet, up to which.
    sent: VecDeque<(Instant, u64)>,
    /// How often what comes after `confirmed` was sent to a collector that had no fault to find, and up to which record.
    repeated: (u32, u64),
}

/// How often the same records are sent to a collector that acknowledges them and ends the connection.
const SENT_AT_MOST: u32 = 3;

impl Held {
    pub(super) fn new(node: String, position: u64) -> Self {
        Self { node, given: position, confirmed: position, sent: VecDeque::new(), repeated: (0, u64::MAX) }
    }

    /// The sink was given the records up to this one.
    pub(super) fn give(&mut self, sequence: u64) {
        self.given = sequence;
        self.sent.push_back((Instant::now(), sequence));
    }

    /// The last record that the sink was given this long ago.
    pub(super) fn given_before(&self, age: Duration) -> u64 {
        let old = self.sent.iter().take_while(|(since, _)| since.elapsed() >= age);
        old.last().map_or(self.confirmed, |(_, sequence)| *sequence)
    }

    /// The sink ended the connection after it had acknowledged everything. Answers with the last record that it has done
    /// that with often enough.
    pub(super) fn repeated(&mut self) -> u64 {
        if self.given == self.confirmed {
            return self.confirmed;
        }
        let (times, up_to) = self.repeated;
        self.repeated = (times + 1, up_to.min(self.given));
        if self.repeated.0 < SENT_AT_MOST { self.confirmed } else { self.repeated.1 }
    }

    /// The sink is to be given again what it may not have taken; another server may have given it more up to `position`.
    pub(super) fn begin_again(&mut self, position: u64) {
        self.confirm(position.max(self.confirmed));
        self.given = self.confirmed;
        self.sent.clear();
    }

    /// The outbox knows that the sink has taken the records up to this one.
    pub(super) fn confirm(&mut self, sequence: u64) {
        if sequence > self.confirmed {
            self.repeated = (0, u64::MAX);
        }
        self.confirmed = sequence;
        self.sent.retain(|(_, sent)| *sent > sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_records_count_as_taken_when_they_were_acknowledged_three_times() {
        let mut chain = Held::new("node-1".into(), 0);
        let mut ends = Vec::new();
        for given in [5, 4, 6, 7] {
            chain.give(given);
            let taken = chain.repeated();
            ends.push(taken);
            chain.confirm(taken);
            chain.begin_again(0);
        }
        assert_eq!(ends, [0, 0, 4, 4], "what was sent all three times, and no more");
        assert_eq!((chain.given, chain.confirmed), (4, 4));
    }

    #[test]
    fn what_another_server_shipped_is_not_shipped_again() {
        let mut chain = Held::new("node-1".into(), 3);
        chain.give(9);
        chain.begin_again(7);
        assert_eq!((chain.given, chain.confirmed), (7, 7));
        chain.begin_again(5);
        assert_eq!(chain.given, 7);
    }
}
