//! What the client is told, whatever the transport.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{CaCerts, KeyPart, Refusal, Seconds};

/// The end of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The CA certificates (RFC 7030 §4.1.3).
    CaCertificates(Arc<CaCerts>),
    /// The issued certificate alone, as a certs-only CMS, DER (RFC 7030 §4.2.3).
    Certificate(Vec<u8>),
    /// A private key, and its certificate alone as a certs-only CMS, DER (RFC 7030 §4.4.2).
    KeyAndCertificate {
        /// The key.
        key: KeyPart,
        /// The message with the certificate.
        certificate: Vec<u8>,
    },
    /// CsrAttrs, DER; `None` when there are none (RFC 7030 §4.5.2).
    CsrAttrs(Option<Arc<Vec<u8>>>),
    /// Come back with the same request in so many seconds (RFC 7030 §4.2.3).
    RetryAfter(Seconds),
    /// This, and then the connection ends: its channel binding has served (RFC 9266 §4.1).
    ThenClose(Box<Self>),
    /// No, and why.
    Refused(Refusal),
}
