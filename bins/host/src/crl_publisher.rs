//! The CRLs of the CAs here: made when something was revoked and when it is time, and at hand for the server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use est_backends::{CertList, CrlSigner};
use est_core::pkix::{Certificate, CrlHead};
use est_core::{PortError, Seconds, UnixTime};
use est_store::{Actor, CaEvent, CaNote, CrlState, Database, NewCrl, Publication, PublishedCrl, StoreError};
use tracing::{error, info, warn};

use crate::config::{self, CrlRules};
use crate::ends::{End, What};
use crate::site::identity;
use crate::wiring::{self, CaKey, WiringError};

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

/// The last CRL of a key of a CA, and how it does.
#[derive(Clone, Debug)]
pub struct CrlStatus {
    /// The id of the CA.
    pub ca: String,
    /// What tells the key in the CRL's address.
    pub key: String,
    /// The CRL, once there is one.
    pub crl: Option<Arc<PublishedCrl>>,
    /// Whether the configuration has the key, so that there will be others.
    pub is_configured: bool,
    /// Why there is no newer one, though one is due.
    pub trouble: Option<String>,
}

/// The last CRLs of each CA that has some, for whoever asks.
#[derive(Debug)]
pub struct PublishedCrls {
    cas: BTreeMap<String, Slots>,
    /// What CAs were called before, and what each was called after that.
    former_ids: Mutex<BTreeMap<String, String>>,
}

/// The CRLs of a CA.
#[derive(Debug)]
struct Slots {
    interval: Seconds,
    /// Those of its keys that are configured, the one that signs first.
    keys: Vec<Slot>,
    /// The files of all keys that the configuration has a certificate of, the oldest first.
    listed: Vec<String>,
    /// Those of the keys that are not configured any more, by the names of their files.
    former: Mutex<BTreeMap<String, Arc<PublishedCrl>>>,
}

/// The CRL of a key.
#[derive(Debug)]
struct Slot {
    /// The name of its file, without the suffix.
    file: String,
    at_hand: Mutex<AtHand>,
}

#[derive(Debug, Default)]
struct AtHand {
    crl: Option<Arc<PublishedCrl>>,
    /// Why there is no newer one, though one is due.
    trouble: Option<String>,
}

impl PublishedCrls {
    /// The CRL at this address: that of the key which is named there, as `<id>.<key>`, or else, as `<id>`, that of the oldest
    /// key of the CA, whose certificates may name this address. A CA that was called otherwise has the addresses of then as
    /// well. The outer `None`: there is no such address; the inner one: there is no CRL yet.
    #[must_use]
    pub fn find(&self, file: &str, now: UnixTime) -> Option<Option<Arc<PublishedCrl>>> {
        if let Some(found) = self.cas.get(file).map(|slots| slots.of_the_oldest(now)).or_else(|| self.of_key(file)) {
            return Some(found);
        }
        let of_key =
            file.rsplit_once('.').and_then(|(id, key)| self.of_key(&format!("{}.{key}", self.called_now(id)?)));
        of_key.or_else(|| Some(self.cas.get(&self.called_now(file)?)?.of_the_oldest(now)))
    }

    /// The CRL of a key, `<id>.<key>`.
    fn of_key(&self, file: &str) -> Option<Option<Arc<PublishedCrl>>> {
        let named = self.cas.values().flat_map(|slots| &slots.keys).find(|slot| slot.file == file);
        match named {
            Some(slot) => Some(slot.crl()),
            None => self.cas.values().find_map(|slots| slots.former().get(file).cloned()).map(Some),
        }
    }

    /// What a CA is called that was called so before.
    fn called_now(&self, id: &str) -> Option<String> {
        let former = self.former_ids.lock().unwrap_or_else(PoisonError::into_inner);
        let next = |id: &String| former.get(id).filter(|_| !self.cas.contains_key(id)).cloned();
        // A database in which two names lead to each other must not hold this up.
        let ids = std::iter::successors(former.get(id).cloned(), next).take(former.len());
        ids.last().filter(|id| self.cas.contains_key(id))
    }

    /// The last CRL of each key: by their CAs, that of the key which signs first, and those of keys that are gone last.
    #[must_use]
    pub fn all(&self, now: UnixTime) -> Vec<CrlStatus> {
        let mut all = Vec::new();
        for (ca, slots) in &self.cas {
            let key = |file: &str| file.rsplit_once('.').map_or(file, |(_, key)| key).to_owned();
            all.extend(slots.keys.iter().map(|slot| CrlStatus {
                ca: ca.clone(),
                key: key(&slot.file),
                crl: slot.crl(),
                is_configured: true,
                trouble: slot.trouble(slots.interval, now),
            }));
            all.extend(slots.former().iter().map(|(file, crl)| CrlStatus {
                ca: ca.clone(),
                key: key(file),
                crl: Some(crl.clone()),
                is_configured: false,
                trouble: None,
            }));
        }
        all
    }

