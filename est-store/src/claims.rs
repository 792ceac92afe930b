//! Claims: one request, one certificate, however often it is asked for.
//!
//! A claim is open while somebody works on it, under a lease. It ends finished, and answers the same request with the
//! same certificate until its time is over; or it is deleted, and nothing happened. Between the two it may be left to
//! the next one who asks: with a ticket of the CA, or because whoever worked on it did not finish.

use std::sync::Arc;
use std::time::Duration;

use est_core::{Approval, Claimed, Intent, Principal, Seconds, Serial, Ticket, UnixTime};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::time::{Instant, timeout_at};

use crate::audit::micros;
use crate::database::{Database, seconds, time};
use crate::requests::NewRequest;
use crate::{StoreError, UnixMicros, passwords};

/// How long a claim that somebody else holds is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile, for whoever holds it may be another process, which rings no bell here.
const LOOK: Duration = Duration::from_millis(50);

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
    /// Tells the store that nobody else claims in this database: leases taken before belong to a process that is gone,
    /// and keep nobody waiting from here on.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn serve_alone(&self) -> Result<(), StoreError> {
        let now = self.inner.writer.write(|_, at| Ok(at)).await?;
        // Said twice, the first time counts: leases taken since are alive.
        let _ = self.inner.alone_since.set(now);
        Ok(())
    }

    pub(crate) async fn reserve(&self, intent: &Intent) -> Result<Claimed, StoreError> {
        let alone_since = self.inner.alone_since.get().copied().unwrap_or(UnixMicros(0));
        let reservation = Arc::new(Reservation { alone_since, ..Reservation::of(intent) });
        let bell = self.inner.settled.bell(&reservation.identity);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut rung = std::pin::pin!(bell.notified());
            // From here on: what is settled after the look below must not go unheard.
            rung.as_mut().enable();
            let sought = reservation.clone();
            match self.inner.writer.write(move |db, at| attempt(db, &sought, at)).await? {
                Attempt::Answered(claimed) => return Ok(claimed),
                Attempt::Held if Instant::now() >= deadline => return Ok(Claimed::Busy),
                Attempt::Held => {}
            }
            // Rung or not, it looks again.
            let _ = timeout_at(deadline.min(Instant::now() + LOOK), rung).await;
        }
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
    /// Leases taken before this are void.
    alone_since: UnixMicros,
}

impl Reservation {
    fn of(intent: &Intent) -> Self {
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
            alone_since: UnixMicros(0),
        }
    }

    /// Whether a lease that lasts until then still keeps others away.
    fn is_held_until(&self, lease_until: UnixMicros, at: UnixMicros) -> bool {
        lease_until > at && lease_until >= self.alone_since.after(self.lease)
    }
}

enum Attempt {
    Answered(Claimed),
    Held,
}

/// A row of `claims`, as far as it decides.
struct Found {
    state: State,
    lease_until: UnixMicros,
    replay_until: UnixTime,
    certificate: Option<i64>,
    ticket: Option<Ticket>,
}

fn attempt(db: &Connection, reservation: &Reservation, at: UnixMicros) -> Result<Attempt, StoreError> {
    let claimed = match find(db, &reservation.identity)? {
        None => reserve(db, reservation, at)?,
        Some(found) => match found.state {
            State::Finished | State::Denied if reservation.now > found.replay_until => reserve(db, reservation, at)?,
            State::Finished => replay(db, found.certificate)?,
            State::Denied => Claimed::Denied,
            State::AwaitingApproval => {
                keep_waiting(db, reservation)?;
                Claimed::AwaitingApproval
            }
            State::Open if reservation.is_held_until(found.lease_until, at) => return Ok(Attempt::Held),
            State::Open | State::Approved if is_compromised(db, reservation)? => Claimed::KeyCompromised,
            State::Open | State::Approved => {
                take(db, reservation, at)?;
                found.ticket.map_or(Claimed::Fresh, Claimed::Open)
            }
        },
    };
    Ok(Attempt::Answered(claimed))
}

fn find(db: &Connection, identity: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    let read = |row: &Row<'_>| {
        let found = |state| -> rusqlite::Result<Found> {
            Ok(Found {
                state,
                lease_until: UnixMicros(row.get::<_, i64>(1)?.unsigned_abs()),
                replay_until: time(row.get(2)?),
                certificate: row.get(3)?,
                ticket: row.get::<_, Option<Vec<u8>>>(4)?.map(Ticket),
            })
        };
        State::from_number(row.get(0)?).map(found).transpose()
    };
    let mut select = db.prepare_cached(
        "SELECT state, lease_until_micros, replay_until, certificate, ticket FROM claims WHERE identity = ?1",
    )?;
    match select.query_row([identity], read).optional()? {
        None => Ok(None),
        Some(None) => Err(StoreError::Damaged { column: "claims.state" }),
        Some(found) => Ok(found),
    }
}

