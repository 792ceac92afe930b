//! The CRLs of the CAs: what belongs on them, and the last one of each.
//!
//! Each key of a CA has CRLs of its own, signed by it. It has the name of its [`Authority`](crate::Authority). What the
//! CA revoked may be on the CRLs of all its keys: they are asked for together.

use std::collections::HashSet;

use est_core::UnixTime;
use est_core::pkix::{RevocationReason, RevokedCertificate};

use crate::audit::{Event, Seal};
use crate::database::{Database, seconds, time};
use crate::session::Session;
use crate::value::{Value, values};
use crate::work::Work;
use crate::{Actor, StoreError, UnixMicros, listed};

/// What of a CA was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// How many there ever were: a CRL with the number of now lacks none.
    pub count: u64,
    /// Those that were asked for, in the order in which the certificates were issued.
    pub revoked: Vec<RevokedCertificate>,
}

/// What is to be on the next CRL of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextCrl {
    /// Its cRLNumber: one more than the greatest of all keys that were asked for, from 1.
    pub number: u64,
    /// The last one of this key.
    pub last: Option<CrlState>,
    /// What all keys have revoked.
    pub revocations: Revocations,
}

/// A CRL to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCrl {
    /// The CA's id.
    pub ca: String,
    /// The name of the key whose certificates it lists.
    pub authority: String,
    /// The cRLNumber: more than that of the last one.
    pub number: u64,
    /// The cRLNumber of the last one of this key, if there is one.
    pub follows: Option<u64>,
    /// When it was made.
    pub this_update: UnixTime,
    /// By when there will be another one.
    pub next_update: UnixTime,
    /// How many entries it has.
    pub entries: usize,
    /// The [`Revocations::count`] that came with its entries.
    pub revocations: u64,
    /// The CRL, DER.
    pub der: Vec<u8>,
}

/// What came of publishing a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// It is the last one.
    Published,
    /// Somebody else has published one with its number, or a greater one; nothing has changed.
    Superseded,
}

/// The last CRL of a CA, without its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlState {
    /// Its cRLNumber.
    pub number: u64,
    /// When it was made.
    pub this_update: UnixTime,
    /// By when there should be another one.
    pub next_update: UnixTime,
    /// Whether something was revoked since.
    pub is_stale: bool,
}

/// The last CRL of a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCrl {
    /// Its cRLNumber.
    pub number: u64,
    /// When it was made.
    pub this_update: UnixTime,
    /// By when there should be another one.
    pub next_update: UnixTime,
    /// The CRL, DER.
    pub der: Vec<u8>,
}

impl Database {
    /// What the key of this name issued and was revoked: of certificates that ended before `since` only what was revoked after it.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn revocations(&self, authority: &str, since: UnixTime) -> Result<Revocations, StoreError> {
        self.read(List { authority: authority.to_owned(), since }).await
    }

    /// What there is to know of the last CRL of the key of this name: two look-ups in small indexes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn crl_state(&self, authority: &str) -> Result<Option<CrlState>, StoreError> {
        self.crl_state_among(authority, &[authority.to_owned()]).await
    }

    /// As [`crl_state`](Self::crl_state), of a CRL that lists what all of these keys have revoked.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn crl_state_among(&self, authority: &str, all: &[String]) -> Result<Option<CrlState>, StoreError> {
        self.glance(State { authority: authority.to_owned(), all: all.to_vec() }).await
    }

    /// What belongs on the next CRL of the key of this name, which lists what all of these keys have revoked: of certificates
    /// that ended before the last one, or before `since` if that is earlier, only what was revoked after it.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn next_crl(&self, authority: &str, all: &[String], since: UnixTime) -> Result<NextCrl, StoreError> {
        self.read(Next { state: State { authority: authority.to_owned(), all: all.to_vec() }, since }).await
    }

    /// The last CRL of the key of this name.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn crl(&self, authority: &str) -> Result<Option<PublishedCrl>, StoreError> {
        self.read(Find { authority: authority.to_owned() }).await
    }

    /// Makes `crl` the last one of its key, if its number comes next; on `actor`'s behalf, if it was not the server itself.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn publish_crl(&self, crl: NewCrl, actor: Option<&Actor>) -> Result<Publication, StoreError> {
        self.write(Publish { crl, actor: actor.cloned() }).await
    }
}

/// Notes that a certificate of the key of this name was revoked.
pub(crate) async fn count_revocation(db: &mut Session, authority: &str) -> Result<(), StoreError> {
    let count = "UPDATE revocation_counts SET revocations = revocations + 1 WHERE ca = ?1";
    let begin = "INSERT INTO revocation_counts (ca, revocations) VALUES (?1, 1) ON CONFLICT (ca) DO NOTHING";
    for sql in [count, begin, count] {
        if db.execute(sql, &values![authority]).await? == 1 {
            return Ok(());
        }
    }
    Err(StoreError::Database("the revocations of a key cannot be counted".into()))
}

/// The columns of the last CRL of a key.
pub(crate) const SEALED: &str = "number, this_update, next_update, revocations, der";

