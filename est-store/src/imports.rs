//! What another server of the same CA has issued and revoked, taken over.

use std::collections::BTreeSet;
use std::sync::Arc;

use est_core::UnixTime;
use est_core::pkix::{Certificate, IssuedCrl, Name, RevokedCertificate};
use sha2::{Digest as _, Sha256};

use crate::audit::Event;
use crate::database::{Database, seconds};
use crate::revoking::{note_compromised, write_revocation};
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{Actor, Revocation, RevocationReason, Revoked, StoreError, UnixMicros, crls, listed};

/// How many certificates, or entries of a CRL, are written in one transaction.
const PIECE: usize = 500;
/// What the inventory says of an imported certificate's profile and principal.
const IMPORTED: &str = "imported";

/// Certificates that one key of a CA has issued.
#[derive(Clone, Debug)]
pub struct Import {
    /// The CA's id.
    pub ca: String,
    /// The name of the key.
    pub authority: String,
    /// The certificates.
    pub certificates: Vec<Certificate>,
}

/// A CRL of a key of a CA.
#[derive(Clone, Debug)]
pub struct ImportedCrl {
    /// The CA's id.
    pub ca: String,
    /// The name of the key.
    pub authority: String,
    /// The CRL.
    pub crl: IssuedCrl,
    /// The same, DER.
    pub der: Vec<u8>,
}

/// What came of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many certificates the inventory did not have.
    pub added: u64,
    /// How many it had.
    pub known: u64,
    /// How many certificates of the inventory are revoked since.
    pub revoked: u64,
    /// How many entries of a CRL are of certificates that the inventory does not have.
    pub listed: u64,
}

impl std::ops::AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.known += other.known;
        self.revoked += other.revoked;
        self.listed += other.listed;
    }
}

impl Database {
    /// Adds certificates to the inventory, each with an audit record `cert.imported`; those that it has stay as they are.
    /// What an imported CRL says of one holds from then on. In several transactions: what fails can be done again.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn import(&self, import: &Import, actor: &Actor) -> Result<Imported, StoreError> {
        let mut imported = Imported::default();
        for piece in import.certificates.chunks(PIECE) {
            let import = Import { certificates: piece.to_vec(), ..import.clone() };
            imported += self.write(Add { import, actor: actor.clone() }).await?;
        }
        Ok(imported)
    }

    /// Revokes what a CRL lists, from when and for the reason that it says, whichever key of the CA has issued it; and has
    /// the next CRL of the key go on with its number. Of what is revoked already only a hold ends, and a key that is
    /// compromised is news. In several transactions: what fails can be done again.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn import_crl(&self, crl: &ImportedCrl, actor: &Actor) -> Result<Imported, StoreError> {
        let crl = Arc::new(crl.clone());
        let mut imported = Imported::default();
        for from in (0..crl.crl.revoked.len()).step_by(PIECE) {
            imported += self.write(TakeOver { crl: crl.clone(), from, actor: actor.clone() }).await?;
        }
        self.write(GoOn { crl, imported, actor: actor.clone() }).await?;
        Ok(imported)
    }
}

/// What names an issuer where its certificate is not at hand.
pub(crate) fn issuer_digest(issuer: &Name) -> [u8; 32] {
    Sha256::digest(issuer.as_der()).into()
}

struct Add {
    import: Import,
    actor: Actor,
}

impl Work for Add {
    type Answer = Imported;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Imported, StoreError> {
        let Import { ca, authority, certificates } = &self.import;
        let mut imported = Imported::default();
        for certificate in certificates {
            let names = certificate.subject_alt_name().map(ToString::to_string);
            let values = values![
                certificate.serial(),
                authority,
                certificate.fingerprint().0,
                certificate.subject().to_string(),
                &names,
                seconds(certificate.not_before()),
                seconds(certificate.not_after()),
                None::<&str>,
                IMPORTED,
                IMPORTED,
                seconds(certificate.not_before()),
                certificate.as_der(),
                certificate.key_digest(),
                certificate.contents_digest(),
            ];
            let sql = "INSERT INTO certificates (serial, ca, fingerprint, subject, names, not_before, not_after, label, \
                       profile, principal, issued_at, der, key_digest, contents) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
                       ON CONFLICT (serial, ca) DO NOTHING";
            if db.execute(sql, &values).await? == 0 {
                imported.known += 1;
                continue;
            }
            imported.added += 1;
            let reason = certificate.subject().to_string();
            Event { reason: Some(&reason), ..about(certificate, ca, Event::by(&self.actor, "cert.imported")) }
                .insert(db, at)
                .await?;
            let number = self.number(db, certificate).await?;
            let is_revoked = self.revoke_if_listed(db, number, certificate, at).await?
                || self.revoke_if_compromised(db, number, certificate, at).await?;
            imported.revoked += u64::from(is_revoked);
        }
        Ok(imported)
    }
}

