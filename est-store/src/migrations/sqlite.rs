//! Migrations of SQLite: each in a transaction of its own.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{ALL, Applied, Migration, Status, lacking};
use crate::database::Location;
use crate::{Clock, StoreError};

/// Tells which migrations the database at `path` has. Changes nothing; a file that is not there lacks them all.
///
/// # Errors
/// [`StoreError::NewerDatabase`], or that the file cannot be read.
pub(super) fn status(path: &Path) -> Result<Status, StoreError> {
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
pub(super) fn apply(path: &Path) -> Result<Vec<&'static str>, StoreError> {
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
        transaction.execute_batch(next.sqlite)?;
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
    lacking(known, &numbers)
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

    const FIRST: Migration = migration(1, "0001_first", "CREATE TABLE a (x INTEGER) STRICT");
    const SECOND: Migration = migration(2, "0002_second", "ALTER TABLE a ADD COLUMN y TEXT");
    const BROKEN: Migration = migration(2, "0002_broken", "CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1)");

    const fn migration(number: u32, name: &'static str, sqlite: &'static str) -> Migration {
        Migration { number, name, sqlite, postgres: "", mariadb: "" }
    }

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
