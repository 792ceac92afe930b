//! The audit trail: what happened, in the order in which it was written down.

mod chain;
mod checkpoint;
mod events;
mod reading;
mod record;
mod seal;
mod state;
mod text;
mod trail;
mod verify;

use std::sync::Arc;

use est_core::pkix::{Certificate, Fingerprint};

use crate::database::Database;
use crate::session::{Change, Query, Session};
use crate::value::values;
use crate::work::Work;
use crate::{Cursor, Page, SerialNumber, StoreError, UnixMicros};

pub use chain::Chain;
pub use checkpoint::Checkpoint;
pub use events::{EVENTS, KnownEvent};
pub use reading::{ChainPiece, ChainPlace, Unreadable};
pub(crate) use seal::Seal;
pub use state::{Fault, Mismatch};
use text::plain;
pub use trail::{TrailUse, VOUCHED};
pub use verify::{Extent, Finding, Report, Tampering, Verdict, Verifier};

/// The event of what stands in listings and at sinks for a record that cannot be read. No record is of it.
pub const UNREADABLE: &str = "audit.unreadable";

/// When the last record was written, whosever it is.
pub(crate) async fn last_written(db: &mut Session) -> Result<Option<UnixMicros>, StoreError> {
    let row = db.query_one("SELECT at_micros FROM audit ORDER BY number DESC LIMIT 1", &[]).await?;
    row.map(|mut row| row.take(0).map(UnixMicros)).transpose()
}

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
    /// How they authenticated.
    pub method: Option<Method>,
    /// What else there is to say.
    pub reason: Option<String>,
    /// The serial number of the certificate that it is about: for `auth.*` the one that was shown, else the one that
    /// was issued, handed out again or revoked.
    pub serial: Option<SerialNumber>,
    /// The fingerprint of that certificate.
    pub fingerprint: Option<Fingerprint>,
    /// The chain that it is in, up to it and with it; `None` for a row that is in none, which no server wrote.
    pub chain: Option<Chain>,
}

/// How a client or an operator authenticated.
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

    /// The method with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
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
    /// The user of a command on the server.
    pub fn local(name: impl Into<String>) -> Self {
        Self { name: name.into(), method: Method::Local, source: None }
    }

    /// Whether a record of `name` is of the same person, as far as names show: the user that logged in, whichever user they
    /// turned into, or were by their own account.
    pub(crate) fn is_person(&self, name: &str) -> bool {
        fn person(name: &str) -> &str {
            let name = name.split(", sudo by ").next().unwrap_or(name);
            let name = name.strip_prefix("local:").unwrap_or(name);
            name.split_once(", logged in as ").map_or(name, |(_, login)| login)
        }
        self.name.starts_with("local:") == name.starts_with("local:") && person(&self.name) == person(name)
    }
}

/// What happens to a server that belongs in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// It begins to serve.
    Startup,
    /// It has stopped serving.
    Shutdown,
    /// It serves by another configuration from here on.
    ConfigReloaded,
    /// It was to serve by another configuration, which has mistakes.
    ConfigRejected,
    /// Somebody asked more often than they may.
    LimitExceeded,
    /// Requests of somebody known were refused, more than are written down one by one.
    Refusals,
    /// Attempts of nobody known failed, more than are written down one by one.
    AuthFailures,
    /// A client certificate was not accepted in the TLS handshake.
    CertificateRejected,
    /// A TLS handshake failed.
    TlsFailure,
    /// What happens is written down from here on.
    AuditStarted,
    /// What happens is not written down any more.
    AuditStopped,
    /// It serves by this configuration.
    ConfigLoaded,
    /// Its database was brought to another version.
    Migrated,
    /// A sink has taken no audit records for a while.
    SinkFailed,
    /// A sink of which that was written down takes them again.
    SinkRestored,
    /// The system's time was changed.
    TimeChanged,
}

impl ServerEvent {
    const fn name(self) -> &'static str {
        match self {
            Self::Startup => "server.startup",
            Self::Shutdown => "server.shutdown",
            Self::ConfigReloaded => "config.reloaded",
            Self::ConfigRejected => "config.rejected",
            Self::LimitExceeded => "limit.exceeded",
            Self::Refusals => "enroll.failures",
            Self::AuthFailures => "auth.failures",
            Self::CertificateRejected => "auth.mtls.failure",
            Self::TlsFailure => "tls.failure",
            Self::AuditStarted => "audit.started",
            Self::AuditStopped => "audit.stopped",
            Self::ConfigLoaded => "config.loaded",
            Self::Migrated => "store.migrated",
            Self::SinkFailed => "audit.sink.failed",
            Self::SinkRestored => "audit.sink.restored",
            Self::TimeChanged => "time.changed",
        }
    }

    const fn is_success(self) -> bool {
        match self {
            Self::Startup
            | Self::Shutdown
            | Self::ConfigReloaded
            | Self::AuditStarted
            | Self::AuditStopped
            | Self::ConfigLoaded
            | Self::Migrated
            | Self::SinkRestored
            | Self::TimeChanged => true,
            Self::ConfigRejected
            | Self::LimitExceeded
            | Self::Refusals
            | Self::AuthFailures
            | Self::CertificateRejected
            | Self::TlsFailure
            | Self::SinkFailed => false,
        }
    }
}

