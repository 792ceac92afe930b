//! A chain in memory that outlives the sinks, as a database does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use est_core::{PortError, PortFuture};
use est_store::{AuditRecord, Chain as Place, Method, SinkChain, UnixMicros};
use host::sinks::{ChainedRecord, Outbox};
use tokio::sync::Notify;

/// The most that a sink may hold in memory.
pub(crate) const PAGE: u32 = 64;

/// The node that writes it, and ships it.
const NODE: &str = "node-1";

#[derive(Default)]
pub(crate) struct Chain {
    records: Mutex<Vec<ChainedRecord>>,
    positions: Mutex<HashMap<String, u64>>,
    added: Notify,
    /// Whether nothing can be remembered.
    pub(crate) is_forgetful: AtomicBool,
    /// Tells when something could not be.
    pub(crate) forgot: Notify,
    /// What was written down of sinks that take nothing.
    pub(crate) outages: Mutex<Vec<String>>,
}

impl Chain {
    pub(crate) fn with(records: u64) -> Arc<Self> {
        let chain = Arc::new(Self::default());
        chain.add(records);
        chain
    }

    pub(crate) fn add(&self, count: u64) {
        let mut records = self.records.lock().unwrap();
        for _ in 0..count {
            let sequence = records.len() as u64 + 1;
            records.push(record(sequence));
        }
        drop(records);
        self.added.notify_waiters();
    }

    /// How far a sink has come: by its whole name, or its kind where there is one of that kind.
    pub(crate) fn position_of(&self, sink: &str) -> u64 {
        let positions = self.positions.lock().unwrap();
        let of_this =
            |name: &String| name.strip_prefix(sink).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        positions.iter().find(|(name, _)| of_this(name)).map_or(0, |(_, position)| *position)
    }
}

/// Every fifth is a failure.
fn record(sequence: u64) -> ChainedRecord {
    let success = !sequence.is_multiple_of(5);
    let place = Place { node: NODE.into(), sequence, hash: [sequence.to_le_bytes()[0]; 32] };
    ChainedRecord {
        chain: place.clone(),
        record: AuditRecord {
            number: sequence,
            at: UnixMicros(1_795_253_400_000_000 + sequence),
            event: if success { "cert.issued" } else { "cert.denied" }.into(),
            success,
            actor: Some(format!("CN=device \"{sequence}\"] \\ ü\n")),
            source: Some("192.0.2.45".into()),
            label: None,
            ca: Some("main".into()),
            method: Some(Method::Otp),
            reason: Some(format!("record {sequence}")),
            serial: None,
            fingerprint: None,
            chain: Some(place),
        },
        certificate: None,
    }
}

impl Outbox for Chain {
    fn node(&self) -> &str {
        NODE
    }

    fn chains<'a>(&'a self, sink: &'a str) -> PortFuture<'a, Vec<SinkChain>> {
        let last = self.records.lock().unwrap().len() as u64;
        let chain = SinkChain { node: NODE.into(), last, position: self.position_of(sink) };
        Box::pin(async move { Ok(vec![chain]) })
    }

    fn lease<'a>(&'a self, _: &'a str, sink: &'a str, _: Duration) -> PortFuture<'a, Option<u64>> {
        Box::pin(async move { Ok(Some(self.position_of(sink))) })
    }

    fn read<'a>(&'a self, _: &'a str, after_sequence: u64, limit: u32) -> PortFuture<'a, Vec<ChainedRecord>> {
        assert!(limit <= PAGE, "{limit} records at once");
        let records = self.records.lock().unwrap();
        let start = usize::try_from(after_sequence).unwrap();
        let page = records.iter().skip(start).take(limit as usize).cloned().collect();
        Box::pin(async move { Ok(page) })
    }

    fn advance<'a>(&'a self, _: &'a str, sink: &'a str, sequence: u64) -> PortFuture<'a, ()> {
        Box::pin(async move {
            if self.is_forgetful.load(Ordering::SeqCst) {
                self.forgot.notify_one();
                return Err(PortError("the database is away".into()));
            }
            let before = self.positions.lock().unwrap().insert(sink.to_owned(), sequence);
            assert!(before.is_none_or(|before| before < sequence), "{sink} goes back from {before:?} to {sequence}");
            Ok(())
        })
    }

    fn note_outage<'a>(&'a self, sink: &'a str, problem: Option<&'a str>) -> PortFuture<'a, ()> {
        self.outages.lock().unwrap().push(format!("{sink}: {}", problem.unwrap_or("again")));
        Box::pin(async { Ok(()) })
    }

    fn more(&self) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.added.notified().await;
            Ok(())
        })
    }
}
