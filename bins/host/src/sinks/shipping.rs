//! How records get from the outbox to one sink: in order, at least once, a page at a time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use est_store::{SinkChain, UNREADABLE};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};

use super::collector::{Address, Connection, End};
use super::file::AppendFile;
use super::held::Held;
use super::syslog::Sender;
use super::{CertificateData, ChainedRecord, Outbox, json};
use crate::config::EventFilter;

/// How fast, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many records are held in memory for a sink.
    pub page: u32,
    /// How often a sink that has everything looks for more.
    pub look_every: Duration,
    /// For how long records that went over a stream may have to be sent again: as long as the connection is up for that
    /// long after them, they have arrived.
    pub unconfirmed_for: Duration,
    /// For how long records that a collector has acknowledged must have been with it when it ends the connection in order:
    /// a collector that is killed ends it so, too, with what it was at work on.
    pub settled_after: Duration,
    /// For how long a chain is nobody else's to ship; said again after a third of it.
    pub lease: Duration,
    /// How long to wait after a first failure; twice as long after each one more.
    pub first_retry: Duration,
    /// How long to wait at most.
    pub last_retry: Duration,
    /// For how long a sink has to take nothing until that is written down: one that fails for a moment with every record
    /// would fail with the record of that, too.
    pub note_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            page: 256,
            look_every: Duration::from_secs(1),
            // Longer than TCP may leave something unacknowledged.
            unconfirmed_for: Duration::from_secs(30),
            settled_after: Duration::from_secs(3),
            lease: Duration::from_secs(30),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_secs(60),
            note_after: Duration::from_secs(60),
        }
    }
}

/// A sink, and what it takes.
pub(super) enum Sink {
    File { path: PathBuf, file: Option<AppendFile> },
    Syslog { address: Address, sender: Sender, connection: Option<Connection> },
}

impl Sink {
    /// What kind it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Syslog { .. } => "syslog",
        }
    }

    /// The name that its positions are kept under: another collector has none of what the one before had. A file is moved
    /// when it is rotated.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File { .. } => self.kind().to_owned(),
            Self::Syslog { address, .. } => format!("{} {address}", self.kind()),
        }
    }

    /// Whether what it took may still be lost on its way.
    fn confirms_later(&self) -> bool {
        matches!(self, Self::Syslog { connection: Some(Connection::Stream(_)), .. })
    }

    async fn take(&mut self, records: &[ChainedRecord], certificates: CertificateData) -> io::Result<()> {
        match self {
            Self::File { path, file } => {
                let lines: String = records.iter().map(|record| json::line(record, certificates)).collect();
                let mut taken = file.take().unwrap_or_else(|| AppendFile::new(path.clone()));
                let append = tokio::task::spawn_blocking(move || {
                    let outcome = taken.append(lines.as_bytes());
                    (taken, outcome)
                });
                let (taken, outcome) = append.await?;
                *file = Some(taken);
                outcome
            }
            Self::Syslog { address, sender, connection } => {
                let connection = match connection {
                    Some(connection) => connection,
                    None => connection.insert(Connection::open(address).await?),
                };
                let certificates = match connection {
                    Connection::Udp(_) => CertificateData::LeftOut,
                    Connection::Stream(_) => certificates,
                };
                let messages: Vec<_> = records.iter().map(|record| sender.message(record, certificates)).collect();
                connection.send(&messages).await
            }
        }
    }

    /// Tells when the sink has gone away by itself.
    async fn gone(&mut self) -> io::Error {
        match self {
            Self::Syslog { connection: Some(connection), .. } => connection.ended().await,
            Self::File { .. } | Self::Syslog { connection: None, .. } => std::future::pending().await,
        }
    }

    fn is_up(&self) -> bool {
        match self {
            Self::Syslog { connection: Some(connection), .. } => connection.is_open(),
            Self::File { .. } | Self::Syslog { connection: None, .. } => true,
        }
    }

    fn reopen(&mut self) {
        if let Self::File { file: Some(file), .. } = self {
            file.close();
        }
    }

    /// Forgets a connection or a file that has failed, or that has ended: how, where that says something.
    async fn end(&mut self) -> End {
        match self {
            Self::File { file, .. } => {
                *file = None;
                End::Failed
            }
            Self::Syslog { connection, .. } => match connection.take() {
                Some(connection) => connection.leave().await,
                None => End::Failed,
            },
        }
    }

    /// Ends; whether everything that it was given has arrived.
    async fn close(&mut self) -> bool {
        let Self::Syslog { connection, .. } = self else { return true };
        match connection.take() {
            Some(connection) => connection.close().await,
            None => true,
        }
    }
}

