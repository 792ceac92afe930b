//! A connection to MariaDB.

mod connect;

use std::io;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Params};

use super::{Answer, Connection};
use crate::StoreError;
use crate::value::{Row, Value};

pub(crate) use connect::connect;

/// Duplicate entry for a key.
const DUPLICATE: u16 = 1062;
/// Lock wait timeout, deadlock, record changed since last read.
const CONTENDED: [u16; 3] = [1205, 1213, 1020];
/// Too many connections, also of one user, shutdown in progress, connection killed; or it is not the server to write to
/// any more: an option prevents it (read_only), it is read-only.
const GONE: [u16; 6] = [1040, 1203, 1053, 1927, 1290, 1836];

/// A connection to MariaDB.
pub(crate) struct Mariadb {
    connection: Conn,
    transaction: Transaction,
    broken: bool,
}

/// What has come of the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// There is one.
    Open,
    /// MariaDB has undone it, or the connection broke.
    Lost,
}

impl Mariadb {
    pub(crate) fn new(connection: Conn) -> Self {
        Self { connection, transaction: Transaction::None, broken: false }
    }

    fn noted<T>(&mut self, answer: Result<T, Error>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            let error = told(error);
            // A deadlock undoes the whole transaction; other mistakes take back their statement alone.
            let gone = matches!(error, StoreError::Contended(_) | StoreError::Unreachable(_));
            if gone && self.transaction == Transaction::Open {
                self.transaction = Transaction::Lost;
            }
            self.broken |= matches!(error, StoreError::Unreachable(_));
            error
        })
    }

    async fn command(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let answer = self.connection.query_drop(sql).await;
        self.noted(answer)
    }
}

impl Connection for Mariadb {
    fn query<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let (sql, parameters) = translated(sql, values);
            let answer: Result<Vec<mysql_async::Row>, _> = self.connection.exec(sql, parameters).await;
            self.noted(answer)?.into_iter().map(row).collect()
        })
    }

    fn execute<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, u64> {
        Box::pin(async move {
            let or_nothing = sql.ends_with(DO_NOTHING);
            let (sql, parameters) = translated(sql, values);
            match self.connection.exec_drop(sql, parameters).await {
                Ok(()) => Ok(self.connection.affected_rows()),
                Err(Error::Server(said)) if or_nothing && said.code == DUPLICATE => Ok(0),
                Err(error) => self.noted(Err(error)),
            }
        })
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let answer = self.connection.query_drop(sql).await;
            self.noted(answer)
        })
    }

    fn begin(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.transaction = Transaction::Open;
            self.command("START TRANSACTION").await
        })
    }

    fn commit(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if !self.is_whole() {
                return Err(StoreError::NotCommitted("the database rolled the transaction back".into()));
            }
            self.command("COMMIT").await?;
            self.transaction = Transaction::None;
            Ok(())
        })
    }

    fn roll_back(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if self.transaction != Transaction::None {
                self.command("ROLLBACK").await?;
                self.transaction = Transaction::None;
            }
            Ok(())
        })
    }

    fn save(&mut self) -> Answer<'_, ()> {
        Box::pin(self.command("SAVEPOINT piece"))
    }

    fn end_piece(&mut self, keep: bool) -> Answer<'_, ()> {
        Box::pin(async move {
            if !self.is_whole() {
                return Err(StoreError::NotCommitted("the database rolled the transaction back".into()));
            }
            if !keep {
                self.command("ROLLBACK TO SAVEPOINT piece").await?;
            }
            self.command("RELEASE SAVEPOINT piece").await
        })
    }

    fn is_whole(&self) -> bool {
        self.transaction == Transaction::Open
    }

    fn is_usable(&self) -> bool {
        self.transaction == Transaction::None && !self.broken
    }
}

const DO_NOTHING: &str = " DO NOTHING";

