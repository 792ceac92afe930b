//! How many enrollments a store remembers in a second: each is claimed, then recorded with its certificate and three
//! events, and both wait for the disk.
//!
//! `cargo run --release -p est-store --example throughput -- 64` uses a file below the current folder and 64 callers.

#![expect(clippy::print_stdout, reason = "it is for people")]

#[path = "../tests/suite/support.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use est_core::{Claimed, Entry, Intent, Store as _};
use est_store::{Database, Options};
use tokio::task::JoinSet;

use support::{Folder, again, certificate_holder, csr, intent, issued, sign_certificate};

const ENROLLMENTS: u32 = 40_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let callers: usize = std::env::args().nth(1).map_or(Ok(64), |text| text.parse())?;
    let folder = Folder::new();
    let store = Database::open(&folder.path().join("store.db"), Options::default())?;
    let work: Arc<Vec<(Intent, Entry)>> = Arc::new(enrollments());
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..callers {
        let (store, work, next) = (store.clone(), work.clone(), next.clone());
        crowd.spawn(async move {
            while let Some((intent, entry)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                let claimed = store.claim(intent).await?;
                assert_eq!(claimed, Claimed::Fresh);
                store.record(entry).await?;
            }
            Ok::<_, est_core::PortError>(())
        });
    }
    while let Some(done) = crowd.join_next().await {
        done??;
    }
    let elapsed = started.elapsed();
    println!("{callers} callers: {:.0} enrollments/s", f64::from(ENROLLMENTS) / elapsed.as_secs_f64());
    store.close().await;
    Ok(())
}

/// Different requests of one device: only what the store looks at differs.
fn enrollments() -> Vec<(Intent, Entry)> {
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let numbered = |number: u32| {
        let mut intent = again(&first, first.now);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes());
        intent.identity.0.copy_from_slice(digest.as_ref());
        let entry = issued(&intent, &sign_certificate(&intent));
        (intent, entry)
    };
    (0..ENROLLMENTS).map(numbered).collect()
}
