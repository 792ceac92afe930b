//! What a store's answers cost beside a small inventory and beside a large one.
//!
//! `cargo run --release -p est-store --example inventory -- sqlite://FILE 10000 10000000` fills a database with generated
//! certificates and audit records up to each number in turn, and prints the median times of opening it, of a listing, a
//! look-up by serial number, a claim and a record, and what 64 callers get done.
//!
//! `postgres://…` in the place of the file is a database of a server, `postgres` a server that is started for this, with
//! its data in a temporary folder (`TMPDIR`), and gone at the end.

#![expect(clippy::print_stdout, reason = "it is for people")]

mod postgres;
mod sqlite;
#[path = "../../tests/suite/support.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use est_core::{Entropy, Entry, Intent, Serial, Store as _};
use est_store::{CertificateFilter, Database, DatabaseUrl, Options, SerialNumber, StoreError};
use est_testkit::databases::PostgresServer;
use tokio::task::JoinSet;

use support::{again, certificate_holder, csr, intent, issued, sign_certificate};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How often each is done.
const TIMES: usize = 2_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().ok_or("name a database")?;
    let server = if place == "postgres" { PostgresServer::find() } else { None };
    let place = server.as_ref().map_or(place, PostgresServer::url);
    let url = DatabaseUrl::parse(&place, Path::new("."))?;
    println!("rows        open       list 100   by serial  claim      record     64 callers  filled in");
    for count in arguments {
        let count: i64 = count.parse()?;
        Database::open_url(&url, Options::default())?.close().await;
        let filling = Instant::now();
        let numbers = (0..TIMES as i64).map(|number| 1 + number * 7_919 % count).collect::<Vec<_>>();
        let serials = match url.file() {
            Some(file) => sqlite::fill(file, count, &numbers)?,
            None => postgres::fill(&place, count, &numbers).await?,
        };
        let filled = filling.elapsed();
        let serials: Vec<_> = serials.iter().map(|octets| SerialNumber::from_contents(octets)).collect();
        let opened = median(TIMES / 100, async |_| {
            Database::open_url(&url, Options::default())?.close().await;
            Ok::<_, StoreError>(1)
        })
        .await?;
        let store = Database::open_url(&url, Options::default())?;
        let listed = median(TIMES / 10, async |_| {
            store.certificates(CertificateFilter::default(), 100, None).await.map(|page| page.items.len())
        })
        .await?;
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
            "{count:<11} {opened:<10.1?} {listed:<10.1?} {found:<10.1?} {claimed:<10.1?} {recorded:<10.1?} {:<11} {filled:.0?}",
            format!("{together:.0}/s")
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
