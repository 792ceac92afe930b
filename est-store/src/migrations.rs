//! How the tables come to be what this program expects.
//!
//! A migration is a file in `migrations/`; it is applied once, in a transaction of its own, and the table `migrations`
//! says when. A database with a migration that this program does not know is refused, because what it means is not
//! known either.

use std::path::Path;

use est_core::UnixTime;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::database::Location;
use crate::{Clock, StoreError};

struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const ALL: &[Migration] = &[
    Migration { number: 1, name: "0001_initial", sql: include_str!("../migrations/sqlite/0001_initial.sql") },
    Migration {
        number: 2,
        name: "0002_compromised_keys",
        sql: include_str!("../migrations/sqlite/0002_compromised_keys.sql"),
    },
    Migration { number: 3, name: "0003_operation", sql: include_str!("../migrations/sqlite/0003_operation.sql") },
];

/// Which migrations a database has, and which it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Those that it has, in order.
    pub applied: Vec<Applied>,
    /// The names of those that it lacks, in order.
    pub pending: Vec<&'static str>,
}

/// A migration that a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// Since when.
    pub at: UnixTime,
}

/// Tells which migrations the database at `path` has. Changes nothing; a file that is not there lacks them all.
///
/// # Errors
/// [`StoreError::NewerDatabase`], or that the file cannot be read.
pub fn status(path: &Path) -> Result<Status, StoreError> {
    if !path.exists() {
        return Ok(Status { applied: Vec::new(), pending: ALL.iter().map(|migration| migration.name).collect() });
    }
    let db = Location::File(path.to_owned()).connect_for_reading()?;
    let applied = applied(&db)?;
    let pending = pending(&db, ALL)?.iter().map(|migration| migration.name).collect();
    Ok(Status { applied, pending })
}

/// Applies what the database at `path` lacks, making the file if there is none, and tells the names.
///
/// # Errors
/// [`StoreError::NewerDatabase`], or that a migration failed; the ones before it stay applied.
pub fn apply(path: &Path) -> Result<Vec<&'static str>, StoreError> {
    let mut db = Location::File(path.to_owned()).connect_for_writing()?;
    apply_to(&mut db, &Clock::system())
}

/// Applies what `db` lacks.
pub(crate) fn apply_to(db: &mut Connection, clock: &Clock) -> Result<Vec<&'static str>, StoreError> {
    apply_list(db, ALL, clock)
}

/// The names of those that `db` lacks.
pub(crate) fn pending_in(db: &Connection) -> Result<Vec<&'static str>, StoreError> {
    Ok(pending(db, ALL)?.iter().map(|migration| migration.name).collect())
}

/// The names of all.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|migration| migration.name).collect()
}

fn apply_list(db: &mut Connection, known: &[Migration], clock: &Clock) -> Result<Vec<&'static str>, StoreError> {
    let mut done = Vec::new();
    loop {
        // Looked up inside the transaction: another process may be applying the same ones.
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations \
             (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
        let Some(next) = pending(&transaction, known)?.first().copied() else {
            transaction.commit()?;
            return Ok(done);
        };
        transaction.execute_batch(next.sql)?;
        transaction.execute(
            "INSERT INTO migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
            params![next.number, next.name, crate::database::seconds(clock.now().seconds())],
        )?;
        transaction.commit()?;
        done.push(next.name);
    }
}

fn pending<'a>(db: &Connection, known: &'a [Migration]) -> Result<Vec<&'a Migration>, StoreError> {
    if !has_table(db)? {
        return Ok(known.iter().collect());
    }
    let mut statement = db.prepare("SELECT number FROM migrations ORDER BY number")?;
    let numbers = statement.query_map([], |row| row.get::<_, u32>(0))?.collect::<Result<Vec<_>, _>>()?;
    let last_known = known.last().map_or(0, |migration| migration.number);
    match numbers.last() {
        Some(&found) if found > last_known => Err(StoreError::NewerDatabase { found, known: last_known }),
        _ => Ok(known.iter().filter(|migration| !numbers.contains(&migration.number)).collect()),
    }
}

fn applied(db: &Connection) -> Result<Vec<Applied>, StoreError> {
    if !has_table(db)? {
        return Ok(Vec::new());
    }
    let mut statement = db.prepare("SELECT name, applied_at FROM migrations ORDER BY number")?;
    let rows =
        statement.query_map([], |row| Ok(Applied { name: row.get(0)?, at: crate::database::time(row.get(1)?) }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn has_table(db: &Connection) -> Result<bool, StoreError> {
    let found = db
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'", [], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const FIRST: Migration = Migration { number: 1, name: "0001_first", sql: "CREATE TABLE a (x INTEGER) STRICT" };
    const SECOND: Migration = Migration { number: 2, name: "0002_second", sql: "ALTER TABLE a ADD COLUMN y TEXT" };
    const BROKEN: Migration =
        Migration { number: 2, name: "0002_broken", sql: "CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1)" };

    #[test]
    fn applies_each_once_and_in_order() {
        let mut db = Connection::open_in_memory().unwrap();
        let clock = Clock::system();
        assert_eq!(apply_list(&mut db, &[FIRST], &clock).unwrap(), ["0001_first"]);
        assert_eq!(apply_list(&mut db, &[FIRST, SECOND], &clock).unwrap(), ["0002_second"]);
        assert!(apply_list(&mut db, &[FIRST, SECOND], &clock).unwrap().is_empty());
        db.execute("INSERT INTO a (x, y) VALUES (1, 'one')", []).unwrap();
    }

    #[test]
    fn leaves_nothing_of_a_migration_that_fails() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(apply_list(&mut db, &[FIRST, BROKEN], &Clock::system()).is_err());
        let tables: u32 =
            db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 0);
        assert_eq!(pending(&db, &[FIRST, BROKEN]).unwrap().len(), 1);
    }
}