/// Whom something that happens to a server goes back to, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instigator {
    /// Who: for people to read.
    pub name: Option<String>,
    /// How they had shown that.
    pub method: Option<Method>,
    /// From what address.
    pub source: Option<String>,
    /// The certificate that they showed.
    pub shown: Option<Arc<Certificate>>,
}

impl From<&Actor> for Instigator {
    fn from(actor: &Actor) -> Self {
        Self { name: Some(actor.name.clone()), method: Some(actor.method), source: actor.source.clone(), shown: None }
    }
}

/// Which events to read. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those whose name is this, or begins with this and a dot: `otp`, `auth.otp`, `cert.issued`.
    pub event: Option<String>,
    /// Not those whose name is this, or begins with this and a dot.
    pub without: Option<String>,
    /// Those that came about, or those that did not.
    pub success: Option<bool>,
    /// Those about the certificate with this serial number.
    pub serial: Option<SerialNumber>,
    /// Those written down at this time or later.
    pub since: Option<UnixMicros>,
    /// Those written down before this time.
    pub before: Option<UnixMicros>,
    /// Those of this actor, or of those whose name begins with this and a space or a comma: `local:alice`,
    /// `password tf5evn8xva`.
    pub actor: Option<String>,
    /// Those with this CA.
    pub ca: Option<String>,
    /// Those from this address.
    pub source: Option<String>,
    /// Those at this label.
    pub label: Option<String>,
    /// Those with this text in the actor or the reason, or in the subject or the subjectAltName of the certificate that
    /// they are about, in either case of ASCII.
    pub containing: Option<String>,
}

impl Database {
    /// Reads events, the latest first, up to `limit` of them and from `after` on. A stand-in tells of each that cannot be
    /// read ([`UNREADABLE`]).
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn audit(
        &self,
        filter: AuditFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Page<AuditRecord>, StoreError> {
        self.read(Read { filter, limit, after }).await
    }

    /// Writes down what happened to the server.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note(&self, event: ServerEvent, reason: Option<String>) -> Result<(), StoreError> {
        self.note_by(Instigator::default(), event, reason).await
    }

    /// As [`note`](Self::note), for what goes back to somebody.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn note_by(
        &self,
        instigator: Instigator,
        event: ServerEvent,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        self.write(Note { instigator, event, reason }).await
    }
}

struct Note {
    instigator: Instigator,
    event: ServerEvent,
    reason: Option<String>,
}

impl Work for Note {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let Self { instigator: Instigator { name, method, source, shown }, event, reason } = self;
        Event {
            name: event.name(),
            success: event.is_success(),
            actor: name.as_deref(),
            source: source.as_deref(),
            method: *method,
            reason: reason.as_deref(),
            serial: shown.as_ref().map(|certificate| certificate.serial()),
            fingerprint: shown.as_ref().map(|certificate| certificate.fingerprint()),
            ..Event::EMPTY
        }
        .insert(db, at)
        .await
    }
}

/// The longest serial number that is written down, in octets: three times what RFC 5280 §4.1.2.2 allows. Whoever makes a
/// certificate of their own, which is then rejected, may choose any; its fingerprint tells which it was.
const MAX_SERIAL: usize = 64;

