//! Requests that a person has to look at.

use est_core::{Intent, Operation, Serial, UnixTime};

use crate::audit::{Event, Seal};
use crate::claims::State;
use crate::database::{Database, seconds, time};
use crate::session::{Query, Session};
use crate::value::{Row, Value, values};
use crate::work::Work;
use crate::{Actor, Cursor, Method, Page, StoreError, UnixMicros, passwords};

/// A request that a person has to look at, or has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// Its name: `7k3m-p2qx`.
    pub id: String,
    /// Whether somebody has decided.
    pub state: RequestState,
    /// When it came.
    pub created: UnixTime,
    /// The subject that the certificate is to have.
    pub subject: String,
    /// The subjectAltName that it is to have.
    pub names: Option<String>,
    /// Who asks.
    pub principal: String,
    /// At what label.
    pub label: Option<String>,
    /// Which CA is to issue.
    pub ca: String,
    /// What is asked for.
    pub operation: Operation,
    /// The certification request, DER; listings leave it out.
    pub csr: Option<Vec<u8>>,
    /// From what address it came first.
    pub source: Option<String>,
    /// The public half of the one-time password that it came with.
    pub password: Option<String>,
    /// The certificate that it came with, DER.
    pub shown: Option<Vec<u8>>,
    /// When it was decided.
    pub decided_at: Option<UnixTime>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// What they said.
    pub comment: Option<String>,
}

/// Whether somebody has decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Nobody has.
    Awaiting,
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Denied,
}

impl RequestState {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Awaiting, Self::Approved, Self::Denied].into_iter().find(|state| state.number() == number)
    }

    /// The number of the claim's state that it goes with.
    fn number(self) -> u8 {
        match self {
            Self::Awaiting => State::AwaitingApproval as u8,
            Self::Approved => State::Approved as u8,
            Self::Denied => State::Denied as u8,
        }
    }
}

/// What a person says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

/// A decision, and under which rules it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Yes or no.
    pub decision: Decision,
    /// Why, for readers of the request or the audit trail.
    pub comment: Option<String>,
    /// Whether the maker of a password must not approve what is asked for with it.
    pub dual_control: bool,
}

impl From<Decision> for Ruling {
    fn from(decision: Decision) -> Self {
        Self { decision, comment: None, dual_control: false }
    }
}

/// What came of deciding about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The client gets the answer when it asks again.
    Done,
    /// It was decided before, like this; nothing has changed.
    Already(RequestState),
    /// Somebody else has to approve it: this one made the password that it came with, or its maker is not on record.
    NeedsAnother,
    /// There is no such request.
    Unknown,
}

impl Database {
    /// Lists requests, all or those in one state, the latest first, up to `limit` of them and from `after` on.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn requests(
        &self,
        state: Option<RequestState>,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Page<ApprovalRequest>, StoreError> {
        self.read(List { state, limit, after }).await
    }

    /// How many requests there are in this state.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn count_requests(&self, state: RequestState) -> Result<u64, StoreError> {
        self.read(Count { state }).await
    }

    /// How many requests wait for a decision at each label; `None` is the unlabelled path. Labels where none waits are left
    /// out.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn requests_awaiting(&self) -> Result<Vec<(Option<String>, u64)>, StoreError> {
        self.read(CountAwaiting).await
    }

    /// The request with this id.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn request(&self, id: &str) -> Result<Option<ApprovalRequest>, StoreError> {
        self.read(Find { id: id.trim().to_ascii_lowercase() }).await
    }

    /// Decides about the request with this id, on `actor`'s behalf.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn decide_request(
        &self,
        id: &str,
        ruling: impl Into<Ruling>,
        actor: &Actor,
        now: UnixTime,
    ) -> Result<Decided, StoreError> {
        let (id, ruling, actor) = (id.trim().to_ascii_lowercase(), ruling.into(), actor.clone());
        self.write(Decide { id, ruling, actor, now }).await
    }
}

/// A request to remember.
pub(crate) struct NewRequest {
    serial: Serial,
    created: UnixTime,
    subject: String,
    names: Option<String>,
    principal: String,
    /// The id of the principal.
    pub(crate) asker: String,
    label: Option<String>,
    ca: String,
    operation: Operation,
    csr: Vec<u8>,
    source: Option<String>,
    password: Option<String>,
    shown: Option<Vec<u8>>,
}

impl NewRequest {
    pub(crate) fn of(intent: &Intent) -> Self {
        Self {
            serial: intent.serial,
            created: intent.now,
            subject: intent.csr.wanted_subject().to_string(),
            names: intent.csr.wanted_subject_alt_name().map(ToString::to_string),
            principal: intent.principal.to_string(),
            asker: intent.principal.id(),
            label: intent.label.clone(),
            ca: intent.ca.clone(),
            operation: intent.operation,
            csr: intent.csr.as_der().to_vec(),
            source: intent.source.clone(),
            password: intent.principal.password().map(str::to_owned),
            shown: intent.principal.certificate().map(|shown| shown.as_der().to_vec()),
        }
    }

