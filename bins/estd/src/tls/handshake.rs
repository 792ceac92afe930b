//! Why a handshake ended without a session.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use est_core::pkix::Certificate;
use est_core::{Doubt, Refusal};
use host::metrics::Handshake;
use rustls::pki_types::CertificateDer;

use super::sessions;

/// A handshake that came to nothing.
pub(crate) enum Failed {
    /// It was not complete in time.
    Late,
    /// The client's certificate was not accepted.
    Rejected(Rejected),
    /// The two did not agree, or the connection ended.
    Broken(io::Error),
}

/// A client's certificate that is not accepted.
pub(crate) struct Rejected {
    /// If it can be read.
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
    use rustls::{CertificateError, Error, PeerMisbehaved};

    let why = match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => "the signature does not verify",
        Error::InvalidCertificate(CertificateError::BadEncoding) => "the key cannot be read",
        Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
            "the signature is of a kind that was not offered"
        }
        _ => "the signature does not fit the key",
    };
    reject(leaf, format!("client-certificate-unproven ({why})"));
}

fn reject(leaf: &CertificateDer<'_>, why: String) {
    let certificate = Certificate::parse(leaf).ok().map(Arc::new);
    // Outside of `watched` nobody wants to know.
    let _ = REJECTED.try_with(|slot| slot.replace(Some(Rejected { certificate, why })));
}

/// Runs a handshake, for as long as `patience` lasts.
///
/// # Errors
/// Why it failed.
pub(crate) async fn watched<T>(
    patience: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, Failed> {
    let watched = async {
        match tokio::time::timeout(patience, handshake).await {
            Ok(ended) => {
                ended.map_err(|error| REJECTED.with(RefCell::take).map_or(Failed::Broken(error), Failed::Rejected))
            }
            Err(_) => Err(Failed::Late),
        }
    };
    sessions::of_one(REJECTED.scope(RefCell::default(), watched)).await
}

/// What metrics count a handshake as.
pub(crate) fn outcome<T>(ended: &Result<T, Failed>) -> Handshake {
    match ended {
        Ok(_) => Handshake::Done,
        Err(Failed::Late) => Handshake::Late,
        Err(Failed::Rejected(_) | Failed::Broken(_)) => Handshake::Failed,
    }
}

impl Failed {
    /// What went wrong between two that spoke TLS, or that one of them did not, or not in time; `None` where a connection
    /// just ended.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Late => Some("it was not complete within limits.handshake_timeout".to_owned()),
            Self::Rejected(Rejected { certificate: Some(certificate), why }) => {
                Some(format!("{why} as {}", certificate.subject()))
            }
            Self::Rejected(Rejected { certificate: None, why }) => Some(why.clone()),
            Self::Broken(error) => error.get_ref().filter(|error| error.is::<rustls::Error>()).map(ToString::to_string),
        }
    }

    /// The certificate for which it failed, if it did and that can be read.
    pub(crate) fn rejected(self) -> Option<Arc<Certificate>> {
        match self {
            Self::Rejected(Rejected { certificate, .. }) => certificate,
            Self::Late | Self::Broken(_) => None,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason(), self) {
            (Some(reason), _) => f.write_str(&reason),
            (None, Self::Broken(error)) => error.fmt(f),
            (None, Self::Late | Self::Rejected(_)) => Ok(()),
        }
    }
}
