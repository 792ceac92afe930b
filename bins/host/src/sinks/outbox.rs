//! Where sinks take records from, and where it is kept how far each has come.

use std::time::Duration;

use est_core::{PortFuture, Seconds};
use est_store::{AuditRecord, Database, IssuedCertificate, ServerEvent, SinkChain, StoreError};
use tracing::error;

use super::ChainedRecord;

/// The records of every node's chain, and how far each sink has taken them.
pub trait Outbox: Send + Sync {
    /// The node that ships.
    fn node(&self) -> &str;

    /// Every chain, and how far `sink` has taken it: the one first that has waited longest.
    fn chains<'a>(&'a self, sink: &'a str) -> PortFuture<'a, Vec<SinkChain>>;

    /// Keeps others from shipping the chain of `of` to `sink` for as long as this `lasts`. Answers with the sequence of
    /// the last record that the sink has taken for good, 0 when there is none; with `None` when another ships it.
    fn lease<'a>(&'a self, of: &'a str, sink: &'a str, lasts: Duration) -> PortFuture<'a, Option<u64>>;

    /// The records of the chain of `of` after `sequence`, in their order, up to `limit` of them.
    fn read<'a>(&'a self, of: &'a str, after_sequence: u64, limit: u32) -> PortFuture<'a, Vec<ChainedRecord>>;

    /// Remembers that `sink` has taken the records of the chain of `of` up to `sequence`.
    fn advance<'a>(&'a self, of: &'a str, sink: &'a str, sequence: u64) -> PortFuture<'a, ()>;

    /// Writes down that `sink` has taken nothing for a while, and why, or that it takes records again.
    fn note_outage<'a>(&'a self, sink: &'a str, problem: Option<&'a str>) -> PortFuture<'a, ()>;

    /// Waits until there may be more records.
    fn more(&self) -> PortFuture<'_, ()>;
}

/// The chains in a database.
pub struct StoredChains {
    database: Database,
    node: String,
}

impl StoredChains {
    /// Takes the chains that `node` finds in a database.
    #[must_use]
    pub fn new(database: Database, node: impl Into<String>) -> Self {
        Self { database, node: node.into() }
    }

    /// The certificate that a record is about. Those of others may have its serial number.
    async fn certificate(&self, record: &AuditRecord) -> Result<Option<IssuedCertificate>, StoreError> {
        let (Some(serial), Some(ca), Some(fingerprint)) = (&record.serial, &record.ca, record.fingerprint) else {
            return Ok(None);
        };
        match self.database.certificate(serial, Some(ca)).await {
            Ok(found) => Ok(found.filter(|found| found.fingerprint == fingerprint)),
            Err(StoreError::Damaged { column }) => {
                error!(%serial, ca, column, "an audit record leaves without its certificate, which cannot be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Outbox for StoredChains {
    fn node(&self) -> &str {
        &self.node
    }

    fn chains<'a>(&'a self, sink: &'a str) -> PortFuture<'a, Vec<SinkChain>> {
        Box::pin(async move { Ok(self.database.sink_chains(sink).await?) })
    }

    fn lease<'a>(&'a self, of: &'a str, sink: &'a str, lasts: Duration) -> PortFuture<'a, Option<u64>> {
        let lasts = Seconds(lasts.as_secs());
        Box::pin(async move { Ok(self.database.lease_chain(of, sink, &self.node, lasts).await?) })
    }

    fn read<'a>(&'a self, of: &'a str, after_sequence: u64, limit: u32) -> PortFuture<'a, Vec<ChainedRecord>> {
        Box::pin(async move {
            let mut page = Vec::new();
            for record in self.database.chain_with_stand_ins(of, after_sequence, limit).await? {
                let certificate = self.certificate(&record).await?;
                let chain = record.chain.clone();
                page.extend(chain.map(|chain| ChainedRecord { chain, record, certificate }));
            }
            Ok(page)
        })
    }

    fn advance<'a>(&'a self, of: &'a str, sink: &'a str, sequence: u64) -> PortFuture<'a, ()> {
        Box::pin(async move { Ok(self.database.advance_sink(of, sink, sequence).await?) })
    }

    fn note_outage<'a>(&'a self, sink: &'a str, problem: Option<&'a str>) -> PortFuture<'a, ()> {
        let (event, reason) = match problem {
            Some(problem) => (ServerEvent::SinkFailed, format!("{sink}: {problem}")),
            None => (ServerEvent::SinkRestored, sink.to_owned()),
        };
        Box::pin(async move { Ok(self.database.note(event, Some(reason)).await?) })
    }

    /// Never: other processes write to the chains, too, and nobody tells of that. Sinks look for more by themselves.
    fn more(&self) -> PortFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
