//! Why a request is turned down: the one table.

mod rule;
mod text;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pkix::{CsrError, KeyType, KeyUsage, NameError, Oid};
use crate::policy::{BaselineRule, Held, NameKind};
use crate::{Doubt, KeyRefusal, Operation, Seconds, UnixTime};

pub use rule::Rule;

/// Every reason for which a request is turned down.
///
/// `Display` is the one line that the client reads: it says what is wrong and never tells an internal detail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    // The path and the envelope.
    /// An HTTP/1.1 request without exactly one Host header that is one (RFC 9112 §3.2).
    Host,
    /// No operation has this path.
    UnknownPath,
    /// The path names a label that is not configured.
    UnknownLabel,
    /// The path names no label, and none serves such requests.
    LabelMissing,
    /// The operation is switched off.
    OperationDisabled(Operation),
    /// The operation wants another method.
    MethodNotAllowed {
        /// The methods it allows, as the Allow header lists them.
        allow: &'static str,
    },
    /// The body is declared to be something else.
    UnsupportedMediaType {
        /// What it should be.
        expected: &'static str,
    },
    /// The body is longer than the server takes.
    BodyTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// A request with a body says neither how long it is nor that it comes in chunks (RFC 9110 §15.5.12).
    LengthRequired,
    /// The body did not arrive whole, or its framing cannot be read.
    BodyIncomplete,
    /// The body did not arrive in time.
    BodyLate,
    /// The Authorization header cannot be read.
    MalformedAuthorization,

    // Who asks.
    /// Neither certificate nor password was shown.
    Unauthenticated,
    /// The password is wrong, or somebody else's.
    PasswordRejected,
    /// The password is right, and has ended.
    PasswordExpired,
    /// The password is right, and was revoked.
    PasswordRevoked,
    /// The password has been used as often as it may be.
    PasswordSpent,
    /// Too many wrong passwords came from there, or for that name.
    OtpLockedOut {
        /// For how long none is looked at.
        retry_after: Seconds,
    },
    /// The client's certificate cannot be read.
    ClientCertificateMalformed,
    /// The client's certificate does not chain to a trust anchor.
    ClientCertificateUntrusted,
    /// The client's certificate has expired.
    ClientCertificateExpired {
        /// When.
        not_after: UnixTime,
    },
    /// The client's certificate is not valid yet.
    ClientCertificateNotYetValid {
        /// When it will be.
        not_before: UnixTime,
    },
    /// The client's certificate is not meant for client authentication.
    ClientCertificatePurpose,
    /// The client's certificate, or one above it, breaks a rule.
    ClientCertificateNonconforming {
        /// Which one, as the subject of a sentence.
        which: &'static str,
        /// What is wrong with it, as the rest of the sentence.
        fault: &'static str,
    },
    /// The client's certificate was revoked.
    ClientCertificateRevoked,
    /// A listed proxy sent a Client-Cert or Client-Cert-Chain header that cannot be read (RFC 9440 §2).
    ClientCertHeader,
    /// Renewal needs the certificate that is renewed.
    CertificateRequired,

    // What was sent.
    /// There is no body.
    EmptyBody,
    /// The body is not base64.
    NotBase64,
    /// The body is PEM without a certification request.
    NoRequestInPem,
    /// The body is PEM with more than one certification request.
    SeveralRequests,
    /// The body is PEM or raw DER, which the server was told not to take.
    EncodingNotAllowed,
    /// The body is not a certification request that can be acted on.
    Csr(CsrError),
    /// Nothing in the request links it to its connection, and the label wants that (RFC 7030 §3.5).
    LinkingRequired,
    /// What links the request to a connection is not of this one, or is no such thing at all.
    LinkingMismatch,
    /// The request is linked by tls-unique, which this server does not know of its connections (RFC 8446 §C.5).
    LinkingTlsUnique,
    /// The request is to be linked to a connection that has no channel binding, or ends at a proxy.
    LinkingUnavailable,

    // What was asked for.
    /// The label does not take keys of this type.
    KeyTypeNotAllowed {
        /// The key's type.
        key_type: KeyType,
        /// The types it takes.
        allowed: String,
    },
    /// The key is on the operator's list.
    KeyBlocked,
    /// The key is that of the CA itself.
    KeyOfCa,
    /// The label wants another key in every renewal.
    KeyReuse,
    /// A certificate for this key was revoked because the key was compromised.
    KeyCompromised,
    /// Neither a subject nor a subjectAltName was asked for.
    NoName,
    /// The subject has a value that no certificate may carry.
    Subject(NameError),
    /// The subject has an attribute that the label does not give.
    SubjectAttributeNotAllowed(Oid),
    /// The subject lacks an attribute that the label requires.
    SubjectAttributeRequired(Oid),
    /// The label wants a subjectAltName.
    SubjectAltNameRequired,
    /// A name of the subjectAltName is longer than any that a client of certificates has to read.
    NameTooLong {
        /// How many octets one may have.
        limit: usize,
    },
    /// The certificate would be longer than what a client may show, and so could never be renewed.
    CertificateTooLong {
        /// How many octets one may have.
        limit: usize,
    },
    /// The subjectAltName holds a name that no certificate may carry.
    MalformedName(String),
    /// The subjectAltName holds a name that is not in the form of its kind.
    NameForm {
        /// The name.
        name: String,
        /// What it must be, or what is wrong with it.
        fault: String,
    },
    /// The label does not give names of this kind.
    NameKindNotAllowed {
        /// The name.
        name: String,
        /// The kinds it gives.
        allowed: String,
    },
    /// The label wants a name of this kind.
    NameRequired(NameKind),
    /// A name does not match what the label allows of its kind.
    NamePattern {
        /// The name.
        name: String,
        /// What it must match.
        pattern: String,
    },
    /// The label gives no wildcards.
    Wildcard(String),
    /// The commonName is none of the subjectAltName's names.
    CommonNameNotInSan(String),
    /// There are several commonNames.
    SeveralCommonNames,
    /// The subject's emailAddress is none of the subjectAltName's mailboxes.
    EmailAddressNotInSan(String),
    /// A CA above may not certify this name (RFC 5280 §4.2.1.10).
    NameConstraint {
        /// The name.
        name: String,
        /// The subject of the CA with the constraint.
        ca: String,
    },
    /// The Baseline Requirements forbid it.
    Baseline(BaselineRule),
    /// The label does not let holders change their names.
    ChangeSubjectName,
    /// The subject does not match the label's pattern.
    SubjectPattern {
        /// The pattern.
        pattern: String,
    },
    /// A CA certificate was asked for.
    CaCertificate,
    /// None of the requested key usages is one that the label gives.
    KeyUsage {
        /// Those it gives to such a key.
        allowed: KeyUsage,
    },
    /// The requested keyUsage cannot be read.
    MalformedKeyUsage,
    /// None of the requested extended key usages is one that the label gives.
    ExtKeyUsage {
        /// Those asked for.
        wished: Vec<Oid>,
        /// Those it gives.
        allowed: Vec<Oid>,
    },
    /// The requested extKeyUsage cannot be read.
    MalformedExtKeyUsage,
    /// Subject or subjectAltName differ from those of the certificate that authenticates (RFC 7030 §4.2.2).
    NamesDiffer {
        /// The names of the certificate.
        expected: String,
        /// In what those of the request differ.
        difference: String,
        /// How the certificate is used.
        held: Held,
    },
    /// The certificate that authenticates was issued by a CA whose certificates do not count at the label.
    OtherCa {
        /// Its issuer.
        issuer: String,
        /// The subject of the label's own CA.
        label_ca: String,
        /// What the certificate was shown for.
        operation: Operation,
    },

    /// A name is neither the principal's own nor one that it was allowed.
    NameNotBound {
        /// The name.
        name: String,
        /// The principal's own names; empty where it has none.
        own: String,
        /// What else it was allowed, as the operator wrote it; empty where it was allowed nothing.
        allowed: String,
    },
    /// The principal may use other labels, and not this one.
    NotForLabel {
        /// Which.
        labels: String,
    },
    /// The certificate that authenticates is not for a purpose that the label's certificates are for.
    PurposeNotHeld(Oid),

    /// The label makes registration authorities, and neither the principal's certificate nor its password is for that.
    NoAuthority,
    /// The registration authority may not ask for this.
    OutsideOfRa {
        /// Its name in the configuration.
        ra: String,
        /// What is wrong.
        reason: Box<Self>,
    },

    /// The label lets nobody else make its keys.
    ServerKeyGenerationForbidden,
    /// The key cannot be generated, or not be encrypted as it was asked for.
    KeyGeneration(KeyRefusal),

    // What became of it.
    /// The generated key went out with the first answer to this request, and there is no copy of it.
    KeyAlreadyDelivered {
        /// The serial number of the certificate for it.
        serial: String,
    },
    /// The CA takes its time, for which a generated key cannot be kept.
    KeyCannotWait,
    /// The certificate issued for this very request has been revoked since.
    IssuedCertificateRevoked,
    /// An operator said no.
    Denied,
    /// The CA looked at the order and said no.
    RefusedByCa,
    /// The CA's own certificate is not valid at the moment.
    CaNotValid,
    /// The same request is being answered on another connection.
    InProgress,
    /// The peer cannot be authenticated at the moment.
    DirectoryUnavailable,
    /// Nobody could tell just now whether the client's certificate was revoked: the server lacks a CRL that says so,
    /// which is no fault of the client's and may be different in a while.
    RevocationUnknown,
    /// The CA could not be reached, or answered with something else.
    CaUnavailable,
    /// No key could be generated just now.
    KeyGeneratorUnavailable,
    /// The store could not be reached.
    StoreUnavailable,
    /// The server is shutting down, or has too much to do.
    Overloaded,
    /// As many requests of this client as it may have wait for an operator already.
    TooManyWaiting {
        /// When to ask again, for one of those may be decided by then.
        retry_after: Seconds,
    },
    /// Whoever asks has asked too often (RFC 6585 §4).
    TooManyRequests {
        /// When they may again.
        retry_after: Seconds,
    },
}

