//! One-time passwords: the public half and a hash of the other. The secret never comes here.

use est_core::{Secret, UnixTime};

use crate::audit::{Event, Seal};
use crate::database::{Database, seconds, time};
use crate::session::{Query, Session};
use crate::value::{Row, Value, values};
use crate::work::Work;
use crate::{Actor, Cursor, Page, Revocation, StoreError, UnixMicros};

/// A password to create.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// The public half, which finds it.
    pub id: String,
    /// What the secret is checked against.
    pub hash: Secret,
    /// The client's name, if it is for one client.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// The names that it is good for in addition to the entity's own.
    pub names: Vec<String>,
    /// When it was made.
    pub created: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// For how many requests it is good.
    pub max_uses: u32,
}

/// A password, for the authenticator.
#[derive(Clone, Debug)]
pub struct Password {
    /// What the secret is checked against.
    pub hash: Secret,
    /// The client's name, if it is for one client.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// The names that it is good for in addition to the entity's own.
    pub names: Vec<String>,
    /// When it ends.
    pub expires: UnixTime,
    /// Whether it has ended, and no request that used it in time has yet to get its answer, or may fetch it again.
    pub has_expired: bool,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

impl Password {
    /// Whether somebody may authenticate with it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.has_expired && !self.is_revoked
    }
}

/// A password, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSummary {
    /// The public half.
    pub id: String,
    /// The client's name, if it is for one client.
    pub entity: Option<String>,
    /// The label that it is for, if for one.
    pub label: Option<String>,
    /// The names that it is good for in addition to the entity's own.
    pub names: Vec<String>,
    /// When it was made.
    pub created: UnixTime,
    /// Who made it, where that is known.
    pub created_by: Option<String>,
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
        self.create_passwords(vec![password], actor).await
    }

    /// As [`create_password`](Self::create_password), for several: all of them or none.
    ///
    /// # Errors
    /// As [`create_password`](Self::create_password).
    pub async fn create_passwords(&self, passwords: Vec<NewPassword>, actor: &Actor) -> Result<(), StoreError> {
        self.write(Create { passwords, actor: actor.clone() }).await
    }

    /// The password with this id, also when it has ended or was revoked.
    ///
    /// It lasts beyond its end while a request that used it in time has no answer yet, or may fetch it again. A slow approval
    /// locks nobody out, nor does an answer that was lost at the password's end.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn password(&self, id: &str, now: UnixTime) -> Result<Option<Password>, StoreError> {
        self.glance(Find { id: id.to_owned(), now }).await
    }

    /// The password with this id, as an operator sees it: whatever became of it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn password_summary(&self, id: &str) -> Result<Option<PasswordSummary>, StoreError> {
        self.read(Summary { id: id.to_owned() }).await
    }

    /// Lists the passwords, the latest first, up to `limit` of them and from `after` on; where a time is given, those
    /// alone that are good then: neither over nor spent nor revoked.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn list_passwords(
        &self,
        good_at: Option<UnixTime>,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Page<PasswordSummary>, StoreError> {
        self.read(List { good_at, limit, after }).await
    }

    /// Ends a password.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn revoke_password(&self, id: &str, now: UnixTime, actor: &Actor) -> Result<Revocation, StoreError> {
        self.write(Revoke { id: id.to_owned(), now, actor: actor.clone() }).await
    }
}

/// Uses a password once, and tells whether that was possible.
pub(crate) async fn consume(db: &mut Session, id: &str, now: UnixTime) -> Result<bool, StoreError> {
    let sql = "UPDATE passwords SET uses = uses + 1 \
               WHERE id = ?1 AND revoked_at IS NULL AND uses < max_uses AND expires > ?2";
    Ok(db.execute(sql, &values![id, seconds(now)]).await? == 1)
}

/// The columns of a password that nothing changes.
pub(crate) const SEALED: &str = "hash, entity, label, names, created, expires, max_uses, created_by";

/// What a record says of these columns.
pub(crate) fn seal(columns: &[Value<'_>]) -> Seal {
    Seal::of("passwords", columns)
}

struct Create {
    passwords: Vec<NewPassword>,
    actor: Actor,
}

impl Work for Create {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        for password in &self.passwords {
            self.create(password, db, at).await?;
        }
        Ok(())
    }
}

impl Create {
    async fn create(&self, password: &NewPassword, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let actor = &self.actor;
        let sql = "INSERT INTO passwords (id, hash, entity, label, names, created, expires, max_uses, created_by) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
        let values = values![
            &password.id,
            password.hash.reveal(),
            &password.entity,
            &password.label,
            names_to_column(&password.names),
            seconds(password.created),
            seconds(password.expires),
            password.max_uses,
            &actor.name,
        ];
        if db.execute(sql, &values).await? == 0 {
            return Err(StoreError::PasswordExists);
        }
        let (entity, label) = (password.entity.as_deref(), password.label.as_deref());
        let id = format!("{} {}", password.id, seal(&values[1..]));
        note("otp.created", &id, entity, label, actor, db, at).await
    }
}

