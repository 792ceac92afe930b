//! Who calls, and what they may do.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use est_auth::{PathValidator, Purpose};
use est_core::UnixTime;
use est_core::pkix::Certificate;
use est_store::{Actor, Method};
use host::config::{self, AdminAuth, AdminCertificate, AdminSecret, Role, Settings};
use host::wiring;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use crate::server::Source;

/// An authenticated operator.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Who it is, for the audit trail.
    pub(super) actor: Actor,
    /// What they may do.
    pub(super) role: Role,
    /// The bearer token that they sent with this very request, if they did.
    pub(super) token: Option<TokenDigest>,
}

/// The SHA-256 of a bearer token.
#[derive(Clone, Copy)]
pub(super) struct TokenDigest(pub(super) [u8; 32]);

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    /// Takes the caller that the guard has authenticated.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::Forbidden("nobody was let in".to_owned()))
    }
}

/// How a request came in.
#[derive(Clone)]
pub(super) struct Peer {
    /// The address that it came from.
    pub(super) source: String,
    /// The same, as far as limits tell addresses apart.
    pub(super) network: Source,
    /// The certificates that were shown, leaf first.
    pub(super) chain: Arc<Vec<Vec<u8>>>,
}

/// Why nobody was recognized.
#[derive(Debug)]
pub(super) enum Stranger {
    /// They showed nothing that is looked at.
    Silent,
    /// They showed something that does not hold; why is for the operator's eyes.
    Rejected {
        /// By what they tried.
        method: Method,
        /// Why not.
        reason: String,
    },
}

impl Stranger {
    /// Showed a certificate.
    pub(super) fn showing(reason: String) -> Self {
        Self::Rejected { method: Method::Certificate, reason }
    }
}

/// Recognizes callers.
pub(super) struct Door {
    auth: AdminAuth,
    tokens: Vec<Token>,
    certificates: Vec<AdminCertificate>,
    paths: Option<PathValidator>,
    /// The CAs that serve here, under every certificate that is known of them.
    own_cas: Vec<Certificate>,
}

/// A token that opens it.
struct Token {
    name: String,
    role: Role,
    digest: [u8; 32],
}

/// A token that is shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 16;

impl Token {
    fn of(known: &config::AdminToken) -> anyhow::Result<Self> {
        let digest = match &known.token {
            AdminSecret::Digest(digest) => *digest,
            AdminSecret::Token(source) => {
                let secret = source.read()?;
                let token = secret.reveal().trim_ascii();
                ensure!(token.len() >= SHORTEST_TOKEN, "the token of {} is shorter than 16 characters", known.name);
                let fits = token.bytes().all(|octet| octet.is_ascii_graphic());
                ensure!(fits, "the token of {} has characters that no header can carry", known.name);
                Sha256::digest(token).into()
            }
        };
        Ok(Self { name: known.name.clone(), role: known.role, digest })
    }
}

