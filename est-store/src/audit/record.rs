//! A record as a row.

use est_core::pkix::Fingerprint;

use super::{AuditRecord, Chain, Method, UNREADABLE, outcome};
use crate::session::{Query, Session};
use crate::value::{FromValue, Row, values};
use crate::{SerialNumber, StoreError, UnixMicros};

/// What a row is read from.
pub(super) const COLUMNS: &str = "number, at_micros, event, outcome, actor, source, label, ca, method, reason, serial, \
                                  fingerprint, node, sequence, hash";

/// Reads a row of the [`COLUMNS`].
///
/// # Errors
/// [`StoreError::Damaged`] where it holds what is never written there.
pub(super) fn read(mut row: Row) -> Result<AuditRecord, StoreError> {
    let row = &mut row;
    let success = match take::<String>(row, 3, "audit.outcome")? {
        text if text == outcome(true) => true,
        text if text == outcome(false) => false,
        _ => return Err(StoreError::Damaged { column: "audit.outcome" }),
    };
    let method = match take::<Option<String>>(row, 8, "audit.method")? {
        Some(name) => Some(Method::from_name(&name).ok_or(StoreError::Damaged { column: "audit.method" })?),
        None => None,
    };
    let chain = match take::<Option<String>>(row, 12, "audit.node")? {
        Some(node) => {
            Some(Chain { node, sequence: take(row, 13, "audit.sequence")?, hash: take(row, 14, "audit.hash")? })
        }
        None => None,
    };
    Ok(AuditRecord {
        number: take(row, 0, "audit.number")?,
        at: UnixMicros(take(row, 1, "audit.at_micros")?),
        event: take(row, 2, "audit.event")?,
        success,
        actor: take(row, 4, "audit.actor")?,
        source: take(row, 5, "audit.source")?,
        label: take(row, 6, "audit.label")?,
        ca: take(row, 7, "audit.ca")?,
        method,
        reason: take(row, 9, "audit.reason")?,
        serial: take::<Option<Vec<u8>>>(row, 10, "audit.serial")?.map(|octets| SerialNumber::from_contents(&octets)),
        fingerprint: take::<Option<_>>(row, 11, "audit.fingerprint")?.map(Fingerprint),
        chain,
    })
}

/// Reads the rows of the query that `select` makes of columns, with stand-ins for those that cannot be read.
///
/// # Errors
/// [`StoreError::Database`].
pub(super) async fn read_all<'a>(
    db: &mut Session,
    select: impl Fn(&str) -> Query<'a>,
) -> Result<Vec<AuditRecord>, StoreError> {
    let mut records = Vec::new();
    match select(&format!("{COLUMNS}, number")).run(db).await {
        Ok(rows) => {
            for mut row in rows {
                let number = row.take(15)?;
                records.push(match read(row) {
                    Ok(record) => record,
                    Err(error) => stand_in(db, number, &error).await?,
                });
            }
        }
        // One row that the database cannot even hand over is enough: which it is tells each alone.
        Err(_) => {
            for mut row in select("number").run(db).await? {
                let number = row.take(0)?;
                let alone = format!("SELECT {COLUMNS} FROM audit WHERE number = ?1");
                let row = db.query_one(&alone, &values![number]).await;
                let record =
                    row.and_then(|row| row.ok_or(StoreError::Damaged { column: "audit.number" })).and_then(read);
                records.push(match record {
                    Ok(record) => record,
                    Err(error) => stand_in(db, number, &error).await?,
                });
            }
        }
    }
    Ok(records)
}

/// What is told of a record that cannot be read: when, its place, and why not.
async fn stand_in(db: &mut Session, number: i64, error: &StoreError) -> Result<AuditRecord, StoreError> {
    let column = match error {
        StoreError::Damaged { column } => column.trim_start_matches("audit."),
        _ => "text",
    };
    let place = "SELECT at_micros, node, sequence, hash FROM audit WHERE number = ?1";
    let mut row = db.query_one(place, &values![number]).await?.unwrap_or(Row(Vec::new()));
    let at = UnixMicros(row.take(0).unwrap_or(0));
    let chain = row.take(1).ok().zip(row.take(2).ok());
    Ok(AuditRecord {
        number: u64::try_from(number).unwrap_or(0),
        at,
        event: UNREADABLE.to_owned(),
        success: false,
        actor: None,
        source: None,
        label: None,
        ca: None,
        method: None,
        reason: Some(format!("unreadable: column {column}")),
        serial: None,
        fingerprint: None,
        chain: chain.map(|(node, sequence)| Chain { node, sequence, hash: row.take(3).unwrap_or([0; 32]) }),
    })
}

fn take<T: FromValue>(row: &mut Row, index: usize, column: &'static str) -> Result<T, StoreError> {
    row.take(index).map_err(|_| StoreError::Damaged { column })
}
