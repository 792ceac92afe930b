//! The answer to a request, as the clients that exist need it.

mod meant;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::{is_media_type, split_path};
use crate::{CaCerts, KeyPart, Refusal, Reply, Seconds, Site, UnixTime, base64};

const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";
/// The CA certificates go without a parameter (RFC 7030 §4.1.3, appendix A.1): there is a client that compares the whole
/// value. An enrollment's answer has it (appendix A.3), and other clients compare that one.
const CA_CERTS: &str = "application/pkcs7-mime";
const PKCS8: &str = "application/pkcs8";
const SERVER_GENERATED_KEY: &str = "application/pkcs7-mime; smime-type=server-generated-key";
/// What stands between two parts, in which no base64 has a hyphen.
const BOUNDARY: &str = "est-server-generated-key";
const CSRATTRS: &str = "application/csrattrs";
const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// For how long a client may go on with the CA certificates that it has, at most.
const CACERTS_MAX_AGE: Seconds = Seconds::from_days(1);

/// What of a request's head its response depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Preferences<'a> {
    /// The path, without the query.
    pub path: &'a str,
    /// Accept.
    pub accept: Option<&'a str>,
    /// If-None-Match.
    pub if_none_match: Option<&'a str>,
    /// User-Agent.
    pub user_agent: Option<&'a str>,
    /// Whether there is an Authorization header.
    pub has_authorization: bool,
}

impl Preferences<'_> {
    fn accepts_json(&self) -> bool {
        self.accept.is_some_and(|accept| {
            accept.split(',').any(|range| is_media_type(range, PROBLEM) || is_media_type(range, "application/json"))
        })
    }

    /// Characters in a line of base64; one line if `None` or zero.
    ///
    /// libest reads no line of more than 1,024 characters (OpenSSL's `BIO_f_base64`), and others read no second line
    /// (strongSwan before 5.9.11). Only libest names itself.
    fn line_length(&self, site: &Site) -> Option<usize> {
        let label = split_path(&site.base_path, self.path).and_then(|(label, _)| site.label(label.as_deref()));
        let configured = label.and_then(|label| label.base64_line_length).or(site.base64_line_length);
        let is_libest =
            self.user_agent.and_then(|agent| agent.get(..6)).is_some_and(|name| name.eq_ignore_ascii_case("libest"));
        if is_libest { configured.filter(|length| (1..=76).contains(length)).or(Some(64)) } else { configured }
    }
}

/// A response's head and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers; Content-Length is left to the HTTP library, which knows the body.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Writes a reply.
///
/// Base64 goes in one line with a final LF unless label or site ask for lines, or the client is libest. A refusal is one
/// line of text, or RFC 9457 JSON for a client whose Accept header asks for JSON. A 202, and the 401 that asks a client
/// for its password, have no body: Bouncy Castle fails when it closes one that it has not read. Only the CA
/// certificates may be cached.
#[must_use]
pub fn respond(site: &Site, reply: &Reply, preferences: Preferences<'_>, now: UnixTime) -> Response {
    let line_length = preferences.line_length(site);
    match reply {
        Reply::CaCertificates(cacerts) => ca_certificates(line_length, cacerts, preferences.if_none_match, now),
        Reply::Certificate(der) => encoded(line_length, CERTS_ONLY, der).with("Cache-Control", "no-store"),
        Reply::KeyAndCertificate { key, certificate } => multipart(line_length, key, certificate),
        Reply::CsrAttrs(Some(der)) => encoded(line_length, CSRATTRS, der).with("Cache-Control", "no-store"),
        Reply::CsrAttrs(None) => empty(204).with("Cache-Control", "no-store"),
        Reply::RetryAfter(seconds) => {
            empty(202).with("Retry-After", seconds.0.to_string()).with("Cache-Control", "no-store")
        }
        Reply::ThenClose(reply) => respond(site, reply, preferences, now),
        Reply::Refused(refusal) => refused(site, refusal, preferences),
    }
}

fn empty(status: u16) -> Response {
    Response { status, headers: Vec::new(), body: Vec::new() }
}

/// Fresh for a day, but never beyond the end of a certificate; 304 for a client that has them already (RFC 9110
/// §13.1.2). Caches learn that the lines depend on the client.
fn ca_certificates(
    line_length: Option<usize>,
    cacerts: &CaCerts,
    if_none_match: Option<&str>,
    now: UnixTime,
) -> Response {
    let response = encoded(line_length, CA_CERTS, &cacerts.message);
    let etag = entity_tag(&response.body);
    let max_age = CACERTS_MAX_AGE.0.min(cacerts.not_after.0.saturating_sub(now.0));
    let response = if if_none_match.is_some_and(|listed| lists(listed, &etag)) { empty(304) } else { response };
    response.with("ETag", etag).with("Cache-Control", format!("max-age={max_age}")).with("Vary", "User-Agent")
}

