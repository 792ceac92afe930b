//! EST over HTTP (RFC 7030 §3.2, RFC 8951), as the clients that exist need it.
//!
//! Knows no HTTP library: a [`Head`] in, a [`Response`] out.

mod answer;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{Body, Credentials, Evidence, Operation, Refusal, Request, Secret, Site, base64};

pub use answer::{Preferences, Response, respond};

pub(crate) const PKCS10: &str = "application/pkcs10";

/// What of a request's head matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// Content-Type.
    pub content_type: Option<&'a str>,
    /// Authorization.
    pub authorization: Option<&'a [u8]>,
}

/// A request's head, understood; its body may be read now.
#[derive(Clone, Debug)]
pub struct Route {
    operation: Operation,
    label: Option<String>,
    credentials: Option<Credentials>,
}

impl Route {
    /// Understands a request's head.
    ///
    /// # Errors
    /// The refusals of path, method, media type and Authorization header.
    pub fn find(site: &Site, head: &Head<'_>) -> Result<Self, Refusal> {
        let (label, operation) = split_path(&site.base_path, head.path).ok_or(Refusal::UnknownPath)?;
        if site.label(label.as_deref()).is_none() {
            return Err(if label.is_some() { Refusal::UnknownLabel } else { Refusal::LabelMissing });
        }
        let (allow, allowed, takes_body): (_, &[&str], _) = match operation {
            Operation::CaCerts | Operation::CsrAttrs => ("GET, HEAD", &["GET", "HEAD"], false),
            Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen => ("POST", &["POST"], true),
        };
        if !allowed.contains(&head.method) {
            return Err(Refusal::MethodNotAllowed { allow });
        }
        if takes_body && !head.content_type.is_some_and(|value| is_media_type(value, PKCS10)) {
            return Err(Refusal::UnsupportedMediaType { expected: PKCS10 });
        }
        let credentials = head.authorization.map(read_authorization).transpose()?.flatten();
        Ok(Self { operation, label, credentials })
    }

    /// Whether a body belongs to the request.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        matches!(self.operation, Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen)
    }

    /// What is asked for.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Completes the request. `evidence` is what the transport knows; the route adds the credentials.
    #[must_use]
    pub fn request(self, evidence: Evidence, body: Vec<u8>) -> Request {
        let evidence = Evidence { credentials: self.credentials, ..evidence };
        Request { operation: self.operation, label: self.label, evidence, body: Body::Text(body) }
    }
}

/// Splits `base/[label/]operation`; `None` when it is something else.
///
/// The label is percent-decoded once; an encoded slash, an empty label, `.` and `..` are nobody's labels.
fn split_path(base: &str, path: &str) -> Option<(Option<String>, Operation)> {
    let rest = path.strip_prefix(base)?.strip_prefix('/')?;
    match rest.split_once('/') {
        None => Some((None, Operation::from_segment(rest)?)),
        Some((label, operation)) => {
            let label = percent_decode(label)?;
            let is_label = !label.is_empty() && label != "." && label != ".." && !label.contains('/');
            is_label.then_some(())?;
            Some((Some(label), Operation::from_segment(operation)?))
        }
    }
}

/// Decodes one path segment once; `None` when it is not percent-encoded UTF-8.
#[must_use]
pub fn percent_decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        if octet == b'%' {
            let digits = core::str::from_utf8(tail.get(..2)?).ok().filter(|digits| !digits.starts_with('+'))?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            octets.push(octet);
            rest = tail;
        }
    }
    String::from_utf8(octets).ok()
}

/// Encodes one path segment: everything but RFC 3986's unreserved characters, so that `percent_decode` gives it back.
pub(crate) fn percent_encode(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for octet in segment.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
    text
}

/// Compares the type and subtype, whatever parameters follow (RFC 9110 §8.3.1).
pub(crate) fn is_media_type(value: &str, expected: &str) -> bool {
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// Reads Basic credentials (RFC 7617); `None` for a scheme that is not ours to read.
fn read_authorization(value: &[u8]) -> Result<Option<Credentials>, Refusal> {
    let value = core::str::from_utf8(value).map_err(|_| Refusal::MalformedAuthorization)?;
    let (scheme, parameters) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let octets = base64::decode(parameters.trim().as_bytes()).ok_or(Refusal::MalformedAuthorization)?;
    let text = Secret::new(String::from_utf8(octets).map_err(|_| Refusal::MalformedAuthorization)?);
    if text.reveal().chars().any(char::is_control) {
        return Err(Refusal::MalformedAuthorization);
    }
    let (user, password) = text.reveal().split_once(':').ok_or(Refusal::MalformedAuthorization)?;
    Ok(Some(Credentials { user: user.to_string(), password: Secret::new(password.to_string()) }))
}
