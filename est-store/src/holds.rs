//! Holds: the one revocation that can be taken back.

use est_core::pkix::Certificate;

use crate::audit::Event;
use crate::database::Database;
use crate::imports::issuer_digest;
use crate::inventory::Find;
use crate::listed::{self, Listed};
use crate::session::Session;
use crate::value::values;
use crate::work::Work;
use crate::{Actor, IssuedCertificate, RevocationReason, SerialNumber, StoreError, UnixMicros, crls};

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
    /// not list it (removeFromCRL, RFC 5280 §5.3.1, is for delta CRLs). No other revocation can be taken back. What an
    /// imported CRL says of a certificate that is not in the inventory can be taken back likewise.
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
        let Some((number, certificate)) = self.find.certificate(db).await? else {
            let Find { serial, ca } = &self.find;
            let listed = listed::find_by_serial(db, serial, ca.as_deref()).await?;
            return self.release_listed(db, listed, None, at).await;
        };
        let parsed = Certificate::parse(&certificate.der);
        let parsed = parsed.map_err(|_| StoreError::Damaged { column: "certificates.der" })?;
        let issuer = issuer_digest(parsed.issuer());
        let Some(revoked) = certificate.revoked else {
            let listed = listed::find(db, parsed.serial(), &issuer).await?;
            return self.release_listed(db, listed, Some(&certificate), at).await;
        };
        let hold = RevocationReason::CertificateHold.code();
        let sql = "DELETE FROM revocations WHERE certificate = ?1 AND reason = ?2";
        if db.execute(sql, &values![number, hold]).await? == 0 {
            return Ok(Release::ForGood(revoked.reason));
        }
        listed::remove(db, parsed.serial(), &issuer).await?;
        let row = db.query_one("SELECT ca FROM certificates WHERE number = ?1", &values![number]).await?;
        let authority: String = row.ok_or(StoreError::Damaged { column: "certificates.number" })?.take(0)?;
        crls::count_revocation(db, &authority).await?;
        let reason = format!("held since {}", revoked.at);
        self.event(&certificate, &reason).insert(db, at).await?;
        Ok(Release::Released)
    }
}

impl ReleaseOne {
    /// Takes back what an imported CRL says of a certificate, which the inventory may have all the same.
    async fn release_listed(
        &self,
        db: &mut Session,
        listed: Option<Listed>,
        certificate: Option<&IssuedCertificate>,
        at: UnixMicros,
    ) -> Result<Release, StoreError> {
        let Some(Listed { authority, ca, issuer, revoked }) = listed else {
            return Ok(certificate.map_or(Release::Unknown, |_| Release::NotRevoked));
        };
        if revoked.reason != RevocationReason::CertificateHold {
            return Ok(Release::ForGood(revoked.reason));
        }
        let serial = self.find.serial.as_bytes();
        listed::remove(db, serial, &issuer).await?;
        crls::count_revocation(db, &authority).await?;
        let reason = format!("held since {}", revoked.at);
        let event = Event { ca: Some(&ca), serial: Some(serial), ..Event::by(&self.actor, "cert.released") };
        let event = certificate.map_or(event, |certificate| self.event(certificate, &reason));
        Event { reason: Some(&reason), ..event }.insert(db, at).await?;
        Ok(Release::Released)
    }

    fn event<'a>(&'a self, certificate: &'a IssuedCertificate, reason: &'a str) -> Event<'a> {
        Event {
            ca: Some(&certificate.ca),
            label: certificate.label.as_deref(),
            reason: Some(reason),
            serial: Some(certificate.serial.as_bytes()),
            fingerprint: Some(certificate.fingerprint),
            ..Event::by(&self.actor, "cert.released")
        }
    }
}
