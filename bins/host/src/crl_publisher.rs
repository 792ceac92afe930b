//! The CRLs of the CAs here: made when something was revoked and when it is time, and at hand for whoever asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use est_backends::{CertList, CrlSigner};
use est_core::pkix::CrlHead;
use est_core::{PortError, Seconds, UnixTime};
use est_store::{Actor, CaEvent, CaNote, CrlState, Database, NewCrl, Publication, PublishedCrl, StoreError};
use tracing::{error, info, warn};

use crate::config::{self, CrlRules};
use crate::ends::{End, What};
use crate::site::identity;
use crate::wiring::{self, WiringError};

/// How long to wait after the first failure; twice as long after each one more.
const FIRST_RETRY: Seconds = Seconds(5);
/// How long to wait at most.
const LAST_RETRY: Seconds = Seconds(300);
/// How far ahead of this clock another server's may run before its CRLs are made again: clients refuse a CRL whose
/// thisUpdate lies in their future.
const CLOCK_SKEW: Seconds = Seconds(60);

/// Why there is no new CRL. Its text is for the operator.
#[derive(Debug)]
#[non_exhaustive]
pub enum CrlError {
    /// The configuration has no CRLs for this CA.
    NotWanted {
        /// The CA's id.
        ca: String,
    },
    /// The key cannot be read, or must not sign CRLs.
    Key(WiringError),
    /// No signature came about.
    Signature(PortError),
    /// The database failed.
    Store(StoreError),
}

