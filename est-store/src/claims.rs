//! Claims: one request, one certificate, however often it is asked for.
//!
//! A claim is open while somebody works on it, under a lease. It ends finished, and answers the same request with the
//! same certificate until its time has passed; or it is deleted, and nothing happened. Between the two it may be left to
//! the next request: with a ticket of the CA, or because the exchange that held it did not finish.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use est_core::{Approval, Claimed, Intent, Principal, Seconds, Serial, Ticket, UnixTime};
use tokio::time::{Instant, timeout_at};

use crate::audit::micros;
use crate::database::{Database, Inner, seconds, time};
use crate::requests::NewRequest;
use crate::session::{Change, Session};
use crate::value::{Row, Value, values};
use crate::work::Work;
use crate::working::Working;
use crate::{StoreError, UnixMicros, passwords, requests};

/// How long a claim that this process works on is waited for: a bell rings when it is done.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one is waited for that another process works on, which may have died: a waiting exchange delays others.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);

/// How many wait for other processes at a time; the next one is told at once to come again.
pub(crate) const WAIT_FOR_OTHERS: usize = 8;

/// How soon a claim is looked at again, for another process rings no bell here; twice as late each time.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How many requests of one principal wait for an operator at most.
const WAITING: i64 = 8;

/// How many old claims are deleted in one transaction at most: no fewer than one can add.
const SWEEP: i64 = 128;

/// A claim's state, with the numbers that the table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open = 0,
    AwaitingApproval = 1,
    Approved = 2,
    Denied = 3,
    Finished = 4,
}

impl State {
    fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Open, Self::AwaitingApproval, Self::Approved, Self::Denied, Self::Finished];
        all.into_iter().find(|state| *state as u8 == number)
    }
}

impl Database {
    /// Tells the store that nobody else claims in this database: a claim that this process does not work on is one that
    /// nobody works on, and keeps nobody waiting.
    pub fn serve_alone(&self) {
        let _ = self.inner.alone.set(Alone::InDatabase);
        self.writer().serve();
    }

    /// As [`serve_alone`](Self::serve_alone) for the claims of this node, where no other process has its name.
    pub fn serve_as_node(&self) {
        let _ = self.inner.alone.set(Alone::AsNode);
    }

    pub(crate) async fn reserve(&self, intent: &Intent) -> Result<Claimed, StoreError> {
        let inner = &self.inner;
        let making = inner.working.begin(intent.serial);
        let reservation = Arc::new(Reservation::of(intent, inner));
        let bell = inner.settled.bell(&reservation.identity);
        let begun = Instant::now();
        let mut look = FIRST_LOOK;
        let mut seat = None;
        loop {
            let mut rung = std::pin::pin!(bell.notified());
            // From here on: what is settled after the look below must not go unheard.
            rung.as_mut().enable();
            let attempt = match reservation.request {
                // It may be laid before an operator, which is on record.
                Some(_) => self.write(reservation.clone()).await?,
                None => self.transact(reservation.clone()).await?,
            };
            let patience = match attempt {
                Attempt::Answered(claimed) => {
                    if matches!(claimed, Claimed::Fresh | Claimed::Open(_)) {
                        making.made();
                    }
                    return Ok(claimed);
                }
                Attempt::Overtaken => continue,
                Attempt::Held(Holder::ThisProcess) => PATIENCE,
                Attempt::Held(Holder::Another) => {
                    if seat.is_none() {
                        let Ok(free) = inner.for_others.try_acquire() else { return Ok(Claimed::Busy) };
                        seat = Some(free);
                    }
                    PATIENCE_WITH_OTHERS
                }
            };
            let deadline = begun + patience;
            if Instant::now() >= deadline {
                return Ok(Claimed::Busy);
            }
            // Rung or not, it looks again.
            let _ = timeout_at(deadline.min(Instant::now() + look), rung).await;
            look = (look * 2).min(LAST_LOOK);
        }
    }

    /// Lets go of a claim whose end could not be recorded, so that the same request can go on: at once here, and elsewhere
    /// as soon as something can be written.
    pub(crate) fn abandon(&self, held: Held) {
        // It is queued by the call. What comes of it nobody has to know: the lease ends by itself.
        drop(self.write(Abandon(held)));
    }
}

/// Whose claims this process knows all about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// Everybody's.
    InDatabase,
    /// Those of its node.
    AsNode,
}

struct Abandon(Held);

impl Work for Abandon {
    type Answer = ();

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        let interrupt = self.0.interrupt();
        db.execute(interrupt.sql, &interrupt.values).await.map(drop)
    }
}