    pub(crate) async fn insert(&self, db: &mut Session, identity: &[u8; 32], at: UnixMicros) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO requests (id, state, {SEALED}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (id) DO NOTHING"
        );
        for id in ids(self.serial) {
            let values = values![
                &id,
                RequestState::Awaiting.number(),
                identity,
                seconds(self.created),
                &self.subject,
                &self.names,
                &self.principal,
                &self.label,
                &self.ca,
                self.operation.segment(),
                &self.csr,
                &self.source,
                &self.password,
                self.shown.as_deref(),
                &self.asker,
            ];
            if db.execute(&sql, &values).await? == 1 {
                let reason =
                    format!("request {id} {}: {}", seal(&values[2..]), named(&self.subject, self.names.as_deref()));
                let event = Event {
                    name: "request.created",
                    actor: Some(&self.principal),
                    source: self.source.as_deref(),
                    method: Some(if self.password.is_some() { Method::Otp } else { Method::Certificate }),
                    label: self.label.as_deref(),
                    ca: Some(&self.ca),
                    reason: Some(&reason),
                    ..Event::EMPTY
                };
                return event.insert(db, at).await;
            }
        }
        Err(StoreError::Database("no free id for a request".into()))
    }
}

/// The columns of a request that nothing changes.
pub(crate) const SEALED: &str =
    "identity, created, subject, names, principal, label, ca, operation, csr, source, password, shown, asker";

/// What a record says of these columns.
pub(crate) fn seal(columns: &[Value<'_>]) -> Seal {
    Seal::of("requests", columns)
}

/// Names for a request, drawn from the random octets of its reserved serial number: the second is for when the first is
/// taken, and so on. The alphabet has no letter that looks like another, and makes no words.
fn ids(serial: Serial) -> impl Iterator<Item = String> {
    const ALPHABET: &[u8; 30] = b"0123456789bcdfghjkmnpqrstvwxyz";
    let octets: Vec<u8> = serial.as_bytes().to_vec();
    (1..=octets.len() - 8).map(move |start| {
        let letters = octets[start..start + 8].iter().map(|octet| char::from(ALPHABET[usize::from(octet % 30)]));
        let text: String = letters.collect();
        format!("{}-{}", &text[..4], &text[4..])
    })
}

/// A subject, and the names beside it.
fn named(subject: &str, names: Option<&str>) -> String {
    match (subject, names) {
        ("", Some(names)) => names.to_owned(),
        (subject, Some(names)) => format!("{subject}, {names}"),
        (subject, None) => subject.to_owned(),
    }
}

/// How many requests are ended in one transaction at most.
const ENDED: i64 = 32;

/// Ends requests that wait for a decision, or for their client after an approval, and were last asked for before this
/// time: so that an approval is not good for ever.
pub(crate) async fn end_silent(db: &mut Session, before: UnixTime, at: UnixMicros) -> Result<(), StoreError> {
    let sql = "SELECT identity, password FROM claims WHERE state IN (1, 2) AND replay_until < ?1 \
               ORDER BY replay_until LIMIT ?2 FOR UPDATE SKIP LOCKED";
    for mut row in db.query(sql, &values![seconds(before), ENDED]).await? {
        let (identity, password): ([u8; 32], Option<String>) = (row.take(0)?, row.take(1)?);
        db.execute("DELETE FROM claims WHERE identity = ?1", &values![identity]).await?;
        let give_back = "UPDATE passwords SET uses = uses - 1 WHERE uses > 0 AND id = ?1";
        db.execute(give_back, &values![password]).await?;
        let sql = "SELECT id, subject, label, ca FROM requests WHERE identity = ?1 AND state IN (1, 2) \
                   ORDER BY number DESC LIMIT 1";
        let Some(mut row) = db.query_one(sql, &values![identity]).await? else { continue };
        let (id, subject): (String, String) = (row.take(0)?, row.take(1)?);
        let (label, ca): (Option<String>, String) = (row.take(2)?, row.take(3)?);
        db.execute("DELETE FROM requests WHERE id = ?1 AND state = 1", &values![&id]).await?;
        let reason = format!("request {id} for {subject}");
        let event = Event { name: "request.expired", success: false, ..Event::EMPTY };
        Event { reason: Some(&reason), label: label.as_deref(), ca: Some(&ca), ..event }.insert(db, at).await?;
    }
    Ok(())
}

struct Decide {
    id: String,
    ruling: Ruling,
    actor: Actor,
    now: UnixTime,
}

impl Work for Decide {
    type Answer = Decided;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Decided, StoreError> {
        let Self { id, ruling, actor, now } = self;
        let sql = "SELECT state, identity, label, ca, subject, names, password FROM requests WHERE id = ?1 FOR UPDATE";
        let Some(mut row) = db.query_one(sql, &values![id]).await? else { return Ok(Decided::Unknown) };
        match RequestState::from_number(row.take(0)?).ok_or(StoreError::Damaged { column: "requests.state" })? {
            RequestState::Awaiting => {}
            decided @ (RequestState::Approved | RequestState::Denied) => return Ok(Decided::Already(decided)),
        }
        if let (Ruling { decision: Decision::Approve, dual_control: true, .. }, Some(password)) =
            (ruling, row.take::<Option<String>>(6)?)
        {
            let maker = passwords::find_summary(db, &password).await?.and_then(|password| password.created_by);
            if maker.is_none_or(|maker| actor.is_person(&maker)) {
                return Ok(Decided::NeedsAnother);
            }
        }
        let (state, event) = match ruling.decision {
            Decision::Approve => (RequestState::Approved, "request.approved"),
            Decision::Deny => (RequestState::Denied, "request.denied"),
        };
        let identity: [u8; 32] = row.take(1)?;
        let decide = "UPDATE requests SET state = ?2, decided_at = ?3, decided_by = ?4, comment = ?5 WHERE id = ?1";
        db.execute(decide, &values![id, state.number(), seconds(*now), &actor.name, &ruling.comment]).await?;
        let settle = "UPDATE claims SET state = ?2 WHERE identity = ?1 AND state = ?3";
        db.execute(settle, &values![identity, state.number(), RequestState::Awaiting.number()]).await?;
        let (label, ca, subject): (Option<String>, String, String) = (row.take(2)?, row.take(3)?, row.take(4)?);
        let names: Option<String> = row.take(5)?;
        let comment = ruling.comment.as_ref().map_or(String::new(), |comment| format!(": {comment}"));
        let reason = format!("request {id} for {}{comment}", named(&subject, names.as_deref()));
        Event { reason: Some(&reason), label: label.as_deref(), ca: Some(&ca), ..Event::by(actor, event) }
            .insert(db, at)
            .await?;
        Ok(Decided::Done)
    }
}

struct Count {
    state: RequestState,
}

impl Work for Count {
    type Answer = u64;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<u64, StoreError> {
        let row = db.query_one("SELECT count(*) FROM requests WHERE state = ?1", &values![self.state.number()]).await?;
        row.map_or(Ok(0), |mut row| row.take(0))
    }
}

struct CountAwaiting;

impl Work for CountAwaiting {
    type Answer = Vec<(Option<String>, u64)>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let awaiting = RequestState::Awaiting.number();
        let sql = "SELECT label, count(*) FROM requests WHERE state = ?1 GROUP BY label";
        let rows = db.query(sql, &values![awaiting]).await?.into_iter();
        rows.map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
    }
}