impl Add {
    async fn number(&self, db: &mut Session, certificate: &Certificate) -> Result<i64, StoreError> {
        let sql = "SELECT number FROM certificates WHERE serial = ?1 AND ca = ?2";
        let row = db.query_one(sql, &values![certificate.serial(), &self.import.authority]).await?;
        row.ok_or(StoreError::Damaged { column: "certificates.serial" })?.take(0)
    }

    /// What an imported CRL says of a certificate is written down with it.
    async fn revoke_if_listed(
        &self,
        db: &mut Session,
        number: i64,
        certificate: &Certificate,
        at: UnixMicros,
    ) -> Result<bool, StoreError> {
        let Some(revoked) = listed::take(db, certificate).await? else { return Ok(false) };
        revoke(db, number, certificate, &self.import.ca, revoked, &self.actor, at).await
    }

    /// A key that is known to be compromised makes every certificate for it bad, wherever it comes from.
    async fn revoke_if_compromised(
        &self,
        db: &mut Session,
        number: i64,
        certificate: &Certificate,
        at: UnixMicros,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM compromised_keys WHERE digest = ?1";
        if db.query_one(sql, &values![certificate.key_digest()]).await?.is_none() {
            return Ok(false);
        }
        let revoked = Revoked { at: UnixTime(at.0 / 1_000_000), reason: RevocationReason::KeyCompromise };
        revoke(db, number, certificate, &self.import.ca, revoked, &self.actor, at).await
    }
}

fn about<'a>(certificate: &'a Certificate, ca: &'a str, event: Event<'a>) -> Event<'a> {
    Event { ca: Some(ca), serial: Some(certificate.serial()), fingerprint: Some(certificate.fingerprint()), ..event }
}

/// Revokes a certificate of the inventory, and tells whether that is news.
async fn revoke(
    db: &mut Session,
    number: i64,
    certificate: &Certificate,
    ca: &str,
    revoked: Revoked,
    actor: &Actor,
    at: UnixMicros,
) -> Result<bool, StoreError> {
    if revoked.reason == RevocationReason::KeyCompromise {
        note_compromised(db, &certificate.key_digest(), Event::by(actor, "key.compromised"), at).await?;
        revoke_others_for_the_key(db, certificate, number, actor, at).await?;
    }
    let event = about(certificate, ca, Event::by(actor, "cert.revoked"));
    Ok(write_revocation(db, number, certificate, revoked, event, at).await? != Revocation::AlreadyRevoked)
}

/// Revokes the other certificates for a compromised key that have not ended, of whichever CA.
async fn revoke_others_for_the_key(
    db: &mut Session,
    certificate: &Certificate,
    number: i64,
    actor: &Actor,
    at: UnixMicros,
) -> Result<(), StoreError> {
    let now = UnixTime(at.0 / 1_000_000);
    let sql = "SELECT c.number, c.der, coalesce(a.id, c.ca) FROM certificates c \
               LEFT JOIN revocations r ON r.certificate = c.number LEFT JOIN authorities a ON a.name = c.ca \
               WHERE c.key_digest = ?1 AND c.not_after >= ?2 AND c.number <> ?3 AND r.certificate IS NULL \
               ORDER BY c.number";
    for mut row in db.query(sql, &values![certificate.key_digest(), seconds(now), number]).await? {
        let (number, der, ca) = (row.take::<i64>(0)?, row.take::<Vec<u8>>(1)?, row.take::<String>(2)?);
        let other = Certificate::parse(&der).map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
        let revoked = Revoked { at: now, reason: RevocationReason::KeyCompromise };
        let event = about(&other, &ca, Event::by(actor, "cert.revoked"));
        write_revocation(db, number, &other, revoked, event, at).await?;
    }
    Ok(())
}

/// Takes over some entries of a CRL, from one on.
struct TakeOver {
    crl: Arc<ImportedCrl>,
    from: usize,
    actor: Actor,
}