/// What is to be reserved: an [`Intent`] as far as the tables want it.
struct Reservation {
    identity: [u8; 32],
    /// The SHA-256 of the key to certify.
    key: [u8; 32],
    serial: Serial,
    password: Option<String>,
    request: Option<NewRequest>,
    now: UnixTime,
    lease: Seconds,
    replay_until: UnixTime,
    node: String,
    alone: Option<Alone>,
    working: Arc<Working>,
}

impl Reservation {
    fn of(intent: &Intent, inner: &Inner) -> Self {
        let password = match &intent.principal {
            Principal::OneTimePassword { id, .. } => Some(id.clone()),
            Principal::Certificate(_) => None,
        };
        Self {
            identity: intent.identity.0,
            key: intent.csr.public_key().digest(),
            serial: intent.serial,
            password,
            request: (intent.approval == Approval::Manual).then(|| NewRequest::of(intent)),
            now: intent.now,
            lease: intent.lease,
            replay_until: intent.replay_until,
            node: inner.node.clone(),
            alone: inner.alone.get().copied(),
            working: inner.working.clone(),
        }
    }

    /// Who works on an open claim at this time.
    fn holder(&self, found: &Found, at: UnixMicros) -> Option<Holder> {
        // Whatever the lease says: a CA may take longer, and a clock may be set.
        if self.working.has(&found.serial) {
            return Some(Holder::ThisProcess);
        }
        // No lease ends that late: a clock was ahead when it was taken. Those of the nodes may differ a little.
        let latest = at.after(Seconds(self.lease.0.saturating_mul(2)));
        if found.lease_until <= at || found.lease_until > latest {
            return None;
        }
        let is_known = match self.alone {
            Some(Alone::InDatabase) => true,
            Some(Alone::AsNode) => found.node.as_deref() == Some(&self.node),
            None => false,
        };
        (!is_known).then_some(Holder::Another)
    }
}

/// Who works on a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    ThisProcess,
    Another,
}

enum Attempt {
    Answered(Claimed),
    Held(Holder),
    /// Somebody else made the claim between a look and the making of it.
    Overtaken,
}

/// A row of `claims`, as far as it decides.
struct Found {
    state: State,
    serial: Vec<u8>,
    node: Option<String>,
    lease_until: UnixMicros,
    replay_until: UnixTime,
    certificate: Option<i64>,
    ticket: Option<Ticket>,
}

impl Work for Arc<Reservation> {
    type Answer = Attempt;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Attempt, StoreError> {
        let claimed = match find(db, &self.identity).await? {
            None => return self.make(db, at).await,
            Some(found) => match found.state {
                State::Open if let Some(holder) = self.holder(&found, at) => return Ok(Attempt::Held(holder)),
                State::Finished | State::Denied if self.now > found.replay_until => self.renew(db, at).await?,
                State::Finished => replay(db, found.certificate).await?,
                State::Denied => Claimed::Denied,
                State::AwaitingApproval => {
                    self.keep_waiting(db).await?;
                    Claimed::AwaitingApproval
                }
                State::Open | State::Approved if self.is_compromised(db).await? => Claimed::KeyCompromised,
                State::Open | State::Approved => {
                    self.take(db, at).await?;
                    found.ticket.map_or(Claimed::Fresh, Claimed::Open)
                }
            },
        };
        Ok(Attempt::Answered(claimed))
    }
}

async fn find(db: &mut Session, identity: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT state, lease_until_micros, replay_until, certificate, ticket, serial, node FROM claims \
               WHERE identity = ?1 FOR UPDATE";
    let Some(mut row) = db.query_one(sql, &values![identity]).await? else { return Ok(None) };
    Ok(Some(Found {
        state: State::from_number(row.take(0)?).ok_or(StoreError::Damaged { column: "claims.state" })?,
        lease_until: UnixMicros(row.take(1)?),
        replay_until: time(row.take(2)?),
        certificate: row.take(3)?,
        ticket: row.take::<Option<_>>(4)?.map(Ticket),
        serial: row.take(5)?,
        node: row.take(6)?,
    }))
}

async fn replay(db: &mut Session, certificate: Option<i64>) -> Result<Claimed, StoreError> {
    let sql = "SELECT der, EXISTS (SELECT 1 FROM revocations WHERE certificate = number) \
               FROM certificates WHERE number = ?1";
    let row = db.query_one(sql, &values![certificate]).await?;
    let mut row = row.ok_or(StoreError::Damaged { column: "claims.certificate" })?;
    Ok(if row.take(1)? { Claimed::Revoked } else { Claimed::Finished(row.take(0)?) })
}

