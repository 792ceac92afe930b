//! Whether the tables say what the audit trail says: the trail proves itself, and the tables do not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use est_core::pkix::{Fingerprint, RevocationReason};

use crate::database::Database;
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{SerialNumber, StoreError, UnixMicros};

/// How many rows are read at a time.
const PIECE: i64 = 2_000;

/// A row of the tables that is not what the records of the trail have made of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// What it is about: `certificate 4A:3F`, `password p1`, `request 7k3m-p2qx`.
    pub object: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// It is there, and no record says how it came there.
    NotRecorded,
    /// It is not there, and no record says that it was deleted.
    Missing,
    /// It is in another state than the last record of it has left it in.
    State {
        /// What the record says.
        recorded: String,
        /// What the table says.
        found: String,
    },
    /// Its key was compromised, and is not refused any more.
    KeyForgotten,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.fault {
            Fault::NotRecorded => write!(f, "{object} is in the database, and no record says how it came there"),
            Fault::Missing => write!(f, "{object} is on record, and not in the database"),
            Fault::State { recorded, found } => {
                write!(f, "{object} is {recorded} on record, and {found} in the database")
            }
            Fault::KeyForgotten => {
                write!(f, "the key of {object} is compromised on record, and not among the keys that are refused")
            }
        }
    }
}

impl Database {
    /// Compares certificates, passwords and requests, as the tables have them, with what the audit trail says about them.
    /// Keeps a few hundred octets for each in memory.
    ///
    /// Whether the trail itself is what was written is what [`verify`](Self::verify) tells.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn compare_with_trail(&self) -> Result<Vec<Mismatch>, StoreError> {
        let first = self.compare_once().await?;
        if first.is_empty() {
            return Ok(first);
        }
        // What was written between two of the reads looks wrong once, and not twice.
        let second = self.compare_once().await?;
        Ok(first.into_iter().filter(|one| second.contains(one)).collect())
    }

    async fn compare_once(&self) -> Result<Vec<Mismatch>, StoreError> {
        let mut told = Told::default();
        let mut after = 0;
        loop {
            let records = self.read(Records { after }).await?;
            let Some(last) = records.last() else { break };
            after = last.number;
            records.into_iter().for_each(|record| told.take(record));
        }
        let mut mismatches = Vec::new();
        let compromised = self.read(CompromisedKeys).await?;
        let mut after = 0;
        loop {
            let rows = self.read(Certificates { after }).await?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            rows.iter().for_each(|row| mismatches.extend(told.compare_certificate(row, &compromised)));
        }
        let (passwords, requests) = self.read(Others).await?;
        mismatches.extend(passwords.into_iter().filter_map(|(id, row)| told.passwords.compare("password", id, &row)));
        mismatches.extend(requests.into_iter().filter_map(|(id, row)| told.requests.compare("request", id, &row)));
        mismatches.extend(told.missing());
        mismatches.sort();
        mismatches.dedup();
        Ok(mismatches)
    }
}

/// A record that says something about a row.
struct Record {
    number: i64,
    event: String,
    serial: Option<Vec<u8>>,
    fingerprint: Option<[u8; 32]>,
    reason: Option<String>,
}

struct Records {
    after: i64,
}

impl Work for Records {
    type Answer = Vec<Record>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Record>, StoreError> {
        let sql = "SELECT number, event, serial, fingerprint, reason FROM audit WHERE number > ?1 \
                   AND event IN ('cert.issued', 'cert.renewed', 'cert.imported', 'cert.revoked', 'cert.released', \
                   'otp.created', 'otp.revoked', \
                   'request.created', 'request.approved', 'request.denied', 'request.expired', 'store.pruned') \
                   ORDER BY number LIMIT ?2";
        let rows = db.query(sql, &values![self.after, PIECE]).await?;
        let record = |mut row: crate::value::Row| {
            Ok(Record {
                number: row.take(0)?,
                event: row.take(1)?,
                serial: row.take(2)?,
                fingerprint: row.take::<Option<Vec<u8>>>(3)?.and_then(|octets| octets.try_into().ok()),
                reason: row.take(4)?,
            })
        };
        rows.into_iter().map(record).collect()
    }
}

/// A row of `certificates`, and its revocation.
struct Certificate {
    number: i64,
    serial: Vec<u8>,
    fingerprint: [u8; 32],
    key: Option<[u8; 32]>,
    revoked: Option<u8>,
}

struct Certificates {
    after: i64,
}