impl Door {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let admin = &settings.admin;
        let paths = if admin.auth == AdminAuth::Bearer {
            None
        } else {
            let anchors: Vec<&[u8]> = admin.trust_anchors.iter().map(Certificate::as_der).collect();
            let paths = PathValidator::new(&anchors, &[] as &[&[u8]], Purpose::ClientAuth);
            Some(paths.context("admin.trust_anchors")?.with_algorithms(est_backends::algorithms()))
        };
        let tokens = match admin.auth {
            AdminAuth::Mtls => Vec::new(),
            AdminAuth::Bearer | AdminAuth::Both => admin.tokens.iter().map(Token::of).collect::<Result<_, _>>()?,
        };
        let (certificates, own_cas) = (admin.certificates.clone(), wiring::own_cas(settings));
        Ok(Self { auth: admin.auth, tokens, certificates, paths, own_cas })
    }

    /// What a 401 says of the ways in.
    pub(super) fn challenge(&self) -> &'static str {
        match self.auth {
            AdminAuth::Mtls => "Certificate realm=\"ohia admin\"",
            AdminAuth::Bearer | AdminAuth::Both => "Bearer realm=\"ohia admin\"",
        }
    }

    /// By the bearer token of a request; `None` when it has none.
    pub(super) fn by_token(&self, peer: &Peer, headers: &HeaderMap) -> Option<Result<Caller, Stranger>> {
        if self.auth == AdminAuth::Mtls {
            return None;
        }
        let value = headers.get(AUTHORIZATION)?;
        let rejected = |reason: &str| Stranger::Rejected { method: Method::Bearer, reason: reason.to_owned() };
        let Some(token) = bearer(value.as_bytes()) else {
            return Some(Err(rejected("the credential is no bearer token")));
        };
        let digest = Sha256::digest(token).into();
        let caller = self.by_digest(peer, &digest).map(|caller| Caller { token: Some(TokenDigest(digest)), ..caller });
        Some(caller.ok_or_else(|| rejected("no operator has this token")))
    }

    /// By the SHA-256 of a token: whose it is at present, if anybody's.
    pub(super) fn by_digest(&self, peer: &Peer, digest: &[u8; 32]) -> Option<Caller> {
        // Every token is looked at, whichever it is.
        let mut found = None;
        for known in &self.tokens {
            if bool::from(known.digest.ct_eq(digest)) {
                found = Some(known);
            }
        }
        found.map(|known| Caller {
            actor: Actor {
                name: format!("admin:{}", known.name),
                method: Method::Bearer,
                source: Some(peer.source.clone()),
            },
            role: known.role,
            token: None,
        })
    }

    /// The client certificate of the connection, if it leads to a trust anchor; `None` when none was shown.
    pub(super) fn certificate(&self, peer: &Peer, now: UnixTime) -> Option<Result<Arc<Certificate>, Stranger>> {
        let paths = self.paths.as_ref()?;
        if peer.chain.is_empty() {
            return None;
        }
        let validated = paths.validate(&peer.chain, now).map(|validated| validated.path.leaf().clone());
        Some(validated.map_err(|doubt| Stranger::showing(format!("the certificate does not hold: {doubt:?}"))))
    }

    /// Whether a CA of this server has issued it: a new database may not know.
    pub(super) fn is_of_own_ca(&self, certificate: &Certificate) -> bool {
        self.own_cas.iter().any(|ca| certificate.is_issued_by(ca, est_backends::algorithms()))
    }

    /// The holder of this certificate, which leads to a trust anchor. One that was issued here may be any client's:
    /// a name alone does not list it.
    pub(super) fn by_certificate(
        &self,
        peer: &Peer,
        certificate: &Certificate,
        issued_here: bool,
    ) -> Result<Caller, Stranger> {
        let subject = format!("{:#}", certificate.subject());
        let mut fitting = self.certificates.iter().filter(|listed| fits(listed, certificate)).peekable();
        let is_named = fitting.peek().is_some();
        match fitting.find(|listed| !issued_here || listed.issued_here || listed.fingerprint.is_some()) {
            Some(listed) => {
                let name = format!("admin:{}", listed.name.as_ref().unwrap_or(&subject));
                let actor = Actor { name, method: Method::Certificate, source: Some(peer.source.clone()) };
                Ok(Caller { actor, role: listed.role, token: None })
            }
            None => {
                let why = if is_named { ", which was issued here: give a fingerprint, or issued_here" } else { "" };
                Err(Stranger::showing(format!("no [[admin.certificate]] fits {subject}{why}")))
            }
        }
    }
}

/// The token of an Authorization header (RFC 6750 §2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let token = rest.trim_ascii();
    (!token.is_empty() && token.len() <= 4096).then_some(token)
}

fn fits(listed: &AdminCertificate, certificate: &Certificate) -> bool {
    let names = || certificate.subject_alt_name().map(|names| names.names()).unwrap_or_default();
    listed.subject.as_ref().is_none_or(|pattern| pattern.matches(&format!("{:#}", certificate.subject())))
        && listed.issuer.as_ref().is_none_or(|pattern| pattern.matches(&format!("{:#}", certificate.issuer())))
        && listed.san.as_ref().is_none_or(|rule| names().iter().any(|name| rule.allows(name)))
        && listed.fingerprint.is_none_or(|fingerprint| certificate.fingerprint().0 == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_token_out_of_its_header() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        for other in [&b"Basic abc"[..], b"Bearer ", b"Bearer", b"", b"Bearerabc"] {
            assert_eq!(bearer(other), None);
        }
    }
}
