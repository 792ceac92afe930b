//! A request's head and body over HTTP, and the answer to it.

use std::str;
use std::sync::LazyLock;

use est_core::wire::http::{Head, Preferences, Response, Route, respond};
use est_core::{Evidence, Operation, Refusal, Reply, Site};
use est_testkit::pki::{NOW, TestCa};

static SITE: LazyLock<Site> = LazyLock::new(|| TestCa::new().site());

/// Takes method, path, Content-Type, Authorization and Accept from five lines, the body from the rest.
///
/// An empty line stands for a header that is not there. Whatever comes of it, the answer is one that may be sent.
pub fn run(input: &[u8]) {
    let mut lines = input.splitn(6, |octet| *octet == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (method, path, content_type, authorization, accept, body) = (line(), line(), line(), line(), line(), line());
    let text = |octets| str::from_utf8(octets).unwrap_or_default();
    let authorized = Head { authorization: Some(authorization).filter(|value| !value.is_empty()), ..Head::default() };
    let head = Head {
        method: text(method),
        path: text(path),
        content_type: Some(text(content_type)).filter(|value| !value.is_empty()),
        ..authorized
    };
    let accept = Some(text(accept)).filter(|value| !value.is_empty());
    match Route::find(&SITE, &head) {
        Err(refusal) => refused(refusal, head.path, accept),
        Ok(route) => found(route, &head, body.to_vec(), accept),
    }
}

fn found(route: Route, head: &Head<'_>, body: Vec<u8>, accept: Option<&str>) {
    assert!(head.path.starts_with(&SITE.base_path));
    let reads = matches!(route.operation(), Operation::CaCerts | Operation::CsrAttrs);
    assert_eq!(route.takes_body(), !reads);
    assert!(if reads { ["GET", "HEAD"].contains(&head.method) } else { head.method == "POST" });
    let request = route.request(Evidence::default(), body);
    assert!(SITE.label(request.label.as_deref()).is_some());
    if let Some(credentials) = &request.evidence.credentials {
        assert!(!credentials.password.reveal().contains(char::is_control));
        assert!(!credentials.user.contains([':', '\r', '\n']));
    }
    let (strict, lenient) = (request.body.clone().into_der(true), request.body.into_der(false));
    match (strict, lenient) {
        (Ok(strict), lenient) => {
            assert_eq!(Ok(&strict), lenient.as_ref(), "what the strict reader takes, the lenient one takes alike");
            let response = respond(&SITE, &Reply::Certificate(strict.clone()), preferences(head.path, accept), NOW);
            let body = est_core::Body::Text(response.body);
            assert_eq!(body.into_der(true), Ok(strict), "what is sent can be read");
        }
        (Err(refusal), Ok(der)) => assert!(refusal == Refusal::EncodingNotAllowed && !der.is_empty()),
        (Err(_), Err(refusal)) => refused(refusal, head.path, accept),
    }
}

fn preferences<'a>(path: &'a str, accept: Option<&'a str>) -> Preferences<'a> {
    Preferences { path, accept, ..Preferences::default() }
}

fn refused(refusal: Refusal, path: &str, accept: Option<&str>) {
    let status = refusal.row().http_status;
    assert!((400..500).contains(&status), "{refusal} is the client's fault");
    let answer = respond(&SITE, &Reply::Refused(refusal), preferences(path, accept), NOW);
    let Response { status: sent, headers, body } = answer;
    assert_eq!(sent, status);
    assert!(headers.iter().all(|(_, value)| !value.contains(char::is_control)), "{headers:?}");
    assert_eq!(body.iter().filter(|octet| **octet == b'\n').count(), 1, "one line");
    if headers.contains(&("Content-Type", "application/problem+json".into())) {
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["status"], status);
    }
}
