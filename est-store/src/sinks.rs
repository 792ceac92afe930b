//! How far audit records have gone out of the database, and which node ships them.

use est_core::Seconds;

use crate::audit::{micros, stored};
use crate::database::Database;
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

/// The chain of a node, and how far a sink has taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkChain {
    /// The node that writes it.
    pub node: String,
    /// The sequence of its last record.
    pub last: u64,
    /// The sequence of the last record that the sink has taken for good; 0 when there is none.
    pub position: u64,
}

impl Database {
    /// Reads every chain, and how far `sink` has taken it: the one first that has waited longest.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn sink_chains(&self, sink: &str) -> Result<Vec<SinkChain>, StoreError> {
        self.read(Chains { sink: sink.to_owned() }).await
    }

    /// Has `holder` ship a node's chain to `sink` for a while, unless another one does. A node gets its own chain back from
    /// any other. Answers with the sequence of the last record that the sink has taken; `None` when the chain is
    /// somebody else's.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn lease_chain(
        &self,
        node: &str,
        sink: &str,
        holder: &str,
        lasts: Seconds,
    ) -> Result<Option<u64>, StoreError> {
        let (node, sink, holder) = (node.to_owned(), sink.to_owned(), holder.to_owned());
        self.transact(Lease { node, sink, holder, lasts }).await
    }

    /// Remembers that `sink` has taken a node's records up to the one with this sequence. It never goes back.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn advance_sink(&self, node: &str, sink: &str, sequence: u64) -> Result<(), StoreError> {
        self.transact(Advance { node: node.to_owned(), sink: sink.to_owned(), sequence }).await
    }
}

struct Chains {
    sink: String,
}

impl Work for Chains {
    type Answer = Vec<SinkChain>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<SinkChain>, StoreError> {
        let sql = "SELECT chains.node, chains.sequence, coalesce(sinks.sequence, 0) FROM chains \
                   LEFT JOIN sinks ON sinks.node = chains.node AND sinks.sink = ?1 \
                   LEFT JOIN audit ON audit.node = chains.node AND audit.sequence = coalesce(sinks.sequence, 0) + 1 \
                   ORDER BY audit.number";
        let rows = db.query(sql, &values![&self.sink]).await?;
        let read = rows
            .into_iter()
            .map(|mut row| Ok(SinkChain { node: row.take(0)?, last: row.take(1)?, position: row.take(2)? }));
        read.collect()
    }
}

struct Lease {
    node: String,
    sink: String,
    holder: String,
    lasts: Seconds,
}

impl Work for Lease {
    type Answer = Option<u64>;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Option<u64>, StoreError> {
        let Self { node, sink, holder, lasts } = self;
        let begin = "INSERT INTO sinks (node, sink, sequence) VALUES (?1, ?2, 0) ON CONFLICT (node, sink) DO NOTHING";
        db.execute(begin, &values![node, sink]).await?;
        let lease = "UPDATE sinks SET holder = ?3, lease_until = ?4 WHERE node = ?1 AND sink = ?2 \
                     AND (holder = ?3 OR node = ?3 OR lease_until <= ?5)";
        let values = values![node, sink, holder, micros(at.after(*lasts)), micros(at)];
        if db.execute(lease, &values).await? == 0 {
            return Ok(None);
        }
        let row =
            db.query_one("SELECT sequence FROM sinks WHERE node = ?1 AND sink = ?2", &values![node, sink]).await?;
        row.map(|mut row| row.take(0)).transpose()
    }
}

struct Advance {
    node: String,
    sink: String,
    sequence: u64,
}

impl Work for Advance {
    type Answer = ();

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        let values = values![&self.node, &self.sink, stored(self.sequence)];
        let advance = "UPDATE sinks SET sequence = ?3 WHERE node = ?1 AND sink = ?2 AND sequence < ?3";
        if db.execute(advance, &values).await? == 0 {
            let begin =
                "INSERT INTO sinks (node, sink, sequence) VALUES (?1, ?2, ?3) ON CONFLICT (node, sink) DO NOTHING";
            db.execute(begin, &values).await?;
        }
        Ok(())
    }
}
