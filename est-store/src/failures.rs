//! Wrong passwords: what they count against, and lockouts.

use est_core::{Counted, Guess, Lockout, UnixTime};

use crate::audit::{Event, Method};
use crate::database::{Database, seconds, time};
use crate::session::{Change, Query, Session};
use crate::value::values;
use crate::work::Work;
use crate::{Actor, StoreError, UnixMicros};

/// So many old rows are deleted with every failure that is counted, which makes five at most.
const SWEEP: u32 = 8;
/// So many failures of one are remembered by the second; of more, to a part of the window.
const EXACT: u32 = 64;

/// Failures that count against somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// What they count against: `user NAME`, `password ID` or `address NETWORK`.
    pub who: String,
    /// How many, as of the last one: while locked out, those that led to it.
    pub count: u32,
    /// When the last one was.
    pub last: UnixTime,
    /// Until when they are, or were, locked out.
    pub locked_until: Option<UnixTime>,
}

impl Database {
    /// Until when somebody is locked out because of failures that counted against one of these; `None` when nobody is.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn locked_until(&self, who: &[String], now: UnixTime) -> Result<Option<UnixTime>, StoreError> {
        if who.is_empty() {
            return Ok(None);
        }
        self.glance(LockedUntil { who: who.to_vec(), now }).await
    }

    /// Lists what failures count against, the last failure first, up to `limit` entries.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn failures(&self, limit: u32) -> Result<Vec<Failures>, StoreError> {
        self.read(List { limit }).await
    }

    /// Forgets the failures that count against these, so that they are locked out no longer, and tells which of them
    /// there were.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn unlock(&self, who: Vec<String>, actor: &Actor) -> Result<Vec<String>, StoreError> {
        self.write(Unlock { who, actor: actor.clone() }).await
    }
}

/// A new lockout.
pub(crate) struct LockedOut {
    who: String,
    failures: u32,
    until: UnixTime,
}

/// Counts a wrong password, and returns the lockouts that follow. What counts against an entry that is locked out already
/// is not counted.
pub(crate) async fn count(db: &mut Session, guess: &Guess, now: UnixTime) -> Result<Vec<LockedOut>, StoreError> {
    let lockout = guess.lockout;
    let mut locked_out = Vec::new();
    // In one order everywhere, so that there is no deadlock.
    let mut against: Vec<&Counted> = guess.against.iter().collect();
    against.sort_unstable_by_key(|counted| &counted.who);
    for Counted { who, max_failures } in against {
        let sql = "INSERT INTO failures (who, times, since) VALUES (?1, '', ?2) ON CONFLICT (who) DO NOTHING";
        db.execute(sql, &values![who, seconds(now)]).await?;
        let sql = "SELECT times, locked_until FROM failures WHERE who = ?1 FOR UPDATE";
        let row = db.query_one(sql, &values![who]).await?;
        // Another server has forgotten them in between: once more, so that this one is counted.
        let mut row = row.ok_or_else(|| StoreError::Contended("failures were forgotten as one was counted".into()))?;
        let (times, locked_until): (String, Option<i64>) = (row.take(0)?, row.take(1)?);
        if locked_until.is_some_and(|until| time(until) > now) {
            continue;
        }
        // Those that led to a lockout have been paid for.
        let mut times = if locked_until.is_some() { Times::default() } else { Times::read(&times) };
        times.add(now, &lockout, *max_failures);
        let until = (times.count() >= *max_failures).then(|| now + lockout.duration);
        if let Some(until) = until {
            locked_out.push(LockedOut { who: who.clone(), failures: times.count(), until });
        }
        let sql = "UPDATE failures SET times = ?2, since = ?3, locked_until = ?4 WHERE who = ?1";
        db.execute(sql, &values![who, times.written(), seconds(now), until.map(seconds)]).await?;
    }
    sweep(db, UnixTime(now.0.saturating_sub(lockout.window.0)), now).await?;
    Ok(locked_out)
}

/// When failures were, and how many then: `1800000000 1800000007*3` in their column.
#[derive(Debug, Default, PartialEq, Eq)]
struct Times(Vec<(u64, u32)>);

impl Times {
    fn read(column: &str) -> Self {
        let read = |text: &str| {
            let (at, times) = text.split_once('*').unwrap_or((text, "1"));
            Some((at.parse().ok()?, times.parse().ok()?))
        };
        Self(column.split(' ').filter_map(read).collect())
    }

    /// Adds one, and forgets those that count no longer. Where many count, a few seconds more or less are not told apart.
    fn add(&mut self, now: UnixTime, lockout: &Lockout, max_failures: u32) {
        self.0.retain(|(at, _)| at.saturating_add(lockout.window.0) > now.0);
        let step = if max_failures > EXACT { (lockout.window.0 / u64::from(EXACT)).max(1) } else { 1 };
        let at = now.0.next_multiple_of(step);
        match self.0.last_mut() {
            Some((last, times)) if *last == at => *times = times.saturating_add(1),
            Some(_) | None => self.0.push((at, 1)),
        }
    }