/// An event to write down.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) success: bool,
    pub(crate) actor: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) ca: Option<&'a str>,
    pub(crate) method: Option<Method>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) serial: Option<&'a [u8]>,
    pub(crate) fingerprint: Option<Fingerprint>,
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

    /// What a record says.
    pub(crate) fn of(record: &'a AuditRecord) -> Self {
        Self {
            name: &record.event,
            success: record.success,
            actor: record.actor.as_deref(),
            source: record.source.as_deref(),
            label: record.label.as_deref(),
            ca: record.ca.as_deref(),
            method: record.method,
            reason: record.reason.as_deref(),
            serial: record.serial.as_ref().map(SerialNumber::as_bytes),
            fingerprint: record.fingerprint,
        }
    }

    /// Something that an operator did.
    pub(crate) fn by(actor: &'a Actor, name: &'static str) -> Self {
        let source = actor.source.as_deref();
        Self { name, actor: Some(&actor.name), source, method: Some(actor.method), ..Self::EMPTY }
    }

    pub(crate) async fn insert(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let change = self.append(db.trail()?, at);
        db.change(vec![change]).await
    }

    /// The statement that writes it down as the next record of `chain`. Texts are written [`plain`].
    pub(crate) fn append(&self, chain: &mut Chain, at: UnixMicros) -> Change<'a> {
        let [actor, source, label, ca, reason] =
            [self.actor, self.source, self.label, self.ca, self.reason].map(|text| text.map(plain));
        let serial = self.serial.filter(|serial| serial.len() <= MAX_SERIAL);
        let event = Event {
            actor: actor.as_deref(),
            source: source.as_deref(),
            label: label.as_deref(),
            ca: ca.as_deref(),
            reason: reason.as_deref(),
            serial,
            ..*self
        };
        debug_assert!(events::is_known(self.name), "{} is not in the table of events", self.name);
        chain.append(&event, at);
        let values = values![
            chain.node.clone(),
            stored(chain.sequence),
            chain.hash,
            micros(at),
            self.name,
            outcome(self.success),
            actor,
            source,
            label,
            ca,
            self.method.map(Method::name),
            reason,
            serial,
            self.fingerprint.map(|fingerprint| fingerprint.0),
        ];
        Change {
            sql: "INSERT INTO audit (node, sequence, hash, \
                  at_micros, event, outcome, actor, source, label, ca, method, reason, serial, fingerprint) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            values: values.into(),
            otherwise: None,
        }
    }
}

struct Read {
    filter: AuditFilter,
    limit: u32,
    after: Option<Cursor>,
}

impl Work for Read {
    type Answer = Page<AuditRecord>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Page<AuditRecord>, StoreError> {
        let Self { limit, after, .. } = self;
        let last = after.map_or(i64::MAX, |cursor| cursor.0.saturating_sub(1));
        let records = record::read_all(db, |columns| self.select(columns, last)).await?;
        let numbered = records.into_iter().map(|record| (stored(record.number), record));
        Ok(Page::of(numbered.collect(), *limit))
    }
}

impl Read {
    fn select<'a>(&'a self, columns: &str, last: i64) -> Query<'a> {
        let Self { filter, limit, .. } = self;
        let mut query = Query::new(&format!("SELECT {columns} FROM audit WHERE number <="), last);
        if let Some(event) = &filter.event {
            // '/' is the character after '.': this is every name that begins with the event's and a dot.
            query.push(" AND (event =", event).push(" OR (event >=", format!("{event}."));
            query.push(" AND event <", format!("{event}/")).push_str("))");
        }
        if let Some(event) = &filter.without {
            query.push(" AND NOT (event =", event).push(" OR (event >=", format!("{event}."));
            query.push(" AND event <", format!("{event}/")).push_str("))");
        }
        if let Some(success) = filter.success {
            query.push(" AND outcome =", outcome(success));
        }
        if let Some(serial) = &filter.serial {
            query.push(" AND serial =", serial.as_bytes());
        }
        if let Some(since) = filter.since {
            query.push(" AND at_micros >=", micros(since));
        }
        if let Some(before) = filter.before {
            query.push(" AND at_micros <", micros(before));
        }
        if let Some(actor) = &filter.actor {
            // '!' comes after ' ', and '-' after ','.
            query.push(" AND (actor =", actor);
            for (from, to) in [(' ', '!'), (',', '-')] {
                query.push(" OR (actor >=", format!("{actor}{from}")).push(" AND actor <", format!("{actor}{to}"));
                query.push_str(")");
            }
            query.push_str(")");
        }
        if let Some(ca) = &filter.ca {
            query.push(" AND ca =", ca);
        }
        if let Some(source) = &filter.source {
            query.push(" AND source =", source);
        }
        if let Some(label) = &filter.label {
            query.push(" AND label =", label);
        }
        if let Some(text) = &filter.containing {
            query.push(" AND (instr(lower(actor), lower(", text).push_str(")) > 0");
            query.push(" OR instr(lower(reason), lower(", text).push_str(")) > 0");
            query.push(" OR serial IN (SELECT serial FROM certificates WHERE instr(lower(subject), lower(", text);
            query.push(")) > 0 OR instr(lower(names), lower(", text).push_str(")) > 0))");
        }
        query.push(" ORDER BY number DESC LIMIT", i64::from(*limit) + 1);
        query
    }
}

fn outcome(success: bool) -> &'static str {
    if success { "success" } else { "failure" }
}

pub(crate) fn micros(at: UnixMicros) -> i64 {
    stored(at.0)
}

/// A count as a column holds it.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
