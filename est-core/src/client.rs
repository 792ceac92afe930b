//! The client's half of EST over HTTP (RFC 7030, RFC 8951): what to send, and what an answer means.
//!
//! Knows no HTTP library and no TLS: a [`Call`] out, a [`Received`] in, an [`Answer`] as the result. Reads answers
//! of any EST server: white space in the base64 text, raw DER, PEM, BER where CMS allows it, and whatever the
//! content headers say (RFC 8951 §3.1 and §3.2).

mod advice;
mod ber;
mod multipart;
mod retry_after;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::pkix::{pem, read_certs_only, read_csr_attrs};
use crate::wire::http::{PKCS10, percent_encode};
use crate::{Body, KeyPart, Operation, Refusal, Seconds, Secret, UnixTime, base64};

pub use advice::{CsrAdvice, Missing, NamesAdvice};

/// The path under which EST servers serve (RFC 7030 §3.2.2, RFC 8615).
pub const DEFAULT_BASE_PATH: &str = "/.well-known/est";

/// A longer answer is refused; reading from the network may stop there.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// What a 202 without a Retry-After that can be read means. RFC 7030 §4.2.3 demands the header but names no default.
const DEFAULT_RETRY_AFTER: Seconds = Seconds(60);

/// The text of a refusal ends after this many characters.
const MAX_TEXT_CHARS: usize = 400;

/// One HTTP request, ready to be sent.
#[derive(Clone)]
pub struct Call {
    /// What is asked for.
    pub operation: Operation,
    /// The method.
    pub method: &'static str,
    /// The path, percent-encoded; without the host.
    pub path: String,
    /// The headers; Host and Content-Length are left to the HTTP library.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for GET.
    pub body: Vec<u8>,
}

/// Leaves out header values, since one of them may be a password.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Call {
    /// Asks for the CA certificates (RFC 7030 §4.1.2).
    #[must_use]
    pub fn ca_certs(base_path: &str, label: Option<&str>) -> Self {
        Self::get(Operation::CaCerts, base_path, label)
    }

    /// Asks what a certification request should hold (RFC 7030 §4.5.1).
    #[must_use]
    pub fn csr_attrs(base_path: &str, label: Option<&str>) -> Self {
        Self::get(Operation::CsrAttrs, base_path, label)
    }

    /// Asks for a certificate (RFC 7030 §4.2.1). `csr` is the DER of a PKCS #10.
    #[must_use]
    pub fn simple_enroll(base_path: &str, label: Option<&str>, csr: &[u8]) -> Self {
        Self::post(Operation::SimpleEnroll, base_path, label, csr)
    }

    /// Asks for a certificate in place of the one that authenticates (RFC 7030 §4.2.2). `csr` is the DER of a
    /// PKCS #10 with that certificate's subject and subjectAltName.
    #[must_use]
    pub fn simple_reenroll(base_path: &str, label: Option<&str>, csr: &[u8]) -> Self {
        Self::post(Operation::SimpleReenroll, base_path, label, csr)
    }

    /// Asks for a key and a certificate (RFC 7030 §4.4.1). `csr` is the DER of a PKCS #10, in which the key and the
    /// signature count for nothing.
    #[must_use]
    pub fn server_key_gen(base_path: &str, label: Option<&str>, csr: &[u8]) -> Self {
        Self::post(Operation::ServerKeyGen, base_path, label, csr)
    }

    /// Adds Basic credentials in UTF-8 (RFC 7617).
    ///
    /// Only for a server that has been authenticated (RFC 7030 §3.2.3). A `user` with a colon in it cannot be
    /// told apart from its password by the server.
    #[must_use]
    pub fn with_basic(mut self, user: &str, password: &Secret) -> Self {
        let pair = Secret::new(format!("{user}:{}", password.reveal()));
        let text = Secret::new(base64::encode(pair.reveal().as_bytes(), None));
        self.headers.push(("Authorization", format!("Basic {}", text.reveal().trim_end())));
        self
    }

    fn get(operation: Operation, base_path: &str, label: Option<&str>) -> Self {
        let path = join(base_path, label, operation);
        Self { operation, method: "GET", path, headers: Vec::new(), body: Vec::new() }
    }

    fn post(operation: Operation, base_path: &str, label: Option<&str>, csr: &[u8]) -> Self {
        let headers = [("Content-Type", PKCS10), ("Content-Transfer-Encoding", "base64")];
        Self {
            operation,
            method: "POST",
            path: join(base_path, label, operation),
            headers: headers.map(|(name, value)| (name, value.to_string())).into(),
            body: base64::encode(csr, None).into_bytes(),
        }
    }
}

