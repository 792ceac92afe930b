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
}

impl Held {
    pub(super) fn new(node: String, position: u64) -> Self {
        Self { node, given: position, confirmed: position, sent: VecDeque::new() }
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

    /// The outbox knows that the sink has taken the records up to this one.
    pub(super) fn confirm(&mut self, sequence: u64) {
        self.confirmed = sequence;
        self.sent.retain(|(_, sent)| *sent > sequence);
    }
}
