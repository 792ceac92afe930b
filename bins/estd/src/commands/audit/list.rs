//! `estd audit list`: what has happened.

use anyhow::Result;
use est_store::{AuditFilter, AuditRecord, Method};
use serde_json::{Value, json};

use super::line::outcome;
use crate::cli::{AuditList, Outcome};
use crate::commands::Opened;
use crate::output;

pub(super) async fn run(options: AuditList) -> Result<()> {
    let AuditList { config, after, event, outcome, serial, actor, source, label, ca, span, limit, output } = options;
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
    };
    let page = store.audit(filter, limit, after).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    if output.json {
        let events: Vec<Value> = page.items.iter().map(to_json).collect();
        output::json(&json!({ "events": events, "cursor": next }))?;
    } else {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        output::table(&["TIME", "EVENT", "OUTCOME", "ACTOR", "SOURCE", "REASON"], &rows)?;
        if let Some(next) = next {
            output::line(format!("there are more: go on with --after {next}"))?;
        }
    }
    Ok(())
}

fn to_json(record: &AuditRecord) -> Value {
    json!({
        "number": record.number,
        "time": record.at.to_string(),
        "event": record.event,
        "outcome": outcome(record.success),
        "actor": record.actor,
        "source": record.source,
        "label": record.label,
        "ca": record.ca,
        "method": record.method.map(Method::name),
        "reason": record.reason,
        "serial": record.serial.as_ref().map(ToString::to_string),
        "fingerprint": record.fingerprint.map(|fingerprint| fingerprint.to_string()),
        "node": record.chain.as_ref().map(|chain| &chain.node),
        "sequence": record.chain.as_ref().map(|chain| chain.sequence),
    })
}

fn row(record: &AuditRecord) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    vec![
        record.at.to_string(),
        record.event.clone(),
        outcome(record.success).into(),
        text(&record.actor),
        text(&record.source),
        text(&record.reason),
    ]
}
