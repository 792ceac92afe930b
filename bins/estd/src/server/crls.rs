//! CRLs over HTTP: `GET /crl/<ca>.<key>.crl` and `/crl/<ca>.crl`, for any client. What is signed needs no other protection (RFC 5280 §8).

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use est_core::UnixTime;
use est_core::wire::http::percent_decode;
use est_store::PublishedCrl;
use host::crl_publisher::PublishedCrls;
use host::shell;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::service::Service;

use super::Admission;
use super::connections::Place;
use super::leaving::Leaving;
use super::spelling::spell;
use crate::serving::Current;

/// For how long a cache may keep a CRL at most: a revocation gets around within this time.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// When to ask again for what is not there yet.
const ASK_AGAIN_SECS: &str = "30";

/// Answers requests for CRLs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Crls(Arc<PublishedCrls>);

impl Crls {
    pub(crate) fn new(published: Arc<PublishedCrls>) -> Self {
        Self(published)
    }

    /// The CRLs themselves.
    pub(crate) fn published(&self) -> &PublishedCrls {
        &self.0
    }

    /// Whether a request for this path is answered here.
    pub(super) fn serve(path: &str) -> bool {
        path.starts_with("/crl/")
    }

    /// Answers any request.
    pub(super) fn answer<B>(&self, request: &Request<B>, now: UnixTime) -> Response<Full<Bytes>> {
        let answer = self.get(request, now);
        if request.method() != Method::HEAD {
            return answer;
        }
        // RFC 9110 §9.3.2: the length of the body that does not come.
        let length = answer.body().size_hint().exact().unwrap_or_default();
        let mut answer = answer.map(|_| Full::default());
        if answer.status() != StatusCode::NOT_MODIFIED {
            answer.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        answer
    }

    fn get<B>(&self, request: &Request<B>, now: UnixTime) -> Response<Full<Bytes>> {
        let segment = request.uri().path().strip_prefix("/crl/").and_then(|file| file.strip_suffix(".crl"));
        let Some(found) = segment.and_then(percent_decode).and_then(|file| self.0.find(&file, now)) else {
            return refusal(StatusCode::NOT_FOUND, "there is no such CRL\n", None);
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n", Some((ALLOW, "GET, HEAD")));
        }
        match found {
            Some(crl) if now < crl.next_update => current(crl, request.headers(), now),
            // An old one could hide a revocation from a client that does not look at nextUpdate.
            _ => refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "there is no current CRL at the moment\n",
                Some((RETRY_AFTER, ASK_AGAIN_SECS)),
            ),
        }
    }
}

/// The octets of a CRL, shared by all that fetch it.
struct Octets(Arc<PublishedCrl>);

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0.der
    }
}

fn current(crl: Arc<PublishedCrl>, asked: &HeaderMap, now: UnixTime) -> Response<Full<Bytes>> {
    let tag = format!("\"{:x}-{:x}\"", crl.number, crl.this_update.0);
    let made = UNIX_EPOCH + Duration::from_secs(crl.this_update.0);
    let max_age_secs = MAX_AGE.as_secs().min(crl.next_update.0 - now.0);
    let is_known = is_known(asked, &tag, made);
    let builder = Response::builder()
        .header(ETAG, tag)
        .header(LAST_MODIFIED, httpdate::fmt_http_date(made))
        .header(CACHE_CONTROL, format!("public, max-age={max_age_secs}"));
    let answer = if is_known {
        builder.status(StatusCode::NOT_MODIFIED).body(Full::default())
    } else {
        // RFC 5280 §4.2.1.13.
        builder.header(CONTENT_TYPE, "application/pkix-crl").body(Full::new(Bytes::from_owner(Octets(crl))))
    };
    answer.expect("every value is printable ASCII")
}

/// Whether the client has this one already (RFC 9110 §13.2.2): a tag counts for more than a time.
fn is_known(asked: &HeaderMap, tag: &str, made: SystemTime) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let lines = asked.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
        return tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    }
    let since = asked.get(IF_MODIFIED_SINCE).and_then(|since| since.to_str().ok());
    // No later time either: a CRL that was made while a clock ran ahead is older than the one in its place.
    since.and_then(|since| httpdate::parse_http_date(since).ok()).is_some_and(|since| made == since)
}

fn refusal(
    status: StatusCode,
    text: &'static str,
    header: Option<(HeaderName, &'static str)>,
) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "text/plain; charset=utf-8");
    let builder = header.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    builder.body(Full::new(Bytes::from_static(text.as_bytes()))).expect("every value is printable ASCII")
}

/// CRLs and nothing else, for the requests of one connection without TLS.
pub(super) struct OnlyCrls {
    pub(super) current: Arc<Current>,
    pub(super) admission: Arc<Admission>,
    pub(super) source: IpAddr,
    pub(super) place: Arc<Place>,
}

impl Service<Request<Incoming>> for OnlyCrls {
    type Response = Response<Leaving>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // From here on the client may take its time again.
        let _work = self.place.work();
        let serving = self.current.get();
        let mut answer = match self.admission.pass(self.source.into(), &serving.bounds) {
            Ok(()) => serving.crls.answer(&request, shell::now()),
            Err(refusal) => serving.est.refuse(refusal),
        };
        spell(&mut answer);
        ready(Ok(answer.map(|body| Leaving::new(body, self.place.clone()))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const MADE: UnixTime = UnixTime(1_800_000_000);

    fn asked(name: HeaderName, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        is_known(&headers, "\"7-6b49d200\"", UNIX_EPOCH + Duration::from_secs(MADE.0))
    }

    #[test]
    fn sends_nothing_that_the_client_has() {
        for (header, value, expected) in [
            (IF_NONE_MATCH, "\"7-6b49d200\"", true),
            (IF_NONE_MATCH, "\"6-1\", W/\"7-6b49d200\"", true),
            (IF_NONE_MATCH, "*", true),
            (IF_NONE_MATCH, "\"6-1\"", false),
            (IF_MODIFIED_SINCE, "Fri, 15 Jan 2027 08:00:00 GMT", true),
            (IF_MODIFIED_SINCE, "Fri, 15 Jan 2027 07:59:59 GMT", false),
            (IF_MODIFIED_SINCE, "Sun, 17 Jan 2027 08:00:00 GMT", false),
            (IF_MODIFIED_SINCE, "yesterday", false),
        ] {
            assert_eq!(asked(header, value), expected, "{value}");
        }
    }

    #[test]
    fn a_cache_keeps_nothing_beyond_its_end() {
        let crl =
            PublishedCrl { number: 7, this_update: MADE, next_update: UnixTime(MADE.0 + 604_800), der: vec![0x30, 0] };
        for (now, expected) in [(MADE.0, "public, max-age=3600"), (MADE.0 + 604_790, "public, max-age=10")] {
            let answer = current(Arc::new(crl.clone()), &HeaderMap::new(), UnixTime(now));
            assert_eq!(answer.headers()[CACHE_CONTROL], expected);
        }
    }
}
