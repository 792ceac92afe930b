//! What a client shows, and the principal that it turns out to be.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::ops::Deref;

use crate::pkix::{Certificate, Fingerprint};
use crate::policy::Allowance;
use crate::{Guess, Refusal, Seconds, Secret, TlsExporter, UnixTime};

/// What the transport learned about the peer.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The certificates of the TLS handshake, DER, leaf first. The peer has proven that it holds the leaf's key;
    /// nothing else about them has been checked.
    pub certificates: Arc<Vec<Vec<u8>>>,
    /// The user name and password of HTTP Basic authentication (RFC 7617).
    pub credentials: Option<Credentials>,
    /// The peer's address, for the audit record.
    pub source: Option<String>,
    /// The peer's own address, which its wrong passwords count against; `None` behind a proxy that does not tell it.
    pub origin: Option<IpAddr>,
    /// What binds a request to the connection that it came over; `None` where a connection has nothing of the kind, or
    /// ends at a proxy.
    pub channel_binding: Option<TlsExporter>,
}

impl Evidence {
    /// The peer's own certificate, if it showed one that can be read.
    #[must_use]
    pub fn leaf(&self) -> Option<Arc<Certificate>> {
        self.certificates.first().and_then(|der| Certificate::parse(der).ok()).map(Arc::new)
    }
}

/// A user name and a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// May be empty (RFC 7030 §3.2.3).
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A peer whose evidence an [`Authenticator`](crate::Authenticator) accepted.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Holds the key of this certificate, which chains to a trust anchor and is not revoked. If it has expired, it was
    /// found good enough for its own renewal, and for nothing else.
    Certificate(CertificatePath),
    /// Knows a one-time password.
    OneTimePassword {
        /// The public half, which finds the password in the store.
        id: String,
        /// Whom the password was created for, if for somebody.
        entity: Option<String>,
        /// When the password ends.
        expires: UnixTime,
        /// The label that the password was created for, if for one.
        label: Option<String>,
        /// The names that it is good for in addition to the entity's own.
        allowance: Arc<Allowance>,
    },
}

/// The certificates above a client's on a path: its issuer first, the trust anchor last.
pub type Issuers = Arc<[Arc<Certificate>]>;

/// A certificate, and those above it on the paths that were verified. It reads as the certificate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePath {
    leaf: Arc<Certificate>,
    paths: Arc<[Issuers]>,
}

impl CertificatePath {
    /// A path that was verified: `issuers` begins with the issuer of `leaf` and ends with a trust anchor.
    #[must_use]
    pub fn new(leaf: Arc<Certificate>, issuers: Issuers) -> Self {
        Self::of_paths(leaf, if issuers.is_empty() { Vec::new() } else { Vec::from([issuers]) })
    }

    /// Several paths from one certificate that were verified, each as in [`new`](Self::new), the one that was found first in
    /// front.
    #[must_use]
    pub fn of_paths(leaf: Arc<Certificate>, paths: Vec<Issuers>) -> Self {
        Self { leaf, paths: paths.into() }
    }

    /// The certificate that was shown.
    #[must_use]
    pub fn leaf(&self) -> &Arc<Certificate> {
        &self.leaf
    }

    /// The certificates above it on each path; none where no path is known.
    #[must_use]
    pub fn paths(&self) -> &[Issuers] {
        &self.paths
    }
}

/// A certificate of which no path is known: its signature alone identifies the issuer.
impl From<Arc<Certificate>> for CertificatePath {
    fn from(leaf: Arc<Certificate>) -> Self {
        Self { leaf, paths: Arc::default() }
    }
}

impl Deref for CertificatePath {
    type Target = Certificate;

    fn deref(&self) -> &Certificate {
        &self.leaf
    }
}

impl Principal {
    /// A name that no other principal has; the same one every time.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            // Not by its fingerprint: its holder could change that, and be another principal.
            Self::Certificate(certificate) => alloc::format!("cert:{}", Fingerprint(certificate.contents_digest())),
            Self::OneTimePassword { id, .. } => alloc::format!("otp:{id}"),
        }
    }

    /// The public half of the one-time password it authenticated with.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        match self {
            Self::Certificate(_) => None,
            Self::OneTimePassword { id, .. } => Some(id),
        }
    }

    /// The certificate it authenticated with.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::OneTimePassword { .. } => None,
        }
    }
}

/// What a person reads in logs and audit records.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(certificate) => {
                write!(f, "certificate {} ({})", certificate.serial_text(), certificate.subject())
            }
            Self::OneTimePassword { id, entity: Some(entity), .. } => write!(f, "password {id} of {entity}"),
            Self::OneTimePassword { id, entity: None, .. } => write!(f, "password {id}"),
        }
    }
}

/// What an [`Authenticator`](crate::Authenticator) found. An outage is a [`PortError`](crate::PortError), not an
/// `Unknown`.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The evidence belongs to this principal.
    Known(Principal),
    /// As [`Known`](Self::Known), although something else that was shown was not accepted, and why: a certificate beside a
    /// good password.
    KnownDespite(Principal, Doubt),
    /// The evidence belongs to nobody, and why.
    Unknown(Doubt),
    /// As [`Unknown`](Self::Unknown), with a wrong password that is to be counted.
    Guessed(Doubt, Guess),
    /// The evidence belongs to a client that has asked too often, and may again after so long. The exchange ends here and
    /// leaves no record: the authenticator counts how often, and records that.
    Throttled(Seconds),
    /// It could not be looked at, since too many wait for that. The exchange ends here and leaves no record: the
    /// authenticator counts how often, and records that.
    Crowded,
}

impl Verdict {
    /// Whose evidence it is, if anybody's.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Known(principal) | Self::KnownDespite(principal, _) => Some(principal),
            Self::Unknown(_) | Self::Guessed(..) | Self::Throttled(_) | Self::Crowded => None,
        }
    }
}

/// Why evidence was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// Neither a certificate nor a password was shown.
    NothingShown,
    /// No such password, a wrong secret, or the wrong user name: one answer for all, so that nothing can be learned
    /// from it.
    PasswordRejected,
    /// The right password for this user name, after its end.
    PasswordExpired,
    /// The right password for this user name, which was revoked.
    PasswordRevoked,
    /// Too many wrong passwords came from there or for that name; none is looked at before this time has passed.
    LockedOut(Seconds),
    /// The certificate cannot be read.
    CertificateMalformed,
    /// No path leads from the certificate to a trust anchor.
    CertificateUntrusted,
    /// The certificate has expired.
    CertificateExpired {
        /// When it ended.
        not_after: UnixTime,
    },
    /// The certificate's time has not come.
    CertificateNotYetValid {
        /// When it begins.
        not_before: UnixTime,
    },
    /// The certificate's extended key usage does not allow client authentication.
    CertificatePurpose,
    /// The certificate can be read, and it or one above it breaks a rule of RFC 5280.
    CertificateNonconforming {
        /// Which one, as the subject of a sentence: "the client certificate".
        which: &'static str,
        /// What is wrong with it, as the rest of the sentence.
        fault: &'static str,
    },
    /// The certificate was revoked.
    CertificateRevoked,
    /// Whether the certificate was revoked cannot be told, for want of a CRL that says so.
    RevocationUnknown,
}

/// As the client is told.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Refusal::from(self.clone()).fmt(f)
    }
}

impl core::error::Error for Doubt {}