    /// The CAs that should have made a CRL and did not, each with the reason: somebody must help before theirs ends.
    #[must_use]
    pub fn troubles(&self, now: UnixTime) -> BTreeMap<String, String> {
        let of_ca = |slots: &Slots| {
            let texts: Vec<_> = slots.keys.iter().filter_map(|slot| slot.trouble(slots.interval, now)).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        };
        self.cas.iter().filter_map(|(ca, slots)| Some((ca.clone(), of_ca(slots)?))).collect()
    }

    /// When the last CRL ends of the key that signs for each CA.
    pub fn ends(&self) -> impl Iterator<Item = (&str, UnixTime)> {
        self.cas.iter().filter_map(|(ca, slots)| Some((ca.as_str(), slots.keys.first()?.crl()?.next_update)))
    }

    /// When each CRL ends, and from when on it is late.
    pub fn late(&self) -> impl Iterator<Item = End> {
        self.cas.iter().flat_map(|(ca, slots)| {
            slots.keys.iter().enumerate().filter_map(move |(index, slot)| {
                let crl = slot.crl()?;
                let name = if index == 0 { ca } else { &slot.file };
                let late = crl.this_update + slots.interval + LAST_RETRY;
                Some(End::of_crl(What::Crl, name.clone(), crl.next_update, late))
            })
        })
    }
}

impl Slots {
    /// The CRL of the oldest key that has one which is good.
    fn of_the_oldest(&self, now: UnixTime) -> Option<Arc<PublishedCrl>> {
        let crl = |file: &String| match self.keys.iter().find(|slot| slot.file == *file) {
            Some(slot) => slot.crl(),
            None => self.former().get(file).cloned(),
        };
        let good = self.listed.iter().filter_map(crl).find(|crl| now < crl.next_update);
        good.or_else(|| self.keys.first().and_then(Slot::crl))
    }