fn join(base_path: &str, label: Option<&str>, operation: Operation) -> String {
    let base = base_path.trim_end_matches('/');
    match label {
        Some(label) => format!("{base}/{}/{operation}", percent_encode(label)),
        None => format!("{base}/{operation}"),
    }
}

/// One HTTP response, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The status code.
    pub status: u16,
    /// The headers; names in whatever case, repeated ones repeated.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Certificates, DER, at least one, in no particular order: the CA's, or the issued one and at some servers its
    /// chain. None has been looked into.
    Certificates(Vec<Vec<u8>>),
    /// A private key, and certificates, DER, at least one. Neither has been looked into.
    KeyAndCertificates {
        /// The key.
        key: KeyPart,
        /// The certificates, in no particular order.
        certificates: Vec<Vec<u8>>,
    },
    /// The elements of a CsrAttrs, DER, at least one: object identifiers and Attributes.
    CsrAttrs(Vec<Vec<u8>>),
    /// The server has no CsrAttrs: 204, or an empty list (RFC 7030 §4.5.2). A 404, which may say the same or that there is
    /// no such label, is refused.
    NoCsrAttrs,
    /// Not decided yet: send the same request again after so many seconds (RFC 7030 §4.2.3).
    RetryAfter(Seconds),
    /// Look elsewhere (RFC 7030 §3.2.1). Following to another origin is for the user to allow.
    Redirected {
        /// The Location header.
        location: String,
    },
    /// No.
    Refused {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// What the server says about it: one line, bounded, without control characters; may be empty.
        text: String,
        /// Whether it asks for a password.
        wants_basic: bool,
        /// The other schemes that it would take (RFC 9110 §11.4), of those that are registered with IANA.
        other_schemes: Vec<&'static str>,
        /// When it says that asking again may help.
        retry_after: Option<Seconds>,
    },
}

/// Why an answer cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// A status that this operation does not have.
    Status(u16),
    /// The body is longer than [`MAX_BODY_BYTES`].
    BodyTooLarge,
    /// A success without a body.
    EmptyBody,
    /// The body is not base64 of anything.
    NotBase64,
    /// The body is not a certs-only message.
    NotCertsOnly,
    /// The message holds no certificate.
    NoCertificate,
    /// The body is not a CsrAttrs.
    NotCsrAttrs,
    /// The body is not one part with a key and one with certificates (RFC 7030 §4.4.2).
    NotKeyAndCertificate,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => {
                write!(f, "the server answered with HTTP status {status}, which EST does not use here")
            }
            Self::BodyTooLarge => write!(f, "the server's answer is longer than {MAX_BODY_BYTES} octets"),
            Self::EmptyBody => f.write_str("the server's answer is empty"),
            Self::NotBase64 => f.write_str("the server's answer is not base64: is this an EST server?"),
            Self::NotCertsOnly => f.write_str("the server's answer is not a certs-only CMS message"),
            Self::NoCertificate => f.write_str("the server's answer holds no certificate"),
            Self::NotKeyAndCertificate => {
                f.write_str("the server's answer is not a multipart message with a key and a certificate")
            }
            Self::NotCsrAttrs => f.write_str("the server's answer is not a CsrAttrs"),
        }
    }
}

impl core::error::Error for ClientError {}