/// What a record says of these columns.
pub(crate) fn seal(columns: &[Value<'_>]) -> Seal {
    Seal::of("crls", columns)
}

struct List {
    authority: String,
    since: UnixTime,
}

impl Work for List {
    type Answer = Revocations;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Revocations, StoreError> {
        // First, so that what is revoked meanwhile may be listed and not counted, but never the other way round.
        let counted =
            db.query_one("SELECT revocations FROM revocation_counts WHERE ca = ?1", &values![&self.authority]).await?;
        let count = counted.map_or(Ok(0), |mut row| row.take(0))?;
        let sql = "SELECT c.serial, r.revoked_at, r.reason FROM revocations r JOIN certificates c \
                   ON c.number = r.certificate WHERE c.ca = ?1 AND (c.not_after >= ?2 OR r.revoked_at >= ?2) \
                   ORDER BY r.certificate";
        let rows = db.query(sql, &values![&self.authority, seconds(self.since)]).await?;
        let revoked = rows.into_iter().map(|mut row| {
            let reason = RevocationReason::from_code(row.take(2)?);
            Ok(RevokedCertificate {
                serial: row.take(0)?,
                revocation_date: time(row.take(1)?),
                reason: reason.ok_or(StoreError::Damaged { column: "revocations.reason" })?,
            })
        });
        Ok(Revocations { count, revoked: revoked.collect::<Result<_, StoreError>>()? })
    }
}

struct State {
    authority: String,
    all: Vec<String>,
}

impl Work for State {
    type Answer = Option<CrlState>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<CrlState>, StoreError> {
        let sql = "SELECT number, this_update, next_update, revocations FROM crls WHERE ca = ?1";
        let Some(mut row) = db.query_one(sql, &values![&self.authority]).await? else { return Ok(None) };
        let known: u64 = row.take(3)?;
        let state = CrlState {
            number: row.take(0)?,
            this_update: time(row.take(1)?),
            next_update: time(row.take(2)?),
            is_stale: known != count_of(db, &self.all).await?,
        };
        Ok(Some(state))
    }
}

/// How many revocations there ever were of all these keys.
async fn count_of(db: &mut Session, authorities: &[String]) -> Result<u64, StoreError> {
    let mut count: u64 = 0;
    for authority in authorities {
        let sql = "SELECT revocations FROM revocation_counts WHERE ca = ?1";
        if let Some(mut row) = db.query_one(sql, &values![authority]).await? {
            count += row.take::<u64>(0)?;
        }
    }
    Ok(count)
}

struct Next {
    state: State,
    since: UnixTime,
}

impl Work for Next {
    type Answer = NextCrl;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<NextCrl, StoreError> {
        // First, so that what is published meanwhile supersedes this.
        let last = self.state.run(db, at).await?;
        let since = last.map_or(UnixTime(0), |last| self.since.min(last.this_update));
        let (mut number, mut revocations) = (0, Revocations { count: 0, revoked: Vec::new() });
        for authority in &self.state.all {
            if let Some(mut row) = db.query_one("SELECT number FROM crls WHERE ca = ?1", &values![authority]).await? {
                number = number.max(row.take::<u64>(0)?);
            }
            let listed = List { authority: authority.clone(), since }.run(db, at).await?;
            revocations.count += listed.count;
            revocations.revoked.extend(listed.revoked);
        }
        for authority in &self.state.all {
            revocations.revoked.extend(listed::all(db, authority).await?);
        }
        // A serial number stands on a CRL once: what the inventory says goes before what an imported CRL said.
        let mut serials = HashSet::new();
        revocations.revoked.retain(|entry| serials.insert(entry.serial.clone()));
        Ok(NextCrl { number: number + 1, last, revocations })
    }
}

struct Find {
    authority: String,
}

impl Work for Find {
    type Answer = Option<PublishedCrl>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<PublishedCrl>, StoreError> {
        let sql = "SELECT number, this_update, next_update, der FROM crls WHERE ca = ?1";
        let Some(mut row) = db.query_one(sql, &values![&self.authority]).await? else { return Ok(None) };
        Ok(Some(PublishedCrl {
            number: row.take(0)?,
            this_update: time(row.take(1)?),
            next_update: time(row.take(2)?),
            der: row.take(3)?,
        }))
    }
}

struct Publish {
    crl: NewCrl,
    actor: Option<Actor>,
}

impl Work for Publish {
    type Answer = Publication;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Publication, StoreError> {
        let crl = &self.crl;
        let number = i64::try_from(crl.number).map_err(|error| StoreError::Database(Box::new(error)))?;
        let revocations = i64::try_from(crl.revocations).unwrap_or(i64::MAX);
        let (this_update, next_update) = (seconds(crl.this_update), seconds(crl.next_update));
        let changed = match crl.follows {
            None => {
                let sql = "INSERT INTO crls (ca, number, this_update, next_update, revocations, der) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (ca) DO NOTHING";
                let values = values![&crl.authority, number, this_update, next_update, revocations, &crl.der];
                db.execute(sql, &values).await?
            }
            Some(last) => {
                let last = i64::try_from(last).map_err(|error| StoreError::Database(Box::new(error)))?;
                let sql = "UPDATE crls SET number = ?2, this_update = ?3, next_update = ?4, revocations = ?5, der = ?6 \
                           WHERE ca = ?1 AND number = ?7 AND ?2 > number";
                let values = values![&crl.authority, number, this_update, next_update, revocations, &crl.der, last];
                db.execute(sql, &values).await?
            }
        };
        if changed == 0 {
            return Ok(Publication::Superseded);
        }
        let seal = seal(&values![number, this_update, next_update, revocations, &crl.der]);
        let (entries, until, authority) = (crl.entries, crl.next_update, &crl.authority);
        let reason = format!("number {number}, {entries} revoked, until {until}, of {authority} {seal}");
        let event = match &self.actor {
            Some(actor) => Event::by(actor, "crl.published"),
            None => Event { name: "crl.published", ..Event::EMPTY },
        };
        Event { ca: Some(&crl.ca), reason: Some(&reason), ..event }.insert(db, at).await?;
        Ok(Publication::Published)
    }
}