impl fmt::Display for CrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted { ca } => {
                write!(f, "CA `{ca}` has no CRLs: its certificate lacks cRLSign, or its [[ca]] says crl = false")
            }
            Self::Key(error) => error.fmt(f),
            Self::Signature(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CrlError {}

impl From<StoreError> for CrlError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The last CRL of each CA that has some, for whoever asks.
#[derive(Debug)]
pub struct PublishedCrls(BTreeMap<String, Slot>);

#[derive(Debug)]
struct Slot {
    interval: Seconds,
    at_hand: Mutex<AtHand>,
}

#[derive(Debug, Default)]
struct AtHand {
    crl: Option<Arc<PublishedCrl>>,
    /// Why there is no newer one, though one is due.
    trouble: Option<String>,
}

impl PublishedCrls {
    /// The last CRL of the CA with this id. The outer `None`: no such CA has CRLs; the inner one: there is none yet.
    #[must_use]
    pub fn find(&self, ca: &str) -> Option<Option<Arc<PublishedCrl>>> {
        self.0.get(ca).map(Slot::crl)
    }

    /// The CAs that should have made a CRL and did not, each with the reason: somebody must help before theirs ends.
    #[must_use]
    pub fn troubles(&self, now: UnixTime) -> BTreeMap<String, String> {
        self.0.iter().filter_map(|(ca, slot)| Some((ca.clone(), slot.trouble(now)?))).collect()
    }

    /// When the last CRL of each CA that has one ends.
    pub fn ends(&self) -> impl Iterator<Item = (&str, UnixTime)> {
        self.0.iter().filter_map(|(ca, slot)| Some((ca.as_str(), slot.crl()?.next_update)))
    }

    /// The same, and from when on each is late.
    pub fn late(&self) -> impl Iterator<Item = End> {
        self.0.iter().filter_map(|(ca, slot)| {
            let crl = slot.crl()?;
            Some(End::of_crl(What::Crl, ca.clone(), crl.next_update, crl.this_update + slot.interval + LAST_RETRY))
        })
    }
}

impl Slot {
    fn new(rules: CrlRules) -> Self {
        Self { interval: rules.interval, at_hand: Mutex::default() }
    }

    fn trouble(&self, now: UnixTime) -> Option<String> {
        let AtHand { crl, trouble } = &*self.lock();
        let is_late = |crl: &Arc<PublishedCrl>| crl.this_update + self.interval + LAST_RETRY <= now;
        let why = match trouble {
            Some(why) => why.as_str(),
            None if crl.as_ref().is_some_and(is_late) => "it is due, and was not looked at",
            None => return None,
        };
        Some(match crl {
            Some(crl) if now < crl.next_update => {
                format!("no new CRL, and the last one ends at {}: {why}", crl.next_update)
            }
            Some(crl) => format!("no CRL since the last one ended at {}: {why}", crl.next_update),
            None => format!("no CRL: {why}"),
        })
    }

    fn crl(&self) -> Option<Arc<PublishedCrl>> {
        self.lock().crl.clone()
    }

    fn lock(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to the CRLs of all CAs, whoever else does so in the same database.
#[derive(Debug)]
pub struct CrlPublisher {
    store: Database,
    cas: Vec<Publishing>,
    published: Arc<PublishedCrls>,
}

#[derive(Debug)]
struct Publishing {
    ca: config::Ca,
    rules: CrlRules,
    failures: u32,
    not_before: UnixTime,
    /// When it last made a CRL because the one before was from the future.
    redated: Option<UnixTime>,
}

impl CrlPublisher {
    /// Sees to those CAs that have CRLs.
    #[must_use]
    pub fn new(cas: &[config::Ca], store: &Database) -> Self {
        let publishing = |ca: &config::Ca| {
            Some(Publishing { ca: ca.clone(), rules: ca.crls?, failures: 0, not_before: UnixTime(0), redated: None })
        };
        let cas: Vec<Publishing> = cas.iter().filter_map(publishing).collect();
        let published = cas.iter().map(|one| (one.ca.id.clone(), Slot::new(one.rules))).collect();
        Self { store: store.clone(), cas, published: Arc::new(PublishedCrls(published)) }
    }

    /// The CRLs, as every look leaves them.
    #[must_use]
    pub fn published(&self) -> Arc<PublishedCrls> {
        self.published.clone()
    }

    /// Makes the CRLs that are due, and takes up those that others have made. Reads keys, and so may block a while.
    ///
    /// What goes wrong is logged and tried again later; until then the last CRL stays.
    pub async fn look(&mut self, now: UnixTime) {
        for one in &mut self.cas {
            let slot = &self.published.0[&one.ca.id];
            if let Err(error) = one.look(&self.store, slot, now).await {
                one.fail(&self.store, slot, &error, now).await;
            }
        }
    }
}

impl Publishing {
    async fn look(&mut self, store: &Database, slot: &Slot, now: UnixTime) -> Result<(), CrlError> {
        let authority = store.authority(&self.ca.id);
        let state = store.crl_state(&authority).await?;
        self.take_up(store, slot, state).await?;
        let is_ahead = state.is_some_and(|last| last.this_update > now + CLOCK_SKEW) && !self.has_redated(now);
        let is_due = is_ahead || is_due(state, self.rules, now) || slot.crl().is_some_and(|crl| !self.has_signed(&crl));
        if is_due && self.waits(now) {
            return Ok(());
        }
        if is_ahead {
            let last = state.map(|last| last.this_update.to_string());
            warn!(ca = self.ca.id, last, "the last CRL is from the future, so a clock ran ahead: it is made again");
        }
        if is_due {
            renew(store, &self.ca, now, None).await?;
            self.take_up(store, slot, store.crl_state(&authority).await?).await?;
        }
        if is_ahead {
            self.redated = Some(now);
        }
        (self.failures, self.not_before) = (0, UnixTime(0));
        slot.lock().trouble = None;
        Ok(())
    }

    /// Has the last CRL at hand.
    async fn take_up(&self, store: &Database, slot: &Slot, last: Option<CrlState>) -> Result<(), CrlError> {
        let known = slot.crl().map(|crl| (crl.number, crl.this_update));
        if last.map(|last| (last.number, last.this_update)) != known {
            let crl = store.crl(&store.authority(&self.ca.id)).await?;
            slot.lock().crl = crl.map(Arc::new);
        }
        Ok(())
    }

    /// Whether the CA's key of now made it, and not the one before a rollover.
    fn has_signed(&self, crl: &PublishedCrl) -> bool {
        let own = self.ca.certificate.subject_key_identifier();
        let head = CrlHead::parse(&crl.der);
        own.is_none() || head.as_ref().and_then(CrlHead::authority_key_identifier) == own.as_deref()
    }

    /// Whether it was a moment ago that it made a CRL because the one before was from the future. Where the clocks of two
    /// servers contradict each other, this keeps them from making CRLs in turn for ever.
    fn has_redated(&self, now: UnixTime) -> bool {
        self.redated.is_some_and(|at| at <= now && now < at + LAST_RETRY)
    }

    /// Whether it is too early for another try. A time that no wait leads to was set by a clock that ran ahead.
    fn waits(&self, now: UnixTime) -> bool {
        now < self.not_before && self.not_before <= now + LAST_RETRY
    }

    async fn fail(&mut self, store: &Database, slot: &Slot, error: &CrlError, now: UnixTime) {
        if self.waits(now) {
            return;
        }
        let wait = Seconds((FIRST_RETRY.0 << self.failures.min(16)).min(LAST_RETRY.0));
        (self.failures, self.not_before) = (self.failures.saturating_add(1), now + wait);
        let ca = &self.ca.id;
        match slot.crl() {
            Some(crl) if now < crl.next_update => {
                warn!(%ca, %error, until = %crl.next_update, "no new CRL: the last one is served until it ends");
            }
            Some(crl) => error!(%ca, %error, ended = %crl.next_update, "no new CRL, and the last one has ended"),
            None => error!(%ca, %error, "no CRL"),
        }
        let is_first = slot.lock().trouble.is_none();
        // A database that fails has no record of it, and whatever else goes wrong then has.
        if is_first && !matches!(error, CrlError::Store(_)) {
            let reason = error.to_string();
            let note = CaNote { ca: ca.clone(), event: CaEvent::CrlFailed, certificate: None, reason };
            if let Err(error) = store.note_cas(vec![note], None).await {
                error!(%ca, %error, "that there is no new CRL could not be recorded");
            }
        }
        slot.lock().trouble = Some(error.to_string());
    }
}

/// Whether a CA needs another CRL than its last one.
fn is_due(last: Option<CrlState>, rules: CrlRules, now: UnixTime) -> bool {
    last.is_none_or(|last| last.is_stale || last.this_update + rules.interval <= now || last.next_update <= now)
}

/// Makes and publishes the next CRL of a CA, on `actor`'s behalf or on the server's own. Where somebody else is quicker,
/// theirs stays.
///
/// # Errors
/// [`CrlError`]; then the last one stays.
pub async fn renew(
    store: &Database,
    ca: &config::Ca,
    now: UnixTime,
    actor: Option<&Actor>,
) -> Result<Publication, CrlError> {
    let rules = ca.crls.ok_or_else(|| CrlError::NotWanted { ca: ca.id.clone() })?;
    let authority = store.authority(&ca.id);
    let last = store.crl_state(&authority).await?;
    // RFC 5280 §3.3: an entry stays until a CRL was made on schedule after its certificate ended.
    let since =
        last.map_or(UnixTime(0), |last| UnixTime(now.0.saturating_sub(rules.validity.0).min(last.this_update.0)));
    let listed = store.revocations(&authority, since).await?;
    let signer = wiring::ca_signer(ca).map_err(CrlError::Key)?;
    let signer = CrlSigner::new(identity(ca), Arc::new(signer))
        .map_err(|error| CrlError::Key(WiringError::about(&ca.key.path, &error)))?;
    let list = CertList {
        // The number tells which one is newer, and thisUpdate when it was made: a clock that ran ahead for a moment must
        // not date the next ones, which clients would refuse until their own clocks are there.
        number: last.map_or(1, |last| last.number + 1),
        this_update: now,
        next_update: now + rules.validity,
        revoked: &listed.revoked,
    };
    let der = signer.sign(&list).await.map_err(CrlError::Signature)?;
    let crl = NewCrl {
        ca: ca.id.clone(),
        authority,
        number: list.number,
        this_update: list.this_update,
        next_update: list.next_update,
        entries: listed.revoked.len(),
        revocations: listed.count,
        der,
    };
    let done = store.publish_crl(crl, actor).await?;
    if done == Publication::Published {
        let (number, revoked) = (list.number, listed.revoked.len());
        info!(ca = %ca.id, number, revoked, next_update = %list.next_update, "CRL published");
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: CrlRules = CrlRules { validity: Seconds(700), interval: Seconds(100) };
    const MADE: CrlState =
        CrlState { number: 7, this_update: UnixTime(1_000), next_update: UnixTime(1_700), is_stale: false };

    #[test]
    fn a_crl_that_is_not_made_is_trouble_before_the_last_one_ends_and_after() {
        let slot = Slot::new(RULES);
        assert_eq!(slot.trouble(UnixTime(5_000)), None, "nobody has looked yet");
        slot.lock().trouble = Some("no key".to_owned());
        assert_eq!(slot.trouble(UnixTime(5_000)).as_deref(), Some("no CRL: no key"));
        let made = PublishedCrl { number: 7, this_update: UnixTime(1_000), next_update: UnixTime(1_700), der: vec![] };
        slot.lock().crl = Some(Arc::new(made));
        let said = slot.trouble(UnixTime(1_699)).unwrap_or_default();
        assert!(said.starts_with("no new CRL, and the last one ends at 1970") && said.ends_with(": no key"), "{said}");
        let said = slot.trouble(UnixTime(1_700)).unwrap_or_default();
        assert!(said.starts_with("no CRL since the last one ended at 1970"), "{said}");
        slot.lock().trouble = None;
        assert_eq!(slot.trouble(UnixTime(1_399)), None, "it may take a while");
        assert!(slot.trouble(UnixTime(1_400)).is_some(), "nobody looks any more");
    }

    #[test]
    fn a_crl_is_due_when_there_is_none_when_it_is_stale_and_when_it_is_time() {
        assert!(is_due(None, RULES, UnixTime(0)));
        assert!(!is_due(Some(MADE), RULES, UnixTime(1_099)));
        assert!(is_due(Some(MADE), RULES, UnixTime(1_100)));
        assert!(is_due(Some(CrlState { is_stale: true, ..MADE }), RULES, UnixTime(1_000)));
        let short = CrlState { next_update: UnixTime(1_010), ..MADE };
        assert!(is_due(Some(short), RULES, UnixTime(1_010)), "it was made under other rules");
        assert!(!is_due(Some(MADE), RULES, UnixTime(900)), "the clock went back");
    }
}
