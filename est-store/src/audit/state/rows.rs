//! Reading what is compared: the records that say something about a row, and the rows.

use std::collections::{BTreeMap, BTreeSet};

use super::PIECE;
use crate::audit::Seal;
use crate::session::Session;
use crate::value::{Row, values};
use crate::work::Work;
use crate::{Authority, StoreError, UnixMicros, crls, passwords, registry, requests};

/// A record that says something about a row.
pub(super) struct Record {
    pub(super) number: i64,
    pub(super) at: UnixMicros,
    pub(super) event: String,
    pub(super) actor: Option<String>,
    pub(super) ca: Option<String>,
    pub(super) serial: Option<Vec<u8>>,
    pub(super) fingerprint: Option<[u8; 32]>,
    pub(super) reason: Option<String>,
}

/// The records after one, some at a time.
pub(super) struct Records {
    pub(super) after: i64,
}

impl Work for Records {
    type Answer = Vec<Record>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Record>, StoreError> {
        let sql = "SELECT number, event, serial, fingerprint, reason, at_micros, actor, ca FROM audit WHERE number > ?1 \
                   AND event IN ('cert.issued', 'cert.renewed', 'cert.imported', 'cert.revoked', 'cert.released', \
                   'cert.listed', 'key.compromised', 'crl.published', 'crl.imported', 'ca.started', 'ca.renamed', \
                   'otp.created', 'otp.revoked', \
                   'request.created', 'request.approved', 'request.denied', 'request.expired', 'store.pruned') \
                   ORDER BY number LIMIT ?2";
        let rows = db.query(sql, &values![self.after, PIECE]).await?;
        let record = |mut row: Row| {
            Ok(Record {
                number: row.take(0)?,
                event: row.take(1)?,
                serial: row.take(2)?,
                fingerprint: row.take::<Option<Vec<u8>>>(3)?.and_then(|octets| octets.try_into().ok()),
                reason: row.take(4)?,
                at: UnixMicros(row.take(5)?),
                actor: row.take(6)?,
                ca: row.take(7)?,
            })
        };
        rows.into_iter().map(record).collect()
    }
}

/// A row of `certificates`, and its revocation.
pub(super) struct Certificate {
    pub(super) number: i64,
    pub(super) serial: Vec<u8>,
    /// The name of the key that issued it.
    pub(super) authority: String,
    pub(super) fingerprint: [u8; 32],
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) key: Option<[u8; 32]>,
    pub(super) contents: Option<[u8; 32]>,
    pub(super) der: Vec<u8>,
    pub(super) revocation: Option<Revocation>,
}

/// A row of `revocations`.
pub(super) struct Revocation {
    pub(super) contents: [u8; 32],
    pub(super) at: i64,
    pub(super) reason: u8,
}

/// The certificates after one, some at a time.
pub(super) struct Certificates {
    pub(super) after: i64,
}

impl Work for Certificates {
    type Answer = Vec<Certificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Vec<Certificate>, StoreError> {
        let sql = "SELECT c.number, c.serial, c.ca, c.fingerprint, c.not_before, c.not_after, c.key_digest, c.contents, \
                   c.der, r.contents, r.revoked_at, r.reason FROM certificates c \
                   LEFT JOIN revocations r ON r.certificate = c.number WHERE c.number > ?1 ORDER BY c.number LIMIT ?2";
        let rows = db.query(sql, &values![self.after, PIECE]).await?;
        let certificate = |mut row: Row| {
            let revocation = match row.take::<Option<[u8; 32]>>(9)? {
                Some(contents) => Some(Revocation { contents, at: row.take(10)?, reason: row.take(11)? }),
                None => None,
            };
            Ok(Certificate {
                number: row.take(0)?,
                serial: row.take(1)?,
                authority: row.take(2)?,
                fingerprint: row.take(3)?,
                not_before: row.take(4)?,
                not_after: row.take(5)?,
                key: row.take(6)?,
                contents: row.take(7)?,
                der: row.take(8)?,
                revocation,
            })
        };
        rows.into_iter().map(certificate).collect()
    }
}

