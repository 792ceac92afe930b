//! What a connection to a database does, whichever kind of database that is.
//!
//! Statements are written once, in the SQL of SQLite with numbered parameters (`?1`), and mean the same everywhere. What
//! another kind of database writes differently is put into its words by its connection:
//!
//! - parameters are numbered from 1 without a gap, and no text has a question mark in it;
//! - ` FOR UPDATE` at the end holds the row against other connections; an SQLite that writes is alone anyway; with
//!   ` SKIP LOCKED` after it rows are left out that somebody else holds; ` FOR SHARE` holds it together with others that
//!   say so, also in a statement of which only that is wanted;
//! - `ON CONFLICT (…) DO NOTHING` at the end of an `INSERT` tells by the count of rows whether there was one before;
//! - a truth value is read as a number.

#[cfg(feature = "mariadb")]
pub(crate) mod mariadb;
#[cfg(any(feature = "mariadb", feature = "postgres"))]
pub(crate) mod patience;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(test)]
pub(crate) mod silent;
pub(crate) mod sqlite;

use std::pin::Pin;

use crate::StoreError;
use crate::value::{Row, Value};

/// An answer that may have to be waited for.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A statement with its values.
pub(crate) struct Change<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'a>>,
    /// What it means when it does not change one row exactly; `None` where any count will do.
    pub(crate) otherwise: Option<StoreError>,
}

/// How long a write-ahead log is. A server's is its own affair, and empty here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Log {
    /// How many pages are in it.
    pub(crate) pages: u64,
    /// How many of them are in the database, too.
    pub(crate) copied: u64,
}

/// A connection to a database.
pub(crate) trait Connection: Send {
    /// Runs a statement that answers with rows.
    fn query<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, Vec<Row>>;

    /// Runs a statement that changes rows, and tells how many it changed or met.
    fn execute<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, u64>;

    /// Runs statements, none of which needs to know what came of the one before; where the database can take them all
    /// at once, at once.
    ///
    /// # Errors
    /// What the first of those says that did not change one row; the transaction, or the piece of it, is then to be
    /// undone.
    fn change<'a>(&'a mut self, changes: Vec<Change<'a>>) -> Answer<'a, ()> {
        Box::pin(async move {
            for change in changes {
                let changed = self.execute(change.sql, &change.values).await?;
                change.otherwise.map_or(Ok(()), |otherwise| if changed == 1 { Ok(()) } else { Err(otherwise) })?;
            }
            Ok(())
        })
    }

    /// Runs statements in the database's own words, separated by semicolons.
    fn script<'a>(&'a mut self, sql: &'a str) -> Answer<'a, ()>;

    /// Begins a transaction that will write.
    fn begin(&mut self) -> Answer<'_, ()>;

    /// Makes what the transaction changed durable.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] and others, when it is not, or when that is not known.
    fn commit(&mut self) -> Answer<'_, ()>;

    /// Undoes the transaction, if there is one.
    fn roll_back(&mut self) -> Answer<'_, ()>;

    /// Begins a piece of the transaction that can be undone alone.
    fn save(&mut self) -> Answer<'_, ()>;

    /// Ends the piece, and undoes it unless it is to be kept.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] when there is no transaction any more.
    fn end_piece(&mut self, keep: bool) -> Answer<'_, ()>;

    /// Whether there is a transaction, and nothing is known to have undone it.
    fn is_whole(&self) -> bool;

    /// Whether it can be used for something else: it is open, and no transaction is.
    fn is_usable(&self) -> bool;

    /// How long the write-ahead log is that it writes.
    fn log(&mut self) -> Answer<'_, Log> {
        Box::pin(async { Ok(Log::default()) })
    }

    /// Copies of it into the database what nobody reads there, and tells how long it is then.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where the disk failed.
    fn copy_log(&mut self) -> Answer<'_, Log> {
        self.log()
    }

    /// Has it stay as it is when the connection is closed.
    fn leave_log(&mut self) {}
}
