//! What is asked, after the transport has been peeled off.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::pkix::{der, pem};
use crate::{Evidence, Refusal, base64};

/// The operations of RFC 7030 §3.2.2 that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `/cacerts`, §4.1.
    CaCerts,
    /// `/simpleenroll`, §4.2.1.
    SimpleEnroll,
    /// `/simplereenroll`, §4.2.2.
    SimpleReenroll,
    /// `/serverkeygen`, §4.4.
    ServerKeyGen,
    /// `/csrattrs`, §4.5.
    CsrAttrs,
}

impl Operation {
    /// Every operation, in the order of RFC 7030.
    pub const ALL: [Self; 5] =
        [Self::CaCerts, Self::SimpleEnroll, Self::SimpleReenroll, Self::ServerKeyGen, Self::CsrAttrs];

    /// The operation's path segment.
    #[must_use]
    pub const fn segment(self) -> &'static str {
        match self {
            Self::CaCerts => "cacerts",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::ServerKeyGen => "serverkeygen",
            Self::CsrAttrs => "csrattrs",
        }
    }

    /// The operation with this path segment.
    #[must_use]
    pub fn from_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.segment() == segment)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())
    }
}

/// A request: no HTTP, no CoAP.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub operation: Operation,
    /// The label of RFC 7030 §3.2.2, if the path has one.
    pub label: Option<String>,
    /// Who says they ask, as far as the transport knows.
    pub evidence: Evidence,
    /// What was sent along. Stays unread until the sender is known.
    pub body: Body,
}

/// A body as the transport carried it.
#[derive(Clone)]
pub enum Body {
    /// Text that RFC 8951 §3 wants to be base64 of DER.
    Text(Vec<u8>),
    /// DER.
    Der(Vec<u8>),
}

/// Only the size: a password may stand in it.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
            Self::Der(der) => write!(f, "Der({} octets)", der.len()),
        }
    }
}

impl Body {
    /// Decodes to DER.
    ///
    /// Unless `strict`, raw DER (it begins with 0x30, which base64 text may do as well: `0`) and PEM with text around it
    /// (RFC 7468 §2) are understood, too, where base64 is wanted.
    ///
    /// # Errors
    /// [`Refusal::EmptyBody`], [`Refusal::NotBase64`], [`Refusal::NoRequestInPem`], [`Refusal::SeveralRequests`],
    /// [`Refusal::EncodingNotAllowed`].
    pub fn into_der(self, strict: bool) -> Result<Vec<u8>, Refusal> {
        let text = match self {
            Self::Der(der) if der.is_empty() => return Err(Refusal::EmptyBody),
            Self::Der(der) => return Ok(der),
            Self::Text(text) => text,
        };
        let trimmed = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
        if trimmed.is_empty() {
            return Err(Refusal::EmptyBody);
        }
        if let Some(der) = base64::decode(trimmed) {
            return Ok(der);
        }
        let begins_as_der = text.first() == Some(&0x30);
        let other = if begins_as_der && der::check(&text).is_ok() {
            text
        } else if has_pem(trimmed) {
            from_pem(trimmed)?
        } else if begins_as_der {
            text
        } else {
            return Err(Refusal::NotBase64);
        };
        if strict { Err(Refusal::EncodingNotAllowed) } else { Ok(other) }
    }
}

/// U+FEFF in UTF-8, which some editors put before text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn has_pem(text: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    text.windows(BEGIN.len()).any(|octets| octets == BEGIN)
}

/// The one certification request in a PEM text (RFC 7468 §7). What stands around it may be in any encoding.
fn from_pem(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let blocks = pem::decode(&String::from_utf8_lossy(text)).ok_or(Refusal::NotBase64)?;
    // `NEW CERTIFICATE REQUEST` is what older software writes.
    let mut requests = blocks.iter().filter(|block| block.label.ends_with("CERTIFICATE REQUEST"));
    match (requests.next(), requests.next()) {
        (Some(request), None) if request.has_headers => Err(Refusal::NotBase64),
        (Some(request), None) => Ok(request.contents.clone()),
        (Some(_), Some(_)) => Err(Refusal::SeveralRequests),
        (None, _) => Err(Refusal::NoRequestInPem),
    }
}