/// A strong validator: 128 bits of the body's SHA-256.
fn entity_tag(body: &[u8]) -> String {
    let digest: String = Sha256::digest(body)[..16].iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\"{digest}\"")
}

/// Whether If-None-Match lists the tag, weak or strong, or is the asterisk for any. A comma within somebody else's tag
/// makes pieces that are not ours either.
fn lists(if_none_match: &str, etag: &str) -> bool {
    let mut tags = if_none_match.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn encoded(line_length: Option<usize>, content_type: &'static str, der: &[u8]) -> Response {
    Response {
        status: 200,
        headers: Vec::from([
            ("Content-Type", Cow::Borrowed(content_type)),
            ("Content-Transfer-Encoding", Cow::Borrowed("base64")),
        ]),
        body: base64::encode(der, line_length).into_bytes(),
    }
}

/// A key and its certificate (RFC 7030 §4.4.2): MIME, so that its lines end in CRLF. Each part says its type and its
/// encoding, since there are clients that refuse parts that do not, although RFC 8951 §3.2.4 lets the encoding go. The
/// CRLF before a delimiter belongs to the delimiter (RFC 2046 §5.1.1); OpenSSL wants base64 to end with one of its own.
fn multipart(line_length: Option<usize>, key: &KeyPart, certificate: &[u8]) -> Response {
    let (key_type, key) = match key {
        KeyPart::Pkcs8(der) => (PKCS8, der.as_slice()),
        KeyPart::Enveloped(der) => (SERVER_GENERATED_KEY, der.as_slice()),
    };
    let parts = [(key_type, key), (CERTS_ONLY, certificate)];
    // Room for all of it at once, line ends and part headers included: what grows leaves copies of the key behind.
    let room = parts.iter().map(|(_, der)| 2 * der.len() + 300).sum();
    let mut body = Vec::with_capacity(room);
    for (content_type, der) in parts {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n")
                .as_bytes(),
        );
        base64::append_lines(&mut body, der, line_length);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let content_type = Cow::Owned(format!("multipart/mixed; boundary={BOUNDARY}"));
    Response { status: 200, headers: Vec::from([("Content-Type", content_type)]), body }
        .with("Cache-Control", "no-store")
}

fn refused(site: &Site, refusal: &Refusal, preferences: Preferences<'_>) -> Response {
    let row = refusal.row();
    let challenges = row.http_status == 401 && site.offers_basic;
    let mut response = if preferences.accepts_json() {
        let detail = json_string(&words(site, refusal, preferences.path));
        let title = row.code;
        text(
            row.http_status,
            PROBLEM,
            format!(
                "{{\"type\":\"about:blank\",\"status\":{},\"title\":\"{title}\",\"detail\":{detail}}}\n",
                row.http_status
            ),
        )
    } else if challenges && !is_read(refusal, preferences) {
        empty(row.http_status)
    } else {
        text(row.http_status, TEXT, format!("{}\n", words(site, refusal, preferences.path)))
    }
    .with("Cache-Control", "no-store");
    if challenges {
        response = response.with("WWW-Authenticate", "Basic realm=\"est\", charset=\"UTF-8\"");
    }
    if let Refusal::MethodNotAllowed { allow } = refusal {
        response = response.with("Allow", *allow);
    }
    if let Some(seconds) = refusal.retry_after() {
        response = response.with("Retry-After", seconds.0.to_string());
    }
    response
}

/// Whether the client looks at the text of a challenge: not while it learns that it has to authenticate. One whose
/// certificate was refused may be about to send its password, too; there, a client that says what it reads gets text.
fn is_read(refusal: &Refusal, preferences: Preferences<'_>) -> bool {
    preferences.has_authorization || refusal.is_of_certificate() && preferences.accept.is_some()
}

fn text(status: u16, content_type: &'static str, body: String) -> Response {
    let headers = Vec::from([("Content-Type", Cow::Borrowed(content_type))]);
    Response { status, headers, body: body.into_bytes() }
}

/// The refusal's text; where a path is wrong, with the one that was probably meant.
fn words(site: &Site, refusal: &Refusal, path: &str) -> String {
    let leads_nowhere = matches!(refusal, Refusal::UnknownPath | Refusal::UnknownLabel);
    match leads_nowhere.then(|| meant::path(site, path)).flatten() {
        Some(meant) => format!("{refusal}: did you mean {meant}?"),
        None => refusal.to_string(),
    }
}

impl Response {
    fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => json.push(plain),
        }
    }
    json.push('"');
    json
}
