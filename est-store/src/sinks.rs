//! How far audit records have gone out of the database.

use crate::database::Database;
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{StoreError, UnixMicros};

impl Database {
    /// The sequence of the last record of a node's chain that `sink` has taken; 0 when there is none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn sink_position(&self, node: &str, sink: &str) -> Result<u64, StoreError> {
        self.read(Position { node: node.to_owned(), sink: sink.to_owned() }).await
    }

    /// Remembers that `sink` has taken a node's records up to the one with this sequence. It never goes back.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn advance_sink(&self, node: &str, sink: &str, sequence: u64) -> Result<(), StoreError> {
        self.transact(Advance { node: node.to_owned(), sink: sink.to_owned(), sequence }).await
    }
}

struct Position {
    node: String,
    sink: String,
}

impl Work for Position {
    type Answer = u64;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<u64, StoreError> {
        let sql = "SELECT sequence FROM sinks WHERE node = ?1 AND sink = ?2";
        let row = db.query_one(sql, &values![&self.node, &self.sink]).await?;
        row.map_or(Ok(0), |mut row| row.take(0))
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
        let values = values![&self.node, &self.sink, i64::try_from(self.sequence).unwrap_or(i64::MAX)];
        let advance = "UPDATE sinks SET sequence = ?3 WHERE node = ?1 AND sink = ?2 AND sequence < ?3";
        if db.execute(advance, &values).await? == 0 {
            let begin =
                "INSERT INTO sinks (node, sink, sequence) VALUES (?1, ?2, ?3) ON CONFLICT (node, sink) DO NOTHING";
            db.execute(begin, &values).await?;
        }
        Ok(())
    }
}
