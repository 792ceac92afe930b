//! Revoking: what makes a certificate a bad one, and what else goes with it.
//!
//! A certificate is bad because it was revoked, or because its key is one that somebody else has: then every certificate
//! for that key is.

use std::collections::BTreeSet;
use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Principal, UnixTime};

use crate::audit::Event;
use crate::database::{Database, seconds};
use crate::imports::issuer_digest;
use crate::inventory::{COLUMNS, Find, TABLES, numbered};
use crate::session::{Query, Session};
use crate::value::values;
use crate::work::Work;
use crate::{
    Actor, IssuedCertificate, Revocation, RevocationReason, Revoked, SerialNumber, StoreError, UnixMicros, crls,
};

/// How many successors of a certificate are told at most.
const SUCCESSORS: usize = 1_000;

/// A certificate to revoke.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// Its serial number.
    pub serial: SerialNumber,
    /// The CA's id, where several have issued the serial number.
    pub ca: Option<String>,
    /// Why.
    pub reason: RevocationReason,
    /// Whether what its holder got with it is revoked as well: for keyCompromise as privilegeWithdrawn, unless it is for
    /// the same key.
    pub with_successors: bool,
}

/// What came of revoking a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// What came of it itself.
    pub revocation: Revocation,
    /// What else was revoked: certificates for the same key, and successors.
    pub others: Vec<IssuedCertificate>,
}

impl Database {
    /// Whether this certificate was issued here and revoked, also one that only differs in its signature's octets; or is
    /// for a key that is known to be compromised, whatever CA issued it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn is_revoked(&self, certificate: &Certificate) -> Result<bool, StoreError> {
        self.glance(IsRevoked {
            contents: certificate.contents_digest(),
            key: certificate.key_digest(),
            serial: certificate.serial().to_vec(),
            issuer: issuer_digest(certificate.issuer()),
        })
        .await
    }

    /// Revokes the certificate with this serial number, of `ca` if one is named, on `actor`'s behalf. For keyCompromise
    /// every other certificate for the key that has not ended is revoked in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::SeveralCertificates`] when none is named and it takes one; [`StoreError::Database`],
    /// [`StoreError::NotCommitted`].
    pub async fn revoke(
        &self,
        serial: &SerialNumber,
        ca: Option<&str>,
        reason: RevocationReason,
        now: UnixTime,
        actor: &Actor,
    ) -> Result<Revocation, StoreError> {
        let withdrawal =
            Withdrawal { serial: serial.clone(), ca: ca.map(str::to_owned), reason, with_successors: false };
        Ok(self.withdraw(withdrawal, now, actor).await?.revocation)
    }

    /// As [`revoke`](Self::revoke), and tells what else was revoked.
    ///
    /// # Errors
    /// Those of [`revoke`](Self::revoke).
    pub async fn withdraw(
        &self,
        withdrawal: Withdrawal,
        now: UnixTime,
        actor: &Actor,
    ) -> Result<Withdrawn, StoreError> {
        self.fill_in_keys().await?;
        self.write(Withdraw { withdrawal, now, actor: actor.clone() }).await
    }

    /// The certificates that the holder of this one got with it, and with those, and so on: the earliest first, 1,000 at
    /// most.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`].
    pub async fn successors(&self, certificate: &IssuedCertificate) -> Result<Vec<IssuedCertificate>, StoreError> {
        self.read(Successors { of: certificate.clone() }).await
    }
}

struct IsRevoked {
    contents: [u8; 32],
    key: [u8; 32],
    serial: Vec<u8>,
    issuer: [u8; 32],
}

impl Work for IsRevoked {
    type Answer = bool;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM revocations WHERE contents = ?1) \
                   OR EXISTS (SELECT 1 FROM compromised_keys WHERE digest = ?2) \
                   OR EXISTS (SELECT 1 FROM listed_revocations WHERE serial = ?3 AND issuer = ?4)";
        let row = db.query_one(sql, &values![&self.contents, &self.key, &self.serial, &self.issuer]).await?;
        row.map_or(Ok(false), |mut row| row.take(0))
    }
}

struct Withdraw {
    withdrawal: Withdrawal,
    now: UnixTime,
    actor: Actor,
}