impl Work for Certificates {
    type Answer = Vec<Certificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Certificate>, StoreError> {
        let sql = "SELECT c.number, c.serial, c.fingerprint, c.key_digest, r.reason FROM certificates c \
                   LEFT JOIN revocations r ON r.certificate = c.number WHERE c.number > ?1 ORDER BY c.number LIMIT ?2";
        let rows = db.query(sql, &values![self.after, PIECE]).await?;
        let certificate = |mut row: crate::value::Row| {
            Ok(Certificate {
                number: row.take(0)?,
                serial: row.take(1)?,
                fingerprint: row.take(2)?,
                key: row.take(3)?,
                revoked: row.take(4)?,
            })
        };
        rows.into_iter().map(certificate).collect()
    }
}

struct CompromisedKeys;

impl Work for CompromisedKeys {
    type Answer = BTreeSet<[u8; 32]>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let rows = db.query("SELECT digest FROM compromised_keys", &[]).await?;
        rows.into_iter().map(|mut row| row.take(0)).collect()
    }
}

/// Passwords and requests, by their ids, in the words of their states.
struct Others;

type Rows = Vec<(String, String)>;

impl Work for Others {
    type Answer = (Rows, Rows);

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let passwords = db.query("SELECT id, entity, revoked_at FROM passwords ORDER BY id", &[]).await?;
        let passwords = passwords.into_iter().map(|mut row| {
            let (entity, revoked) = (row.take::<Option<String>>(1)?, row.take::<Option<i64>>(2)?);
            Ok((row.take(0)?, Password { entity, is_revoked: revoked.is_some() }.to_string()))
        });
        let passwords = passwords.collect::<Result<_, StoreError>>()?;
        let requests = db.query("SELECT id, state FROM requests ORDER BY id", &[]).await?;
        let requests = requests.into_iter().map(|mut row| {
            let state = match row.take::<u8>(1)? {
                1 => AWAITING,
                2 => APPROVED,
                _ => DENIED,
            };
            Ok((row.take(0)?, state.to_owned()))
        });
        Ok((passwords, requests.collect::<Result<_, StoreError>>()?))
    }
}

const AWAITING: &str = "waiting";
const APPROVED: &str = "approved";
const DENIED: &str = "denied";
const VALID: &str = "not revoked";

/// A password, as far as records tell.
struct Password {
    entity: Option<String>,
    is_revoked: bool,
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entity = self.entity.as_deref().map(super::text::plain);
        match &entity {
            Some(entity) => write!(f, "for {entity}")?,
            None => f.write_str("for anybody")?,
        }
        f.write_str(if self.is_revoked { " and revoked" } else { " and not revoked" })
    }
}

/// What the trail tells.
#[derive(Default)]
struct Told {
    certificates: HashMap<[u8; 32], Issued>,
    passwords: Named,
    requests: Named,
    /// The serial numbers of certificates that were deleted, in hexadecimal.
    pruned: BTreeSet<String>,
    /// How many certificates were deleted by a version that did not name them.
    pruned_unnamed: u64,
}

struct Issued {
    serial: Vec<u8>,
    /// Why it was revoked.
    revoked: Option<String>,
    is_there: bool,
}

/// Rows that records know by an id.
#[derive(Default)]
struct Named {
    /// The state of each, and whether it is there.
    states: BTreeMap<String, (String, bool)>,
    pruned: BTreeSet<String>,
    pruned_unnamed: u64,
}

impl Named {
    fn set(&mut self, id: &str, state: String) {
        self.states.insert(id.to_owned(), (state, false));
    }

    fn compare(&mut self, kind: &str, id: String, found: &str) -> Option<Mismatch> {
        let object = format!("{kind} {id}");
        let Some((recorded, is_there)) = self.states.get_mut(&id) else {
            return Some(Mismatch { object, fault: Fault::NotRecorded });
        };
        *is_there = true;
        if recorded == found {
            return None;
        }
        let fault = Fault::State { recorded: recorded.clone(), found: found.to_owned() };
        Some(Mismatch { object, fault })
    }

    fn missing(&self, kind: &'static str) -> Vec<Mismatch> {
        let missing = self.states.iter().filter(|(id, (_, is_there))| !is_there && !self.pruned.contains(*id));
        let missing: Vec<_> =
            missing.map(|(id, _)| Mismatch { object: format!("{kind} {id}"), fault: Fault::Missing }).collect();
        if missing.len() as u64 <= self.pruned_unnamed { Vec::new() } else { missing }
    }
}