impl Reservation {
    /// Makes the claim.
    async fn make(&self, db: &mut Session, at: UnixMicros) -> Result<Attempt, StoreError> {
        if self.is_compromised(db).await? {
            return Ok(Attempt::Answered(Claimed::KeyCompromised));
        }
        if self.has_too_many_waiting(db).await? {
            return Ok(Attempt::Answered(Claimed::TooManyWaiting));
        }
        let (state, lease_until, claimed) = self.beginning(at);
        let sql = "INSERT INTO claims (identity, state, serial, lease_until_micros, replay_until, password, node) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (identity) DO NOTHING";
        // Before the password is used, so that the second request waits here, and then finds a claim and not a password
        // that is spent.
        if db.execute(sql, &self.row(state, lease_until)).await? == 0 {
            return Ok(Attempt::Overtaken);
        }
        if !self.use_password(db).await? {
            db.execute("DELETE FROM claims WHERE identity = ?1", &values![&self.identity]).await?;
            return Ok(Attempt::Answered(Claimed::PasswordSpent));
        }
        self.ask(db, at).await?;
        Ok(Attempt::Answered(claimed))
    }

    /// Makes the claim in place of one whose time has passed.
    async fn renew(&self, db: &mut Session, at: UnixMicros) -> Result<Claimed, StoreError> {
        if self.is_compromised(db).await? {
            return Ok(Claimed::KeyCompromised);
        }
        if self.has_too_many_waiting(db).await? {
            return Ok(Claimed::TooManyWaiting);
        }
        if !self.use_password(db).await? {
            return Ok(Claimed::PasswordSpent);
        }
        let (state, lease_until, claimed) = self.beginning(at);
        let sql = "UPDATE claims SET state = ?2, serial = ?3, lease_until_micros = ?4, replay_until = ?5, \
                   password = ?6, node = ?7, certificate = NULL, ticket = NULL WHERE identity = ?1";
        db.execute(sql, &self.row(state, lease_until)).await?;
        self.ask(db, at).await?;
        Ok(claimed)
    }

    /// How a new claim begins.
    fn beginning(&self, at: UnixMicros) -> (State, UnixMicros, Claimed) {
        match self.request {
            Some(_) => (State::AwaitingApproval, UnixMicros(0), Claimed::AwaitingApproval),
            None => (State::Open, at.after(self.lease), Claimed::Fresh),
        }
    }

    fn row(&self, state: State, lease_until: UnixMicros) -> [Value<'_>; 7] {
        values![
            &self.identity,
            state as u8,
            self.serial.as_bytes(),
            micros(lease_until),
            seconds(self.replay_until),
            &self.password,
            &self.node,
        ]
    }

    async fn use_password(&self, db: &mut Session) -> Result<bool, StoreError> {
        match &self.password {
            Some(password) => passwords::consume(db, password, self.now).await,
            None => Ok(true),
        }
    }

    /// Lays the request before an operator, if one has to look.
    async fn ask(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        match &self.request {
            Some(request) => request.insert(db, &self.identity, at).await,
            None => Ok(()),
        }
    }

    /// Whether an operator has enough to look at from this principal.
    async fn has_too_many_waiting(&self, db: &mut Session) -> Result<bool, StoreError> {
        let Some(request) = &self.request else { return Ok(false) };
        let sql = "SELECT count(*) FROM requests WHERE asker = ?1 AND state = 1";
        let row = db.query_one(sql, &values![&request.asker]).await?;
        Ok(row.map_or(Ok(0), |mut row| row.take::<i64>(0))? >= WAITING)
    }

    async fn is_compromised(&self, db: &mut Session) -> Result<bool, StoreError> {
        Ok(db.query_one("SELECT 1 FROM compromised_keys WHERE digest = ?1", &values![&self.key]).await?.is_some())
    }

    /// Moves the end of a claim along for as long as its client asks, so that it can be there to get a refusal.
    async fn keep_waiting(&self, db: &mut Session) -> Result<(), StoreError> {
        let sql = "UPDATE claims SET replay_until = ?2 WHERE identity = ?1 AND replay_until < ?2";
        db.execute(sql, &values![&self.identity, seconds(self.replay_until)]).await?;
        Ok(())
    }

