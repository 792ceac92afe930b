//! `[tls]` and `[tls.client_auth]`.

use std::path::PathBuf;

use est_core::Seconds;
use est_core::pkix::Certificate;
use rustls::CipherSuite;

use crate::config::secret::SecretSource;

/// `[tls]`: the server's own certificate and its TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server's certificates: that of `[tls]` itself, then each `[[tls.additional]]`.
    pub certificates: Vec<TlsCertificate>,
    /// The oldest TLS that is spoken.
    pub min_version: TlsVersion,
    /// The cipher suites of TLS 1.2; all that the library has if `None`.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Whether clients of TLS 1.3 get a ticket, with which they may resume the session.
    pub session_tickets: bool,
    /// Whether the server renews those of its certificates that its own CAs issued.
    pub renew: bool,
    /// `[tls.client_auth]`.
    pub client_auth: ClientAuth,
}

/// A certificate that a TLS server can show.
#[derive(Clone, Debug)]
pub struct TlsCertificate {
    /// The file that it is in.
    pub path: PathBuf,
    /// The certificate, then those above it; at least one.
    pub chain: Vec<Certificate>,
    /// Its private key.
    pub key: KeyFile,
}

/// A file with a private key: found, and PEM, but not parsed.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// The file.
    pub path: PathBuf,
    /// What it is encrypted with.
    pub passphrase: Option<SecretSource>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// `[tls.client_auth]`: which clients' certificates are accepted.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Where clients' chains must end; empty only with [`ClientAuthMode::None`].
    pub trust_anchors: Vec<Certificate>,
    /// CA certificates that clients may leave out of their chains.
    pub intermediates: Vec<Certificate>,
    /// Whether a client must show a certificate.
    pub mode: ClientAuthMode,
    /// Which purpose a client's certificate must have.
    pub ext_key_usage: ClientPurpose,
    /// The files and folders that CRLs come from; none are asked if there are none.
    pub crls: Vec<PathBuf>,
    /// What becomes of a client whose certificate no current CRL covers.
    pub revocation: ClientRevocation,
    /// For how long an own CA's certificate may be renewed after its end.
    pub expired_grace: Seconds,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// Always: the handshake fails without a good one.
    Required,
    /// It is asked for and checked if it comes.
    Optional,
    /// As [`Optional`](Self::Optional), but `/simplereenroll` needs one.
    RequiredForReenroll,
    /// It is not asked for.
    None,
}

/// Which purpose a client's certificate must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPurpose {
    /// id-kp-clientAuth, or no extended key usage at all.
    ClientAuth,
    /// Any.
    Any,
}

/// What becomes of a client whose certificate no current CRL covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRevocation {
    /// It is refused.
    Hard,
    /// It is let in.
    Soft,
}