impl Work for Withdraw {
    type Answer = Withdrawn;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Withdrawn, StoreError> {
        let Withdrawal { serial, ca, reason, with_successors } = &self.withdrawal;
        // What is being written down meanwhile is waited for, and what comes later looks here.
        db.query("SELECT name FROM authorities ORDER BY name FOR UPDATE", &[]).await?;
        let find = Find { serial: serial.clone(), ca: ca.clone() };
        let Some((number, certificate)) = find.certificate(db).await? else {
            return Ok(Withdrawn { revocation: Revocation::Unknown, others: Vec::new() });
        };
        let mut others: Vec<(i64, IssuedCertificate, RevocationReason)> = Vec::new();
        if *reason == RevocationReason::KeyCompromise {
            let key = parsed(&certificate)?.key_digest();
            note_compromised(db, &key, Event::by(&self.actor, "key.compromised"), at).await?;
            let mut query = Query::new(&format!("{COLUMNS} FROM {TABLES} WHERE c.key_digest ="), key);
            query.push(" AND c.not_after >=", seconds(self.now)).push(" AND number <>", number);
            query.push_str(" ORDER BY number");
            let same = numbered(query.run(db).await?)?;
            others.extend(same.into_iter().map(|(number, one)| (number, one, RevocationReason::KeyCompromise)));
        }
        if *with_successors {
            let reason = match reason {
                // Nobody says so of the keys of these.
                RevocationReason::KeyCompromise => RevocationReason::PrivilegeWithdrawn,
                reason => *reason,
            };
            let mut roots = vec![certificate.clone()];
            roots.extend(others.iter().map(|(_, one, _)| one.clone()));
            let known: BTreeSet<i64> = others.iter().map(|(number, ..)| *number).chain([number]).collect();
            let found = successors(db, roots, known, usize::MAX).await?;
            let current = found.into_iter().filter(|(_, one)| one.not_after >= self.now);
            others.extend(current.map(|(number, one)| (number, one, reason)));
        }
        let revocation = self.revoke(db, number, &certificate, *reason, at).await?;
        let mut revoked = Vec::new();
        for (number, mut other, reason) in others {
            if self.revoke(db, number, &other, reason, at).await? != Revocation::AlreadyRevoked {
                let since = other.revoked.map_or(self.now, |before| before.at);
                other.revoked = Some(Revoked { at: since, reason });
                revoked.push(other);
            }
        }
        Ok(Withdrawn { revocation, others: revoked })
    }
}

impl Withdraw {
    async fn revoke(
        &self,
        db: &mut Session,
        number: i64,
        certificate: &IssuedCertificate,
        reason: RevocationReason,
        at: UnixMicros,
    ) -> Result<Revocation, StoreError> {
        let event = Event {
            ca: Some(&certificate.ca),
            label: certificate.label.as_deref(),
            serial: Some(certificate.serial.as_bytes()),
            fingerprint: Some(certificate.fingerprint),
            ..Event::by(&self.actor, "cert.revoked")
        };
        write_revocation(db, number, &parsed(certificate)?, Revoked { at: self.now, reason }, event, at).await
    }
}

fn parsed(certificate: &IssuedCertificate) -> Result<Certificate, StoreError> {
    Certificate::parse(&certificate.der).map_err(|_| StoreError::Damaged { column: "certificates.der" })
}

struct Successors {
    of: IssuedCertificate,
}

impl Work for Successors {
    type Answer = Vec<IssuedCertificate>;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<Self::Answer, StoreError> {
        let found = successors(db, vec![self.of.clone()], BTreeSet::new(), SUCCESSORS).await?;
        Ok(found.into_iter().map(|(_, one)| one).collect())
    }
}

