//! Where sinks take records from, and where it is kept how far each has come.

use est_core::PortFuture;

use super::ChainedRecord;

/// The records of one node's chain, and how far each sink has taken them.
pub trait Outbox: Send + Sync {
    /// The records after `sequence`, in the order of the chain, up to `limit` of them.
    fn read(&self, after_sequence: u64, limit: u32) -> PortFuture<'_, Vec<ChainedRecord>>;

    /// The sequence of the last record; 0 when there is none.
    fn last(&self) -> PortFuture<'_, u64>;

    /// The sequence of the last record that `sink` has taken for good; 0 when there is none.
    fn position<'a>(&'a self, sink: &'a str) -> PortFuture<'a, u64>;

    /// Remembers that `sink` has taken the records up to `sequence`.
    fn advance<'a>(&'a self, sink: &'a str, sequence: u64) -> PortFuture<'a, ()>;

    /// Waits until there may be more records.
    fn more(&self) -> PortFuture<'_, ()>;
}
