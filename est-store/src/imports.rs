//! What another server of the same CA has issued and revoked, taken over.

use est_core::UnixTime;
use est_core::pkix::{Certificate, IssuedCrl, Name, RevokedCertificate};
use sha2::{Digest as _, Sha256};

use crate::audit::Event;
use crate::database::{Database, seconds, time};
use crate::revoking::write_revocation;
use crate::session::Session;
use crate::value::{Row, values};
use crate::work::Work;
use crate::{Actor, Revocation, RevocationReason, Revoked, StoreError, UnixMicros, crls};

/// How many certificates are written in one transaction.
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

    /// Revokes what a CRL lists, from when and for the reason that it says, and has the next CRL of the key go on with its
    /// number. What is revoked already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::NotCommitted`].
    pub async fn import_crl(&self, crl: &ImportedCrl, actor: &Actor) -> Result<Imported, StoreError> {
        self.write(TakeOver { crl: crl.clone(), actor: actor.clone() }).await
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
            let is_revoked = self.revoke_if_listed(db, certificate, at).await?
                || self.revoke_if_compromised(db, certificate, at).await?;
            imported.revoked += u64::from(is_revoked);
        }
        Ok(imported)
    }
}

impl Add {
    /// What an imported CRL says of a certificate is written down with it.
    async fn revoke_if_listed(
        &self,
        db: &mut Session,
        certificate: &Certificate,
        at: UnixMicros,
    ) -> Result<bool, StoreError> {
        let Import { ca, authority, .. } = &self.import;
        let sql = "SELECT revoked_at, reason FROM listed_revocations WHERE ca = ?1 AND serial = ?2";
        let Some(mut row) = db.query_one(sql, &values![authority, certificate.serial()]).await? else {
            return Ok(false);
        };
        let reason = RevocationReason::from_code(row.take(1)?)
            .ok_or(StoreError::Damaged { column: "listed_revocations.reason" })?;
        let revoked = Revoked { at: time(row.take(0)?), reason };
        let sql = "DELETE FROM listed_revocations WHERE ca = ?1 AND serial = ?2";
        db.execute(sql, &values![authority, certificate.serial()]).await?;
        revoke(db, certificate, (ca.as_str(), authority.as_str()), revoked, &self.actor, at).await
    }
}

impl Add {
    /// A key that is known to be compromised makes every certificate for it bad, wherever it comes from.
    async fn revoke_if_compromised(
        &self,
        db: &mut Session,
        certificate: &Certificate,
        at: UnixMicros,
    ) -> Result<bool, StoreError> {
        let Import { ca, authority, .. } = &self.import;
        let sql = "SELECT 1 FROM compromised_keys WHERE digest = ?1";
        if db.query_one(sql, &values![certificate.key_digest()]).await?.is_none() {
            return Ok(false);
        }
        let revoked = Revoked { at: UnixTime(at.0 / 1_000_000), reason: RevocationReason::KeyCompromise };
        revoke(db, certificate, (ca.as_str(), authority.as_str()), revoked, &self.actor, at).await
    }
}

fn about<'a>(certificate: &'a Certificate, ca: &'a str, event: Event<'a>) -> Event<'a> {
    Event { ca: Some(ca), serial: Some(certificate.serial()), fingerprint: Some(certificate.fingerprint()), ..event }
}

/// Revokes a certificate of the inventory, and tells whether it was not.
async fn revoke(
    db: &mut Session,
    certificate: &Certificate,
    (ca, authority): (&str, &str),
    revoked: Revoked,
    actor: &Actor,
    at: UnixMicros,
) -> Result<bool, StoreError> {
    let sql = "SELECT number FROM certificates WHERE serial = ?1 AND ca = ?2";
    let row = db.query_one(sql, &values![certificate.serial(), authority]).await?;
    let number: i64 = row.ok_or(StoreError::Damaged { column: "certificates.serial" })?.take(0)?;
    if revoked.reason == RevocationReason::KeyCompromise {
        let sql = "INSERT INTO compromised_keys (digest) VALUES (?1) ON CONFLICT (digest) DO NOTHING";
        db.execute(sql, &values![certificate.key_digest()]).await?;
        revoke_others_for_the_key(db, certificate, number, actor, at).await?;
    }
    let event = about(certificate, ca, Event::by(actor, "cert.revoked"));
    Ok(write_revocation(db, number, certificate, revoked, event, at).await? == Revocation::Revoked)
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

struct TakeOver {
    crl: ImportedCrl,
    actor: Actor,
}

impl Work for TakeOver {
    type Answer = Imported;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Imported, StoreError> {
        let ImportedCrl { ca, authority, crl, der } = &self.crl;
        let mut imported = Imported::default();
        for entry in &crl.revoked {
            let sql = "SELECT der FROM certificates WHERE serial = ?1 AND ca = ?2";
            match db.query_one(sql, &values![&entry.serial, authority]).await? {
                Some(mut row) => {
                    let certificate = Certificate::parse(&row.take::<Vec<u8>>(0)?)
                        .map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
                    let revoked = Revoked { at: entry.revocation_date, reason: entry.reason };
                    let is_new =
                        revoke(db, &certificate, (ca.as_str(), authority.as_str()), revoked, &self.actor, at).await?;
                    imported.revoked += u64::from(is_new);
                }
                None => imported.listed += self.list(db, entry).await?,
            }
        }
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
        if goes_on || imported != Imported::default() {
            // It may lack what was revoked here, and the last one of here lacks what it lists: stale at once.
            crls::count_revocation(db, authority).await?;
            let reason = format!(
                "number {number}, {} entries, {} revoked, {} of certificates that are not in the inventory",
                crl.revoked.len(),
                imported.revoked,
                imported.listed
            );
            Event { ca: Some(ca), reason: Some(&reason), ..Event::by(&self.actor, "crl.imported") }
                .insert(db, at)
                .await?;
        }
        Ok(imported)
    }
}

impl TakeOver {
    async fn list(&self, db: &mut Session, entry: &RevokedCertificate) -> Result<u64, StoreError> {
        let ImportedCrl { authority, crl, .. } = &self.crl;
        let sql = "INSERT INTO listed_revocations (ca, serial, issuer, revoked_at, reason) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (ca, serial) DO NOTHING";
        let issuer = issuer_digest(crl.head.issuer());
        let (at, reason) = (seconds(entry.revocation_date), entry.reason.code());
        db.execute(sql, &values![authority, &entry.serial, issuer, at, reason]).await
    }
}

/// The entries of imported CRLs of a key whose certificates the inventory does not have.
pub(crate) async fn listed(db: &mut Session, authority: &str) -> Result<Vec<RevokedCertificate>, StoreError> {
    let sql = "SELECT serial, revoked_at, reason FROM listed_revocations WHERE ca = ?1 ORDER BY serial";
    let rows = db.query(sql, &values![authority]).await?;
    let entry = |mut row: Row| {
        let reason = RevocationReason::from_code(row.take(2)?)
            .ok_or(StoreError::Damaged { column: "listed_revocations.reason" })?;
        Ok(RevokedCertificate { serial: row.take(0)?, revocation_date: time(row.take(1)?), reason })
    };
    rows.into_iter().map(entry).collect()
}