/// Understands the answer to a call for `operation`.
///
/// `now` turns a Retry-After that is a date into seconds.
///
/// # Errors
/// [`ClientError`] when the answer is no answer to this operation. A refusal is an [`Answer`].
pub fn read(operation: Operation, received: &Received<'_>, now: UnixTime) -> Result<Answer, ClientError> {
    let retry_after = || received.header("retry-after").next().and_then(|value| retry_after::read(value, now));
    let enrolls = matches!(operation, Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen);
    match (received.status, operation) {
        (200, Operation::ServerKeyGen) => {
            let content_type = received.header("content-type").next().unwrap_or_default();
            let (key, message) = multipart::read(content_type, received.body)?;
            Ok(Answer::KeyAndCertificates { key, certificates: certificates(&message)? })
        }
        (200, Operation::CsrAttrs) => read_attributes(received.body),
        (200, _) => read_certificates(received.body),
        (204, Operation::CsrAttrs) => Ok(Answer::NoCsrAttrs),
        (202, _) if enrolls => Ok(Answer::RetryAfter(retry_after().unwrap_or(DEFAULT_RETRY_AFTER))),
        // Not 303, which turns a POST into a GET (RFC 9110 §15.4.4).
        (301 | 302 | 307 | 308, _) => {
            let location = received.header("location").next().and_then(|value| core::str::from_utf8(value).ok());
            let location = location.ok_or(ClientError::Status(received.status))?;
            Ok(Answer::Redirected { location: location.to_string() })
        }
        (status @ 400..=599, _) => Ok(Answer::Refused {
            status,
            text: plain_line(received.body),
            wants_basic: status == 401 && received.header("www-authenticate").any(|value| offers(value, "Basic")),
            other_schemes: SCHEMES
                .into_iter()
                .filter(|scheme| {
                    status == 401 && received.header("www-authenticate").any(|value| offers(value, scheme))
                })
                .collect(),
            retry_after: retry_after(),
        }),
        (status, _) => Err(ClientError::Status(status)),
    }
}

impl<'a> Received<'a> {
    fn header(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

fn read_certificates(body: &[u8]) -> Result<Answer, ClientError> {
    certificates(&read_body(body)?).map(Answer::Certificates)
}

fn certificates(message: &[u8]) -> Result<Vec<Vec<u8>>, ClientError> {
    let certificates = read_certs_only(message).or_else(|| read_certs_only(&ber::to_definite(message)?));
    match certificates.ok_or(ClientError::NotCertsOnly)? {
        none if none.is_empty() => Err(ClientError::NoCertificate),
        certificates => Ok(certificates),
    }
}

fn read_attributes(body: &[u8]) -> Result<Answer, ClientError> {
    let body = without_final_nuls(body);
    // A server with nothing to say has been seen to say it with status 200 and no body.
    if body.trim_ascii().is_empty() {
        return Ok(Answer::NoCsrAttrs);
    }
    let attributes = read_csr_attrs(&read_body(body)?).ok_or(ClientError::NotCsrAttrs)?;
    Ok(if attributes.is_empty() { Answer::NoCsrAttrs } else { Answer::CsrAttrs(attributes) })
}

fn read_body(body: &[u8]) -> Result<Vec<u8>, ClientError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(ClientError::BodyTooLarge);
    }
    // PEM of whatever label: servers have been seen to answer with it.
    let blocks = core::str::from_utf8(body).ok().and_then(pem::decode).unwrap_or_default();
    if let [block] = &blocks[..] {
        return Ok(block.contents.clone());
    }
    let is_strict = false;
    Body::Text(without_final_nuls(body).to_vec())
        .into_der(is_strict)
        .map_err(|refusal| if refusal == Refusal::EmptyBody { ClientError::EmptyBody } else { ClientError::NotBase64 })
}

/// Leaves out the NULs that end a string of C, which libest's server counts as part of its base64. DER keeps its own.
fn without_final_nuls(body: &[u8]) -> &[u8] {
    let end = body.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    let text = &body[..end];
    let is_text = text.is_empty() || text.starts_with(b"-----BEGIN ") || base64::decode(text).is_some();
    if is_text { text } else { body }
}

/// Schemes that servers have been seen to offer beside Basic, as IANA lists them.
const SCHEMES: [&str; 5] = ["Digest", "Negotiate", "Bearer", "SCRAM-SHA-256", "Mutual"];

/// Whether one of a WWW-Authenticate header's challenges is of this scheme (RFC 9110 §11.6.1).
fn offers(value: &[u8], wanted: &str) -> bool {
    value.split(|octet| *octet == b',').any(|challenge| {
        let scheme = challenge.trim_ascii().split(|octet| *octet == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(wanted.as_bytes()))
    })
}

/// Makes one line that a terminal can be trusted with: no control characters, no marks that turn the direction of
/// writing, at most [`MAX_TEXT_CHARS`] long.
fn plain_line(body: &[u8]) -> String {
    let bounded = &body[..body.len().min(4 * MAX_TEXT_CHARS)];
    let text = String::from_utf8_lossy(bounded);
    let mut line = String::new();
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        if !word.is_empty() && !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|character| !turns_direction(*character)));
    }
    match line.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