/// A row of `listed_revocations`.
pub(super) struct ListedRow {
    pub(super) authority: String,
    pub(super) serial: Vec<u8>,
    pub(super) issuer: [u8; 32],
    pub(super) at: i64,
    pub(super) reason: u8,
}

/// A row of `passwords`.
pub(super) struct PasswordRow {
    pub(super) id: String,
    pub(super) entity: Option<String>,
    pub(super) is_revoked: bool,
    pub(super) uses: u64,
    pub(super) seal: Seal,
}

/// A row of `requests`, and the state of its claim.
pub(super) struct RequestRow {
    pub(super) id: String,
    pub(super) state: u8,
    pub(super) claim: Option<u8>,
    pub(super) seal: Seal,
}

/// The tables other than `certificates`, which are small.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) authorities: BTreeMap<String, Authority>,
    pub(super) compromised: BTreeSet<[u8; 32]>,
    pub(super) listed: Vec<ListedRow>,
    /// By the names of the keys.
    pub(super) crls: BTreeMap<String, Seal>,
    pub(super) passwords: Vec<PasswordRow>,
    pub(super) requests: Vec<RequestRow>,
}

impl Tables {
    /// The id of the CA whose key has this name.
    pub(super) fn ca<'a>(&'a self, authority: &'a str) -> &'a str {
        self.authorities.get(authority).map_or(authority, |known| &known.ca)
    }
}

impl Work for Tables {
    type Answer = Self;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Self, StoreError> {
        let authorities = registry::List.run(db, at).await?;
        let compromised = db.query("SELECT digest FROM compromised_keys", &[]).await?;
        Ok(Self {
            authorities: authorities.into_iter().map(|one| (one.name.clone(), one)).collect(),
            compromised: compromised.into_iter().map(|mut row| row.take(0)).collect::<Result<_, _>>()?,
            listed: listed(db).await?,
            crls: crls(db).await?,
            passwords: passwords(db).await?,
            requests: requests(db).await?,
        })
    }
}

async fn listed(db: &mut Session) -> Result<Vec<ListedRow>, StoreError> {
    let sql = "SELECT ca, serial, issuer, revoked_at, reason FROM listed_revocations ORDER BY serial";
    let rows = db.query(sql, &[]).await?;
    let listed = |mut row: Row| {
        Ok(ListedRow {
            authority: row.take(0)?,
            serial: row.take(1)?,
            issuer: row.take(2)?,
            at: row.take(3)?,
            reason: row.take(4)?,
        })
    };
    rows.into_iter().map(listed).collect()
}

async fn crls(db: &mut Session) -> Result<BTreeMap<String, Seal>, StoreError> {
    let rows = db.query(&format!("SELECT ca, {} FROM crls", crls::SEALED), &[]).await?;
    let crl = |mut row: Row| Ok((row.take(0)?, crls::seal(&row.0[1..])));
    rows.into_iter().map(crl).collect()
}

async fn passwords(db: &mut Session) -> Result<Vec<PasswordRow>, StoreError> {
    let sql = format!("SELECT id, revoked_at, uses, {} FROM passwords ORDER BY id", passwords::SEALED);
    let password = |mut row: Row| {
        let seal = passwords::seal(&row.0[3..]);
        Ok(PasswordRow {
            id: row.take(0)?,
            is_revoked: row.take::<Option<i64>>(1)?.is_some(),
            uses: row.take(2)?,
            entity: row.take(4)?,
            seal,
        })
    };
    db.query(&sql, &[]).await?.into_iter().map(password).collect()
}

async fn requests(db: &mut Session) -> Result<Vec<RequestRow>, StoreError> {
    // Of the requests with one identity, the last is the one that its claim waits for.
    let sql = format!(
        "SELECT id, state, (SELECT k.state FROM claims k WHERE k.identity = requests.identity AND NOT EXISTS \
         (SELECT 1 FROM requests later WHERE later.identity = requests.identity AND later.number > requests.number)), \
         {} FROM requests ORDER BY id",
        requests::SEALED
    );
    let request = |mut row: Row| {
        let seal = requests::seal(&row.0[3..]);
        Ok(RequestRow { id: row.take(0)?, state: row.take(1)?, claim: row.take(2)?, seal })
    };
    db.query(&sql, &[]).await?.into_iter().map(request).collect()
}