struct Find {
    id: String,
}

impl Work for Find {
    type Answer = Option<ApprovalRequest>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Option<ApprovalRequest>, StoreError> {
        find(db, &self.id).await
    }
}

/// The request with this id.
pub(crate) async fn find(db: &mut Session, id: &str) -> Result<Option<ApprovalRequest>, StoreError> {
    let sql = format!("{COLUMNS}, csr FROM requests WHERE id = ?1");
    db.query_one(&sql, &values![id]).await?.map(request).transpose()
}

const COLUMNS: &str = "SELECT number, id, state, created, subject, names, principal, label, ca, operation, \
     decided_at, decided_by, source, password, shown, comment";

struct List {
    state: Option<RequestState>,
    limit: u32,
    after: Option<Cursor>,
}

impl Work for List {
    type Answer = Page<ApprovalRequest>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Page<ApprovalRequest>, StoreError> {
        let mut query = Query::new(
            &format!("{COLUMNS}, NULL FROM requests WHERE number <"),
            self.after.map_or(i64::MAX, |cursor| cursor.0),
        );
        if let Some(state) = self.state {
            query.push(" AND state =", state.number());
        }
        query.push(" ORDER BY number DESC LIMIT", i64::from(self.limit) + 1);
        let rows = query.run(db).await?;
        let requests = rows.into_iter().map(|mut row| Ok((row.take(0)?, request(row)?)));
        Ok(Page::of(requests.collect::<Result<_, StoreError>>()?, self.limit))
    }
}

fn request(mut row: Row) -> Result<ApprovalRequest, StoreError> {
    let state = RequestState::from_number(row.take(2)?).ok_or(StoreError::Damaged { column: "requests.state" })?;
    let operation: String = row.take(9)?;
    Ok(ApprovalRequest {
        id: row.take(1)?,
        state,
        created: time(row.take(3)?),
        subject: row.take(4)?,
        names: row.take(5)?,
        principal: row.take(6)?,
        label: row.take(7)?,
        ca: row.take(8)?,
        operation: Operation::from_segment(&operation).ok_or(StoreError::Damaged { column: "requests.operation" })?,
        decided_at: row.take::<Option<_>>(10)?.map(time),
        decided_by: row.take(11)?,
        source: row.take(12)?,
        password: row.take(13)?,
        shown: row.take(14)?,
        comment: row.take(15)?,
        csr: row.take(16)?,
    })
}
