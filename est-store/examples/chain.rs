//! Writes audit records and verifies them: `cargo run --release -p est-store --example chain -- 1000000`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::time::Instant;

use est_store::{Actor, Database, Extent, Options, TrailUse, Verifier};
use tokio::task::JoinSet;

#[path = "../tests/suite/support.rs"]
mod support;

#[tokio::main]
async fn main() {
    let records: u64 = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let folder = support::Folder::new();
    let store = Database::open(&folder.path().join("chain.db"), Options::default()).unwrap();
    let began = Instant::now();
    for start in (0..records).step_by(256) {
        let mut writing = JoinSet::new();
        for number in start..records.min(start + 256) {
            let store = store.clone();
            writing.spawn(async move {
                let actor = Actor::local("local:operator (uid 1000)");
                let what =
                    TrailUse::Exported(format!("record {number}, with a reason of a usual length, names and all"));
                store.note_trail_use(what, &actor).await.unwrap();
            });
        }
        writing.join_all().await;
    }
    println!("{records} records written in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let mut verifier = Verifier::new(Extent::Whole);
    store.verify(&mut verifier, |_, _| {}).await.unwrap();
    let reports = verifier.finish();
    assert!(reports.iter().all(|report| report.finding.is_none()));
    println!("{} verified in {:.1} s", reports[0].records, began.elapsed().as_secs_f64());
}
