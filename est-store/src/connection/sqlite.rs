//! A connection to an SQLite file. It waits for nothing but the disk, on the thread that calls.

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, ParamsFromIter, ToSql};

use super::{Answer, Connection, Log};
use crate::StoreError;
use crate::value::{Row, Value};

impl Connection for rusqlite::Connection {
    fn query<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, Vec<Row>> {
        at_once(query(self, sql, values))
    }

    fn execute<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, u64> {
        at_once(execute(self, sql, values))
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> Answer<'a, ()> {
        at_once(self.execute_batch(sql).map_err(StoreError::from))
    }

    fn begin(&mut self) -> Answer<'_, ()> {
        at_once(command(self, "BEGIN IMMEDIATE"))
    }

    fn commit(&mut self) -> Answer<'_, ()> {
        at_once(command(self, "COMMIT"))
    }

    fn roll_back(&mut self) -> Answer<'_, ()> {
        at_once(if self.is_autocommit() { Ok(()) } else { command(self, "ROLLBACK") })
    }

    fn save(&mut self) -> Answer<'_, ()> {
        at_once(command(self, "SAVEPOINT piece"))
    }

    fn end_piece(&mut self, keep: bool) -> Answer<'_, ()> {
        at_once(end_piece(self, keep))
    }

    fn is_whole(&self) -> bool {
        // A full disk or an I/O error makes SQLite roll back everything, the neighbours' work included.
        !self.is_autocommit()
    }

    fn is_usable(&self) -> bool {
        self.is_autocommit()
    }

    fn log(&mut self) -> Answer<'_, Log> {
        at_once(checkpoint(self, "PRAGMA wal_checkpoint(NOOP)"))
    }

    fn copy_log(&mut self) -> Answer<'_, Log> {
        at_once(checkpoint(self, "PRAGMA wal_checkpoint(PASSIVE)"))
    }

    fn leave_log(&mut self) {
        let left = self.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let Err(error) = left {
            tracing::error!(%error, "the log is copied into the database at the end");
        }
    }
}

fn at_once<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

fn query(db: &rusqlite::Connection, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
    let mut statement = db.prepare_cached(translated(sql))?;
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

fn execute(db: &rusqlite::Connection, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
    let mut statement = db.prepare_cached(translated(sql))?;
    if statement.column_count() > 0 {
        // It was only to hold rows, and there is one writer.
        return Ok(0);
    }
    Ok(statement.execute(parameters(values))? as u64)
}

fn command(db: &rusqlite::Connection, sql: &'static str) -> Result<(), StoreError> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Runs a checkpoint of a kind, and reads what came of it.
fn checkpoint(db: &rusqlite::Connection, sql: &'static str) -> Result<Log, StoreError> {
    let number =
        |row: &rusqlite::Row<'_>, column| row.get(column).map(|number: i64| u64::try_from(number).unwrap_or_default());
    let log = db.prepare_cached(sql)?.query_row([], |row| Ok(Log { pages: number(row, 1)?, copied: number(row, 2)? }));
    log.map_err(|error| match error.sqlite_error_code() {
        // Whatever it was doing: the pages of this log and those of the database belong together.
        Some(ErrorCode::SystemIoFailure) => StoreError::Broken(error.to_string().into()),
        Some(_) | None => error.into(),
    })
}

fn end_piece(db: &rusqlite::Connection, keep: bool) -> Result<(), StoreError> {
    if !db.is_whole() {
        return Err(StoreError::NotCommitted("the database rolled the transaction back".into()));
    }
    if !keep {
        command(db, "ROLLBACK TO piece")?;
    }
    command(db, "RELEASE piece")
}

fn translated(sql: &str) -> &str {
    let sql = sql.strip_suffix(" SKIP LOCKED").unwrap_or(sql);
    sql.strip_suffix(" FOR UPDATE").or_else(|| sql.strip_suffix(" FOR SHARE")).unwrap_or(sql)
}

fn parameters<'a>(values: &'a [Value<'a>]) -> ParamsFromIter<impl Iterator<Item = &'a Value<'a>>> {
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