    fn former(&self) -> MutexGuard<'_, BTreeMap<String, Arc<PublishedCrl>>> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn new(file: String) -> Self {
        Self { file, at_hand: Mutex::default() }
    }

    fn trouble(&self, interval: Seconds, now: UnixTime) -> Option<String> {
        let AtHand { crl, trouble } = &*self.lock();
        let is_late = |crl: &Arc<PublishedCrl>| crl.this_update + interval + LAST_RETRY <= now;
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

/// Makes the CRLs of all CAs, together with the other servers of the same database.
#[derive(Debug)]
pub struct CrlPublisher {
    store: Database,
    cas: Vec<Vec<Publishing>>,
    published: Arc<PublishedCrls>,
}

/// What makes the CRLs of one key.
#[derive(Debug)]
struct Publishing {
    ca: config::Ca,
    own: CaKey,
    rules: CrlRules,
    failures: u32,
    not_before: UnixTime,
    /// When it last made a CRL because the one before was from the future.
    redated: Option<UnixTime>,
}

impl CrlPublisher {
    /// Sees to those CAs that have CRLs. Reads the keys of other roots.
    ///
    /// # Errors
    /// [`WiringError`] when one of these cannot be read or belongs to no root.
    pub fn new(cas: &[config::Ca], store: &Database) -> Result<Self, WiringError> {
        let (mut all, mut published) = (Vec::new(), BTreeMap::new());
        for ca in cas {
            let Some(rules) = ca.crls else { continue };
            let keys = wiring::crl_keys(ca)?;
            let mut roots: Vec<&Certificate> = certificates(ca).collect();
            roots.sort_by_key(|root| root.not_before());
            let slots = Slots {
                interval: rules.interval,
                keys: keys.iter().map(|own| Slot::new(address(ca, &own.certificate))).collect(),
                listed: roots.into_iter().map(|root| address(ca, root)).collect(),
                former: Mutex::default(),
            };
            published.insert(ca.id.clone(), slots);
            let publishing =
                |own| Publishing { ca: ca.clone(), own, rules, failures: 0, not_before: UnixTime(0), redated: None };
            all.push(keys.into_iter().map(publishing).collect());
        }
        let published = PublishedCrls { cas: published, former_ids: Mutex::default() };
        Ok(Self { store: store.clone(), cas: all, published: Arc::new(published) })
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
        if let Ok(renamed) = self.store.former_ids().await {
            let former = renamed.into_iter().map(|one| (one.from, one.to)).collect();
            *self.published.former_ids.lock().unwrap_or_else(PoisonError::into_inner) = former;
        }
        for keys in &mut self.cas {
            let Some(slots) = keys.first().and_then(|one| self.published.cas.get(&one.ca.id)) else { continue };
            for (one, slot) in std::iter::zip(keys.iter_mut(), &slots.keys) {
                if let Err(error) = one.look(&self.store, slot, now).await {
                    one.fail(&self.store, slot, &error, now).await;
                }
            }
            // The last CRLs of keys that are gone are served until they end.
            if let Ok(former) = former(&self.store, &keys[0].ca, slots).await {
                *slots.former() = former;
            }
        }
    }
}

/// What the CRL of a key of `ca` is called.
fn address(ca: &config::Ca, certificate: &Certificate) -> String {
    format!("{}.{}", ca.id, config::Ca::key_id(certificate))
}

/// The certificates of the keys of a CA: its own, and others by its name. Of several for one key the one that begins first
/// counts: during a rollover the new key has one that is as old as itself.
fn certificates(ca: &config::Ca) -> impl Iterator<Item = &Certificate> {
    std::iter::once(&ca.certificate)
        .chain(ca.rollover.iter().filter(|other| other.subject() == ca.certificate.subject()))
}

/// The last CRLs of those keys of a CA that are not configured any more.
async fn former(
    store: &Database,
    ca: &config::Ca,
    slots: &Slots,
) -> Result<BTreeMap<String, Arc<PublishedCrl>>, StoreError> {
    let mut crls = BTreeMap::new();
    for authority in store.authorities().await? {
        let Some(key) = authority.key.filter(|_| authority.ca == ca.id) else { continue };
        let file = format!("{}.{}", ca.id, key[..8].iter().map(|octet| format!("{octet:02x}")).collect::<String>());
        if slots.keys.iter().any(|slot| slot.file == file) {
            continue;
        }
        let known = slots.former().get(&file).cloned();
        let state = store.crl_state(&authority.name).await?;
        let crl = match (state, known) {
            (None, _) => continue,
            (Some(state), Some(known)) if state.number == known.number => known,
            (Some(_), _) => match store.crl(&authority.name).await? {
                Some(crl) => Arc::new(crl),
                None => continue,
            },
        };
        // Before keys were told apart, the CRL of one may have been kept as that of another.
        let own = certificates(ca).find(|certificate| certificate.key_digest() == key);
        if own.is_none_or(|own| has_signed(own, &crl)) {
            crls.insert(file, crl);
        }
    }
    Ok(crls)
}

/// Whether the key of this certificate made a CRL, as far as that tells.
fn has_signed(own: &Certificate, crl: &PublishedCrl) -> bool {
    let own = own.subject_key_identifier();
    let head = CrlHead::parse(&crl.der);
    own.is_none() || head.as_ref().and_then(CrlHead::authority_key_identifier) == own.as_deref()
}

impl Publishing {
    async fn look(&mut self, store: &Database, slot: &Slot, now: UnixTime) -> Result<(), CrlError> {
        let authority = store.authority_of(&self.ca.id, &self.own.certificate.key_digest());
        // Which keys the CA has is what the database knows: servers whose configurations name different ones would each
        // make CRLs in place of the other's for ever.
        let all = store.keys_of_the_ca(&authority).await?;
        let state = store.crl_state_among(&authority, &all).await?;
        self.take_up(store, &authority, slot, state).await?;
        let is_ahead = state.is_some_and(|last| last.this_update > now + CLOCK_SKEW) && !self.has_redated(now);
        let is_due = is_ahead
            || is_due(state, self.rules, now)
            || slot.crl().is_some_and(|crl| !has_signed(&self.own.certificate, &crl));
        if is_due && self.waits(now) {
            return Ok(());
        }
        if is_ahead {
            let last = state.map(|last| last.this_update.to_string());
            warn!(ca = self.ca.id, last, "the last CRL is from the future, so a clock ran ahead: it is made again");
        }
        if is_due {
            let last = state.filter(|_| !is_ahead);
            renew(store, &self.ca, &self.own, self.validity(last, now), now, None).await?;
            self.take_up(store, &authority, slot, store.crl_state_among(&authority, &all).await?).await?;
        }
        if is_ahead {
            self.redated = Some(now);
        }
        (self.failures, self.not_before) = (0, UnixTime(0));
        slot.lock().trouble = None;
        Ok(())
    }

    /// How long the next CRL is good. The long one that somebody made of a key which is about to go stays as long.
    fn validity(&self, last: Option<CrlState>, now: UnixTime) -> Seconds {
        let is_leaving = self.own.certificate != self.ca.certificate;
        let left = last.filter(|_| is_leaving).map_or(0, |last| last.next_update.0.saturating_sub(now.0));
        Seconds(self.rules.validity.0.max(left))
    }

    /// Has the last CRL at hand.
    async fn take_up(
        &self,
        store: &Database,
        authority: &str,
        slot: &Slot,
        last: Option<CrlState>,
    ) -> Result<(), CrlError> {
        let known = slot.crl().map(|crl| (crl.number, crl.this_update));
        if last.map(|last| (last.number, last.this_update)) != known {
            let crl = store.crl(authority).await?;
            slot.lock().crl = crl.map(Arc::new);
        }
        Ok(())
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
                error!(%ca, %error, "the lack of a new CRL could not be recorded");
            }
        }
        slot.lock().trouble = Some(error.to_string());
    }
}

