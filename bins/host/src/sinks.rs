//! Where audit records go apart from the database: a file, and a syslog collector.
//!
//! The audit table is the outbox. Each node ships its own chain, and those that nobody else ships, in order, a page at a
//! time; the database remembers how far each sink has come, and that moves only once the sink has taken the records. A
//! sink that was away goes on where it was; a crash between taking and remembering repeats records and loses none.

mod collector;
mod file;
mod held;
mod json;
mod outbox;
mod record;
#[cfg(test)]
mod sample;
mod shipping;
mod syslog;
mod tls;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use est_core::PortError;
use est_store::SinkChain;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use crate::config::{self, Audit, SyslogTransport};
use crate::wiring::WiringError;
use collector::{Address, Transport};
use shipping::{Progress, Shipping, Sink, locked};
use syslog::Sender;

pub use outbox::{Outbox, StoredChains};
pub use record::ChainedRecord;
pub use shipping::Pace;

/// Whether records have the certificate that they are about in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CertificateData {
    Included,
    LeftOut,
}

/// What is configured, checked and ready to ship.
pub struct Plan {
    sinks: Vec<Sink>,
    audit: Audit,
}

impl Plan {
    /// Checks what can be checked without a network.
    ///
    /// # Errors
    /// [`WiringError`] when a key cannot be read or is not its certificate's, or a trust anchor cannot be used.
    pub fn new(audit: &Audit) -> Result<Self, WiringError> {
        let mut sinks = Vec::new();
        if let Some(path) = &audit.file {
            sinks.push(Sink::File { path: path.clone(), file: None });
        }
        if let Some(syslog) = &audit.syslog {
            sinks.push(self::syslog(syslog)?);
        }
        Ok(Self { sinks, audit: audit.clone() })
    }
}

fn syslog(syslog: &config::Syslog) -> Result<Sink, WiringError> {
    let transport = match &syslog.transport {
        SyslogTransport::Udp => Transport::Udp,
        SyslogTransport::Tcp => Transport::Tcp,
        SyslogTransport::Tls(settings) => {
            if let Some(own) = settings.certificate.as_ref().and_then(|certificate| certificate.chain.first()) {
                info!(fingerprint = %format_args!("sha-256:{}", own.fingerprint()), "shown to the syslog collector");
            }
            Transport::Tls(Arc::new(tls::client_config(settings)?))
        }
    };
    let sender = Sender {
        facility: syslog.facility,
        enterprise: syslog.enterprise,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        program: "estd".to_owned(),
        process: std::process::id(),
    };
    let address = Address { host: syslog.host.clone(), port: syslog.port, transport };
    Ok(Sink::Syslog { address, sender, connection: None })
}

/// The sinks at work.
pub struct Sinks {
    watch: SinkWatch,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    hangup: AbortHandle,
}

/// Tells how the sinks are doing. Cheap to clone.
#[derive(Clone)]
pub struct SinkWatch {
    outbox: Arc<dyn Outbox>,
    progress: Arc<[Arc<Progress>]>,
}

/// How a sink is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which.
    pub sink: &'static str,
    /// How many records, of all nodes, it was not given yet as far as this server knows.
    pub records: u64,
    /// Why not, if something is wrong.
    pub problem: Option<String>,
    /// Which record could not be read, the last if there was one since the start.
    pub damage: Option<String>,
}

impl Sinks {
    /// Begins to ship, in the runtime that this is called in. The file is opened again at each SIGHUP.
    ///
    /// # Errors
    /// [`io::Error`] when signals cannot be listened to.
    pub fn spawn(outbox: Arc<dyn Outbox>, plan: Plan, pace: Pace) -> io::Result<Self> {
        let Plan { sinks, audit } = plan;
        let (stop, stopped) = watch::channel(false);
        let reopen = Arc::new(Notify::new());
        let hangup = tokio::spawn(reopen_at_hangup(signal(SignalKind::hangup())?, reopen.clone())).abort_handle();
        let (mut progress, mut tasks) = (Vec::new(), JoinSet::new());
        for sink in sinks {
            let of_this = Arc::new(Progress { kind: sink.kind(), name: sink.name(), ..Progress::default() });
            progress.push(of_this.clone());
            let shipping = Shipping {
                sink,
                outbox: outbox.clone(),
                events: audit.events.clone(),
                certificates: match audit.include_cert_data {
                    true => CertificateData::Included,
                    false => CertificateData::LeftOut,
                },
                pace,
                progress: of_this,
                reopen: reopen.clone(),
                pages: 0,
                outage: None,
                left: HashMap::new(),
            };
            tasks.spawn(shipping.run(stopped.clone()));
        }
        Ok(Self { watch: SinkWatch { outbox, progress: progress.into() }, tasks, stop, hangup })
    }

    /// Tells how they are doing, for as long as they work.
    #[must_use]
    pub fn watch(&self) -> SinkWatch {
        self.watch.clone()
    }

    /// Ships what is left, closes connections in order, and ends. What does not go out `within` this time goes out
    /// after the next start.
    pub async fn close(mut self, within: Duration) {
        self.hangup.abort();
        // There is nobody to tell when every sink has ended already.
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            warn!("audit records are left for the next start: a sink was too slow");
        }
    }
}

impl SinkWatch {
    /// How each sink is doing.
    ///
    /// # Errors
    /// [`PortError`] when the database does not answer.
    pub async fn lag(&self) -> Result<Vec<Lag>, PortError> {
        let mut lags = Vec::new();
        for progress in self.progress.iter() {
            let chains = self.outbox.chains(&progress.name).await?;
            let given = locked(&progress.given);
            let left = chains.iter().map(|SinkChain { node, last, position }| {
                last.saturating_sub(given.get(node).map_or(*position, |given| *position.max(given)))
            });
            let (problem, damage) = (locked(&progress.problem).clone(), locked(&progress.damage).clone());
            lags.push(Lag { sink: progress.kind, records: left.sum(), problem, damage });
        }
        Ok(lags)
    }
}

async fn reopen_at_hangup(mut hangup: Signal, reopen: Arc<Notify>) {
    while hangup.recv().await.is_some() {
        reopen.notify_waiters();
    }
}