/// What a transport makes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// A name for logs, metrics and audit records; never changes.
    pub code: &'static str,
    /// The HTTP status (RFC 7030 §4.2.3, RFC 9110 §15).
    pub http_status: u16,
    /// The CoAP response code, class and detail (RFC 7252 §12.1.2, RFC 8516, RFC 9148 §4.5).
    pub coap_code: (u8, u8),
}

impl Refusal {
    /// The refusal's row in the table.
    #[must_use]
    pub fn row(&self) -> Row {
        let (code, http_status, coap_code) = match self {
            Self::Host => ("host", 400, (4, 0)),
            Self::UnknownPath => ("unknown-path", 404, (4, 4)),
            Self::UnknownLabel | Self::LabelMissing => ("unknown-label", 404, (4, 4)),
            Self::OperationDisabled(_) => ("operation-disabled", 404, (4, 4)),
            Self::MethodNotAllowed { .. } => ("method-not-allowed", 405, (4, 5)),
            Self::UnsupportedMediaType { .. } => ("unsupported-media-type", 415, (4, 15)),
            Self::BodyTooLarge { .. } => ("body-too-large", 413, (4, 13)),
            Self::LengthRequired => ("length-required", 411, (4, 0)),
            Self::BodyIncomplete => ("body-incomplete", 400, (4, 0)),
            Self::BodyLate => ("body-late", 408, (4, 8)),
            Self::MalformedAuthorization => ("malformed-authorization", 400, (4, 0)),
            Self::Unauthenticated => ("unauthenticated", 401, (4, 1)),
            Self::PasswordRejected => ("password-rejected", 401, (4, 1)),
            Self::PasswordExpired => ("password-expired", 401, (4, 1)),
            Self::PasswordRevoked => ("password-revoked", 401, (4, 1)),
            Self::PasswordSpent => ("password-spent", 401, (4, 1)),
            Self::OtpLockedOut { .. } => ("otp-locked-out", 403, (4, 3)),
            Self::ClientCertificateMalformed => ("client-certificate-malformed", 401, (4, 1)),
            Self::ClientCertificateUntrusted => ("client-certificate-untrusted", 401, (4, 1)),
            Self::ClientCertificateExpired { .. } => ("client-certificate-expired", 401, (4, 1)),
            Self::ClientCertificateNotYetValid { .. } => ("client-certificate-not-yet-valid", 401, (4, 1)),
            Self::ClientCertificatePurpose => ("client-certificate-purpose", 401, (4, 1)),
            Self::ClientCertificateNonconforming { .. } => ("client-certificate-nonconforming", 401, (4, 1)),
            Self::ClientCertificateRevoked => ("client-certificate-revoked", 403, (4, 3)),
            Self::ClientCertHeader => ("client-cert-header", 400, (4, 0)),
            Self::CertificateRequired => ("certificate-required", 403, (4, 3)),
            Self::EmptyBody => ("empty-body", 400, (4, 0)),
            Self::NotBase64 => ("not-base64", 400, (4, 0)),
            Self::NoRequestInPem => ("no-request-in-pem", 400, (4, 0)),
            Self::SeveralRequests => ("several-requests", 400, (4, 0)),
            Self::EncodingNotAllowed => ("encoding-not-allowed", 400, (4, 0)),
            Self::Csr(error) => (csr_code(error), 400, (4, 0)),
            Self::LinkingRequired => ("linking-required", 400, (4, 0)),
            Self::LinkingMismatch => ("linking-mismatch", 400, (4, 0)),
            Self::LinkingTlsUnique => ("linking-tls-unique", 400, (4, 0)),
            Self::LinkingUnavailable => ("linking-unavailable", 400, (4, 0)),
            Self::KeyTypeNotAllowed { .. } => ("key-type-not-allowed", 400, (4, 0)),
            Self::KeyBlocked => ("key-blocked", 400, (4, 0)),
            Self::KeyOfCa => ("key-of-ca", 400, (4, 0)),
            Self::KeyReuse => ("key-reuse", 403, (4, 3)),
            Self::KeyCompromised => ("key-compromised", 403, (4, 3)),
            Self::NoName => ("no-name", 400, (4, 0)),
            Self::Subject(_) => ("subject", 400, (4, 0)),
            Self::SubjectAttributeNotAllowed(_) => ("subject-attribute-not-allowed", 400, (4, 0)),
            Self::SubjectAttributeRequired(_) => ("subject-attribute-required", 400, (4, 0)),
            Self::SubjectAltNameRequired => ("subject-alt-name-required", 400, (4, 0)),
            Self::MalformedName(_) | Self::NameForm { .. } => ("malformed-name", 400, (4, 0)),
            Self::NameTooLong { .. } => ("name-too-long", 400, (4, 0)),
            Self::CertificateTooLong { .. } => ("certificate-too-long", 400, (4, 0)),
            Self::NameKindNotAllowed { .. } => ("name-kind-not-allowed", 400, (4, 0)),
            Self::NameRequired(_) => ("name-required", 400, (4, 0)),
            Self::NamePattern { .. } => ("name-pattern", 400, (4, 0)),
            Self::Wildcard(_) => ("wildcard", 400, (4, 0)),
            Self::CommonNameNotInSan(_) => ("common-name-not-in-san", 400, (4, 0)),
            Self::SeveralCommonNames => ("several-common-names", 400, (4, 0)),
            Self::EmailAddressNotInSan(_) => ("email-address-not-in-san", 400, (4, 0)),
            Self::NameConstraint { .. } => ("name-constraint", 400, (4, 0)),
            Self::Baseline(rule) => (rule.code(), 400, (4, 0)),
            Self::ChangeSubjectName => ("change-subject-name", 403, (4, 3)),
            Self::SubjectPattern { .. } => ("subject-pattern", 400, (4, 0)),
            Self::CaCertificate => ("ca-certificate", 400, (4, 0)),
            Self::KeyUsage { .. } => ("key-usage", 400, (4, 0)),
            Self::MalformedKeyUsage => ("malformed-key-usage", 400, (4, 0)),
            Self::ExtKeyUsage { .. } => ("ext-key-usage", 400, (4, 0)),
            Self::MalformedExtKeyUsage => ("malformed-ext-key-usage", 400, (4, 0)),
            Self::NamesDiffer { .. } => ("names-differ", 403, (4, 3)),
            Self::OtherCa { .. } => ("other-ca", 403, (4, 3)),
            Self::NameNotBound { .. } => ("name-not-bound", 403, (4, 3)),
            Self::NotForLabel { .. } => ("not-for-label", 403, (4, 3)),
            Self::PurposeNotHeld(_) => ("purpose-not-held", 403, (4, 3)),
            Self::NoAuthority => ("no-authority", 403, (4, 3)),
            Self::OutsideOfRa { .. } => ("outside-of-ra", 403, (4, 3)),
            Self::ServerKeyGenerationForbidden => ("server-key-generation-forbidden", 403, (4, 3)),
            Self::KeyGeneration(refusal) => (refusal.code(), 400, (4, 0)),
            Self::KeyAlreadyDelivered { .. } => ("key-already-delivered", 403, (4, 3)),
            Self::KeyCannotWait => ("key-cannot-wait", 403, (4, 3)),
            Self::IssuedCertificateRevoked => ("issued-certificate-revoked", 403, (4, 3)),
            Self::Denied => ("denied", 403, (4, 3)),
            Self::RefusedByCa => ("refused-by-ca", 403, (4, 3)),
            Self::CaNotValid => ("ca-not-valid", 503, (5, 3)),
            Self::InProgress => ("in-progress", 503, (5, 3)),
            Self::DirectoryUnavailable => ("directory-unavailable", 503, (5, 3)),
            Self::RevocationUnknown => ("revocation-unknown", 503, (5, 3)),
            Self::CaUnavailable => ("ca-unavailable", 503, (5, 3)),
            Self::KeyGeneratorUnavailable => ("key-generator-unavailable", 503, (5, 3)),
            Self::StoreUnavailable => ("store-unavailable", 503, (5, 3)),
            Self::Overloaded => ("overloaded", 503, (5, 3)),
            Self::TooManyWaiting { .. } => ("too-many-waiting", 429, (4, 29)),
            Self::TooManyRequests { .. } => ("too-many-requests", 429, (4, 29)),
        };
        Row { code, http_status, coap_code }
    }

