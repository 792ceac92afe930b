//! Logs: one event for each exchange, structured, to standard error.

use std::sync::Arc;

use est_core::{Claimed, Entry, Intent, Outcome, PortFuture, Store};
use tracing::{debug, error, info};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Starts to log. `RUST_LOG` wins over `level`.
///
/// # Errors
/// When `level` is no filter, or logging has started before.
pub fn start(level: &str, format: LogFormat) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(_) => level.to_owned(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|error| format!("log level `{filter}`: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|error| error.to_string())
}

/// A store that logs how each exchange ended: after it was recorded, so that the log never says more than the
/// database.
pub struct Logged(pub Arc<dyn Store>);

impl Store for Logged {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        Box::pin(async move {
            let claimed = self.0.claim(intent).await;
            match &claimed {
                Ok(_) => debug!(principal = %intent.principal, serial = %intent.serial, "claimed"),
                Err(error) => error!(%error, principal = %intent.principal, "the claim could not be stored"),
            }
            claimed
        })
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        Box::pin(async move {
            let recorded = self.0.record(entry).await;
            match &recorded {
                Ok(()) => log_end(entry),
                Err(error) => {
                    error!(%error, operation = %entry.operation, "an exchange could not be recorded: nothing was handed out");
                }
            }
            recorded
        })
    }
}

fn log_end(entry: &Entry) {
    let operation = entry.operation.segment();
    let label = entry.label.as_deref().unwrap_or("-");
    let source = entry.source.as_deref().unwrap_or("-");
    let principal = entry.principal.as_ref().map(tracing::field::display);
    match &entry.outcome {
        Outcome::Issued { certificate, .. } => {
            let (serial, subject) = (certificate.serial_text(), certificate.subject());
            info!(operation, label, source, principal, serial, %subject, "certificate issued");
        }
        Outcome::Replayed(_) => info!(operation, label, source, principal, "certificate handed out again"),
        Outcome::Pending(..) => info!(operation, label, source, principal, "waiting for the CA"),
        Outcome::AwaitingApproval => info!(operation, label, source, principal, "waiting for an operator's decision"),
        Outcome::Refused(refusal) | Outcome::Interrupted(refusal) => {
            let reason = refusal.row().code;
            info!(operation, label, source, principal, reason, "refused: {refusal}");
        }
    }
}
