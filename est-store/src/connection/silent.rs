//! A connection that commits and does not tell, for tests.

use std::future::pending;

use super::{Answer, Connection};
use crate::StoreError;
use crate::value::{Row, Value};

/// A connection to SQLite whose answer to a COMMIT is lost on the way.
pub(crate) struct Silent(pub(crate) rusqlite::Connection);

impl Connection for Silent {
    fn query<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, Vec<Row>> {
        Connection::query(&mut self.0, sql, values)
    }

    fn execute<'a>(&'a mut self, sql: &'a str, values: &'a [Value<'a>]) -> Answer<'a, u64> {
        Connection::execute(&mut self.0, sql, values)
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> Answer<'a, ()> {
        self.0.script(sql)
    }

    fn begin(&mut self) -> Answer<'_, ()> {
        self.0.begin()
    }

    fn commit(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            self.0.commit().await?;
            pending::<Result<(), StoreError>>().await
        })
    }

    fn roll_back(&mut self) -> Answer<'_, ()> {
        self.0.roll_back()
    }

    fn save(&mut self) -> Answer<'_, ()> {
        self.0.save()
    }

    fn end_piece(&mut self, keep: bool) -> Answer<'_, ()> {
        self.0.end_piece(keep)
    }

    fn is_whole(&self) -> bool {
        self.0.is_whole()
    }

    fn is_usable(&self) -> bool {
        self.0.is_usable()
    }
}
