//! `[admin]`.

use std::num::NonZeroUsize;
use std::time::Duration;

use est_core::pkix::Certificate;
use est_core::policy::{NameRule, Pattern};

use super::TlsCertificate;
use crate::config::secret::SecretSource;

/// `[admin]`: the admin API.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether it is served.
    pub enabled: bool,
    /// How operators authenticate.
    pub auth: AdminAuth,
    /// Where operators' chains must end; empty only with [`AdminAuth::Bearer`].
    pub trust_anchors: Vec<Certificate>,
    /// Its own certificate; those of `[tls]` if `None`.
    pub certificate: Option<TlsCertificate>,
    /// `[[admin.token]]`, and the token of the environment.
    pub tokens: Vec<AdminToken>,
    /// `[[admin.certificate]]`: of several that fit, the first counts.
    pub certificates: Vec<AdminCertificate>,
    /// Whether the maker of a password may not approve a request that came with it.
    pub dual_control: bool,
    /// How many requests a minute one address, and one operator, may make.
    pub max_requests: u32,
    /// How many failures to authenticate a minute are heard from one address.
    pub max_failures: u32,
    /// For how long a failure waits for its answer.
    pub failure_delay: Duration,
    /// How many connections may be open.
    pub max_connections: NonZeroUsize,
    /// What the installation is called on the operator's page.
    pub title: Option<String>,
}

/// How operators authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAuth {
    /// A client certificate.
    Mtls,
    /// A bearer token.
    Bearer,
    /// Either.
    Both,
}

/// What an operator may do. Each role may do what those after it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Operator,
    /// Read everything.
    Auditor,
    /// Read all but the audit trail and the configuration.
    Viewer,
}

/// `[[admin.token]]`: somebody with a bearer token.
#[derive(Clone, Debug)]
pub struct AdminToken {
    /// Who it is.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The token.
    pub token: AdminSecret,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum AdminSecret {
    /// Where it is.
    Token(SecretSource),
    /// Its SHA-256.
    Digest([u8; 32]),
}

/// `[[admin.certificate]]`: those whose certificate is as every part of this says.
#[derive(Clone, Debug)]
pub struct AdminCertificate {
    /// Who it is; the certificate's subject if `None`.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// What the subject must match.
    pub subject: Option<Pattern>,
    /// What one of the names must match.
    pub san: Option<NameRule>,
    /// What the issuer must match.
    pub issuer: Option<Pattern>,
    /// The SHA-256 of the certificate.
    pub fingerprint: Option<[u8; 32]>,
    /// Whether it lets in certificates that were issued here, without a fingerprint.
    pub issued_here: bool,
}
