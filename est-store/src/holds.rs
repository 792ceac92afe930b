//! Holds: the one revocation that can be taken back.

use crate::audit::Event;
use crate::database::Database;
use crate::inventory::Find;
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{Actor, RevocationReason, SerialNumber, StoreError, UnixMicros, crls};

/// What came of the release of a certificate from a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It is good again.
    Released,
    /// It was not revoked.
    NotRevoked,
    /// It was revoked for this reason, which is for good.
    ForGood(RevocationReason),
    /// There is no such certificate.
    Unknown,
}

impl Database {
    /// Takes back the certificateHold of the certificate with this serial number, of `ca` if one is named: the next CRL does
    /// not list it (removeFromCRL, RFC 5280 §5.3.1, is for delta CRLs). No other revocation can be taken back.
    ///
    /// # Errors
    /// [`StoreError::SeveralCertificates`] when no CA is named and it takes one; [`StoreError::Database`],
    /// [`StoreError::NotCommitted`].
    pub async fn release(&self, serial: &SerialNumber, ca: Option<&str>, actor: &Actor) -> Result<Release, StoreError> {
        let find = Find { serial: serial.clone(), ca: ca.map(str::to_owned) };
        self.write(ReleaseOne { find, actor: actor.clone() }).await
    }
}

struct ReleaseOne {
    find: Find,
    actor: Actor,
}

impl Work for ReleaseOne {
    type Answer = Release;

    async fn run(&self, db: &mut Session, at: UnixMicros) -> Result<Release, StoreError> {
        let Some((number, certificate)) = self.find.certificate(db).await? else { return Ok(Release::Unknown) };
        let Some(revoked) = certificate.revoked else { return Ok(Release::NotRevoked) };
        let hold = RevocationReason::CertificateHold.code();
        let sql = "DELETE FROM revocations WHERE certificate = ?1 AND reason = ?2";
        if db.execute(sql, &values![number, hold]).await? == 0 {
            return Ok(Release::ForGood(revoked.reason));
        }
        let row = db.query_one("SELECT ca FROM certificates WHERE number = ?1", &values![number]).await?;
        let authority: String = row.ok_or(StoreError::Damaged { column: "certificates.number" })?.take(0)?;
        crls::count_revocation(db, &authority).await?;
        let reason = format!("held since {}", revoked.at);
        Event {
            ca: Some(&certificate.ca),
            label: certificate.label.as_deref(),
            reason: Some(&reason),
            serial: Some(certificate.serial.as_bytes()),
            fingerprint: Some(certificate.fingerprint),
            ..Event::by(&self.actor, "cert.released")
        }
        .insert(db, at)
        .await?;
        Ok(Release::Released)
    }
}
