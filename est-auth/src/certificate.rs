//! Client certificates.

mod budget;
pub(crate) mod crl;
mod memory;
pub(crate) mod path;
mod rules;
mod search;

use std::fmt;
use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Authenticator, Doubt, Evidence, PortError, PortFuture, Principal, UnixTime, Verdict};
use tracing::warn;

use path::{PathValidator, RevocationStatus, Validated};

/// Knows which certificates were revoked.
pub trait Inventory: Send + Sync {
    /// Whether this certificate was revoked.
    ///
    /// # Errors
    /// [`PortError`] when that cannot be told: then nobody is let in.
    fn is_revoked<'a>(&'a self, certificate: &'a Certificate) -> PortFuture<'a, bool>;
}

/// Knows the holders of certificates that chain to a trust anchor and are not revoked.
pub struct CertificateAuthenticator {
    paths: Arc<PathValidator>,
    inventory: Arc<dyn Inventory>,
}

impl fmt::Debug for CertificateAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthenticator").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl CertificateAuthenticator {
    /// Validates paths with `paths`, which a TLS handshake may share, and asks `inventory` every time.
    #[must_use]
    pub fn new(paths: Arc<PathValidator>, inventory: Arc<dyn Inventory>) -> Self {
        Self { paths, inventory }
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let Validated { path, revocation, has_expired } = match self.paths.validate(&evidence.certificates, now) {
            Ok(validated) => validated,
            Err(doubt) => return Ok(Verdict::Unknown(doubt)),
        };
        // Its grace is for renewing without anything else to show.
        if has_expired && evidence.credentials.is_some() {
            return Ok(Verdict::Unknown(Doubt::CertificateExpired { not_after: path.not_after() }));
        }
        if self.inventory.is_revoked(&path).await? {
            return Ok(Verdict::Unknown(Doubt::CertificateRevoked));
        }
        if revocation == RevocationStatus::Unknown {
            let (serial, subject) = (path.serial_text(), path.subject());
            warn!(serial, %subject, "let in a client although no CRL tells whether its certificate was revoked");
        }
        Ok(Verdict::Known(Principal::Certificate(path)))
    }
}

impl Authenticator for CertificateAuthenticator {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(self.judge(evidence, now))
    }
}
