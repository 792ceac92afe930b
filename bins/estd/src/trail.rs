//! What the server does for its audit trail while it serves: says when it begins and ends, makes checkpoints, and notes when
//! somebody sets the clock.

mod clock;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use est_core::pkix::Certificate;
use est_store::{CaEvent, CaNote, Database, ServerEvent};
use host::checkpoints::Checkpoints;
use host::config::{Ca, Settings};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, error, info};

/// The audit trail of a server that serves.
pub(crate) struct Trail {
    store: Database,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    clock: JoinHandle<()>,
}

impl Trail {
    /// Writes down that auditing begins, with which configuration and which CAs, and makes a checkpoint now and then.
    ///
    /// # Errors
    /// When the key of the checkpoints can be neither read nor made, or nothing can be written down.
    pub(crate) async fn begin(settings: &Settings, config: &Path, store: &Database) -> Result<Self> {
        let mut checkpoints = Checkpoints::open_or_make(&settings.audit)?;
        let node = settings.server.node.clone();
        let signed = checkpoints.as_ref().map_or("no checkpoints".to_owned(), |checkpoints| {
            format!("checkpoints signed with the key sha-256:{}", hex(&checkpoints.public_key().digest()))
        });
        store.note(ServerEvent::AuditStarted, Some(format!("the chain of {node}; {signed}"))).await?;
        let octets = std::fs::read(config).with_context(|| format!("cannot read {}", config.display()))?;
        let loaded = format!("{} with the SHA-256 {}", config.display(), hex(&Sha256::digest(octets)));
        store.note(ServerEvent::ConfigLoaded, Some(loaded)).await?;
        store.note_cas(settings.cas.iter().map(started).collect(), None).await?;
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.vouch(store).await?;
            // At once: a chain that is young is in a checkpoint of all chains soon.
            checkpoint(checkpoints, store, &node).await;
        }
        let (stop, stopped) = oneshot::channel();
        let task = keep(checkpoints, store.clone(), node, settings.audit.checkpoint_interval, stopped);
        let clock = tokio::spawn(clock::watch(store.clone()));
        Ok(Self { store: store.clone(), stop, task: tokio::spawn(task), clock })
    }

    /// Writes down that auditing ends, and makes the last checkpoint.
    ///
    /// # Errors
    /// When nothing can be written down.
    pub(crate) async fn end(self) -> Result<()> {
        self.clock.abort();
        self.store.note(ServerEvent::AuditStopped, None).await?;
        // It is gone only if it panicked, which is in the log.
        let _ = self.stop.send(());
        let _ = self.task.await;
        Ok(())
    }
}

/// That a CA is ready to sign.
pub(crate) fn started(ca: &Ca) -> CaNote {
    let reason = format!("{}, {}", ca.certificate.subject(), key_of(&ca.certificate));
    CaNote { ca: ca.id.clone(), event: CaEvent::Started, certificate: Some(ca.certificate.clone()), reason }
}

/// What the trail calls the key of a certificate.
pub(crate) fn key_of(certificate: &Certificate) -> String {
    format!("key sha-256:{}", hex(&certificate.key_digest()))
}

async fn keep(
    checkpoints: Option<Checkpoints>,
    store: Database,
    node: String,
    every: Duration,
    mut stopped: oneshot::Receiver<()>,
) {
    let Some(mut checkpoints) = checkpoints else { return };
    let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_last = tokio::select! {
            _ = ticks.tick() => false,
            _ = &mut stopped => true,
        };
        checkpoint(&mut checkpoints, &store, &node).await;
        if is_last {
            return;
        }
    }
}

async fn checkpoint(checkpoints: &mut Checkpoints, store: &Database, node: &str) {
    match checkpoints.make(store, node).await {
        Ok(Some(made)) => info!(sequence = made.checkpoint.chain.sequence, "an audit checkpoint was made"),
        Ok(None) => debug!("nothing new for an audit checkpoint"),
        Err(error) => error!(%error, "no audit checkpoint was made"),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