    /// What a name or a subject had to match: for operators, whose rules are none of the client's business.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        if let Self::NamePattern { pattern, .. } | Self::SubjectPattern { pattern } = self {
            Some(pattern)
        } else if let Self::NameNotBound { allowed, .. } = self {
            (!allowed.is_empty()).then_some(allowed)
        } else if let Self::OutsideOfRa { reason, .. } = self {
            reason.pattern()
        } else {
            None
        }
    }

    /// When it is worth asking again with the same request; `None` when it never is.
    #[must_use]
    pub fn retry_after(&self) -> Option<Seconds> {
        if let Self::TooManyRequests { retry_after }
        | Self::TooManyWaiting { retry_after }
        | Self::OtpLockedOut { retry_after } = self
        {
            return Some(*retry_after);
        }
        match self.row().http_status {
            503 if *self == Self::InProgress => Some(Seconds(2)),
            503 => Some(Seconds(10)),
            _ => None,
        }
    }

    /// Whether the client's certificate is what stands in the way.
    pub(crate) fn is_of_certificate(&self) -> bool {
        matches!(
            self,
            Self::ClientCertificateMalformed
                | Self::ClientCertificateUntrusted
                | Self::ClientCertificateExpired { .. }
                | Self::ClientCertificateNotYetValid { .. }
                | Self::ClientCertificatePurpose
                | Self::ClientCertificateNonconforming { .. }
                | Self::ClientCertificateRevoked
        )
    }
}

