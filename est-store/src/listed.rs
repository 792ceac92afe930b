//! Entries of imported CRLs whose certificates the inventory does not have.
//!
//! They are known by serial number and issuer, as on a CRL (RFC 5280 §5.3). The column `ca` says with which key's CRL one
//! came; another key of the same CA may have issued the certificate.

use est_core::UnixTime;
use est_core::pkix::{Certificate, RevokedCertificate};

use crate::audit::Event;
use crate::database::{seconds, time};
use crate::imports::issuer_digest;
use crate::session::{Query, Session};
use crate::value::{Row, values};
use crate::{RevocationReason, Revoked, SerialNumber, StoreError, UnixMicros};

/// What an imported CRL says of a certificate that is not in the inventory.
pub(crate) struct Listed {
    /// The name of the key whose CRL it was.
    pub(crate) authority: String,
    /// The id of the CA.
    pub(crate) ca: String,
    pub(crate) issuer: [u8; 32],
    pub(crate) revoked: Revoked,
}

const SELECT: &str = "SELECT l.ca, coalesce(a.id, l.ca), l.issuer, l.revoked_at, l.reason FROM listed_revocations l \
     LEFT JOIN authorities a ON a.name = l.ca WHERE l.serial =";

/// What is listed of the certificate with this serial number of this issuer.
pub(crate) async fn find(db: &mut Session, serial: &[u8], issuer: &[u8; 32]) -> Result<Option<Listed>, StoreError> {
    let mut query = Query::new(SELECT, serial);
    query.push(" AND l.issuer =", issuer).push_str(" ORDER BY l.ca");
    query.run(db).await?.into_iter().next().map(read).transpose()
}

/// What is listed under this serial number, of `ca` if one is named.
///
/// # Errors
/// [`StoreError::SeveralCertificates`] when none is named and it takes one.
pub(crate) async fn find_by_serial(
    db: &mut Session,
    serial: &SerialNumber,
    ca: Option<&str>,
) -> Result<Option<Listed>, StoreError> {
    let mut query = Query::new(SELECT, serial.as_bytes());
    if let Some(ca) = ca {
        query.push(" AND coalesce(a.id, l.ca) =", ca);
    }
    query.push_str(" ORDER BY l.ca");
    let mut found = query.run(db).await?.into_iter().map(read).collect::<Result<Vec<Listed>, _>>()?;
    found.dedup_by(|one, other| one.issuer == other.issuer);
    if found.len() > 1 {
        return Err(StoreError::SeveralCertificates { cas: found.into_iter().map(|one| one.ca).collect() });
    }
    Ok(found.pop())
}

fn read(mut row: Row) -> Result<Listed, StoreError> {
    let (at, code) = (row.take(3)?, row.take(4)?);
    let reason =
        RevocationReason::from_code(code).ok_or(StoreError::Damaged { column: "listed_revocations.reason" })?;
    Ok(Listed {
        authority: row.take(0)?,
        ca: row.take(1)?,
        issuer: row.take(2)?,
        revoked: Revoked { at: time(at), reason },
    })
}

/// Lists what a CRL of a key says, and tells whether that is news. Of what is listed already, only a compromised key is,
/// and any other reason than the hold that it was.
pub(crate) async fn list(
    db: &mut Session,
    authority: &str,
    issuer: &[u8; 32],
    entry: &RevokedCertificate,
    event: Event<'_>,
    at: UnixMicros,
) -> Result<bool, StoreError> {
    let mut revoked = Revoked { at: entry.revocation_date, reason: entry.reason };
    match find(db, &entry.serial, issuer).await? {
        Some(known) if known.revoked.gives_way_to(entry.reason) => {
            // Since when it is revoked stays as it was.
            revoked.at = known.revoked.at;
            let sql = "UPDATE listed_revocations SET reason = ?3 WHERE serial = ?1 AND issuer = ?2";
            db.execute(sql, &values![&entry.serial, issuer, entry.reason.code()]).await?;
        }
        Some(_) => return Ok(false),
        None => {
            let sql =
                "INSERT INTO listed_revocations (ca, serial, issuer, revoked_at, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = values![authority, &entry.serial, issuer, seconds(revoked.at), entry.reason.code()];
            db.execute(sql, &values).await?;
        }
    }
    let reason = revoked.since();
    Event { name: "cert.listed", reason: Some(&reason), serial: Some(&entry.serial), ..event }.insert(db, at).await?;
    Ok(true)
}

/// Takes what is listed of a certificate off the list, since the inventory has it from here on.
pub(crate) async fn take(db: &mut Session, certificate: &Certificate) -> Result<Option<Revoked>, StoreError> {
    let issuer = issuer_digest(certificate.issuer());
    let Some(listed) = find(db, certificate.serial(), &issuer).await? else { return Ok(None) };
    remove(db, certificate.serial(), &issuer).await?;
    Ok(Some(listed.revoked))
}

/// Takes a certificate off the list.
pub(crate) async fn remove(db: &mut Session, serial: &[u8], issuer: &[u8; 32]) -> Result<(), StoreError> {
    let sql = "DELETE FROM listed_revocations WHERE serial = ?1 AND issuer = ?2";
    db.execute(sql, &values![serial, issuer]).await.map(drop)
}

/// The entries that came with CRLs of a key.
pub(crate) async fn all(db: &mut Session, authority: &str) -> Result<Vec<RevokedCertificate>, StoreError> {
    let sql = "SELECT serial, revoked_at, reason FROM listed_revocations WHERE ca = ?1 ORDER BY serial";
    let rows = db.query(sql, &values![authority]).await?;
    let entry = |mut row: Row| {
        let reason = RevocationReason::from_code(row.take(2)?)
            .ok_or(StoreError::Damaged { column: "listed_revocations.reason" })?;
        Ok(RevokedCertificate { serial: row.take(0)?, revocation_date: UnixTime(row.take(1)?), reason })
    };
    rows.into_iter().map(entry).collect()
}
