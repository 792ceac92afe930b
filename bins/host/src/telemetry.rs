//! Logs: one event for each exchange, structured, to standard error.

mod lines;
mod logfmt;
mod outage;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;
use std::sync::Arc;
use std::thread;

use est_core::{
    Authenticator, CaBackend, Claimed, Entry, Evidence, Generated, Intent, Issuance, KeyGenerator, KeyWish, Order,
    Outcome, PortFuture, Ports, Store, UnixTime, Verdict,
};
use tracing::{debug, error, info};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;
use crate::spans;

use lines::Lines;
use logfmt::Logfmt;
use outage::Outage;

pub(crate) use lines::dropped;

/// The log. When it is dropped, it waits a moment for its last lines to be written.
#[must_use = "the last lines are lost unless it is kept to the end"]
pub struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts to log. `RUST_LOG` wins over `level`.
///
/// Logging never waits and never fails: a thread writes the lines, and those that it cannot write are dropped and
/// counted in `ohia_log_lines_dropped_total`. Panics are logged likewise.
///
/// # Errors
/// When `level` is not a filter, or logging has started before.
pub fn start(level: &str, format: LogFormat) -> Result<Log, String> {
    let filter = filter(level)?;
    let lines = Lines::to_stderr().map_err(|error| format!("no thread to write the log: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    // What cannot be logged is not told to standard error instead: that is what cannot be written.
    let builder = builder.with_writer(lines.clone()).log_internal_errors(false);
    match format {
        LogFormat::Text => builder.with_ansi(false).event_format(Logfmt).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|error| error.to_string())?;
    log_panics();
    Ok(Log(lines))
}

/// Logs panics like anything else. The standard library writes to standard error itself, and waits for its reader.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("-");
        let place = panic.location().map(tracing::field::display);
        let message = panic.payload_as_str().unwrap_or("no message");
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
        error!(thread, place, backtrace, "panicked: {message}");
    }));
}

/// As [`start`], and sends spans to a collector; see [`spans::start`].
///
/// # Errors
/// As [`start`], and when `endpoint` is not that of a collector.
#[cfg(feature = "otel")]
pub fn start_with_spans(
    level: &str,
    format: LogFormat,
    endpoint: &str,
    node: &str,
) -> Result<(spans::Spans, Log), String> {
    use tracing_subscriber::filter::{FilterExt as _, filter_fn};
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    // A line is read alone: the spans are not in it.
    let events = filter_fn(|metadata| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE);
    let filter = filter(level)?.and(events);
    let lines = Lines::to_stderr().map_err(|error| format!("no thread to write the log: {error}"))?;
    let written = tracing_subscriber::fmt::layer().with_writer(lines.clone()).log_internal_errors(false);
    let written = match format {
        LogFormat::Text => written.with_ansi(false).event_format(Logfmt).with_filter(filter).boxed(),
        LogFormat::Json => written.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let (spans, layer) = spans::start(endpoint, node)?;
    tracing_subscriber::registry().with(written).with(layer).try_init().map_err(|error| error.to_string())?;
    log_panics();
    Ok((spans, Log(lines)))
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(_) => level.to_owned(),
    };
    filter_of(&filter)
}

/// What rustls says of server names in a ClientHello: each client that names an address (libest) would have a line.
const NOISY: &str = "rustls::msgs::handshake=error";

fn filter_of(text: &str) -> Result<EnvFilter, String> {
    let filter = EnvFilter::try_new(text).map_err(|error| format!("log level `{text}`: {error}"))?;
    let is_asked_for = text.contains("rustls") || filter.max_level_hint().is_none_or(|level| level > LevelFilter::INFO);
    Ok(if is_asked_for { filter } else { filter.add_directive(NOISY.parse().expect("a directive")) })
}

/// Logs how each exchange ended, after it was recorded, so that the log never says more than the database; and why a
/// port could not answer: the client gets no more than a request to come back.
#[must_use]
pub fn logged(ports: Ports) -> Ports {
    Ports {
        authenticator: Arc::new(Logged::new(ports.authenticator)),
        ca: Arc::new(Logged::new(ports.ca)),
        keys: Arc::new(Logged::new(ports.keys)),
        store: Arc::new(Logged::new(ports.store)),
    }
}