struct Revoke {
    id: String,
    now: UnixTime,
    actor: Actor,
}

impl Work for Revoke {
    type Answer = Revocation;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Revocation, StoreError> {
        let Self { id, now, actor } = self;
        let sql = "SELECT entity, label, revoked_at FROM passwords WHERE id = ?1 FOR UPDATE";
        let Some(mut row) = db.query_one(sql, &values![id]).await? else { return Ok(Revocation::Unknown) };
        if row.take::<Option<i64>>(2)?.is_some() {
            return Ok(Revocation::AlreadyRevoked);
        }
        let (entity, label): (Option<String>, Option<String>) = (row.take(0)?, row.take(1)?);
        db.execute("UPDATE passwords SET revoked_at = ?2 WHERE id = ?1", &values![id, seconds(*now)]).await?;
        note("otp.revoked", id, entity.as_deref(), label.as_deref(), actor, db, at).await?;
        Ok(Revocation::Revoked)
    }
}

async fn note(
    event: &'static str,
    id: &str,
    entity: Option<&str>,
    label: Option<&str>,
    actor: &Actor,
    db: &mut Session,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let reason = match entity {
        Some(entity) => format!("password {id} of {entity}"),
        None => format!("password {id}"),
    };
    Event { reason: Some(&reason), label, ..Event::by(actor, event) }.insert(db, at).await
}

struct Find {
    id: String,
    now: UnixTime,
}

impl Work for Find {
    type Answer = Option<Password>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<Password>, StoreError> {
        let sql = "SELECT hash, entity, label, expires, names, revoked_at, CASE WHEN expires > ?2 THEN 1 ELSE \
                   (SELECT COUNT(*) FROM claims WHERE password = ?1 AND (state < 3 OR replay_until >= ?2)) END \
                   FROM passwords WHERE id = ?1";
        let Some(mut row) = db.query_one(sql, &values![&self.id, seconds(self.now)]).await? else { return Ok(None) };
        Ok(Some(Password {
            hash: Secret::new(row.take(0)?),
            entity: row.take(1)?,
            label: row.take(2)?,
            expires: time(row.take(3)?),
            names: names_of_column(row.take(4)?)?,
            is_revoked: row.take::<Option<i64>>(5)?.is_some(),
            has_expired: row.take::<i64>(6)? == 0,
        }))
    }
}

struct Summary {
    id: String,
}

impl Work for Summary {
    type Answer = Option<PasswordSummary>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<PasswordSummary>, StoreError> {
        find_summary(db, &self.id).await
    }
}

/// The password with this id.
pub(crate) async fn find_summary(db: &mut Session, id: &str) -> Result<Option<PasswordSummary>, StoreError> {
    let sql = format!("{COLUMNS} WHERE id = ?1");
    db.query_one(&sql, &values![id]).await?.map(summary).transpose()
}

const COLUMNS: &str = "SELECT number, id, entity, label, created, expires, max_uses, uses, revoked_at, names, created_by \
     FROM passwords";

struct List {
    good_at: Option<UnixTime>,
    limit: u32,
    after: Option<Cursor>,
}

impl Work for List {
    type Answer = Page<PasswordSummary>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Page<PasswordSummary>, StoreError> {
        let mut query =
            Query::new(&format!("{COLUMNS} WHERE number <"), self.after.map_or(i64::MAX, |cursor| cursor.0));
        if let Some(now) = self.good_at {
            query.push(" AND revoked_at IS NULL AND uses < max_uses AND expires >", seconds(now));
        }
        query.push(" ORDER BY number DESC LIMIT", i64::from(self.limit) + 1);
        let rows = query.run(db).await?;
        let summaries = rows.into_iter().map(|mut row| Ok((row.take(0)?, summary(row)?)));
        Ok(Page::of(summaries.collect::<Result<_, StoreError>>()?, self.limit))
    }
}

fn summary(mut row: Row) -> Result<PasswordSummary, StoreError> {
    Ok(PasswordSummary {
        id: row.take(1)?,
        entity: row.take(2)?,
        label: row.take(3)?,
        created: time(row.take(4)?),
        created_by: row.take(10)?,
        expires: time(row.take(5)?),
        max_uses: row.take(6)?,
        uses: row.take(7)?,
        revoked_at: row.take::<Option<_>>(8)?.map(time),
        names: names_of_column(row.take(9)?)?,
    })
}

fn names_to_column(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| serde_json::Value::from(names).to_string())
}

fn names_of_column(column: Option<String>) -> Result<Vec<String>, StoreError> {
    let Some(text) = column else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|_| StoreError::Damaged { column: "passwords.names" })
}