impl Told {
    fn take(&mut self, record: Record) {
        let Record { event, serial, fingerprint, reason, .. } = record;
        let reason = reason.unwrap_or_default();
        match event.as_str() {
            "cert.issued" | "cert.renewed" | "cert.imported" => {
                if let (Some(serial), Some(fingerprint)) = (serial, fingerprint) {
                    self.certificates.insert(fingerprint, Issued { serial, revoked: None, is_there: false });
                }
            }
            "cert.revoked" => {
                if let Some(issued) = fingerprint.and_then(|fingerprint| self.certificates.get_mut(&fingerprint)) {
                    issued.revoked = Some(reason);
                }
            }
            "cert.released" => {
                if let Some(issued) = fingerprint.and_then(|fingerprint| self.certificates.get_mut(&fingerprint)) {
                    issued.revoked = None;
                }
            }
            "otp.created" | "otp.revoked" => {
                let Some(about) = reason.strip_prefix("password ") else { return };
                let (id, entity) = match about.split_once(" of ") {
                    Some((id, entity)) => (id, Some(entity.to_owned())),
                    None => (about, None),
                };
                self.passwords.set(id, Password { entity, is_revoked: event == "otp.revoked" }.to_string());
            }
            "store.pruned" => self.take_pruned(&reason),
            _ => {
                let Some(about) = reason.strip_prefix("request ") else { return };
                let id = about.split([':', ' ']).next().unwrap_or_default();
                match event.as_str() {
                    "request.created" => self.requests.set(id, AWAITING.to_owned()),
                    "request.approved" => self.requests.set(id, APPROVED.to_owned()),
                    "request.denied" => self.requests.set(id, DENIED.to_owned()),
                    // What was approved stays listed as that.
                    _ if self.requests.states.get(id).is_some_and(|(state, _)| state == AWAITING) => {
                        self.requests.states.remove(id);
                    }
                    _ => {}
                }
            }
        }
    }

    /// `passwords: 2 that ended or were revoked before TIME: p1, p2`, in which the last part may be absent.
    fn take_pruned(&mut self, reason: &str) {
        let Some((table, rest)) = reason.split_once(": ") else { return };
        let (pruned, unnamed) = match table {
            "certificates" => (&mut self.pruned, &mut self.pruned_unnamed),
            "passwords" => (&mut self.passwords.pruned, &mut self.passwords.pruned_unnamed),
            "requests" => (&mut self.requests.pruned, &mut self.requests.pruned_unnamed),
            _ => return,
        };
        match rest.split_once(": ") {
            Some((_, names)) => pruned.extend(names.split(", ").map(str::to_owned)),
            None => *unnamed += rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0),
        }
    }

    fn compare_certificate(&mut self, row: &Certificate, compromised: &BTreeSet<[u8; 32]>) -> Vec<Mismatch> {
        let object = format!("certificate {}", SerialNumber::from_contents(&row.serial));
        let mismatch = |fault| Mismatch { object: object.clone(), fault };
        let Some(issued) = self.certificates.get_mut(&row.fingerprint) else {
            return vec![mismatch(Fault::NotRecorded)];
        };
        issued.is_there = true;
        let mut mismatches = Vec::new();
        if issued.serial != row.serial {
            let fault = Fault::State {
                recorded: format!("number {}", SerialNumber::from_contents(&issued.serial)),
                found: Fingerprint(row.fingerprint).to_string(),
            };
            mismatches.push(mismatch(fault));
        }
        let word = |reason: Option<&str>| reason.map_or(VALID.to_owned(), |reason| format!("revoked ({reason})"));
        let found = row.revoked.map(|code| RevocationReason::from_code(code).map_or("unknown", RevocationReason::name));
        if issued.revoked.as_deref() != found {
            let fault = Fault::State { recorded: word(issued.revoked.as_deref()), found: word(found) };
            mismatches.push(mismatch(fault));
        }
        let is_compromised = issued.revoked.as_deref() == Some(RevocationReason::KeyCompromise.name());
        if is_compromised && row.key.is_some_and(|key| !compromised.contains(&key)) {
            mismatches.push(mismatch(Fault::KeyForgotten));
        }
        mismatches
    }

    /// What is on record and was found nowhere.
    fn missing(&self) -> Vec<Mismatch> {
        let hex = |serial: &[u8]| serial.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
        let missing =
            self.certificates.values().filter(|one| !one.is_there && !self.pruned.contains(&hex(&one.serial)));
        let mut missing: Vec<_> = missing
            .map(|one| {
                let object = format!("certificate {}", SerialNumber::from_contents(&one.serial));
                Mismatch { object, fault: Fault::Missing }
            })
            .collect();
        if missing.len() as u64 <= self.pruned_unnamed {
            missing.clear();
        }
        missing.extend(self.passwords.missing("password"));
        missing.extend(self.requests.missing("request"));
        missing
    }
}
