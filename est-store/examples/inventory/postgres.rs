//! Rows for a database of a PostgreSQL server.

use tokio_postgres::NoTls;

use crate::Outcome;

/// Adds certificates, each with an audit record, until there are `count`: as long as real ones, with serial numbers that
/// are as good as random. Returns those of the certificates with these numbers.
pub(crate) async fn fill(url: &str, count: i64, numbers: &[i64]) -> Outcome<Vec<Vec<u8>>> {
    let (db, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let there: i64 = db.query_one("SELECT count(*) FROM certificates", &[]).await?.get(0);
    let step = 500_000_usize;
    for start in (there..count).step_by(step) {
        let last = count.min(start + step as i64) - 1;
        // A certificate lies in its row as it is, whatever its octets: rows are compressed beyond 2 KB only.
        db.batch_execute(&format!(
            "SET synchronous_commit = off;
             INSERT INTO certificates (serial, ca, fingerprint, subject, names, not_before, not_after, label, profile,
                                       principal, issued_at, der)
             SELECT substr(sha256(int8send(i)), 1, 20), 'root', sha256(int8send(-i)), 'CN=device-' || i || ',O=Example',
                    'dNSName=device-' || i, 1800000000 + i, 1807776000 + i, 'factory', 'device', 'otp:p1',
                    1800000000 + i, decode(repeat('5a', 520), 'hex')
             FROM generate_series({start}, {last}) AS n(i);
             INSERT INTO audit (at_micros, event, outcome, actor, source, label, ca, method)
             SELECT 1800000000000000 + i, 'cert.issued', 'success', 'password p1', '192.0.2.7', 'factory', 'root', 'otp'
             FROM generate_series({start}, {last}) AS n(i);"
        ))
        .await?;
    }
    // What a server does by itself in a quiet minute.
    for statement in ["VACUUM ANALYZE certificates", "VACUUM ANALYZE audit", "CHECKPOINT"] {
        db.batch_execute(statement).await?;
    }
    let rows = db.query("SELECT serial FROM certificates WHERE number = ANY($1)", &[&numbers]).await?;
    drop(db);
    connection.await??;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
