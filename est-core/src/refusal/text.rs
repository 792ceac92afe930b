//! What the client reads of a refusal.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Refusal;
use crate::Operation;
use crate::pkix::{Oid, keyword, oid};

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("send one Host header that names this server"),
            Self::UnknownPath => f.write_str("there is no EST operation at this path"),
            Self::UnknownLabel => f.write_str("there is no such label on this server"),
            Self::LabelMissing => {
                f.write_str("this server takes no requests without a label: write the label before the operation in the path")
            }
            Self::OperationDisabled(operation) => write!(f, "/{operation} is switched off on this server"),
            Self::MethodNotAllowed { allow } => write!(f, "this operation takes {allow}"),
            Self::UnsupportedMediaType { expected } => write!(f, "send the body as Content-Type: {expected}"),
            Self::BodyTooLarge { limit } => write!(f, "the body is longer than {limit} octets"),
            Self::LengthRequired => {
                f.write_str("say how long the body is: send Content-Length, or Transfer-Encoding: chunked")
            }
            Self::BodyIncomplete => f.write_str("the body did not arrive whole"),
            Self::BodyLate => f.write_str("the body did not arrive in time"),
            Self::MalformedAuthorization => {
                f.write_str("the Authorization header cannot be read: send Basic with base64 of user:password in UTF-8")
            }
            Self::Unauthenticated => {
                f.write_str("authenticate with a client certificate or a one-time password")
            }
            Self::PasswordRejected => {
                f.write_str("the one-time password is not accepted: it is wrong, or meant for another user name")
            }
            Self::PasswordExpired => f.write_str("the one-time password has expired: ask the operator for another one"),
            Self::PasswordRevoked => f.write_str("the one-time password was revoked: ask the operator for another one"),
            Self::PasswordSpent => f.write_str("the one-time password has been used for another request already"),
            Self::OtpLockedOut { retry_after } => {
                write!(f, "too many wrong one-time passwords came from this address or for this user name: none is looked at for {} seconds", retry_after.0)
            }
            Self::ClientCertificateMalformed => f.write_str("the client certificate cannot be read"),
            Self::ClientCertificateUntrusted => {
                f.write_str("the client certificate was not issued by a CA that this server trusts, or its intermediates are missing")
            }
            Self::ClientCertificateExpired { not_after } => write!(f, "the client certificate expired at {not_after}"),
            Self::ClientCertificateNotYetValid { not_before } => {
                write!(f, "the client certificate is not valid before {not_before}")
            }
            Self::ClientCertificatePurpose => {
                f.write_str("the client certificate's extended key usage does not allow client authentication")
            }
            Self::ClientCertificateNonconforming { which, fault } => write!(f, "{which} {fault}"),
            Self::ClientCertificateRevoked => f.write_str("the client certificate has been revoked"),
            Self::ClientCertHeader => {
                f.write_str("the proxy's Client-Cert or Client-Cert-Chain header cannot be read")
            }
            Self::CertificateRequired => {
                f.write_str("renew with the certificate that is to be renewed as TLS client certificate")
            }
            Self::EmptyBody => f.write_str("the body is empty: send a PKCS #10 certification request, base64 of DER"),
            Self::NotBase64 => f.write_str("the body is not base64 of a PKCS #10 certification request"),
            Self::NoRequestInPem => {
                f.write_str("the PEM text holds no CERTIFICATE REQUEST: send a PKCS #10 certification request")
            }
            Self::SeveralRequests => {
                f.write_str("the PEM text holds several certification requests: send each in a request of its own")
            }
            Self::EncodingNotAllowed => f.write_str("the body must be base64 of DER: neither PEM nor raw DER"),
            Self::Csr(error) => error.fmt(f),
            Self::LinkingRequired => f.write_str(
                "link the request to its TLS connection: put base64 of the connection's tls-exporter (RFC 9266) into challengePassword or estIdentityLinking",
            ),
            Self::LinkingMismatch => f.write_str(
                "challengePassword or estIdentityLinking is not base64 of this TLS connection's tls-exporter (RFC 9266): make the request on the connection that sends it, and put no password there; for clients that cannot, an operator can set linking = \"off\" for this label",
            ),
            Self::LinkingTlsUnique => f.write_str(
                "the request is linked by tls-unique, which this server cannot verify (RFC 8446 §C.5): link by tls-exporter (RFC 9266); for clients that cannot, such as libest, Bouncy Castle and TrustCore, an operator can set linking = \"off\" for this label",
            ),
            Self::LinkingUnavailable => f.write_str(
                "the request cannot be linked to its TLS connection: it ends at a proxy, or it is TLS 1.2 without the extended master secret",
            ),
            Self::KeyTypeNotAllowed { key_type, allowed } => {
                write!(f, "keys of type {key_type} are not accepted here: use {allowed}")
            }
            Self::KeyBlocked => f.write_str("this key gets no certificate here: make a new one"),
            Self::KeyOfCa => f.write_str("the key is that of a CA above: make one of your own"),
            Self::KeyReuse => f.write_str("renew with a new key: this label lets no key be certified again"),
            Self::KeyCompromised => {
                f.write_str("a certificate for this key was revoked because the key was compromised: make a new one")
            }
            Self::NoName => f.write_str("ask for a subject or a subjectAltName"),
            Self::Subject(error) => error.fmt(f),
            Self::SubjectAttributeNotAllowed(id) => write!(f, "this label gives no subject with {}", keyword(id)),
            Self::SubjectAttributeRequired(id) => write!(f, "ask for a subject with {}: this label requires it", keyword(id)),
            Self::SubjectAltNameRequired => f.write_str("ask for a subjectAltName: this label requires one"),
            Self::NameTooLong { limit } => write!(f, "a name has more than {limit} octets: ask for shorter ones"),
            Self::CertificateTooLong { limit } => {
                write!(f, "the certificate would have more than {limit} octets: ask for fewer or shorter names")
            }
            Self::MalformedName(name) => write!(f, "the subjectAltName holds {name}, which is not a name of its kind"),
            Self::NameForm { name, fault } => write!(f, "the subjectAltName holds {name}: {fault}"),
            Self::NameKindNotAllowed { name, allowed } => {
                write!(f, "this label does not give names like {name}, only of these kinds: {allowed}")
            }
            Self::NameRequired(kind) => write!(f, "ask for a subjectAltName of kind {kind}: this label requires one"),
            Self::NamePattern { name, .. } => {
                write!(f, "{name} is not a name that this label gives: ask its operator which names it gives")
            }
            Self::Wildcard(name) => write!(f, "{name} is a wildcard, which this label does not give"),
            Self::CommonNameNotInSan(name) => {
                write!(f, "the commonName {name} must be one of the subjectAltName's names, character for character")
            }
            Self::SeveralCommonNames => f.write_str("ask for one commonName at most"),
            Self::EmailAddressNotInSan(mailbox) => {
                write!(f, "the emailAddress {mailbox} must be one of the subjectAltName's rfc822Names too")
            }
            Self::NameConstraint { name, ca } => {
                write!(f, "{name} lies outside of what the CA {ca} may certify (its nameConstraints)")
            }
            Self::Baseline(rule) => rule.fmt(f),
            Self::ChangeSubjectName => {
                f.write_str("this label does not let the names of a certificate be changed: leave ChangeSubjectName out")
            }
            Self::SubjectPattern { .. } => {
                f.write_str("the subject is not one that this label gives: ask its operator which subjects it gives")
            }
            Self::CaCertificate => {
                f.write_str("CA certificates are not issued here: ask neither for CA:TRUE nor for keyCertSign or cRLSign")
            }
            Self::KeyUsage { allowed } => write!(f, "the requested key usage is not given here: {allowed} is"),
            Self::MalformedKeyUsage => f.write_str("the requested keyUsage is malformed"),
            Self::ExtKeyUsage { wished, allowed } => write!(
                f,
                "the requested extended key usage ({}) is not given here: {} is; ask for that, or for none",
                purpose_names(wished),
                purpose_names(allowed)
            ),
            Self::MalformedExtKeyUsage => f.write_str("the requested extKeyUsage is malformed"),
            Self::NamesDiffer { expected, difference, .. } => write!(
                f,
                "subject and subjectAltName must be those of the certificate that authenticates: {expected} ({difference})"
            ),
            Self::OtherCa { issuer, label_ca, operation: Operation::SimpleReenroll } => write!(
                f,
                "this label renews only certificates that its own CA, {label_ca}, issued, and {issuer} issued this one: enroll at /simpleenroll"
            ),
            Self::OtherCa { issuer, label_ca, .. } => write!(
                f,
                "certificates of {issuer} are not accepted at this label: use one of its own CA, {label_ca}, or a one-time password"
            ),
            Self::NoAuthority => f.write_str(
                "registration authorities are made here: renew the certificate of one, or come with a one-time password that was created for this label",
            ),
            Self::NameNotBound { name, own, .. } => {
                write!(f, "you may not ask for {name}")?;
                if !own.is_empty() {
                    write!(f, ": your own names are {own}")?;
                }
                f.write_str("; an operator can allow more names ")?;
                match allowance(name) {
                    Some(text) => write!(f, "when creating the one-time password (--allow '{text}'), or in an [[identity]]"),
                    None => f.write_str("when creating the one-time password, or in an [[identity]]"),
                }
            }
            Self::NotForLabel { labels } => write!(f, "you may not use this label, only: {labels}"),
            Self::PurposeNotHeld(purpose) => write!(
                f,
                "certificates of this label are for {}, and yours is not: enroll with a one-time password; an operator can allow it with certificate_purposes, or in an [[identity]]",
                purpose_name(purpose)
            ),
            Self::OutsideOfRa { ra, reason } => {
                write!(f, "the registration authority {ra} may not ask for this: {reason}")
            }
            Self::ServerKeyGenerationForbidden => {
                f.write_str("this label does not generate keys: enroll with your own key")
            }
            Self::KeyGeneration(refusal) => refusal.fmt(f),
            Self::KeyAlreadyDelivered { serial } => write!(
                f,
                "the private key was handed out with the first answer to this request and is never kept: ask an operator to revoke certificate {serial} as superseded, and send another request with another key in it"
            ),
            Self::KeyCannotWait => {
                f.write_str("the CA wants to be asked again, and a generated key is never kept: enroll with a key of your own")
            }
            Self::IssuedCertificateRevoked => f.write_str("the certificate issued for this request has been revoked"),
            Self::Denied => f.write_str("an operator denied this request"),
            Self::RefusedByCa => f.write_str("the CA refused this request"),
            Self::CaNotValid => f.write_str("the CA's own certificate is not valid at the moment"),
            Self::InProgress => f.write_str("the same request is being answered: ask again"),
            Self::DirectoryUnavailable => f.write_str("authentication is not available at the moment"),
            Self::RevocationUnknown => {
                f.write_str("whether the client certificate was revoked cannot be told at the moment")
            }
            Self::CaUnavailable => f.write_str("the CA is not available at the moment"),
            Self::KeyGeneratorUnavailable => f.write_str("no key can be generated at the moment"),
            Self::StoreUnavailable => f.write_str("the database is not available at the moment"),
            Self::Overloaded => f.write_str("the server is busy: ask again"),
            Self::TooManyWaiting { .. } => f.write_str(
                "too many of your requests are waiting for an operator: ask again for one of those, or wait for a decision",
            ),
            Self::TooManyRequests { .. } => f.write_str("too many requests: ask again later, and less often"),
        }
    }
}

