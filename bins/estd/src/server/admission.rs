//! Who gets in: how often one may ask, how many are answered at once, and what is written down about the others.

mod buckets;
mod ports;
mod source;
mod tally;

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use est_auth::{Line, Turns};
use est_core::tower::Room;
use est_core::{Principal, Refusal, Seconds};
use est_store::{Database, Instigator, Method, ServerEvent};
use host::config::{Frequency, Settings};
use host::metrics::Metrics;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

pub(crate) use buckets::{Buckets, Rate};
pub(crate) use source::Source;

use tally::{Tally, What};

use crate::tls::handshake::Failed;

/// Sources and principals that are known at a time: a mebibyte for each table of them.
pub(crate) const KEYS: usize = 65_536;
/// How many exchanges run for each core, unless the configuration says otherwise: many more than cores, for most of them
/// wait for the disk together.
const EACH_CORE: usize = 64;
/// How many requests for an RSA key wait for each core.
const KEYS_WAITING: usize = 32;
/// They wait so many times as long as those for a place.
const KEYS_TAKE: u32 = 6;
/// How often what was counted is written down.
const WRITE_DOWN_EVERY: Duration = Duration::from_secs(60);
/// How many refusals of strangers are written down one by one: of one source, and of all together. The second number is also
/// the limit for wrong passwords of all together.
const STRANGERS: [(u32, u32); 2] = [(1, 100), (10, 1_000)];

/// How many refusals of one principal are written down one by one in a minute.
const REFUSALS: u32 = 20;

/// Bounds that a configuration sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    per_source: Rate,
    per_principal: Rate,
    max_concurrent: usize,
    queue: usize,
    queue_timeout: Duration,
}