    /// Goes on with a claim that nobody works on.
    async fn take(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let sql = "UPDATE claims SET state = 0, serial = ?2, lease_until_micros = ?3, replay_until = ?4, node = ?5 \
                   WHERE identity = ?1";
        let (lease_until, replay_until) = (micros(at.after(self.lease)), seconds(self.replay_until));
        let values = values![&self.identity, self.serial.as_bytes(), lease_until, replay_until, &self.node];
        db.execute(sql, &values).await?;
        Ok(())
    }
}

/// A claim that the exchange holds which it is asked to change: by its identity and its own serial number.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) identity: [u8; 32],
    pub(crate) serial: Serial,
}

impl Held {
    /// Answers the request from now on with the certificate that has this serial number.
    pub(crate) fn finish<'a>(self, serial: &'a [u8], ca: &'a str) -> Change<'a> {
        self.one(
            "UPDATE claims SET state = 4, ticket = NULL, \
             certificate = (SELECT number FROM certificates WHERE serial = ?3 AND ca = ?4) \
             WHERE identity = ?1 AND serial = ?2 AND state = 0",
            vec![serial.into(), ca.into()],
        )
    }

    /// Ends the lease, and keeps the CA's ticket.
    pub(crate) fn postpone(self, ticket: &Ticket) -> Change<'_> {
        self.one(
            "UPDATE claims SET lease_until_micros = 0, ticket = ?3 WHERE identity = ?1 AND serial = ?2 AND state = 0",
            vec![(&ticket.0).into()],
        )
    }

    /// Ends the lease, so that the same request can go on.
    pub(crate) fn interrupt(self) -> Change<'static> {
        self.one(
            "UPDATE claims SET lease_until_micros = 0 WHERE identity = ?1 AND serial = ?2 AND state = 0",
            Vec::new(),
        )
    }

    /// Takes back the use of a password that the claim took, and deletes the claim.
    pub(crate) fn release(self) -> [Change<'static>; 2] {
        let give_back = Change {
            sql: "UPDATE passwords SET uses = uses - 1 WHERE uses > 0 AND \
                  id = (SELECT password FROM claims WHERE identity = ?1 AND serial = ?2 AND state = 0)",
            values: self.names().into(),
            otherwise: None,
        };
        [give_back, self.one("DELETE FROM claims WHERE identity = ?1 AND serial = ?2 AND state = 0", Vec::new())]
    }

    fn names(self) -> [Value<'static>; 2] {
        values![self.identity, self.serial.as_bytes()].map(Value::into_owned)
    }

    /// A change to the claim, which has to be there still.
    fn one<'a>(self, sql: &'static str, values: Vec<Value<'a>>) -> Change<'a> {
        let values = self.names().into_iter().chain(values).collect();
        Change { sql, values, otherwise: Some(StoreError::ClaimLost) }
    }
}

/// Deletes some of the claims whose time is over by `over`, and tells whether there may be more of them.
///
/// Those that a CA has yet to decide stay, and those that a person has, until their clients have been silent for long. One that was left open without either goes: a client that asks again
/// gets a claim of their own.
pub(crate) struct Sweep {
    /// After how many seconds without a word from its client a request ends that waits, or was approved; 0 is never.
    waiting: Arc<AtomicU64>,
    over: UnixMicros,
}

impl Sweep {
    /// Makes sweeps that go by this bound on silence, each up to a time.
    pub(crate) fn of(waiting: &Arc<AtomicU64>) -> impl Fn(UnixMicros) -> Self + Send + use<> {
        let waiting = waiting.clone();
        move |over| Self { waiting: waiting.clone(), over }
    }
}

impl Work for Sweep {
    type Answer = bool;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<bool, StoreError> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 {
            requests::end_silent(db, UnixTime(self.over.seconds().0.saturating_sub(waiting)), at).await?;
        }
        let sql = "SELECT identity FROM claims WHERE replay_until < ?1 \
                   AND (state >= 3 OR (state = 0 AND ticket IS NULL AND lease_until_micros <= ?2)) \
                   ORDER BY replay_until LIMIT ?3 FOR UPDATE SKIP LOCKED";
        let over = db.query(sql, &values![seconds(self.over.seconds()), micros(self.over), SWEEP]).await?;
        let more = i64::try_from(over.len()) == Ok(SWEEP);
        let delete = |mut row: Row| {
            let values = values![row.take::<[u8; 32]>(0)?].into();
            Ok(Change { sql: "DELETE FROM claims WHERE identity = ?1", values, otherwise: None })
        };
        db.change(over.into_iter().map(delete).collect::<Result<_, StoreError>>()?).await?;
        Ok(more)
    }
}
