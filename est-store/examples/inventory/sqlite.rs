//! Rows for an SQLite file.

use std::path::Path;

use crate::Outcome;

/// Adds certificates, each with an audit record, until there are `count`: as long as real ones, with random serial
/// numbers. Returns those of the certificates with these numbers.
pub(crate) fn fill(file: &Path, count: i64, numbers: &[i64]) -> Outcome<Vec<Vec<u8>>> {
    let db = rusqlite::Connection::open(file)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY")?;
    let there: i64 = db.query_row("SELECT count(*) FROM certificates", [], |row| row.get(0))?;
    let step = 1_000_000_usize;
    for start in (there..count).step_by(step) {
        let end = count.min(start + step as i64);
        db.execute_batch(&format!(
            "BEGIN;
             WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})
             INSERT INTO certificates (serial, ca, fingerprint, subject, names, not_before, not_after, label, profile,
                                       principal, issued_at, der)
             SELECT randomblob(20), 'root', randomblob(32), 'CN=device-' || i || ',O=Example', 'dNSName=device-' || i,
                    1800000000 + i, 1807776000 + i, 'factory', 'device', 'otp:p1', 1800000000 + i, randomblob(520)
             FROM n;
             WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})
             INSERT INTO audit (at_micros, event, outcome, actor, source, label, ca, method)
             SELECT 1800000000000000 + i, 'cert.issued', 'success', 'password p1', '192.0.2.7', 'factory', 'root', 'otp'
             FROM n;
             COMMIT;"
        ))?;
    }
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let mut select = db.prepare("SELECT serial FROM certificates WHERE number = ?1")?;
    Ok(numbers.iter().map(|number| select.query_row([number], |row| row.get(0))).collect::<Result<_, _>>()?)
}
