//! The audit trail: what happened, in the order in which it was written down.

use est_core::pkix::Fingerprint;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::database::Database;
use crate::{Cursor, Page, SerialNumber, StoreError, UnixMicros};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place in the trail, from 1.
    pub number: u64,
    /// When it was written down.
    pub at: UnixMicros,
    /// What happened: a dotted name.
    pub event: String,
    /// Whether what was attempted came about.
    pub success: bool,
    /// Who did it.
    pub actor: Option<String>,
    /// From what address.
    pub source: Option<String>,
    /// At what label.
    pub label: Option<String>,
    /// With what CA.
    pub ca: Option<String>,
    /// How they had shown who they are.
    pub method: Option<Method>,
    /// What else there is to say.
    pub reason: Option<String>,
    /// The serial number of the certificate that it is about: for `auth.*` the one that was shown, else the one that
    /// was issued, handed out again or revoked.
    pub serial: Option<SerialNumber>,
    /// The fingerprint of that certificate.
    pub fingerprint: Option<Fingerprint>,
}

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a client certificate.
    Certificate,
    /// By a one-time password.
    Otp,
    /// By being able to run commands on the server.
    Local,
    /// By a bearer token of the admin API.
    Bearer,
}

impl Method {
    /// Its name in an audit record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Otp => "otp",
            Self::Local => "local",
            Self::Bearer => "bearer",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Certificate, Self::Otp, Self::Local, Self::Bearer].into_iter().find(|method| method.name() == name)
    }
}

/// Who does what an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who: for people to read.
    pub name: String,
    /// How they had shown that.
    pub method: Method,
    /// From what address.
    pub source: Option<String>,
}

impl Actor {
    /// Somebody who runs commands on the server.
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), method: Method::Local, source: None }
    }
}

/// What happens to a server that belongs in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// It begins to serve.
    Startup,
    /// It has stopped serving.
    Shutdown,
}

impl ServerEvent {
    const fn name(self) -> &'static str {
        match self {
            Self::Startup => "server.startup",
            Self::Shutdown => "server.shutdown",
        }
    }
}

/// Which events to read. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those whose name is this, or begins with this and a dot: `otp`, `auth.otp`, `cert.issued`.
    pub event: Option<String>,
    /// Those that came about, or those that did not.
    pub success: Option<bool>,
    /// Those about the certificate with this serial number.
    pub serial: Option<SerialNumber>,
    /// Those written down at this time or later.
    pub since: Option<UnixMicros>,
}

impl Database {
    /// Reads events, the latest first, up to `limit` of them and from `after` on.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn audit(
        &self,
        filter: AuditFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Page<AuditRecord>, StoreError> {
        self.inner.readers.read(move |db| read(db, &filter, limit, after)).await
    }

    /// Writes down what happened to the server.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note(&self, event: ServerEvent, reason: Option<String>) -> Result<(), StoreError> {
        let work = move |db: &Connection, at| {
            Event { name: event.name(), success: true, reason: reason.as_deref(), ..Event::EMPTY }.insert(db, at)
        };
        self.inner.writer.write(work).await
    }
}

/// An event to write down.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'static str,
    pub(crate) success: bool,
    pub(crate) actor: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) ca: Option<&'a str>,
    pub(crate) method: Option<Method>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) serial: Option<&'a [u8]>,
    pub(crate) fingerprint: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    pub(crate) const EMPTY: Self = Self {
        name: "",
        success: true,
        actor: None,
        source: None,
        label: None,
        ca: None,
        method: None,
        reason: None,
        serial: None,
        fingerprint: None,
    };

    /// Something that an operator did.
    pub(crate) fn by(actor: &'a Actor, name: &'static str) -> Self {
        let source = actor.source.as_deref();
        Self { name, actor: Some(&actor.name), source, method: Some(actor.method), ..Self::EMPTY }
    }

    pub(crate) fn insert(&self, db: &Connection, at: UnixMicros) -> Result<(), StoreError> {
        let mut insert = db.prepare_cached(
            "INSERT INTO audit \
             (at_micros, event, outcome, actor, source, label, ca, method, reason, serial, fingerprint) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute(params![
            micros(at),
            self.name,
            if self.success { "success" } else { "failure" },
            self.actor,
            self.source,
            self.label,
            self.ca,
            self.method.map(Method::name),
            self.reason,
            self.serial,
            self.fingerprint,
        ])?;
        Ok(())
    }
}

fn read(
    db: &Connection,
    filter: &AuditFilter,
    limit: u32,
    after: Option<Cursor>,
) -> Result<Page<AuditRecord>, StoreError> {
    let mut sql = String::from(
        "SELECT number, at_micros, event, outcome, actor, source, label, ca, method, reason, serial, fingerprint \
         FROM audit WHERE number < ?",
    );
    let mut values: Vec<rusqlite::types::Value> = vec![after.map_or(i64::MAX, |cursor| cursor.0).into()];
    if let Some(event) = &filter.event {
        // '/' is the character after '.': this is every name that begins with the event's and a dot.
        sql.push_str(" AND (event = ? OR (event >= ? AND event < ?))");
        values.extend([event.clone().into(), format!("{event}.").into(), format!("{event}/").into()]);
    }
    if let Some(success) = filter.success {
        sql.push_str(" AND outcome = ?");
        values.push(if success { "success" } else { "failure" }.to_owned().into());
    }
    if let Some(serial) = &filter.serial {
        sql.push_str(" AND serial = ?");
        values.push(serial.as_bytes().to_vec().into());
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND at_micros >= ?");
        values.push(micros(since).into());
    }
    sql.push_str(" ORDER BY number DESC LIMIT ?");
    values.push((i64::from(limit) + 1).into());
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push((row.get(0)?, record(row)?));
    }
    Ok(Page::of(records, limit))
}

fn record(row: &Row<'_>) -> Result<AuditRecord, StoreError> {
    let method: Option<String> = row.get(8)?;
    let method = match method {
        Some(name) => Some(Method::from_name(&name).ok_or(StoreError::Damaged { column: "audit.method" })?),
        None => None,
    };
    Ok(AuditRecord {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        at: UnixMicros(row.get::<_, i64>(1)?.unsigned_abs()),
        event: row.get(2)?,
        success: row.get_ref(3)?.as_str().is_ok_and(|outcome| outcome == "success"),
        actor: row.get(4)?,
        source: row.get(5)?,
        label: row.get(6)?,
        ca: row.get(7)?,
        method,
        reason: row.get(9)?,
        serial: row.get::<_, Option<Vec<u8>>>(10)?.map(|octets| SerialNumber::from_contents(&octets)),
        fingerprint: row.get::<_, Option<[u8; 32]>>(11)?.map(Fingerprint),
    })
}

pub(crate) fn micros(at: UnixMicros) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
