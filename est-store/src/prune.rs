//! Deleting what has been over for long enough. The audit trail and the compromised keys stay whole whatever happens.

use est_core::{Seconds, UnixTime};

use crate::audit::Event;
use crate::database::{Database, seconds};
use crate::session::Session;
use crate::value::{Value, values};
use crate::work::Work;
use crate::{Actor, StoreError, UnixMicros};

/// How many rows of one kind are deleted in one transaction: an enrollment meanwhile waits for one at most.
const BATCH: usize = 500;

/// How many of them one audit record names.
const NAMES: usize = 25;

/// For how long ended things are kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Certificates, from their end on.
    pub certificates: Option<Seconds>,
    /// Requests, from the decision on.
    pub requests: Option<Seconds>,
    /// Passwords, from their end or their revocation on.
    pub passwords: Option<Seconds>,
}

/// How many of each kind were deleted, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Certificates, their revocations included.
    pub certificates: u64,
    /// Requests.
    pub requests: u64,
    /// Passwords.
    pub passwords: u64,
}

impl Database {
    /// Counts what [`prune`](Self::prune) would delete.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn prunable(&self, retention: Retention, now: UnixTime) -> Result<Pruned, StoreError> {
        let mut prunable = Pruned::default();
        for over in retention.over(now) {
            *prunable.count(over.kind) = self.read(Count { over }).await?;
        }
        Ok(prunable)
    }

    /// Deletes what has been over for longer than it is kept, on `actor`'s behalf: some hundreds in a transaction, which
    /// has the audit record of them. After each, `progress` gets all that is deleted.
    ///
    /// What something else needs stays: a certificate that a claim answers with, one that was revoked and of which no CRL
    /// was made after its end, a password that a claim has used. A request that nobody has decided is never over.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`]; what was deleted before stays deleted.
    pub async fn prune(
        &self,
        retention: Retention,
        now: UnixTime,
        actor: &Actor,
        mut progress: impl FnMut(Pruned) + Send,
    ) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        for over in retention.over(now) {
            let mut from = 0;
            loop {
                let found = self.read(Find { over, from }).await?;
                let Some(&(_, last)) = found.last() else { break };
                from = last;
                let is_last = found.len() < BATCH;
                let numbers = found.into_iter().map(|(number, _)| number).collect();
                *pruned.count(over.kind) += self.write(Delete { over, numbers, actor: actor.clone() }).await?;
                progress(pruned);
                if is_last {
                    break;
                }
            }
        }
        Ok(pruned)
    }
}

impl Pruned {
    fn count(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Certificates => &mut self.certificates,
            Kind::Requests => &mut self.requests,
            Kind::Passwords => &mut self.passwords,
        }
    }
}

impl Retention {
    /// What has ended, of each kind that is not kept for ever.
    fn over(self, now: UnixTime) -> impl Iterator<Item = Over> {
        let kinds = [
            (Kind::Certificates, self.certificates),
            (Kind::Requests, self.requests),
            (Kind::Passwords, self.passwords),
        ];
        kinds
            .into_iter()
            .filter_map(move |(kind, span)| Some(Over { kind, before: UnixTime(now.0.saturating_sub(span?.0)), now }))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Certificates,
    Requests,
    Passwords,
}

impl Kind {
    const fn table(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Requests => "requests",
            Self::Passwords => "passwords",
        }
    }

    /// Which rows may go: over before `?1`, and needed by nothing else.
    const fn condition(self) -> &'static str {
        match self {
            // A revocation stays until a CRL was made on schedule after the end of its certificate (RFC 5280 §3.3): until
            // no next CRL would have it, which is one that reaches back to the last one and over a CRL's validity. `?2` is now.
            Self::Certificates => {
                "not_after < ?1 \
                 AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.certificate = certificates.number) \
                 AND NOT EXISTS (SELECT 1 FROM revocations r WHERE r.certificate = certificates.number \
                 AND NOT EXISTS (SELECT 1 FROM crls l WHERE l.ca = certificates.ca \
                 AND certificates.not_after < l.this_update AND r.revoked_at < l.this_update \
                 AND certificates.not_after < ?2 - (l.next_update - l.this_update) \
                 AND r.revoked_at < ?2 - (l.next_update - l.this_update)))"
            }
            Self::Requests => "state <> 1 AND decided_at < ?1",
            Self::Passwords => {
                "(expires < ?1 OR revoked_at < ?1) \
                 AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.password = passwords.id)"
            }
        }
    }

    /// The order in which they are looked for: an indexed column that the condition or the table uses.
    const fn place(self) -> &'static str {
        match self {
            Self::Certificates => "not_after",
            Self::Requests | Self::Passwords => "number",
        }
    }

    /// What records know one by.
    const fn name(self) -> &'static str {
        match self {
            Self::Certificates => "serial",
            Self::Requests | Self::Passwords => "id",
        }
    }

    const fn end(self) -> &'static str {
        match self {
            Self::Certificates => "ended",
            Self::Requests => "were decided",
            Self::Passwords => "ended or were revoked",
        }
    }
}