/// What others may know of a sink.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What kind of sink it is.
    pub(super) kind: &'static str,
    /// The name that the sink's positions are kept under.
    pub(super) name: String,
    /// The last record of each node that the sink was given.
    pub(super) given: Mutex<HashMap<String, u64>>,
    /// What is wrong, while something is.
    pub(super) problem: Mutex<Option<String>>,
    /// What was wrong with the last record that could not be read.
    pub(super) damage: Mutex<Option<String>>,
}

/// Ships to one sink.
pub(super) struct Shipping {
    pub(super) sink: Sink,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) events: EventFilter,
    pub(super) certificates: CertificateData,
    pub(super) pace: Pace,
    pub(super) progress: Arc<Progress>,
    pub(super) reopen: Arc<Notify>,
    /// How many pages the sink has taken.
    pub(super) pages: u64,
    pub(super) outage: Option<Outage>,
    /// Chains of other nodes with records left, by their nodes, and since when they were seen so.
    pub(super) left: HashMap<String, Instant>,
}

/// A sink that takes nothing.
pub(super) struct Outage {
    since: Instant,
    is_noted: bool,
}

/// Why shipping has stopped for a moment.
enum Pause {
    /// The sink has failed.
    Sink(String),
    /// The outbox has failed.
    Outbox(String),
    /// Everything has been shipped, and the server is stopping.
    Stopped,
}

impl From<io::Error> for Pause {
    fn from(error: io::Error) -> Self {
        Self::Sink(error.to_string())
    }
}

impl From<est_core::PortError> for Pause {
    fn from(error: est_core::PortError) -> Self {
        Self::Outbox(error.to_string())
    }
}