/// In MariaDB's words: parameters have no numbers there, so that their values are repeated as they come.
fn translated(sql: &str, values: &[Value<'_>]) -> (String, Params) {
    let sql = match sql.rfind(" ON CONFLICT ") {
        Some(clause) if sql.ends_with(DO_NOTHING) => &sql[..clause],
        _ => sql,
    };
    let (sql, share) = sql.strip_suffix(" FOR SHARE").map_or((sql, ""), |sql| (sql, " LOCK IN SHARE MODE"));
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut parameters = Vec::new();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let number: usize = part[..part.len() - rest.len()].parse().unwrap_or(0);
        parameters.push(values.get(number.wrapping_sub(1)).map_or(mysql_async::Value::NULL, parameter));
        text.push('?');
        text.push_str(rest);
    }
    text.push_str(share);
    (text, if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) })
}

fn parameter(value: &Value<'_>) -> mysql_async::Value {
    match value {
        Value::Null => mysql_async::Value::NULL,
        Value::Integer(number) => mysql_async::Value::Int(*number),
        Value::Text(text) => mysql_async::Value::Bytes(text.as_bytes().to_vec()),
        Value::Octets(octets) => mysql_async::Value::Bytes(octets.to_vec()),
    }
}

/// What went wrong, and whether trying again may help.
fn told(error: Error) -> StoreError {
    match error {
        Error::Server(said) => {
            let text = format!("{} ({})", said.message, said.code);
            match said.code {
                code if CONTENDED.contains(&code) => StoreError::Contended(text.into()),
                code if GONE.contains(&code) => StoreError::Unreachable(text),
                _ => StoreError::Database(text.into()),
            }
        }
        // A handshake that fails for a certificate or a name will fail again.
        Error::Io(IoError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
            StoreError::Unreachable(error.to_string())
        }
        Error::Driver(DriverError::ConnectionClosed) => StoreError::Unreachable("the connection was closed".into()),
        error => StoreError::Database(error.to_string().into()),
    }
}

fn row(row: mysql_async::Row) -> Result<Row, StoreError> {
    let columns = row.columns();
    let values = row.unwrap().into_iter().zip(columns.iter());
    Ok(Row(values.map(|(found, column)| value(found, is_text(column))).collect::<Result<_, _>>()?))
}

/// Whether a column holds text: everything else has the character set `binary`.
fn is_text(column: &mysql_async::Column) -> bool {
    const BINARY: u16 = 63;
    column.character_set() != BINARY
}

fn value(found: mysql_async::Value, is_text: bool) -> Result<Value<'static>, StoreError> {
    match found {
        mysql_async::Value::NULL => Ok(Value::Null),
        mysql_async::Value::Int(number) => Ok(Value::Integer(number)),
        mysql_async::Value::UInt(number) => {
            i64::try_from(number).map(Value::Integer).map_err(|error| StoreError::Database(Box::new(error)))
        }
        mysql_async::Value::Bytes(octets) if is_text => match String::from_utf8(octets) {
            Ok(text) => Ok(Value::Text(text.into())),
            Err(error) => Err(StoreError::Database(Box::new(error))),
        },
        mysql_async::Value::Bytes(octets) => Ok(Value::Octets(octets.into())),
        _ => Err(StoreError::Database("a column holds a kind of value that is not used".into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::value::values;

    #[test]
    fn repeats_values_in_the_order_of_their_use() {
        let (sql, parameters) = translated("UPDATE t SET a = ?2 WHERE b = ?1 AND a < ?2", &values!["one", 2_i64]);
        assert_eq!(sql, "UPDATE t SET a = ? WHERE b = ? AND a < ?");
        let two = mysql_async::Value::Int(2);
        assert_eq!(parameters, Params::Positional(vec![two.clone(), mysql_async::Value::Bytes(b"one".into()), two]));
    }

    #[test]
    fn a_server_that_may_not_be_written_to_is_left() {
        let said = |code| mysql_async::ServerError { code, message: String::new(), state: "HY000".to_owned() };
        for code in [1290, 1836] {
            assert!(matches!(told(Error::Server(said(code))), StoreError::Unreachable(_)), "{code}");
        }
    }

    #[test]
    fn leaves_the_clause_for_conflicts_to_the_error_that_comes_instead() {
        let (sql, _) = translated("INSERT INTO t (a) VALUES (?1) ON CONFLICT (a) DO NOTHING", &values![1_i64]);
        assert_eq!(sql, "INSERT INTO t (a) VALUES (?)");
    }
}
