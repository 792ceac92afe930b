//! Migrations of a database server, by one process at a time.
//!
//! PostgreSQL applies each in a transaction. MariaDB commits every statement that changes tables: what is begun is on
//! record, and every statement can be repeated, so that a migration that was cut off goes on where it was.

use est_core::UnixTime;

use super::{ALL, Applied, Migration, Product, Status, lacking};
use crate::database::{seconds, time};
use crate::session::Session;
use crate::value::values;
use crate::{Clock, StoreError};

/// Keeps others from applying migrations to this database until the connection ends. A migration may take its time.
fn lock(product: Product) -> &'static str {
    match product {
        Product::Postgres => {
            "SET lock_timeout = '15min'; SET statement_timeout = '15min'; SELECT pg_advisory_lock(4715308116)"
        }
        Product::Mariadb => {
            "SET SESSION max_statement_time = 0; DO GET_LOCK(concat('ohia.', left(database(), 50)), 900)"
        }
    }
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations \
                     (number BIGINT PRIMARY KEY, name VARCHAR(255) NOT NULL, applied_at BIGINT)";

/// Which migrations the database has.
pub(super) async fn status(db: &mut Session, product: Product) -> Result<Status, StoreError> {
    let found = found(db, product).await?;
    let pending = pending(&found, ALL)?.iter().map(|migration| migration.name).collect();
    let applied = found.into_iter().filter_map(|found| Some(Applied { at: found.at?, name: found.name })).collect();
    Ok(Status { applied, pending })
}

/// Applies those of `known` that the database lacks.
pub(super) async fn apply(
    db: &mut Session,
    product: Product,
    known: &[Migration],
    clock: &Clock,
) -> Result<Vec<&'static str>, StoreError> {
    db.script(lock(product)).await?;
    let mut done = Vec::new();
    let lacking = pending(&found(db, product).await?, known)?;
    if !lacking.is_empty() {
        db.script(TABLE).await?;
    }
    for migration in lacking {
        let Migration { number, name, .. } = migration;
        db.begin().await?;
        // First, so that an older program sees that a later one was at work here.
        let begin = "INSERT INTO migrations (number, name) VALUES (?1, ?2) ON CONFLICT (number) DO NOTHING";
        db.execute(begin, &values![*number, *name]).await?;
        let applied =
            db.script(if product == Product::Postgres { migration.postgres } else { migration.mariadb }).await;
        applied.map_err(|error| failed(product, name, error))?;
        let end = "UPDATE migrations SET applied_at = ?2 WHERE number = ?1";
        db.execute(end, &values![*number, seconds(clock.now().seconds())]).await?;
        db.commit().await?;
        done.push(*name);
    }
    Ok(done)
}

fn failed(product: Product, name: &str, error: StoreError) -> StoreError {
    let help = match product {
        Product::Postgres => "nothing of it was applied",
        Product::Mariadb => "it goes on where it stopped when `estd migrate` is run again",
    };
    // 1419: the binary log is on, and triggers may not be made.
    let also = if error.to_string().ends_with("(1419)") { ": set log_bin_trust_function_creators = 1" } else { "" };
    StoreError::Database(format!("migration {name}: {error}{also}; {help}").into())
}

/// A migration that was begun, and when it was applied if it was.
struct Found {
    number: u32,
    name: String,
    at: Option<UnixTime>,
}

async fn found(db: &mut Session, product: Product) -> Result<Vec<Found>, StoreError> {
    let schema = if product == Product::Postgres { "current_schema()" } else { "database()" };
    let sql =
        format!("SELECT 1 FROM information_schema.tables WHERE table_schema = {schema} AND table_name = 'migrations'");
    if db.query_one(&sql, &[]).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = db.query("SELECT number, name, applied_at FROM migrations ORDER BY number", &[]).await?;
    let found = rows
        .into_iter()
        .map(|mut row| Ok(Found { number: row.take(0)?, name: row.take(1)?, at: row.take::<Option<_>>(2)?.map(time) }));
    found.collect()
}

fn pending<'a>(found: &[Found], known: &'a [Migration]) -> Result<Vec<&'a Migration>, StoreError> {
    // Known or not, begun or applied: it counts as something that was done here.
    let last = found.iter().map(|found| found.number);
    lacking(known, &last.collect::<Vec<_>>())?;
    let applied: Vec<_> = found.iter().filter(|found| found.at.is_some()).map(|found| found.number).collect();
    lacking(known, &applied)
}
