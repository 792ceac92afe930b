//! Where sinks take records from, and where it is kept how far each has come.

use est_core::PortFuture;
use est_store::{AuditRecord, Database, IssuedCertificate, StoreError};

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

/// The chain of one node in a database.
pub struct StoredChain {
    database: Database,
    node: String,
}

impl StoredChain {
    /// Takes the chain of `node`.
    #[must_use]
    pub fn new(database: Database, node: impl Into<String>) -> Self {
        Self { database, node: node.into() }
    }

    /// The certificate that a record is about. Those of others may have its serial number.
    async fn certificate(&self, record: &AuditRecord) -> Result<Option<IssuedCertificate>, StoreError> {
        let (Some(serial), Some(ca), Some(fingerprint)) = (&record.serial, &record.ca, record.fingerprint) else {
            return Ok(None);
        };
        let found = self.database.certificate(serial, Some(ca)).await?;
        Ok(found.filter(|found| found.fingerprint == fingerprint))
    }
}

impl Outbox for StoredChain {
    fn read(&self, after_sequence: u64, limit: u32) -> PortFuture<'_, Vec<ChainedRecord>> {
        Box::pin(async move {
            let mut page = Vec::new();
            for record in self.database.chain(&self.node, after_sequence, limit).await? {
                let certificate = self.certificate(&record).await?;
                let chain = record.chain.clone();
                page.extend(chain.map(|chain| ChainedRecord { chain, record, certificate }));
            }
            Ok(page)
        })
    }

    fn last(&self) -> PortFuture<'_, u64> {
        Box::pin(async move { Ok(self.database.chain_end(&self.node).await?.map_or(0, |end| end.sequence)) })
    }

    fn position<'a>(&'a self, sink: &'a str) -> PortFuture<'a, u64> {
        Box::pin(async move { Ok(self.database.sink_position(&self.node, sink).await?) })
    }

    fn advance<'a>(&'a self, sink: &'a str, sequence: u64) -> PortFuture<'a, ()> {
        Box::pin(async move { Ok(self.database.advance_sink(&self.node, sink, sequence).await?) })
    }

    /// Never: other processes write to the chain, too, and nobody tells of that. Sinks look for more by themselves.
    fn more(&self) -> PortFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