/// The rows of a kind that may go.
#[derive(Clone, Copy)]
struct Over {
    kind: Kind,
    before: UnixTime,
    now: UnixTime,
}

impl Over {
    /// The values that the condition speaks of.
    fn values(self) -> Vec<Value<'static>> {
        match self.kind {
            Kind::Certificates => values![seconds(self.before), seconds(self.now)].into(),
            Kind::Requests | Kind::Passwords => values![seconds(self.before)].into(),
        }
    }
}

struct Count {
    over: Over,
}

impl Work for Count {
    type Answer = u64;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<u64, StoreError> {
        let kind = self.over.kind;
        let sql = format!("SELECT count(*) FROM {} WHERE {}", kind.table(), kind.condition());
        db.query_one(&sql, &self.over.values()).await?.map_or(Ok(0), |mut row| row.take(0))
    }
}

/// Some of them, from a place on: each with its number and its place.
struct Find {
    over: Over,
    from: i64,
}

impl Work for Find {
    type Answer = Vec<(i64, i64)>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let kind = self.over.kind;
        let (table, condition, place) = (kind.table(), kind.condition(), kind.place());
        let mut values = self.over.values();
        values.push(self.from.into());
        let from = values.len();
        let sql = format!(
            "SELECT number, {place} FROM {table} WHERE {condition} AND {place} >= ?{from} ORDER BY {place} LIMIT {BATCH}"
        );
        let rows = db.query(&sql, &values).await?;
        rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
    }
}

struct Delete {
    over: Over,
    numbers: Vec<i64>,
    actor: Actor,
}

impl Work for Delete {
    type Answer = u64;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<u64, StoreError> {
        let kind = self.over.kind;
        let (table, condition) = (kind.table(), kind.condition());
        // Held first, and then looked at once more: one of them may have been revoked since it was found, and a statement
        // that waits for a row uses what was there before it waited.
        let numbers: Vec<_> = self.numbers.iter().map(|number| Value::from(*number)).collect();
        let held = list(0, numbers.len());
        db.query(&format!("SELECT number FROM {table} WHERE number IN ({held}) ORDER BY number FOR UPDATE"), &numbers)
            .await?;
        let mut values = self.over.values();
        let list = list(values.len(), numbers.len());
        values.extend(numbers);
        let name = kind.name();
        let sql =
            format!("SELECT number, {name} FROM {table} WHERE {condition} AND number IN ({list}) ORDER BY number");
        let (mut numbers, mut names) = (Vec::new(), Vec::new());
        for mut row in db.query(&sql, &values).await? {
            numbers.push(Value::from(row.take::<i64>(0)?));
            names.push(match kind {
                Kind::Certificates => row.take::<Vec<u8>>(1)?.iter().map(|octet| format!("{octet:02X}")).collect(),
                Kind::Requests | Kind::Passwords => row.take::<String>(1)?,
            });
        }
        if numbers.is_empty() {
            return Ok(0);
        }
        let list = self::list(0, numbers.len());
        if matches!(kind, Kind::Certificates) {
            db.execute(&format!("DELETE FROM revocations WHERE certificate IN ({list})"), &numbers).await?;
        }
        let deleted = db.execute(&format!("DELETE FROM {table} WHERE number IN ({list})"), &numbers).await?;
        // Who compares the tables with the trail must know what is gone for a reason.
        for names in names.chunks(NAMES) {
            let (count, end) = (names.len(), kind.end());
            let reason = format!("{table}: {count} that {end} before {}: {}", self.over.before, names.join(", "));
            Event { reason: Some(&reason), ..Event::by(&self.actor, "store.pruned") }.insert(db, at).await?;
        }
        Ok(deleted)
    }
}

/// So many parameters after the first ones.
fn list(after: usize, count: usize) -> String {
    (after + 1..=after + count).map(|index| format!("?{index}")).collect::<Vec<_>>().join(", ")
}