impl Bounds {
    pub(crate) fn of(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let rate = |Frequency { per_second, burst }| Rate::new(per_second, burst);
        Self {
            per_source: rate(limits.per_source),
            per_principal: rate(limits.per_principal),
            max_concurrent: limits.max_concurrent.map_or(cores() * EACH_CORE, usize::from),
            queue: limits.queue,
            queue_timeout: limits.queue_timeout,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The listener of a failed TLS handshake. What is written down of the one leaves room for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    Est,
    Admin,
}

/// Lets in, has wait, or refuses. One for the life of the process: a reload changes the bounds and forgets nobody.
pub(crate) struct Admission {
    places: Turns,
    /// At making RSA keys, of which each takes a core for a second or several.
    keys: Turns,
    sources: Buckets,
    principals: Buckets,
    strangers: Buckets,
    tally: Tally,
    /// What times are counted from.
    epoch: Instant,
    refused: [AtomicU64; What::COUNT],
}

impl Admission {
    /// Draws lots from `seed`, which nobody outside knows: see [`Turns::new`].
    pub(crate) fn new(bounds: Bounds, seed: u64) -> Arc<Self> {
        let cores = cores();
        Arc::new(Self {
            places: Turns::new(bounds.max_concurrent, bounds.queue, seed),
            keys: Turns::new(cores, cores * KEYS_WAITING, !seed),
            sources: Buckets::new(KEYS),
            principals: Buckets::new(KEYS),
            strangers: Buckets::new(KEYS),
            tally: Tally::default(),
            epoch: Instant::now(),
            refused: Default::default(),
        })
    }

    /// Goes by other bounds from here on.
    pub(crate) fn resize(&self, bounds: Bounds) {
        self.places.resize(bounds.max_concurrent, bounds.queue);
    }

    /// Has `metrics` show what runs, what waits, and how many were refused.
    pub(crate) fn measure(self: &Arc<Self>, metrics: &Metrics) {
        let of = |count: fn(&Self) -> f64| {
            let admission = Arc::downgrade(self);
            move || admission.upgrade().map_or(0.0, |admission| count(&admission))
        };
        let about = "Exchanges that are answered, and that wait for their turn.";
        let exchanges = "ohia_exchanges";
        metrics.reading(exchanges, about, &[("state", "running")], of(|this| this.places.running() as f64));
        metrics.reading(exchanges, about, &[("state", "waiting")], of(|this| this.places.waiting() as f64));
        let about = "RSA keys that are made for clients, and requests that wait for one.";
        let keys = "ohia_rsa_keys";
        metrics.reading(keys, about, &[("state", "running")], of(|this| this.keys.running() as f64));
        metrics.reading(keys, about, &[("state", "waiting")], of(|this| this.keys.waiting() as f64));
        let about = "Requests refused since the start because of a limit.";
        let refused = "ohia_limit_refusals";
        metrics.reading(refused, about, &[("limit", "source")], of(|this| this.refused(What::Source)));
        metrics.reading(refused, about, &[("limit", "principal")], of(|this| this.refused(What::Principal)));
        metrics.reading(refused, about, &[("limit", "concurrent")], of(|this| this.refused(What::Busy)));
        metrics.reading(refused, about, &[("limit", "keys")], of(|this| this.refused(What::Keys)));
        metrics.reading(refused, about, &[("limit", "passwords")], of(|this| this.refused(What::Passwords)));
    }

    fn refused(&self, what: What) -> f64 {
        self.refused[what as usize].load(Ordering::Relaxed) as f64
    }

    /// Lets a request of `source` pass if it may ask now.
    pub(super) fn pass(&self, source: Source, bounds: &Bounds) -> Result<(), Refusal> {
        let taken = self.take(&self.sources, &source, bounds.per_source);
        taken.map_err(|refusal| self.refuse(What::Source, &source.to_string(), refusal))
    }

    /// Waits for a place at `label`; and before that, where an RSA key is to be made, for a turn at that in the line `key`:
    /// exchanges that wait for one hold no place.
    async fn seat(
        self: Arc<Self>,
        label: String,
        who: [String; 2],
        key: Option<Line>,
        patience: Duration,
    ) -> Result<Room, Refusal> {
        let key = match key {
            Some(line) => match tokio::time::timeout(patience * KEYS_TAKE, self.keys.turn(line)).await {
                Ok(Some(turn)) => Some(turn),
                Ok(None) | Err(_) => return Err(self.refuse(What::Keys, &label, Refusal::Overloaded)),
            },
            None => None,
        };
        let [class, who] = who;
        let line = Line::new(vec![label.clone(), class, who]);
        match tokio::time::timeout(patience, self.places.turn(line)).await {
            Ok(Some(place)) => Ok(Box::new((place, key))),
            Ok(None) | Err(_) => Err(self.refuse(What::Busy, &label, Refusal::Overloaded)),
        }
    }

    /// Writes down what is counted, every minute, for as long as the server runs.
    pub(crate) async fn keep_tally(self: Arc<Self>, store: Database) {
        let mut ticks = tokio::time::interval(WRITE_DOWN_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.write_down(&store).await;
        }
    }

    /// Writes down what was counted and is not written down yet.
    pub(crate) async fn write_down(&self, store: &Database) {
        for line in self.tally.take() {
            line.log();
            if let Err(error) = store.note_by(line.instigator(), line.event(), Some(line.reason())).await {
                error!(%error, reason = line.reason(), "what was counted could not be recorded");
            }
        }
    }

    /// Whether one more refusal of somebody who is known is written down by itself; if not, it is counted.
    fn is_refusal_written_down(&self, principal: &Principal) -> bool {
        let key = (What::Refused as usize, principal.id());
        let is_one_of_few = self.take(&self.strangers, &key, Rate::per_minute(REFUSALS)).is_ok();
        if !is_one_of_few {
            self.tally.count(What::Refused, &principal.to_string());
        }
        is_one_of_few
    }

    /// Whether one more refusal of a stranger is written down by itself; if not, it is counted.
    fn is_written_down(&self, source: Option<&str>) -> bool {
        self.writes_down(What::Stranger, Source::of(source))
    }

    /// Whether one more wrong password is written down by itself, which has no bound for each source; if not, it is counted.
    fn is_guess_written_down(&self, source: Option<&str>) -> bool {
        self.write_or_count(What::Stranger, Source::of(source), true, "guesses")
    }

    /// As for strangers: whether one more credential that the admin API rejects is written down by itself.
    pub(crate) fn is_intruder_written_down(&self, source: Source) -> bool {
        self.writes_down(What::Intruder, Some(source))
    }

    /// Records, or counts, a failed TLS handshake.
    pub(crate) async fn note_session(&self, store: &Database, peer: IpAddr, with: Listener, failed: Failed) {
        let Some(reason) = failed.reason() else { return };
        let (what, at) = match with {
            Listener::Est => (What::Session, ""),
            Listener::Admin => (What::AdminSession, "with the admin API: "),
        };
        if !self.writes_down(what, Some(peer.into())) {
            return;
        }
        info!(%peer, reason, "a TLS handshake failed");
        let (event, method) = match failed {
            Failed::Rejected(_) => (ServerEvent::CertificateRejected, Some(Method::Certificate)),
            Failed::Late | Failed::Broken(_) => (ServerEvent::TlsFailure, None),
        };
        let instigator = Instigator { name: None, method, source: Some(peer.to_string()), shown: failed.rejected() };
        if let Err(error) = store.note_by(instigator, event, Some(format!("{at}{reason}"))).await {
            error!(%error, %peer, reason, "a failed TLS handshake could not be recorded");
        }
    }

    fn writes_down(&self, what: What, source: Option<Source>) -> bool {
        let [one, _] = STRANGERS.map(|(per_second, burst)| Rate::new(per_second, burst));
        let is_one_of_few = self.take(&self.strangers, &(what as usize, source), one).is_ok();
        self.write_or_count(what, source, is_one_of_few, "all")
    }

    fn write_or_count(&self, what: What, source: Option<Source>, is_one_of_few: bool, together: &str) -> bool {
        let [_, all] = STRANGERS.map(|(per_second, burst)| Rate::new(per_second, burst));
        let written = is_one_of_few && self.take(&self.strangers, &(what as usize, together), all).is_ok();
        if !written {
            self.tally.count(what, &source.map(|source| source.to_string()).unwrap_or_default());
        }
        written
    }

    fn take(&self, buckets: &Buckets, key: &(impl Hash + ?Sized), rate: Rate) -> Result<(), Refusal> {
        buckets.take(key, rate, self.epoch.elapsed()).map_err(|wait| {
            let retry_after = Seconds(wait.as_secs() + 1);
            Refusal::TooManyRequests { retry_after }
        })
    }

    fn refuse(&self, what: What, who: &str, refusal: Refusal) -> Refusal {
        self.refused[what as usize].fetch_add(1, Ordering::Relaxed);
        self.tally.count(what, who);
        refusal
    }
}

#[cfg(test)]
mod tests;
