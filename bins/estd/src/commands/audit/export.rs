//! `estd audit export`: the chains, to be kept or verified elsewhere.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use anyhow::{Context as _, Result};
use est_store::{AuditRecord, Chain, Database, StoreError, TrailUse};
use host::checkpoints::Checkpoints;

use super::line::Line;
use crate::cli::{AuditExport, AuditSpan};
use crate::commands::{Opened, actor, count};
use crate::output;

/// How many records are read at a time.
const PIECE: u32 = 4096;

pub(super) async fn run(options: AuditExport) -> Result<()> {
    let Opened { settings, store } = Opened::open(&options.config.config)?;
    let is_whole = options.span.since.is_none() && options.span.until.is_none() && options.event.is_none();
    let key = Checkpoints::open(&settings.audit)?;
    let nodes = match &options.node {
        Some(node) => vec![node.clone()],
        None => store.chain_nodes().await?,
    };
    // First: a reader may close the pipe when it has enough, and then nothing more runs here.
    let what = if is_whole { "whole chains" } else { "an excerpt" };
    let what = format!("{what}, of {}", nodes.join(", "));
    store
        .note_trail_use(TrailUse::Exported(what), &actor())
        .await
        .context("that this is exported cannot be recorded")?;
    let mut ends = Vec::new();
    for node in nodes {
        ends.push(write_chain(&store, &node, &options).await?);
    }
    ends.retain(|end| end.sequence > 0);
    // So that nobody can cut off the end of the export.
    if let (true, Some(key)) = (is_whole, &key) {
        let signed = match (&options.node, ends.pop()) {
            (Some(_), Some(end)) => Some(key.sign(end).await?),
            (Some(_), None) => None,
            (None, last) => {
                ends.extend(last);
                Some(key.sign_all(&settings.server.node, ends).await?)
            }
        };
        signed.map_or(Ok(()), |signed| output::line(signed.to_string()))?;
    }
    let strays = store.strays().await?;
    if strays > 0 {
        let number = count(usize::try_from(strays).unwrap_or(usize::MAX), "record");
        output::error(format!("{number} in no chain left out: `estd audit list` shows what no server wrote"));
    }
    store.close().await;
    Ok(())
}

/// Prints the records that are wanted; answers with the end of the chain.
async fn write_chain(store: &Database, node: &str, options: &AuditExport) -> Result<Chain> {
    let mut end = Chain::genesis(node);
    loop {
        let records = store.chain(node, end.sequence, PIECE).await.map_err(|error| match error {
            StoreError::Damaged { .. } => anyhow::anyhow!("{error}: `estd audit verify` tells which record it is in"),
            other => other.into(),
        })?;
        if records.is_empty() {
            return Ok(end);
        }
        output::print(|out| write_piece(&mut BufWriter::new(out), &records, &mut end, options))?;
    }
}

/// Prints the records that are wanted of a piece of a chain that goes on at `end`, and moves that along.
fn write_piece(
    out: &mut BufWriter<&mut StdoutLock<'_>>,
    records: &[AuditRecord],
    end: &mut Chain,
    options: &AuditExport,
) -> io::Result<()> {
    for record in records {
        let Some(chain) = &record.chain else { continue };
        if is_wanted(record, options) {
            serde_json::to_writer(&mut *out, &Line::of(record, chain, &end.hash))?;
            out.write_all(b"\n")?;
        }
        end.clone_from(chain);
    }
    out.flush()
}

fn is_wanted(record: &AuditRecord, options: &AuditExport) -> bool {
    let AuditSpan { since, until } = options.span;
    let is_of = |event: &String| {
        record.event.strip_prefix(event.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    since.is_none_or(|since| record.at >= since)
        && until.is_none_or(|until| record.at < until)
        && options.event.as_ref().is_none_or(is_of)
}