impl core::error::Error for Refusal {}

/// What allows a name that is shown as `the subject CN=a,O=b` or `DNS:a.example` (see [`crate::policy::Allowance`]). `None`
/// for a name that would be read as a pattern, or that a shell would read in its own way.
fn allowance(name: &str) -> Option<String> {
    let text = match name.strip_prefix("the subject ") {
        Some(subject) => format!("subject:{subject}"),
        None => {
            let (kind, value) = name.split_once(':')?;
            format!("{}:{value}", kind.to_ascii_lowercase())
        }
    };
    let is_plain = !text.contains(['*', '\\', '\'', '\n']) && !text.contains(":^");
    (is_plain && crate::policy::Allowance::parse(&[&text]).is_ok()).then_some(text)
}

fn purpose_name(purpose: &Oid) -> String {
    match purpose {
        id if *id == oid::SERVER_AUTH => "serverAuth".into(),
        id if *id == oid::CLIENT_AUTH => "clientAuth".into(),
        id if *id == oid::CODE_SIGNING => "codeSigning".into(),
        id if *id == oid::EMAIL_PROTECTION => "emailProtection".into(),
        id if *id == oid::TIME_STAMPING => "timeStamping".into(),
        id if *id == oid::OCSP_SIGNING => "OCSPSigning".into(),
        id if *id == oid::CMC_RA => "cmcRA".into(),
        id if *id == oid::ANY_EXT_KEY_USAGE => "every purpose".into(),
        id => keyword(id),
    }
}

fn purpose_names(purposes: &[Oid]) -> String {
    purposes.iter().map(purpose_name).collect::<Vec<_>>().join(", ")
}
