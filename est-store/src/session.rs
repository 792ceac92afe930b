//! A connection to a database, of whichever kind: statements in, rows out.
//!
//! Statements are written once, in the SQL of SQLite with numbered parameters (`?1`), and mean the same everywhere. What
//! the others write differently is put into their words here:
//!
//! - parameters are numbered from 1 without a gap, and none stands in a text;
//! - ` FOR UPDATE` at the end holds the row against other connections; an SQLite that writes is alone anyway;
//! - `ON CONFLICT … DO NOTHING` at the end of an `INSERT` tells by the count of rows whether there was one before.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::StoreError;
use crate::value::{Row, Value};

/// A connection, and what its transaction has come to.
pub(crate) struct Session {
    connection: Connection,
}

/// A connection to a database of one kind.
pub(crate) enum Connection {
    /// To an SQLite file.
    Sqlite(rusqlite::Connection),
}

/// A statement with its values that has to change one row exactly.
pub(crate) struct Change<'a> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'a>>,
    /// What it means when it does not; `None` where any count will do.
    pub(crate) otherwise: Option<StoreError>,
}

impl Session {
    pub(crate) fn sqlite(db: rusqlite::Connection) -> Self {
        Self { connection: Connection::Sqlite(db) }
    }

    #[cfg(test)]
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) => command(db, "BEGIN IMMEDIATE"),
        }
    }

    /// Makes what the transaction changed durable.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) => command(db, "COMMIT"),
        }
    }

    /// Undoes the transaction, if there is one.
    pub(crate) async fn roll_back(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) if db.is_autocommit() => Ok(()),
            Connection::Sqlite(db) => command(db, "ROLLBACK"),
        }
    }

    /// Begins a piece of the transaction that can be undone alone.
    pub(crate) async fn save(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) => command(db, "SAVEPOINT piece"),
        }
    }

    /// Ends the piece, and undoes it unless it is to be kept.
    ///
    /// # Errors
    /// [`StoreError::NotCommitted`] when there is no transaction any more.
    pub(crate) async fn end_piece(&mut self, keep: bool) -> Result<(), StoreError> {
        match &mut self.connection {
            // A full disk or an I/O error makes SQLite roll back everything, the neighbours' work included.
            Connection::Sqlite(db) if db.is_autocommit() => {
                Err(StoreError::NotCommitted("the database rolled the transaction back".into()))
            }
            Connection::Sqlite(db) => {
                if !keep {
                    command(db, "ROLLBACK TO piece")?;
                }
                command(db, "RELEASE piece")
            }
        }
    }

    /// Runs a statement that answers with rows.
    pub(crate) async fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) => query_sqlite(db, sql, values),
        }
    }

    /// As [`query`](Self::query), for the first row.
    pub(crate) async fn query_one(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement that changes rows, and tells how many it changed or met.
    pub(crate) async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match &mut self.connection {
            Connection::Sqlite(db) => Ok(db.prepare_cached(for_sqlite(sql))?.execute(parameters(values))? as u64),
        }
    }

    /// Runs statements, none of which needs to know what came of the one before; where the database can take them all
    /// at once, at once.
    ///
    /// # Errors
    /// What the first of those says that did not change one row; the transaction is then to be undone.
    pub(crate) async fn change(&mut self, changes: Vec<Change<'_>>) -> Result<(), StoreError> {
        for change in changes {
            let changed = self.execute(change.sql, &change.values).await?;
            if let Some(otherwise) = change.otherwise
                && changed != 1
            {
                return Err(otherwise);
            }
        }
        Ok(())
    }
}

fn command(db: &rusqlite::Connection, sql: &'static str) -> Result<(), StoreError> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn for_sqlite(sql: &str) -> &str {
    sql.strip_suffix(" FOR UPDATE").unwrap_or(sql)
}

fn query_sqlite(db: &rusqlite::Connection, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
    let mut statement = db.prepare_cached(for_sqlite(sql))?;
    let columns = statement.column_count();
    let mut rows = statement.query(parameters(values))?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push(Row((0..columns)
            .map(|column| row.get_ref(column)?.try_into())
            .collect::<Result<_, StoreError>>()?));
    }
    Ok(read)
}

fn parameters<'a>(values: &'a [Value<'a>]) -> rusqlite::ParamsFromIter<impl Iterator<Item = &'a Value<'a>>> {
    rusqlite::params_from_iter(values.iter())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

impl TryFrom<ValueRef<'_>> for Value<'static> {
    type Error = StoreError;

    fn try_from(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(number) => Ok(Self::Integer(number)),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Self::Text(text.to_owned().into())),
                Err(error) => Err(StoreError::Database(Box::new(error))),
            },
            ValueRef::Blob(octets) => Ok(Self::Octets(octets.to_vec().into())),
            ValueRef::Real(_) => Err(StoreError::Database("a column holds a floating-point number".into())),
        }
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
