//! One-time passwords: the public half and a hash of the other. The secret never comes here.

use est_core::{Secret, UnixTime};
use rusqlite::{Connection, OptionalExtension, params};

use crate::audit::Event;
use crate::database::{Database, seconds, time};
use crate::{Actor, Cursor, Page, Revocation, StoreError, UnixMicros};

/// A password to create.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// The public half, which finds it.
    pub id: String,
    /// What the secret is checked against.
    pub hash: Secret,
    /// Whom it is for, if for somebody.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// When it was made.
    pub created: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// For how many requests it is good.
    pub max_uses: u32,
}

/// A password that somebody may authenticate with.
#[derive(Clone, Debug)]
pub struct Password {
    /// What the secret is checked against.
    pub hash: Secret,
    /// Whom it is for, if for somebody.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// When it ends.
    pub expires: UnixTime,
}

/// A password, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSummary {
    /// The public half.
    pub id: String,
    /// Whom it is for, if for somebody.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// When it was made.
    pub created: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// For how many requests it is good.
    pub max_uses: u32,
    /// How many requests have used it.
    pub uses: u32,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixTime>,
}

impl Database {
    /// Remembers a password, and that `actor` made it.
    ///
    /// # Errors
    /// [`StoreError::PasswordExists`], [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn create_password(&self, password: NewPassword, actor: &Actor) -> Result<(), StoreError> {
        let actor = actor.clone();
        self.inner.writer.write(move |db, at| create(db, &password, &actor, at)).await
    }

    /// The password with this id, for as long as somebody may authenticate with it: until it ends or is revoked, and
    /// beyond its end while a request that used it in time has no answer yet, or may fetch it again. A slow approval
    /// locks nobody out, nor does an answer that was lost at the password's end.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn password(&self, id: &str, now: UnixTime) -> Result<Option<Password>, StoreError> {
        let id = id.to_owned();
        self.inner.readers.read(move |db| find(db, &id, now)).await
    }

    /// Lists the passwords, the latest first, up to `limit` of them and from `after` on.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn list_passwords(&self, limit: u32, after: Option<Cursor>) -> Result<Page<PasswordSummary>, StoreError> {
        self.inner.readers.read(move |db| list(db, limit, after)).await
    }

    /// Ends a password.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn revoke_password(&self, id: &str, now: UnixTime, actor: &Actor) -> Result<Revocation, StoreError> {
        let (id, actor) = (id.to_owned(), actor.clone());
        self.inner.writer.write(move |db, at| revoke(db, &id, now, &actor, at)).await
    }
}

/// Uses a password once, and tells whether that was possible.
pub(crate) fn consume(db: &Connection, id: &str, now: UnixTime) -> Result<bool, StoreError> {
    let mut consume = db.prepare_cached(
        "UPDATE passwords SET uses = uses + 1 \
         WHERE id = ?1 AND revoked_at IS NULL AND uses < max_uses AND expires > ?2",
    )?;
    Ok(consume.execute(params![id, seconds(now)])? == 1)
}

/// Takes a use back.
pub(crate) fn give_back(db: &Connection, id: &str) -> Result<(), StoreError> {
    let mut give_back = db.prepare_cached("UPDATE passwords SET uses = uses - 1 WHERE id = ?1 AND uses > 0")?;
    give_back.execute([id])?;
    Ok(())
}

fn create(db: &Connection, password: &NewPassword, actor: &Actor, at: UnixMicros) -> Result<(), StoreError> {
    let inserted = db
        .prepare_cached(
            "INSERT INTO passwords (id, hash, entity, label, created, expires, max_uses) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            password.id,
            password.hash.reveal(),
            password.entity,
            password.label,
            seconds(password.created),
            seconds(password.expires),
            password.max_uses,
        ])?;
    if inserted == 0 {
        return Err(StoreError::PasswordExists);
    }
    note(db, "otp.created", &password.id, password.entity.as_deref(), password.label.as_deref(), actor, at)
}

fn revoke(db: &Connection, id: &str, now: UnixTime, actor: &Actor, at: UnixMicros) -> Result<Revocation, StoreError> {
    type Found = (Option<String>, Option<String>, Option<i64>);
    let found: Option<Found> = db
        .prepare_cached("SELECT entity, label, revoked_at FROM passwords WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (entity, label) = match found {
        None => return Ok(Revocation::Unknown),
        Some((_, _, Some(_))) => return Ok(Revocation::AlreadyRevoked),
        Some((entity, label, None)) => (entity, label),
    };
    db.prepare_cached("UPDATE passwords SET revoked_at = ?2 WHERE id = ?1")?.execute(params![id, seconds(now)])?;
    note(db, "otp.revoked", id, entity.as_deref(), label.as_deref(), actor, at)?;
    Ok(Revocation::Revoked)
}

fn note(
    db: &Connection,
    event: &'static str,
    id: &str,
    entity: Option<&str>,
    label: Option<&str>,
    actor: &Actor,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let reason = match entity {
        Some(entity) => format!("password {id} of {entity}"),
        None => format!("password {id}"),
    };
    Event { reason: Some(&reason), label, ..Event::by(actor, event) }.insert(db, at)
}

fn find(db: &Connection, id: &str, now: UnixTime) -> Result<Option<Password>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT hash, entity, label, expires FROM passwords WHERE id = ?1 AND revoked_at IS NULL \
         AND (expires > ?2 OR EXISTS (SELECT 1 FROM claims WHERE password = ?1 AND (state < 3 OR replay_until >= ?2)))",
    )?;
    let found = select.query_row(params![id, seconds(now)], |row| {
        Ok(Password {
            hash: Secret::new(row.get(0)?),
            entity: row.get(1)?,
            label: row.get(2)?,
            expires: time(row.get(3)?),
        })
    });
    Ok(found.optional()?)
}

fn list(db: &Connection, limit: u32, after: Option<Cursor>) -> Result<Page<PasswordSummary>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT number, id, entity, label, created, expires, max_uses, uses, revoked_at FROM passwords \
         WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let rows = select.query_map(params![after.map_or(i64::MAX, |cursor| cursor.0), i64::from(limit) + 1], |row| {
        let password = PasswordSummary {
            id: row.get(1)?,
            entity: row.get(2)?,
            label: row.get(3)?,
            created: time(row.get(4)?),
            expires: time(row.get(5)?),
            max_uses: row.get(6)?,
            uses: row.get(7)?,
            revoked_at: row.get::<_, Option<i64>>(8)?.map(time),
        };
        Ok((row.get(0)?, password))
    })?;
    Ok(Page::of(rows.collect::<Result<_, _>>()?, limit))
}