/// A port that logs.
struct Logged<P: ?Sized> {
    port: Arc<P>,
    outage: Outage,
}

impl<P: ?Sized> Logged<P> {
    fn new(port: Arc<P>) -> Self {
        Self { port, outage: Outage::default() }
    }
}

impl Authenticator for Logged<dyn Authenticator> {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        spans::of_step("authenticate", async move {
            let verdict = self.port.authenticate(evidence, now).await;
            if let Err(error) = &verdict
                && let Some(left_out) = self.outage.count()
            {
                let source = evidence.source.as_deref().unwrap_or("-");
                error!(%error, source, left_out, "clients cannot be authenticated");
            }
            verdict
        })
    }
}

impl CaBackend for Logged<dyn CaBackend> {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        spans::of_step("issue", async move {
            let issuance = self.port.issue(order).await;
            if let Err(error) = &issuance
                && let Some(left_out) = self.outage.count()
            {
                error!(%error, ca = order.ca.id, serial = %order.serial, left_out, "the CA issued nothing");
            }
            issuance
        })
    }
}

impl KeyGenerator for Logged<dyn KeyGenerator> {
    fn generate<'a>(&'a self, wish: &'a KeyWish) -> PortFuture<'a, Generated> {
        spans::of_step("generate", async move {
            let generated = self.port.generate(wish).await;
            if let Err(error) = &generated
                && let Some(left_out) = self.outage.count()
            {
                error!(%error, key_type = %wish.key_type, left_out, "no key could be generated");
            }
            generated
        })
    }
}

impl Store for Logged<dyn Store> {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        spans::of_step("claim", async move {
            let claimed = self.port.claim(intent).await;
            match &claimed {
                Ok(_) => debug!(principal = %intent.principal, serial = %intent.serial, "claimed"),
                Err(error) => {
                    if let Some(left_out) = self.outage.count() {
                        error!(%error, principal = %intent.principal, left_out, "the claim could not be stored");
                    }
                }
            }
            claimed
        })
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        spans::of_step("record", async move {
            let recorded = self.port.record(entry).await;
            match &recorded {
                Ok(()) => log_end(entry),
                Err(error) => {
                    if let Some(left_out) = self.outage.count() {
                        let what = "an exchange could not be recorded: nothing was handed out";
                        error!(%error, operation = %entry.operation, left_out, "{what}");
                    }
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
        Outcome::AwaitingApproval => info!(
            operation,
            label,
            source,
            principal,
            "waiting for an operator's decision; the client is to send the same request again, with the same key"
        ),
        Outcome::CsrAttrs(_) => info!(operation, label, source, principal, "attributes handed out"),
        Outcome::Refused(refusal) | Outcome::Interrupted(refusal) => {
            let reason = refusal.row().code;
            info!(operation, label, source, principal, reason, "refused: {refusal}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::pin::pin;
    use std::sync::{Mutex, PoisonError};
    use std::task::{Context, Waker};

    use est_core::PortError;

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Cannot authenticate anybody.
    struct Down;

    impl Authenticator for Down {
        fn authenticate<'a>(&'a self, _: &'a Evidence, _: UnixTime) -> PortFuture<'a, Verdict> {
            Box::pin(async { Err(PortError("the directory is on fire".into())) })
        }
    }

    #[test]
    fn leaves_out_what_rustls_says_of_each_server_name_unless_asked() {
        for (level, leaves_out) in [
            ("info", true),
            ("warn", true),
            ("estd=debug,warn", false),
            ("debug", false),
            ("trace", false),
            ("info,rustls=warn", false),
        ] {
            assert_eq!(filter_of(level).expect("a filter").to_string().contains(NOISY), leaves_out, "{level}");
        }
    }

    #[test]
    fn tells_the_operator_why_a_port_could_not_answer() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let evidence = Evidence { source: Some("192.0.2.7".into()), ..Evidence::default() };
            let port = Logged::new(Arc::new(Down) as Arc<dyn Authenticator>);
            let answer = pin!(port.authenticate(&evidence, UnixTime(0))).poll(&mut Context::from_waker(Waker::noop()));
            assert!(answer.is_ready());
        });
        let log = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = String::from_utf8_lossy(&log);
        assert!(log.contains("the directory is on fire") && log.contains("192.0.2.7"), "{log}");
    }
}
