//! What every call passes first: limits, authentication, authorization, and the audit record.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use host::config::Role;
use host::shell;

use super::Admin;
use super::caller::{Caller, Peer, Stranger};
use super::endpoint::Access;
use super::problem::Problem;
use super::repeated::Read;

/// What an endpoint asks of its callers.
pub(super) struct Rule {
    pub(super) admin: Arc<Admin>,
    pub(super) access: Access,
    /// Whether each call belongs in the audit trail: what monitoring asks for all the time does not.
    pub(super) audited: bool,
}

/// Lets a request through to its endpoint, or answers it.
pub(super) async fn pass(State(rule): State<Arc<Rule>>, mut request: Request, next: Next) -> Response {
    let timeout = rule.admin.current().settings.limits.request_timeout;
    let answering = async {
        match rule.admit(&mut request).await {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    match tokio::time::timeout(timeout, answering).await {
        Ok(response) => response,
        Err(_) => Problem::TookTooLong.into_response(),
    }
}

/// Counts a request, whatever it is for.
pub(super) async fn count(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>() else {
        return Problem::Forbidden("the connection is not known".to_owned()).into_response();
    };
    let limit = admin.current().settings.admin.max_requests;
    match admin.requests.take(&peer.network, limit, Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(seconds) => Problem::TooMany(seconds).into_response(),
    }
}

/// Headers that every answer has, unless it says otherwise.
pub(super) async fn with_security_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

impl Rule {
    async fn admit(&self, request: &mut Request) -> Result<(), Problem> {
        if self.access == Access::Anybody {
            return Ok(());
        }
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return Err(Problem::Forbidden("the connection is not known".to_owned()));
        };
        if !request.method().is_safe() && is_from_elsewhere(request.uri(), request.headers()) {
            return Err(Problem::Forbidden("a page of another origin may change nothing here".to_owned()));
        }
        let caller = self.recognize(&peer, request.headers()).await?;
        let limit = self.admin.current().settings.admin.max_requests;
        self.admin.requests.take(caller.actor.name.as_str(), limit, Instant::now()).map_err(Problem::TooMany)?;
        let what = format!("{} {}", request.method(), recorded(request.uri().path()));
        if !self.access.includes(caller.role) {
            self.admin.note_access(&caller.actor, &format!("{what}: not for a {}", name(caller.role)), false).await?;
            return Err(Problem::Forbidden(format!("a {} may not do this", name(caller.role))));
        }
        if self.audited {
            self.write_down(request.method(), &caller, what).await?;
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }

    /// Writes down that the caller was let in; a read that is repeated once in a while only.
    async fn write_down(&self, method: &Method, caller: &Caller, what: String) -> Result<(), Problem> {
        let (actor, now) = (&caller.actor, Instant::now());
        let read = Read { actor: actor.name.clone(), method: actor.method.name(), source: actor.source.clone(), what };
        if method.is_safe() && self.admin.reads.has(&read, now) {
            return Ok(());
        }
        self.admin.note_access(actor, &read.what, true).await?;
        if method.is_safe() {
            self.admin.reads.add(read, now);
        }
        Ok(())
    }

    async fn recognize(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Problem> {
        let current = self.admin.current();
        let (door, limits) = (&current.door, &current.settings.admin);
        let failures = &self.admin.failures;
        // A right credential waits, too: else an attacker could go on guessing, and would learn of a hit alone.
        failures.look(&peer.network, limits.max_failures, Instant::now()).map_err(Problem::TooMany)?;
        let session = || self.admin.sessions.token(headers, peer.network, Instant::now());
        let stranger = match door.by_token(peer, headers) {
            Some(Ok(caller)) => return Ok(caller),
            None if let Some(caller) = session().and_then(|token| door.by_digest(peer, &token)) => return Ok(caller),
            Some(Err(stranger)) => stranger,
            None => match door.certificate(peer, shell::now()) {
                Some(Ok(certificate)) => {
                    let store = &self.admin.store;
                    let issued_here = door.is_of_own_ca(&certificate) || store.was_issued(&certificate).await?;
                    match door.by_certificate(peer, &certificate, issued_here) {
                        Ok(caller) if !store.is_revoked(&certificate).await? => return Ok(caller),
                        Ok(caller) => {
                            Stranger::showing(format!("the certificate of {} was revoked", caller.actor.name))
                        }
                        Err(stranger) => stranger,
                    }
                }
                Some(Err(stranger)) => stranger,
                None => Stranger::Silent,
            },
        };
        if let Stranger::Rejected { method, reason } = stranger {
            failures.take(&peer.network, limits.max_failures, Instant::now()).map_err(Problem::TooMany)?;
            if self.admin.admission.is_intruder_written_down(peer.network) {
                self.admin.note_failure(&peer.source, method, &reason).await?;
            }
            tokio::time::sleep(limits.failure_delay).await;
        }
        Err(Problem::Unauthenticated(door.challenge()))
    }
}

/// A path as it is written down: of each segment what stands before a dot, however that is written. What comes after it
/// may be the secret of a one-time password, which is good still where this request is refused.
fn recorded(path: &str) -> String {
    let public = |segment: &str| {
        let end = segment.to_ascii_lowercase().find("%2e").unwrap_or(segment.len());
        segment[..end].split('.').next().unwrap_or_default().to_owned()
    };
    path.split('/').map(public).collect::<Vec<_>>().join("/").chars().take(200).collect()
}

/// Whether a browser tells that another site's page made this request: a client certificate comes with those too.
fn is_from_elsewhere(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    // HTTP/2 has no Host header, but an authority in each request (RFC 9113 §8.3.1).
    let own = text(&HOST).or_else(|| uri.authority().map(Authority::as_str));
    match text(&ORIGIN) {
        Some(origin) => origin.strip_prefix("https://").is_none_or(|origin| Some(origin) != own),
        None => false,
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::Auditor => "auditor",
        Role::Viewer => "viewer",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn writes_down_no_secret_half() {
        for (path, written) in [
            ("/admin/otp/8d5bj7f9nf.secret", "/admin/otp/8d5bj7f9nf"),
            ("/admin/otp/8d5bj7f9nf%2Esecret", "/admin/otp/8d5bj7f9nf"),
            ("/admin/certs/8d5bj7f9nf%2esec.ret/revoke", "/admin/certs/8d5bj7f9nf/revoke"),
            ("/admin/certs/0A:1b", "/admin/certs/0A:1b"),
        ] {
            assert_eq!(recorded(path), written);
        }
    }

    #[test]
    fn sees_requests_of_other_sites_pages() {
        for own in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://ohia:9443"), ("host", "ohia:9443")],
        ] {
            assert!(!is_from_elsewhere(&Uri::from_static("/admin/otp"), &headers(own)), "{own:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "https://ohia:9443"), ("host", "ohia:9443")],
            &[("origin", "https://evil.example"), ("host", "ohia:9443")],
            &[("origin", "http://ohia:9443"), ("host", "ohia:9443")],
            &[("origin", "null"), ("host", "ohia:9443")],
        ] {
            assert!(is_from_elsewhere(&Uri::from_static("/admin/otp"), &headers(foreign)), "{foreign:?}");
        }
    }

    #[test]
    fn knows_its_own_pages_over_http2_too() {
        let uri = Uri::from_static("https://ohia:9443/admin/otp");
        assert!(!is_from_elsewhere(&uri, &headers(&[("origin", "https://ohia:9443")])));
        for origin in ["https://evil.example", "http://ohia:9443", "https://ohia", "null"] {
            assert!(is_from_elsewhere(&uri, &headers(&[("origin", origin)])), "{origin}");
        }
    }
}