/// Whether a CA needs another CRL than its last one.
fn is_due(last: Option<CrlState>, rules: CrlRules, now: UnixTime) -> bool {
    last.is_none_or(|last| last.is_stale || last.this_update + rules.interval <= now || last.next_update <= now)
}

/// Makes and publishes the next CRL of one key of a CA, good for `validity`, on `actor`'s behalf or on the server's own. Where somebody else is quicker, theirs stays.
///
/// # Errors
/// [`CrlError`]; then the last one stays.
pub async fn renew(
    store: &Database,
    ca: &config::Ca,
    own: &CaKey,
    validity: Seconds,
    now: UnixTime,
    actor: Option<&Actor>,
) -> Result<Publication, CrlError> {
    let rules = ca.crls.ok_or_else(|| CrlError::NotWanted { ca: ca.id.clone() })?;
    let authority = store.authority_of(&ca.id, &own.certificate.key_digest());
    // RFC 5280 §3.3: an entry stays until a CRL was made on schedule after its certificate ended.
    let since = UnixTime(now.0.saturating_sub(rules.validity.0));
    let next = store.next_crl(&authority, &store.keys_of_the_ca(&authority).await?, since).await?;
    let signer = wiring::signer(&own.key).map_err(CrlError::Key)?.with_rsa_padding(wiring::rsa_padding(ca));
    let issuer = est_core::Ca { certificate: own.certificate.clone(), ..(*identity(ca)).clone() };
    let signer = CrlSigner::new(Arc::new(issuer), Arc::new(signer))
        .map_err(|error| CrlError::Key(WiringError::about(&own.key.path, &error)))?;
    let list = CertList {
        // The number tells which one is newer, and thisUpdate when it was made: a clock that ran ahead for a moment must
        // not date the next ones, which clients would refuse until their own clocks are there.
        number: next.number,
        this_update: now,
        next_update: now + validity,
        revoked: &next.revocations.revoked,
    };
    let der = signer.sign(&list).await.map_err(CrlError::Signature)?;
    let crl = NewCrl {
        ca: ca.id.clone(),
        authority,
        number: list.number,
        follows: next.last.map(|last| last.number),
        this_update: list.this_update,
        next_update: list.next_update,
        entries: list.revoked.len(),
        revocations: next.revocations.count,
        der,
    };
    let done = store.publish_crl(crl, actor).await?;
    if done == Publication::Published {
        let (number, revoked) = (list.number, list.revoked.len());
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
        let slot = Slot::new("main.0011".to_owned());
        assert_eq!(slot.trouble(RULES.interval, UnixTime(5_000)), None, "nobody has looked yet");
        slot.lock().trouble = Some("no key".to_owned());
        assert_eq!(slot.trouble(RULES.interval, UnixTime(5_000)).as_deref(), Some("no CRL: no key"));
        let made = PublishedCrl { number: 7, this_update: UnixTime(1_000), next_update: UnixTime(1_700), der: vec![] };
        slot.lock().crl = Some(Arc::new(made));
        let said = slot.trouble(RULES.interval, UnixTime(1_699)).unwrap_or_default();
        assert!(said.starts_with("no new CRL, and the last one ends at 1970") && said.ends_with(": no key"), "{said}");
        let said = slot.trouble(RULES.interval, UnixTime(1_700)).unwrap_or_default();
        assert!(said.starts_with("no CRL since the last one ended at 1970"), "{said}");
        slot.lock().trouble = None;
        assert_eq!(slot.trouble(RULES.interval, UnixTime(1_399)), None, "it may take a while");
        assert!(slot.trouble(RULES.interval, UnixTime(1_400)).is_some(), "nobody looks any more");
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
