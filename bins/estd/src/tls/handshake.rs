//! Why a handshake ended without a session.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Doubt, Refusal};
use rustls::pki_types::CertificateDer;

/// A handshake that came to nothing.
pub(crate) struct Failed {
    error: io::Error,
    rejected: Option<Rejected>,
}

/// A client's certificate that is not accepted.
struct Rejected {
    certificate: Option<Arc<Certificate>>,
    why: String,
}

tokio::task_local! {
    /// Where the verifier, which knows no connection, tells of the certificate that it rejects.
    static REJECTED: RefCell<Option<Rejected>>;
}

/// Tells that the certificate `leaf` is not accepted in the handshake that is under way.
pub(super) fn distrust(leaf: &CertificateDer<'_>, doubt: Doubt) {
    reject(leaf, Refusal::from(doubt).row().code.to_owned());
}

/// Tells that the peer has not shown that the key of the certificate `leaf` is its own.
pub(super) fn doubt_possession(leaf: &CertificateDer<'_>, error: &rustls::Error) {
    reject(leaf, format!("client-certificate-unproven ({error})"));
}

fn reject(leaf: &CertificateDer<'_>, why: String) {
    let certificate = Certificate::parse(leaf).ok().map(Arc::new);
    // Outside of `watched` nobody wants to know.
    let _ = REJECTED.try_with(|slot| slot.replace(Some(Rejected { certificate, why })));
}

/// Runs a handshake.
///
/// # Errors
/// Why it failed.
pub(crate) async fn watched<T>(handshake: impl Future<Output = io::Result<T>>) -> Result<T, Failed> {
    let watched = async {
        let ended = handshake.await;
        ended.map_err(|error| Failed { error, rejected: REJECTED.with(RefCell::take) })
    };
    REJECTED.scope(RefCell::default(), watched).await
}

impl Failed {
    /// One that took longer than it may.
    pub(crate) fn late() -> Self {
        Self { error: io::ErrorKind::TimedOut.into(), rejected: None }
    }

    /// What went wrong, for the log.
    pub(crate) fn error(&self) -> &io::Error {
        &self.error
    }

    /// What went wrong between two that spoke TLS, or that one of them did not, or not in time; `None` where a connection
    /// just ended.
    pub(crate) fn reason(&self) -> Option<String> {
        if let Some(Rejected { certificate, why }) = &self.rejected {
            let claimed = certificate.as_ref().map(|certificate| format!(" as {}", certificate.subject()));
            return Some(format!("{why}{}", claimed.unwrap_or_default()));
        }
        if self.error.kind() == io::ErrorKind::TimedOut {
            return Some("it was not complete within limits.handshake_timeout".to_owned());
        }
        self.error.get_ref().filter(|error| error.is::<rustls::Error>()).map(ToString::to_string)
    }

    /// Whether it failed for the client's certificate.
    pub(crate) fn is_rejection(&self) -> bool {
        self.rejected.is_some()
    }

    /// The certificate for which it failed, if that can be read.
    pub(crate) fn rejected(self) -> Option<Arc<Certificate>> {
        self.rejected.and_then(|rejected| rejected.certificate)
    }
}
