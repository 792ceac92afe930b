//! Client certificates.

pub(crate) mod path;

use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Authenticator, Doubt, Evidence, PortError, PortFuture, Principal, UnixTime, Verdict};

use path::PathValidator;

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

impl CertificateAuthenticator {
    /// Validates paths with `paths`, which a TLS handshake may share, and asks `inventory` every time.
    #[must_use]
    pub fn new(paths: Arc<PathValidator>, inventory: Arc<dyn Inventory>) -> Self {
        Self { paths, inventory }
    }

    async fn judge(&self, evidence: &Evidence, now: UnixTime) -> Result<Verdict, PortError> {
        let certificate = match self.paths.validate(&evidence.certificates, now) {
            Ok(certificate) => certificate,
            Err(doubt) => return Ok(Verdict::Unknown(doubt)),
        };
        if self.inventory.is_revoked(&certificate).await? {
            return Ok(Verdict::Unknown(Doubt::CertificateRevoked));
        }
        Ok(Verdict::Known(Principal::Certificate(certificate)))
    }
}

impl Authenticator for CertificateAuthenticator {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(self.judge(evidence, now))
    }
}
