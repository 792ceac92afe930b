//! What a store's answers cost beside a small inventory and beside a large one.
//!
//! `cargo run --release -p est-store --example inventory -- FOLDER 10000 10000000` makes a file in FOLDER, fills it with
//! generated certificates and audit records up to each number in turn, and prints the median time of a listing, a
//! look-up by serial number, a claim and a record, each alone and with 64 callers, and of opening the file.

#![expect(clippy::print_stdout, reason = "it is for people")]

#[path = "../tests/suite/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use est_core::{Entropy, Entry, Intent, Serial, Store as _};
use est_store::{CertificateFilter, Database, Options, SerialNumber};
use tokio::task::JoinSet;

use support::{again, certificate_holder, csr, intent, issued, sign_certificate};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How often each is done.
const TIMES: usize = 2_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder")?);
    let path = folder.join("inventory.db");
    println!("rows        open       list 100   by serial  claim      record     claim and record, 64 callers");
    for count in arguments {
        let count: i64 = count.parse()?;
        Database::open(&path, Options::default())?.close().await;
        fill(&path, count)?;
        let opening = Instant::now();
        let store = Database::open(&path, Options::default())?;
        let opened = opening.elapsed();
        let listed = median(TIMES / 10, async |_| {
            store.certificates(CertificateFilter::default(), 100, None).await.map(|page| page.items.len())
        })
        .await?;
        let serials = serials(&path, count)?;
        let found = median(TIMES, async |number| {
            store.certificate(&serials[number % serials.len()], None).await.map(|found| usize::from(found.is_some()))
        })
        .await?;
        let work = enrollments(2 * TIMES)?;
        let (alone, crowd) = work.split_at(TIMES);
        let claimed = median(TIMES, async |number| store.claim(&alone[number].0).await.map(|_| 1)).await?;
        let recorded = median(TIMES, async |number| store.record(&alone[number].1).await.map(|()| 1)).await?;
        let together = crowded(&store, crowd).await?;
        println!(
            "{count:<11} {opened:<10.1?} {listed:<10.1?} {found:<10.1?} {claimed:<10.1?} {recorded:<10.1?} {together:.0}/s"
        );
        store.close().await;
    }
    Ok(())
}

/// Does something again and again, each time with one more, and tells the median of its times.
async fn median<E>(times: usize, mut action: impl AsyncFnMut(usize) -> Result<usize, E>) -> Result<Duration, E> {
    let mut spans = Vec::with_capacity(times);
    for number in 0..times {
        let began = Instant::now();
        assert_ne!(action(number).await?, 0, "nothing was found");
        spans.push(began.elapsed());
    }
    spans.sort_unstable();
    Ok(spans[times / 2])
}

/// Claims and records in a second, by 64 callers.
async fn crowded(store: &Database, work: &[(Intent, Entry)]) -> Outcome<f64> {
    let began = Instant::now();
    let mut crowd = JoinSet::new();
    for share in work.chunks(work.len().div_ceil(64)) {
        let (store, share) = (store.clone(), share.to_vec());
        crowd.spawn(async move {
            for (intent, entry) in &share {
                store.claim(intent).await?;
                store.record(entry).await?;
            }
            Ok::<_, est_core::PortError>(())
        });
    }
    while let Some(done) = crowd.join_next().await {
        done??;
    }
    Ok(work.len() as f64 / began.elapsed().as_secs_f64())
}

/// Requests of one device that differ in what the store looks at.
fn enrollments(count: usize) -> Result<Vec<(Intent, Entry)>, Unspecified> {
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let one = |_| {
        let mut intent = again(&first, first.now);
        let mut entropy = [0; 32];
        SystemRandom::new().fill(&mut entropy)?;
        (intent.serial, intent.identity.0) = (Serial::from_entropy(&Entropy(entropy)), entropy);
        let entry = issued(&intent, &sign_certificate(&intent));
        Ok((intent, entry))
    };
    (0..count).map(one).collect::<Result<_, Unspecified>>()
}

/// Adds certificates, each with an audit record, until there are `count`: as long as real ones, with random serial
/// numbers.
fn fill(path: &Path, count: i64) -> Outcome<()> {
    let db = rusqlite::Connection::open(path)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY")?;
    let there: i64 = db.query_row("SELECT count(*) FROM certificates", [], |row| row.get(0))?;
    let from = there..count;
    let step = 1_000_000_usize;
    for start in from.clone().step_by(step) {
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
    Ok(())
}

/// Serial numbers from everywhere in the inventory.
fn serials(path: &Path, count: i64) -> Outcome<Vec<SerialNumber>> {
    let db = rusqlite::Connection::open(path)?;
    let mut select = db.prepare("SELECT serial FROM certificates WHERE number = ?1")?;
    let one = |number: i64| select.query_row([1 + number * 7_919 % count], |row| row.get::<_, Vec<u8>>(0));
    let octets: Vec<_> = (0..TIMES as i64).map(one).collect::<Result<_, _>>()?;
    Ok(octets.iter().map(|octets| SerialNumber::from_contents(octets)).collect())
}