impl From<Doubt> for Refusal {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::NothingShown => Self::Unauthenticated,
            Doubt::PasswordRejected => Self::PasswordRejected,
            Doubt::PasswordExpired => Self::PasswordExpired,
            Doubt::PasswordRevoked => Self::PasswordRevoked,
            Doubt::LockedOut(retry_after) => Self::OtpLockedOut { retry_after },
            Doubt::CertificateMalformed => Self::ClientCertificateMalformed,
            Doubt::CertificateUntrusted => Self::ClientCertificateUntrusted,
            Doubt::CertificateExpired { not_after } => Self::ClientCertificateExpired { not_after },
            Doubt::CertificateNotYetValid { not_before } => Self::ClientCertificateNotYetValid { not_before },
            Doubt::CertificatePurpose => Self::ClientCertificatePurpose,
            Doubt::CertificateNonconforming { which, fault } => Self::ClientCertificateNonconforming { which, fault },
            Doubt::CertificateRevoked => Self::ClientCertificateRevoked,
            Doubt::RevocationUnknown => Self::RevocationUnknown,
        }
    }
}

fn csr_code(error: &CsrError) -> &'static str {
    match error {
        CsrError::Der(_) => "malformed-der",
        CsrError::NotACsr => "not-a-csr",
        CsrError::Version => "csr-version",
        CsrError::Subject(_) => "csr-subject",
        CsrError::Key(error) => error.code(),
        CsrError::WeakHash => "weak-hash",
        CsrError::SignatureHash(_)
        | CsrError::SignatureAlgorithm(_)
        | CsrError::SignatureKey { .. }
        | CsrError::SignatureParameters(_)
        | CsrError::MaskHash
        | CsrError::SaltLength { .. } => "signature-algorithm",
        CsrError::Possession => "possession",
        CsrError::Attribute(_) | CsrError::NotText(_) => "csr-attribute",
        CsrError::Extensions | CsrError::ExtensionRequestsDiffer | CsrError::ExtensionValue(..) => "csr-extensions",
        CsrError::DuplicateExtension(_) => "duplicate-extension",
        CsrError::SubjectAltName(_) => "csr-subject-alt-name",
        CsrError::ChangeSubjectName => "csr-change-subject-name",
        CsrError::CapabilitiesMissing => "capabilities-missing",
        CsrError::KeyIdentifierMissing => "key-identifier-missing",
        CsrError::TwoKeyIdentifiers => "two-key-identifiers",
        CsrError::Capabilities => "capabilities",
        CsrError::KeyIdentifier => "key-identifier",
    }
}
