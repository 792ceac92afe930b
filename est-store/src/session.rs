//! A connection at work: statements in, rows out.

use crate::audit::stored;
use crate::connection::{Connection, Log};
use crate::server::committed;
use crate::value::{Row, Value, values};
use crate::{Chain, StoreError};

pub(crate) use crate::connection::Change;

/// A connection at work, and what its transaction has come to.
pub(crate) struct Session {
    connection: Box<dyn Connection>,
    /// The chain of this node's audit records, as it is at the end of what the transaction has written; `None` where
    /// nothing audited may be written.
    trail: Option<Chain>,
    /// Where the chain ended when the transaction began.
    begun: u64,
    /// The same before the piece that is under way.
    before: Option<Chain>,
}

impl Session {
    pub(crate) fn new(connection: impl Connection + 'static) -> Self {
        Self { connection: Box::new(connection), trail: None, begun: 0, before: None }
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.trail = None;
        self.connection.begin().await
    }

    /// As [`begin`](Self::begin), with audit records among what is written: nobody else goes on with the chain of `node`
    /// until the transaction ends.
    pub(crate) async fn begin_audited(&mut self, node: &str) -> Result<(), StoreError> {
        self.begin().await?;
        let sql = "SELECT sequence, hash FROM chains WHERE node = ?1 FOR UPDATE";
        let row = match self.query_one(sql, &values![node]).await? {
            Some(row) => Some(row),
            None => {
                // The first record of this node. Where two begin at once, the second waits here for the first.
                let Chain { sequence, hash, .. } = Chain::genesis(node);
                let values = values![node, stored(sequence), hash];
                let insert =
                    "INSERT INTO chains (node, sequence, hash) VALUES (?1, ?2, ?3) ON CONFLICT (node) DO NOTHING";
                self.execute(insert, &values).await?;
                self.query_one(sql, &values![node]).await?
            }
        };
        let mut row = row.ok_or(StoreError::Damaged { column: "chains.node" })?;
        let chain = Chain { node: node.to_owned(), sequence: row.take(0)?, hash: row.take(1)? };
        self.begun = chain.sequence;
        self.trail = Some(chain);
        Ok(())
    }

    /// Writes down how far the chain has come: the last thing before the commit of a transaction that has one.
    pub(crate) async fn end_trail(&mut self) -> Result<(), StoreError> {
        if let Some(Chain { node, sequence, hash }) = self.trail.take()
            && sequence > self.begun
        {
            let sql = "UPDATE chains SET sequence = ?2, hash = ?3 WHERE node = ?1";
            self.execute(sql, &values![node, stored(sequence), hash]).await?;
        }
        Ok(())
    }

    /// Makes what the transaction changed durable.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] also where nobody knows, since there was no answer: it is not to be tried again.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        committed(self.connection.commit()).await.map_err(unknown)
    }

    /// Undoes the transaction, if there is one.
    pub(crate) async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.trail = None;
        self.connection.roll_back().await
    }

    /// The chain that audit records are added to.
    ///
    /// # Errors
    /// [`StoreError::Unaudited`] outside a transaction that writes audit records.
    pub(crate) fn trail(&mut self) -> Result<&mut Chain, StoreError> {
        self.trail.as_mut().ok_or(StoreError::Unaudited)
    }

    /// Begins a piece of the transaction that can be undone alone.
    pub(crate) async fn save(&mut self) -> Result<(), StoreError> {
        self.before.clone_from(&self.trail);
        self.connection.save().await
    }

    /// Ends the piece, and undoes it unless it is to be kept.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] when there is no transaction any more.
    pub(crate) async fn end_piece(&mut self, keep: bool) -> Result<(), StoreError> {
        if !keep {
            self.trail = self.before.take();
        }
        self.connection.end_piece(keep).await
    }

    /// Whether there is a transaction, and nothing is known to have undone it.
    pub(crate) fn is_whole(&self) -> bool {
        self.connection.is_whole()
    }

    /// Whether it can be used for something else.
    pub(crate) fn is_usable(&self) -> bool {
        self.connection.is_usable()
    }

    /// How long the write-ahead log is.
    pub(crate) async fn log(&mut self) -> Result<Log, StoreError> {
        self.connection.log().await
    }

    /// Copies the log into the database, as far as nobody reads there, and tells how long it is then.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where the disk failed.
    pub(crate) async fn copy_log(&mut self) -> Result<Log, StoreError> {
        self.connection.copy_log().await
    }

    /// Has the log stay as it is when the connection is closed.
    pub(crate) fn leave_log(&mut self) {
        self.connection.leave_log();
    }

    /// Runs statements in the database's own words, separated by semicolons.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection.script(sql).await
    }

    /// Runs a statement that answers with rows.
    pub(crate) async fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        self.connection.query(sql, values).await
    }

    /// As [`query`](Self::query), for the first row.
    pub(crate) async fn query_one(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that changes rows, and tells how many it changed or met.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.connection.execute(sql, values).await
    }

    /// Runs statements, none of which needs to know what came of the one before.
    ///
    /// # Errors
    /// What the first of those says that did not change one row; the transaction is then to be undone.
    pub(crate) async fn change(&mut self, changes: Vec<Change<'_>>) -> Result<(), StoreError> {
        self.connection.change(changes).await
    }
}

/// What it means when a commit goes wrong: without an answer nobody knows what became of it, so that it cannot be tried
/// again.
fn unknown(error: StoreError) -> StoreError {
    match error {
        StoreError::Unreachable(why) => {
            StoreError::NotCommitted(format!("the connection broke, and it may have after all: {why}").into())
        }
        error => error,
    }
}

/// A statement that is put together from parts, each with a value.
pub(crate) struct Query<'a> {
    sql: String,
    values: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    /// Begins with text that ends where a value belongs, and the value.
    pub(crate) fn new(sql: &str, value: impl Into<Value<'a>>) -> Self {
        let mut query = Self { sql: String::new(), values: Vec::new() };
        query.push(sql, value);
        query
    }

    /// Adds text that ends where a value belongs, and the value.
    pub(crate) fn push(&mut self, sql: &str, value: impl Into<Value<'a>>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push_str(&format!("{sql} ?{}", self.values.len()));
        self
    }

    /// Adds text.
    pub(crate) fn push_str(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Runs it.
    pub(crate) async fn run(&self, db: &mut Session) -> Result<Vec<Row>, StoreError> {
        db.query(&self.sql, &self.values).await
    }
}