impl Work for TakeOver {
    type Answer = Imported;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Imported, StoreError> {
        let ImportedCrl { ca, authority, crl, .. } = &*self.crl;
        let issuer = issuer_digest(crl.head.issuer());
        let mut imported = Imported::default();
        let released = self.released(db).await?;
        for entry in crl.revoked.iter().skip(self.from).take(PIECE) {
            if entry.reason == RevocationReason::CertificateHold && released.contains(&entry.serial) {
                continue;
            }
            let found = self.find(db, entry).await?;
            for (number, certificate) in &found {
                let revoked = Revoked { at: entry.revocation_date, reason: entry.reason };
                let is_new = revoke(db, *number, certificate, ca, revoked, &self.actor, at).await?;
                imported.revoked += u64::from(is_new);
            }
            if found.is_empty() {
                let event = Event { ca: Some(ca), ..Event::by(&self.actor, "cert.listed") };
                let is_new = listed::list(db, authority, &issuer, entry, event, at).await?;
                imported.listed += u64::from(is_new);
            } else {
                // While entries were looked up under one key alone, it may have been listed although the inventory has it.
                listed::remove(db, &entry.serial, &issuer).await?;
            }
        }
        if imported != Imported::default() {
            // The last CRL of here lacks what this one lists: stale at once.
            crls::count_revocation(db, authority).await?;
        }
        Ok(imported)
    }
}

impl TakeOver {
    /// The serial numbers of the CA whose holds were released here after the CRL was made: it knows nothing of that.
    async fn released(&self, db: &mut Session) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let ImportedCrl { ca, crl, .. } = &*self.crl;
        if crl.revoked.iter().all(|entry| entry.reason != RevocationReason::CertificateHold) {
            return Ok(BTreeSet::new());
        }
        let since = i64::try_from(crl.head.this_update().0.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let sql = "SELECT serial FROM audit WHERE event = 'cert.released' AND ca = ?1 AND at_micros >= ?2 AND serial IS NOT NULL";
        db.query(sql, &values![ca, since]).await?.into_iter().map(|mut row| row.take(0)).collect()
    }

    /// The certificates that an entry is of: the keys of a CA share its name, and so their serial numbers.
    async fn find(&self, db: &mut Session, entry: &RevokedCertificate) -> Result<Vec<(i64, Certificate)>, StoreError> {
        let ImportedCrl { ca, authority, crl, .. } = &*self.crl;
        let sql = "SELECT number, der FROM certificates WHERE serial = ?1 \
                   AND (ca = ?2 OR ca IN (SELECT name FROM authorities WHERE id = ?3)) ORDER BY number";
        let mut found = Vec::new();
        for mut row in db.query(sql, &values![&entry.serial, authority, ca]).await? {
            let certificate = Certificate::parse(&row.take::<Vec<u8>>(1)?)
                .map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
            if certificate.issuer() == crl.head.issuer() {
                found.push((row.take(0)?, certificate));
            }
        }
        Ok(found)
    }
}

/// Has the CRLs of a key go on with the number of one whose entries were taken over.
struct GoOn {
    crl: Arc<ImportedCrl>,
    imported: Imported,
    actor: Actor,
}

impl Work for GoOn {
    type Answer = ();

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<(), StoreError> {
        let ImportedCrl { ca, authority, crl, der } = &*self.crl;
        let number = i64::try_from(crl.number).map_err(|error| StoreError::Database(Box::new(error)))?;
        let (this_update, next_update) = (seconds(crl.head.this_update()), seconds(crl.head.next_update()));
        let update = "UPDATE crls SET number = ?2, this_update = ?3, next_update = ?4, revocations = 0, der = ?5 \
                      WHERE ca = ?1 AND number < ?2";
        let values = values![authority, number, this_update, next_update, der];
        let mut goes_on = db.execute(update, &values).await? > 0;
        if !goes_on {
            let insert = "INSERT INTO crls (ca, number, this_update, next_update, revocations, der) \
                          VALUES (?1, ?2, ?3, ?4, 0, ?5) ON CONFLICT (ca) DO NOTHING";
            goes_on = db.execute(insert, &values).await? > 0;
        }
        if !goes_on && self.imported == Imported::default() {
            return Ok(());
        }
        if goes_on {
            // It may lack what was revoked here: stale at once.
            crls::count_revocation(db, authority).await?;
        }
        let seal = crls::seal(&values![number, this_update, next_update, 0_i64, der]);
        let of = if goes_on { format!(", of {authority} {seal}") } else { String::new() };
        let reason = format!(
            "number {number}, {} entries, {} revoked, {} of certificates that are not in the inventory{of}; issuer sha-256:{}",
            crl.revoked.len(),
            self.imported.revoked,
            self.imported.listed,
            issuer_digest(crl.head.issuer()).iter().map(|octet| format!("{octet:02x}")).collect::<String>(),
        );
        Event { ca: Some(ca), reason: Some(&reason), ..Event::by(&self.actor, "crl.imported") }.insert(db, at).await
    }
}
