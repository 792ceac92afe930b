//! A record as a row.

use est_core::pkix::Fingerprint;

use super::{AuditRecord, Chain, Method, outcome};
use crate::value::{FromValue, Row};
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

fn take<T: FromValue>(row: &mut Row, index: usize, column: &'static str) -> Result<T, StoreError> {
    row.take(index).map_err(|_| StoreError::Damaged { column })
}