/// Makes the claim, in place of one whose time is over.
fn reserve(db: &Connection, reservation: &Reservation, at: UnixMicros) -> Result<Claimed, StoreError> {
    if is_compromised(db, reservation)? {
        return Ok(Claimed::KeyCompromised);
    }
    if let Some(password) = &reservation.password
        && !passwords::consume(db, password, reservation.now)?
    {
        return Ok(Claimed::PasswordSpent);
    }
    let (state, lease_until, claimed) = match &reservation.request {
        Some(request) => {
            request.insert(db, &reservation.identity)?;
            (State::AwaitingApproval, UnixMicros(0), Claimed::AwaitingApproval)
        }
        None => (State::Open, at.after(reservation.lease), Claimed::Fresh),
    };
    db.prepare_cached(
        "REPLACE INTO claims (identity, state, serial, lease_until_micros, replay_until, password) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        reservation.identity,
        state as u8,
        reservation.serial.as_bytes(),
        micros(lease_until),
        seconds(reservation.replay_until),
        reservation.password,
    ])?;
    Ok(claimed)
}

fn is_compromised(db: &Connection, reservation: &Reservation) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM compromised_keys WHERE key = ?1")?.exists([reservation.key])?)
}

fn replay(db: &Connection, certificate: Option<i64>) -> Result<Claimed, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT der, EXISTS (SELECT 1 FROM revocations WHERE certificate = number) \
         FROM certificates WHERE number = ?1",
    )?;
    Ok(select.query_row([certificate], |row| {
        Ok(if row.get(1)? { Claimed::Revoked } else { Claimed::Finished(row.get(0)?) })
    })?)
}

/// Moves the end of a claim along for as long as its client asks, so that it is there to hear of a no.
fn keep_waiting(db: &Connection, reservation: &Reservation) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE claims SET replay_until = ?2 WHERE identity = ?1 AND replay_until < ?2")?
        .execute(params![reservation.identity, seconds(reservation.replay_until)])?;
    Ok(())
}

/// Goes on with a claim that nobody works on.
fn take(db: &Connection, reservation: &Reservation, at: UnixMicros) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE claims SET state = 0, serial = ?2, lease_until_micros = ?3, replay_until = ?4 WHERE identity = ?1",
    )?
    .execute(params![
        reservation.identity,
        reservation.serial.as_bytes(),
        micros(at.after(reservation.lease)),
        seconds(reservation.replay_until),
    ])?;
    Ok(())
}

/// A claim that the exchange holds which it is asked to change: by its identity and its own serial number.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) identity: [u8; 32],
    pub(crate) serial: Serial,
}

impl Held {
    /// Answers the request with this certificate from now on.
    pub(crate) fn finish(self, db: &Connection, certificate: i64) -> Result<(), StoreError> {
        let mut finish = db.prepare_cached(
            "UPDATE claims SET state = 4, certificate = ?3, ticket = NULL \
             WHERE identity = ?1 AND serial = ?2 AND state = 0",
        )?;
        Self::one(finish.execute(params![self.identity, self.serial.as_bytes(), certificate])?)
    }

    /// Ends the lease, and keeps the CA's ticket.
    pub(crate) fn postpone(self, db: &Connection, ticket: &Ticket) -> Result<(), StoreError> {
        let mut postpone = db.prepare_cached(
            "UPDATE claims SET lease_until_micros = 0, ticket = ?3 \
             WHERE identity = ?1 AND serial = ?2 AND state = 0",
        )?;
        Self::one(postpone.execute(params![self.identity, self.serial.as_bytes(), ticket.0])?)
    }

    /// Ends the lease, so that the same request can go on.
    pub(crate) fn interrupt(self, db: &Connection) -> Result<(), StoreError> {
        let mut interrupt = db.prepare_cached(
            "UPDATE claims SET lease_until_micros = 0 WHERE identity = ?1 AND serial = ?2 AND state = 0",
        )?;
        Self::one(interrupt.execute(params![self.identity, self.serial.as_bytes()])?)
    }

    /// Deletes the claim, and takes back the use of a password that it took.
    pub(crate) fn release(self, db: &Connection) -> Result<(), StoreError> {
        let mut release = db.prepare_cached(
            "DELETE FROM claims WHERE identity = ?1 AND serial = ?2 AND state = 0 RETURNING password",
        )?;
        let released: Option<Option<String>> =
            release.query_row(params![self.identity, self.serial.as_bytes()], |row| row.get(0)).optional()?;
        match released {
            None => Err(StoreError::ClaimLost),
            Some(None) => Ok(()),
            Some(Some(password)) => passwords::give_back(db, &password),
        }
    }

    fn one(changed: usize) -> Result<(), StoreError> {
        if changed == 1 { Ok(()) } else { Err(StoreError::ClaimLost) }
    }
}

/// Deletes some of the claims whose time is over, and tells whether there may be more of them.
///
/// Those that a person or a CA has yet to decide stay. One that was left open without either goes: whoever asks again
/// gets a claim of their own.
pub(crate) fn sweep(db: &Connection, now: UnixMicros) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached(
        "DELETE FROM claims WHERE identity IN (SELECT identity FROM claims WHERE replay_until < ?1 \
         AND (state >= 3 OR (state = 0 AND ticket IS NULL AND lease_until_micros <= ?2)) \
         ORDER BY replay_until LIMIT ?3)",
    )?;
    let deleted = delete.execute(params![seconds(now.seconds()), micros(now), SWEEP])?;
    Ok(i64::try_from(deleted) == Ok(SWEEP))
}
