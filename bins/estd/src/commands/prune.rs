//! `estd prune`.

use std::time::{Duration, Instant};

use anyhow::Result;
use est_store::Pruned;
use host::shell;
use serde_json::json;

use super::{Opened, actor};
use crate::cli::Prune;
use crate::output;

/// How often a long run tells how far it is.
const TELL: Duration = Duration::from_secs(2);

pub(crate) async fn run(options: &Prune) -> Result<()> {
    let Opened { settings, store } = Opened::open(&options.config.config)?;
    let (retention, now) = (settings.retention, shell::now());
    let pruned = if options.dry_run {
        store.prunable(retention, now).await?
    } else {
        let mut told = Instant::now();
        let tell = |pruned: Pruned| {
            if told.elapsed() >= TELL {
                let Pruned { certificates, requests, passwords } = pruned;
                output::error(format!(
                    "deleted so far: {certificates} certificates, {requests} requests, {passwords} passwords"
                ));
                told = Instant::now();
            }
        };
        store.prune(retention, now, &actor(), tell).await?
    };
    store.close().await;
    let Pruned { certificates, requests, passwords } = pruned;
    if options.output.json {
        output::json(&json!({
            "dry_run": options.dry_run,
            "certificates": certificates,
            "requests": requests,
            "passwords": passwords,
        }))?;
        return Ok(());
    }
    let done = if options.dry_run { "would be deleted" } else { "deleted" };
    for (kind, kept, count) in [
        ("certificates", retention.certificates, certificates),
        ("requests", retention.requests, requests),
        ("passwords", retention.passwords, passwords),
    ] {
        let what = if kept.is_some() { format!("{count} {done}") } else { "kept for ever".to_owned() };
        output::line(format!("{kind:12} {what}"))?;
    }
    Ok(())
}