    fn count(&self) -> u32 {
        self.0.iter().fold(0, |sum, (_, times)| sum.saturating_add(*times))
    }

    fn written(&self) -> String {
        let write = |(at, times): &(u64, u32)| if *times == 1 { at.to_string() } else { format!("{at}*{times}") };
        self.0.iter().map(write).collect::<Vec<_>>().join(" ")
    }
}

/// Deletes some rows that count for nothing any more.
async fn sweep(db: &mut Session, before: UnixTime, now: UnixTime) -> Result<(), StoreError> {
    let sql = "SELECT who FROM failures WHERE since < ?1 AND (locked_until IS NULL OR locked_until <= ?2) \
               ORDER BY since LIMIT ?3";
    let old = db.query(sql, &values![seconds(before), seconds(now), SWEEP]).await?;
    for mut row in old {
        let who: String = row.take(0)?;
        db.execute("DELETE FROM failures WHERE who = ?1 AND since < ?2", &values![who, seconds(before)]).await?;
    }
    Ok(())
}

/// Forgets the failures that count against these; a lockout stays until its end.
pub(crate) fn clear(who: &[String], now: UnixTime) -> impl Iterator<Item = Change<'_>> {
    who.iter().map(move |who| Change {
        sql: "DELETE FROM failures WHERE who = ?1 AND (locked_until IS NULL OR locked_until <= ?2)",
        values: values![who, seconds(now)].into(),
        otherwise: None,
    })
}

impl LockedOut {
    /// What the audit trail says of it.
    pub(crate) fn reason(&self) -> String {
        format!("{}: {} failures, locked out until {}", self.who, self.failures, self.until)
    }

    pub(crate) fn event<'a>(reason: &'a str, source: Option<&'a str>, label: Option<&'a str>) -> Event<'a> {
        let (name, method) = ("auth.otp.lockout", Some(Method::Otp));
        Event { name, success: false, source, label, method, reason: Some(reason), ..Event::EMPTY }
    }
}

struct LockedUntil {
    who: Vec<String>,
    now: UnixTime,
}

impl Work for LockedUntil {
    type Answer = Option<UnixTime>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<UnixTime>, StoreError> {
        let mut query = Query::new("SELECT MAX(locked_until) FROM failures WHERE locked_until >", seconds(self.now));
        for (index, who) in self.who.iter().enumerate() {
            query.push(if index == 0 { " AND who IN (" } else { "," }, who);
        }
        query.push_str(")");
        let Some(mut row) = query.run(db).await?.into_iter().next() else { return Ok(None) };
        Ok(row.take::<Option<i64>>(0)?.map(time))
    }
}

struct List {
    limit: u32,
}

impl Work for List {
    type Answer = Vec<Failures>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Failures>, StoreError> {
        let sql = "SELECT who, times, since, locked_until FROM failures ORDER BY since DESC, who LIMIT ?1";
        let rows = db.query(sql, &values![self.limit]).await?;
        let failures = rows.into_iter().map(|mut row| {
            let times: String = row.take(1)?;
            Ok(Failures {
                who: row.take(0)?,
                count: Times::read(&times).count(),
                last: time(row.take(2)?),
                locked_until: row.take::<Option<i64>>(3)?.map(time),
            })
        });
        failures.collect()
    }
}

struct Unlock {
    who: Vec<String>,
    actor: Actor,
}

impl Work for Unlock {
    type Answer = Vec<String>;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Vec<String>, StoreError> {
        let mut unlocked = Vec::new();
        for who in &self.who {
            if db.execute("DELETE FROM failures WHERE who = ?1", &values![who]).await? == 1 {
                Event { reason: Some(who), ..Event::by(&self.actor, "auth.otp.unlocked") }.insert(db, at).await?;
                unlocked.push(who.clone());
            }
        }
        Ok(unlocked)
    }
}

#[cfg(test)]
mod tests {
    use est_core::Seconds;

    use super::*;

    const LOCKOUT: Lockout =
        Lockout { max_failures: 5, max_address_failures: 50, window: Seconds(900), duration: Seconds(1800) };

    #[test]
    fn reads_what_it_writes() {
        for column in ["", "7", "7 9", "7*3 9"] {
            assert_eq!(Times::read(column).written(), column);
        }
        assert_eq!(Times::read("7*3 9").count(), 4);
    }

    #[test]
    fn a_failure_counts_for_as_long_as_the_window_however_many_there_are() {
        for max_failures in [5, 800] {
            let mut times = Times::default();
            for second in 1_000_000..1_010_000 {
                times.add(UnixTime(second), &LOCKOUT, max_failures);
                assert!(max_failures == 5 || times.0.len() <= 66 && times.written().len() < 1_000, "{times:?}");
            }
            assert!((900..=915).contains(&times.count()), "{}", times.count());
        }
    }
}