impl Shipping {
    /// Ships until it is told to stop, and then what is left as far as that goes without another try.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let sink = self.sink.kind();
        let mut retry = self.pace.first_retry;
        let mut chains = Vec::new();
        loop {
            let before = self.pages;
            let Err(pause) = self.ship(&mut chains, &mut stop).await;
            let (error, is_the_sinks) = match pause {
                Pause::Sink(error) => (error, true),
                Pause::Outbox(error) => (error, false),
                Pause::Stopped => return,
            };
            if self.settle(&mut chains).await && !*stop.borrow() {
                continue;
            }
            if self.pages != before {
                retry = self.pace.first_retry;
            }
            if self.tell(Some(error.clone())) {
                warn!(sink, %error, "audit records wait: the sink does not take them");
            }
            if is_the_sinks {
                self.note_outage(&error).await;
            }
            if *stop.borrow() {
                return;
            }
            tokio::select! {
                () = sleep(retry) => {}
                _ = stop.changed() => return,
            }
            retry = (retry * 2).min(self.pace.last_retry);
        }
    }

    /// After the sink has failed, or a collector has ended the connection: remembers what it has taken. Whether it did so
    /// in order, and has taken everything.
    async fn settle(&mut self, chains: &mut [Held]) -> bool {
        let end = self.sink.end().await;
        let mut has_all = end == End::InOrder;
        for chain in chains.iter_mut().filter(|_| end != End::Failed) {
            let settled =
                if end == End::InOrder { chain.given_before(self.pace.settled_after) } else { chain.confirmed };
            let taken = settled.max(chain.repeated());
            // What is not remembered is sent again.
            has_all &= self.confirm(chain, taken).await.is_ok() && chain.confirmed == chain.given;
        }
        has_all
    }

    /// Ships from where the sink is known to be, until something fails or all is done.
    async fn ship(&mut self, chains: &mut Vec<Held>, stop: &mut watch::Receiver<bool>) -> Result<Infallible, Pause> {
        self.lease(chains, Held::begin_again).await?;
        let mut leased = Instant::now();
        loop {
            if leased.elapsed() >= self.pace.lease / 3 {
                self.lease(chains, |_, _| ()).await?;
                leased = Instant::now();
            }
            let mut has_all = true;
            for chain in chains.iter_mut() {
                has_all &= !self.give(chain).await?;
            }
            if has_all && *stop.borrow() {
                if self.sink.close().await {
                    for chain in chains.iter_mut() {
                        self.confirm(chain, chain.given).await?;
                    }
                }
                return Err(Pause::Stopped);
            } else if has_all {
                if chains.iter().all(|chain| chain.given == chain.confirmed)
                    && self.outage.as_ref().is_some_and(|outage| !outage.is_noted)
                {
                    // Nothing waited for it.
                    self.outage = None;
                }
                self.wait(stop).await?;
            }
            if self.sink.is_up() {
                let patience = if self.sink.confirms_later() { self.pace.unconfirmed_for } else { Duration::ZERO };
                for chain in chains.iter_mut() {
                    self.confirm(chain, chain.given_before(patience)).await?;
                }
            }
        }
    }

    /// Takes, and keeps, the own chain and those that have records left and that nobody else ships: their nodes have no
    /// server, or one that does not reach the sink. A node gets a third of a lease to take its own chain first: several
    /// that start together each ship their own. Those that are `kept` are told their positions.
    async fn lease(&mut self, chains: &mut Vec<Held>, kept: impl Fn(&mut Held, u64)) -> Result<(), Pause> {
        let (sink, own) = (&self.progress.name, self.outbox.node());
        let (mut leased, mut left) = (Vec::new(), HashMap::new());
        for SinkChain { node, last, position } in self.outbox.chains(sink).await? {
            let is_own = node == own;
            if !is_own && last <= position {
                continue;
            }
            if !is_own && chains.iter().all(|held| held.node != node) {
                let since = self.left.get(&node).copied().unwrap_or_else(Instant::now);
                left.insert(node.clone(), since);
                if since.elapsed() < self.pace.lease / 3 {
                    continue;
                }
            }
            let Some(position) = self.outbox.lease(&node, sink, self.pace.lease).await? else { continue };
            match chains.iter().position(|held| held.node == node) {
                Some(index) => {
                    let mut held = chains.swap_remove(index);
                    kept(&mut held, position);
                    leased.push(held);
                }
                None => {
                    if !is_own {
                        info!(sink, node, "ships audit records of a node that does not ship its own");
                    }
                    leased.push(Held::new(node, position));
                }
            }
        }
        self.left = left;
        *chains = leased;
        *locked(&self.progress.given) = chains.iter().map(|chain| (chain.node.clone(), chain.given)).collect();
        Ok(())
    }

    /// Gives the sink the next records of a chain; whether there are any.
    async fn give(&mut self, chain: &mut Held) -> Result<bool, Pause> {
        let page = self.outbox.read(&chain.node, chain.given, self.pace.page).await?;
        let Some(last) = page.last().map(|record| record.chain.sequence) else { return Ok(false) };
        for ChainedRecord { chain, record, .. } in page.iter().filter(|record| record.record.event == UNREADABLE) {
            let why = record.reason.as_deref().unwrap_or_default();
            error!(
                node = chain.node,
                sequence = chain.sequence,
                why,
                "an audit record cannot be read: a stand-in leaves"
            );
            let damage = format!("record {} of {} is {why}; see estd audit verify", chain.sequence, chain.node);
            *locked(&self.progress.damage) = Some(damage);
        }
        let is_wanted = |event: &str| event == UNREADABLE || self.events.lets_through(event);
        let wanted: Vec<_> = page.into_iter().filter(|record| is_wanted(&record.record.event)).collect();
        if !wanted.is_empty() {
            self.sink.take(&wanted, self.certificates).await?;
            #[cfg(feature = "fault-points")]
            crate::fault::pass("sink:taken");
        }
        chain.give(last);
        self.pages += 1;
        locked(&self.progress.given).insert(chain.node.clone(), last);
        if self.tell(None) {
            info!(sink = self.sink.kind(), "the sink takes audit records again");
        }
        Ok(true)
    }

    /// Writes down that the sink takes nothing, once it has taken nothing for a while.
    async fn note_outage(&mut self, error: &str) {
        let outage = self.outage.get_or_insert_with(|| Outage { since: Instant::now(), is_noted: false });
        if outage.is_noted || outage.since.elapsed() < self.pace.note_after {
            return;
        }
        match self.outbox.note_outage(&self.progress.name, Some(error)).await {
            Ok(()) => outage.is_noted = true,
            // It is what fails, perhaps.
            Err(error) => debug!(%error, "the outage of a sink could not be recorded"),
        }
    }

    /// Remembers that the sink has taken the records of a chain up to this one.
    async fn confirm(&mut self, chain: &mut Held, sequence: u64) -> Result<(), Pause> {
        if sequence != chain.confirmed {
            self.outbox.advance(&chain.node, &self.progress.name, sequence).await?;
            chain.confirm(sequence);
            self.end_outage().await;
        }
        Ok(())
    }

    /// The sink has taken records for good.
    async fn end_outage(&mut self) {
        if self.outage.as_ref().is_some_and(|outage| outage.is_noted)
            && let Err(error) = self.outbox.note_outage(&self.progress.name, None).await
        {
            // Once more with the next records.
            return debug!(%error, "the end of a sink's outage could not be recorded");
        }
        self.outage = None;
    }

    /// Waits for more records, and watches the sink meanwhile.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Pause> {
        let more = timeout(self.pace.look_every, self.outbox.more());
        let reopen = self.reopen.notified();
        let reopened = tokio::select! {
            _ = more => false,
            _ = stop.changed() => false,
            error = self.sink.gone() => return Err(error.into()),
            () = reopen => true,
        };
        if reopened {
            self.sink.reopen();
        }
        Ok(())
    }

    /// Sets what is wrong; whether that is news.
    fn tell(&self, problem: Option<String>) -> bool {
        let mut told = locked(&self.progress.problem);
        let is_news = told.is_some() != problem.is_some();
        *told = problem;
        is_news
    }
}

/// What nobody leaves half done.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
