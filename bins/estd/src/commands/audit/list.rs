//! `estd audit list`: what has happened.

use anyhow::Result;
use est_store::{AuditFilter, AuditRecord};
use serde_json::json;

use super::line::outcome;
use crate::cli::{AuditList, Outcome};
use crate::commands::Opened;
use crate::output;
use crate::view::Record;

pub(super) async fn run(options: AuditList) -> Result<()> {
    let AuditList { config, after, event, outcome, serial, actor, find, source, label, ca, span, limit, output } =
        options;
    let Opened { store, .. } = Opened::open(&config.config)?;
    let filter = AuditFilter {
        event,
        success: outcome.map(|outcome| outcome == Outcome::Success),
        serial,
        since: span.since,
        before: span.until,
        actor,
        ca,
        source,
        label,
        containing: find,
        ..AuditFilter::default()
    };
    let page = store.audit(filter, limit, after).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    if output.json {
        let events: Vec<Record> = page.items.into_iter().map(Record::of).collect();
        output::json(&json!({ "events": events, "cursor": next }))?;
    } else {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        output::table(&["TIMESTAMP", "EVENT", "OUTCOME", "ACTOR", "SOURCE", "LABEL", "SERIAL", "REASON"], &rows)?;
        if let Some(next) = next {
            output::line(format!("there are more: go on with --after {next}"))?;
        }
    }
    Ok(())
}

fn row(record: &AuditRecord) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    vec![
        record.at.to_string(),
        record.event.clone(),
        outcome(record.success).into(),
        text(&record.actor),
        text(&record.source),
        text(&record.label),
        record.serial.as_ref().map_or("-".into(), ToString::to_string),
        text(&record.reason),
    ]
}
