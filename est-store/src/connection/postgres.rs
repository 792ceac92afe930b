//! A connection to PostgreSQL. Statements that do not depend on one another travel together.

mod connect;
mod tls;

use std::collections::HashMap;
use std::error::Error;
use std::io;

use futures_util::future::join_all;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement};

use super::{Answer, Change, Connection};
use crate::StoreError;
use crate::value::{Row, Value};

pub(crate) use connect::connect;

/// How many statements are kept prepared: the store has fewer, but for searches that are put together.
const PREPARED: usize = 128;

/// A connection to PostgreSQL.
pub(crate) struct Postgres {
    client: Client,
    prepared: HashMap<String, Statement>,
    transaction: Transaction,
}

/// What has come of the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// All went well so far.
    Good,
    /// A statement failed: PostgreSQL takes no other, and answers a COMMIT by rolling back.
    Failed,
}

impl Postgres {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, prepared: HashMap::new(), transaction: Transaction::None }
    }

    async fn prepare(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        if self.prepared.len() == PREPARED {
            self.prepared.clear();
        }
        let prepared = self.client.prepare(&translated(sql)).await;
        let statement = self.noted(prepared)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Remembers a failure.
    fn noted<T>(&mut self, answer: Result<T, tokio_postgres::Error>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            if self.transaction == Transaction::Good {
                self.transaction = Transaction::Failed;
            }
            told(error)
        })
    }

    async fn command(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let answer = self.client.batch_execute(sql).await;
        self.noted(answer)
    }
}

impl Connection for Postgres {
    fn query<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let statement = self.prepare(sql).await?;
            let answer = self.client.query(&statement, &parameters(values)).await;
            self.noted(answer)?.iter().map(row).collect()
        })
    }

    fn execute<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, u64> {
        Box::pin(async move {
            let statement = self.prepare(sql).await?;
            let answer = self.client.execute(&statement, &parameters(values)).await;
            self.noted(answer)
        })
    }

    fn change<'a>(&'a mut self, changes: Vec<Change<'a>>) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut prepared = Vec::with_capacity(changes.len());
            for change in changes {
                prepared.push((self.prepare(change.sql).await?, change));
            }
            let client = &self.client;
            // Polled together, they are sent together.
            let sent = prepared
                .iter()
                .map(|(statement, change)| async move { client.execute(statement, &parameters(&change.values)).await });
            let answers = join_all(sent).await;
            for (answer, (_, change)) in answers.into_iter().zip(prepared) {
                let changed = self.noted(answer)?;
                change.otherwise.map_or(Ok(()), |otherwise| if changed == 1 { Ok(()) } else { Err(otherwise) })?;
            }
            Ok(())
        })
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let answer = self.client.batch_execute(sql).await;
            self.noted(answer)
        })
    }

    fn begin(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.transaction = Transaction::Good;
            self.command("BEGIN").await
        })
    }

    fn commit(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if self.transaction != Transaction::Good {
                return Err(StoreError::NotCommitted("a statement of the transaction failed".into()));
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
            if keep && self.transaction == Transaction::Good {
                return self.command("RELEASE SAVEPOINT piece").await;
            }
            self.command("ROLLBACK TO SAVEPOINT piece; RELEASE SAVEPOINT piece").await?;
            self.transaction = Transaction::Good;
            if keep { Err(StoreError::NotCommitted("a statement of the transaction failed".into())) } else { Ok(()) }
        })
    }

    fn is_whole(&self) -> bool {
        self.transaction == Transaction::Good
    }

    fn is_usable(&self) -> bool {
        !self.client.is_closed() && self.transaction == Transaction::None
    }
}

/// In PostgreSQL's words.
fn translated(sql: &str) -> String {
    sql.replace('?', "$").replace("instr(", "strpos(")
}

/// What went wrong, and whether trying again may help.
fn told(error: tokio_postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        // A handshake that fails for a certificate or a name will fail again; so will a value of the wrong kind.
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let broken = error.is_closed() || cause.is_some_and(|cause| cause.kind() != io::ErrorKind::InvalidData);
        let why = with_causes(&error);
        return if broken { StoreError::Unreachable(why) } else { StoreError::Database(why.into()) };
    };
    let text = format!("{} ({})", said.message(), said.code().code());
    match said.code().code() {
        // Serialization failure, deadlock, lock timeout.
        "40001" | "40P01" | "55P03" => StoreError::Contended(text.into()),
        // It shuts down, crashed, starts up, or has no room for a connection; or the connection has a defect, or leads
        // to a server that is not the one to write to any more.
        "57P01" | "57P02" | "57P03" | "53300" | "25006" => StoreError::Unreachable(text),
        code if code.starts_with("08") => StoreError::Unreachable(text),
        _ => StoreError::Database(text.into()),
    }
}

/// An error's text with those of its causes.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let value = |column| row.try_get(column).map_err(told);
    Ok(Row((0..row.len()).map(value).collect::<Result<_, _>>()?))
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Text(text) => text.as_ref().to_sql(ty, out),
            Self::Octets(octets) => octets.as_ref().to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::TEXT, Type::VARCHAR, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'static> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::Integer),
            Type::INT4 => i32::from_sql(ty, raw).map(|number| Self::Integer(number.into())),
            Type::BOOL => bool::from_sql(ty, raw).map(|truth| Self::Integer(truth.into())),
            Type::BYTEA => Ok(Self::Octets(raw.to_vec().into())),
            _ => String::from_sql(ty, raw).map(|text| Self::Text(text.into())),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::BOOL, Type::TEXT, Type::VARCHAR, Type::NAME, Type::BYTEA].contains(ty)
    }
}