/// What the holders of these certificates got with them, and with those, and so on, without what is `known` already:
/// the earliest first.
async fn successors(
    db: &mut Session,
    mut of: Vec<IssuedCertificate>,
    mut known: BTreeSet<i64>,
    limit: usize,
) -> Result<Vec<(i64, IssuedCertificate)>, StoreError> {
    let mut found = Vec::new();
    while let Some(certificate) = of.pop() {
        let holder = Principal::Certificate(Arc::new(parsed(&certificate)?).into()).id();
        // The second condition is that of the index.
        let mut query = Query::new(&format!("{COLUMNS} FROM {TABLES} WHERE c.principal ="), holder);
        query.push_str(" AND c.principal LIKE 'cert:%' ORDER BY number");
        for (number, one) in numbered(query.run(db).await?)? {
            if known.insert(number) && found.len() < limit {
                of.push(one.clone());
                found.push((number, one));
            }
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

/// Revokes a certificate that was just written down, without an actor.
pub(crate) async fn revoke_at_once(
    db: &mut Session,
    certificate: &Certificate,
    authority: &str,
    reason: RevocationReason,
    event: Event<'_>,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let sql = "SELECT number FROM certificates WHERE serial = ?1 AND ca = ?2";
    let row = db.query_one(sql, &values![certificate.serial(), authority]).await?;
    let number = row.ok_or(StoreError::Damaged { column: "certificates.serial" })?.take(0)?;
    let revoked = Revoked { at: at.seconds(), reason };
    let event = Event {
        name: "cert.revoked",
        success: true,
        serial: Some(certificate.serial()),
        fingerprint: Some(certificate.fingerprint()),
        ..event
    };
    write_revocation(db, number, certificate, revoked, event, at).await.map(drop)
}

/// How far what a record says may be from when it was written, before the record says since when.
const MOMENT: u64 = 60;

/// Notes that somebody else has a key, if that is news.
pub(crate) async fn note_compromised(
    db: &mut Session,
    key: &[u8; 32],
    event: Event<'_>,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO compromised_keys (digest) VALUES (?1) ON CONFLICT (digest) DO NOTHING";
    if db.execute(sql, &values![key]).await? == 0 {
        return Ok(());
    }
    let reason: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
    let reason = format!("key sha-256:{reason}");
    Event { name: "key.compromised", reason: Some(&reason), ..event }.insert(db, at).await
}

/// Revokes the certificate with this number; of one that was revoked before, only a compromised key is news, or any other
/// reason than the hold that it was on.
pub(crate) async fn write_revocation(
    db: &mut Session,
    number: i64,
    certificate: &Certificate,
    revoked: Revoked,
    event: Event<'_>,
    at: UnixMicros,
) -> Result<Revocation, StoreError> {
    let sql = "INSERT INTO revocations (certificate, contents, revoked_at, reason) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (certificate) DO NOTHING";
    let values = values![number, certificate.contents_digest(), seconds(revoked.at), revoked.reason.code()];
    let revocation = if db.execute(sql, &values).await? > 0 {
        Revocation::Revoked
    } else if revoked.reason == RevocationReason::KeyCompromise {
        // Since when it is revoked stays as it was.
        let sql = "UPDATE revocations SET reason = ?2 WHERE certificate = ?1 AND reason <> ?2";
        match db.execute(sql, &values![number, revoked.reason.code()]).await? {
            0 => return Ok(Revocation::AlreadyRevoked),
            _ => Revocation::NowCompromised,
        }
    } else {
        // A hold that becomes a revocation for good; since when it is revoked stays as it was.
        let sql = "UPDATE revocations SET reason = ?2 WHERE certificate = ?1 AND reason = ?3 AND reason <> ?2";
        let hold = RevocationReason::CertificateHold.code();
        match db.execute(sql, &values![number, revoked.reason.code(), hold]).await? {
            0 => return Ok(Revocation::AlreadyRevoked),
            _ => Revocation::Revoked,
        }
    };
    let row = db.query_one("SELECT ca FROM certificates WHERE number = ?1", &values![number]).await?;
    let authority: String = row.ok_or(StoreError::Damaged { column: "certificates.number" })?.take(0)?;
    crls::count_revocation(db, &authority).await?;
    let is_now = revocation != Revocation::Revoked || revoked.at.0.abs_diff(at.seconds().0) <= MOMENT;
    let reason = if is_now { revoked.reason.name().to_owned() } else { revoked.since() };
    Event { reason: Some(&reason), ..event }.insert(db, at).await?;
    Ok(revocation)
}
