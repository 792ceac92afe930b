//! What passes between the exchange and its ports.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::pkix::{Certificate, Csr, Extension, GeneralNames, oid};
use crate::policy::Plan;
use crate::{Approval, Ca, Guess, Operation, Principal, Refusal, Seconds, Serial, UnixTime};

/// What makes two requests the same request: the client, the label, the operation, and what is asked for: the key, the
/// names and every other extension and attribute.
///
/// Not the request's octets: a client that links its request to its TLS session (RFC 7030 §3.5), or signs with a
/// randomised scheme, sends others every time. But nothing that a certificate can depend on is left out: an operator's
/// yes is for the request that the operator saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    pub(crate) fn of(principal: &Principal, label: Option<&str>, operation: Operation, csr: &Csr) -> Self {
        let mut digest = Sha256::new();
        let mut add = |octets: &[u8]| {
            digest.update((octets.len() as u64).to_be_bytes());
            digest.update(octets);
        };
        add(principal.id().as_bytes());
        add(label.map_or(&[0][..], str::as_bytes));
        add(operation.segment().as_bytes());
        add(csr.public_key().as_der());
        add(csr.subject().as_der());
        if let Some(names) = csr.subject_alt_name() {
            names.sorted_octets().for_each(&mut add);
        }
        if let Some(change) = csr.change_subject_name() {
            add(b"changed to");
            add(change.subject.as_der());
            change.subject_alt_name.iter().flat_map(GeneralNames::sorted_octets).for_each(&mut add);
        }
        let others = csr.extensions().iter().filter(|extension| extension.id != oid::SUBJECT_ALT_NAME);
        let mut extensions: Vec<&Extension> = others.collect();
        extensions.sort_unstable_by_key(|extension| &extension.id);
        for Extension { id, critical, value } in extensions {
            add(id.as_der());
            add(&[u8::from(*critical)]);
            add(value);
        }
        csr.other_attributes().for_each(add);
        Self(digest.finalize().into())
    }
}

/// What the store must remember before anything is signed.
#[derive(Clone, Debug)]
pub struct Intent {
    /// What makes it the same request when it comes again.
    pub identity: Identity,
    /// On whose behalf.
    pub principal: Principal,
    /// Where they asked from.
    pub source: Option<String>,
    /// The serial number to reserve.
    pub serial: Serial,
    /// The label, if the path had one.
    pub label: Option<String>,
    /// The CA's id.
    pub ca: String,
    /// What is asked for.
    pub operation: Operation,
    /// The vetted request.
    pub csr: Arc<Csr>,
    /// Whether a person has to look first.
    pub approval: Approval,
    /// When the exchange began.
    pub now: UnixTime,
    /// For how long nobody else may work on the same request.
    pub lease: Seconds,
    /// Until when the answer can be fetched again.
    pub replay_until: UnixTime,
}

/// The store's answer to an [`Intent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody has answered this request and nobody else is about to: go on. Also after a lease has run out, and
    /// after an operator's yes.
    Fresh,
    /// The CA wants to be asked again about this ticket.
    Open(Ticket),
    /// An operator has yet to decide.
    AwaitingApproval,
    /// An operator said no.
    Denied,
    /// This request was answered before, with this certificate, DER.
    Finished(Vec<u8>),
    /// This request was answered before, with a certificate that was revoked since.
    Revoked,
    /// Somebody else is working on the same request, and was not done within the time that the store waits.
    Busy,
    /// The one-time password has no use left.
    PasswordSpent,
    /// The key was compromised: a certificate for it was revoked for that.
    KeyCompromised,
    /// As many requests of this principal as it may have wait for an operator already.
    TooManyWaiting,
}

/// By what name a CA knows a request that it has not decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(pub Vec<u8>);

/// A vetted request to a CA: everything decided, nothing left to judge.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who is to issue.
    pub ca: Arc<Ca>,
    /// The reserved serial number.
    pub serial: Serial,
    /// What is to be issued.
    pub plan: Plan,
    /// The vetted request, for a CA that wants to see it.
    pub csr: Arc<Csr>,
    /// The ticket to ask about, when the CA has seen this order before.
    pub ticket: Option<Ticket>,
}

/// A CA's answer to an [`Order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuance {
    /// The certificate, DER.
    Issued(Vec<u8>),
    /// Not yet: ask again about this ticket (RFC 7030 §4.2.3).
    Pending(Ticket, Seconds),
    /// The CA will not issue this, and has not.
    Refused,
}

/// What the store must remember before the client gets its answer, in one transaction.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the exchange began.
    pub now: UnixTime,
    /// Who asked, if that is known.
    pub principal: Option<Principal>,
    /// The certificate that they showed and that was not accepted, if that is what failed and it can be read.
    pub rejected: Option<Arc<Certificate>>,
    /// Where they asked from.
    pub source: Option<String>,
    /// The label, if the path had one.
    pub label: Option<String>,
    /// The CA's id.
    pub ca: String,
    /// What was asked for.
    pub operation: Operation,
    /// The claim that this closes, if one was made.
    pub intent: Option<Box<Intent>>,
    /// How the exchange ended.
    pub outcome: Outcome,
    /// The wrong password that was shown, to be counted.
    pub guess: Option<Guess>,
    /// The audit events, in order.
    pub events: Vec<Event>,
}

/// How an exchange ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With this certificate, which belongs in the inventory.
    Issued {
        /// The certificate.
        certificate: Arc<Certificate>,
        /// The name of the profile that it was made from.
        profile: String,
    },
    /// With a certificate that was recorded before, DER.
    Replayed(Vec<u8>),
    /// The CA wants to be asked again.
    Pending(Ticket, Seconds),
    /// An operator has yet to decide.
    AwaitingApproval,
    /// With what a request should have in it: nothing was asked for but that.
    CsrAttrs(Option<Arc<Vec<u8>>>),
    /// Without a certificate, for good: the claim is released, and a one-time password that it used is given back.
    Refused(Refusal),
    /// Without a certificate for now: the claim stays with this request, so that the same request can go on.
    Interrupted(Refusal),
}

/// One audit event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// What else there is to say: the code of a refusal, what was dropped or clamped.
    pub reason: Option<String>,
}

/// The audit events of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A client certificate was accepted.
    MtlsSuccess,
    /// A client certificate was not accepted.
    MtlsFailure,
    /// A one-time password was accepted.
    OtpSuccess,
    /// A one-time password was not accepted.
    OtpFailure,
    /// Nothing was shown.
    AuthFailure,
    /// An enrollment ended with a certificate.
    EnrollSuccess,
    /// An enrollment ended without one.
    EnrollFailure,
    /// An enrollment waits.
    EnrollPending,
    /// An enrollment was answered again.
    EnrollReplayed,
    /// A renewal ended with a certificate.
    ReenrollSuccess,
    /// A renewal ended without one.
    ReenrollFailure,
    /// A renewal waits.
    ReenrollPending,
    /// A renewal was answered again.
    ReenrollReplayed,
    /// A key was generated for somebody else.
    KeyGenerated,
    /// A certificate was issued.
    CertIssued,
    /// A certificate was issued in place of another.
    CertRenewed,
    /// A certificate was not issued because a rule forbids it.
    CertDenied,
}

impl EventKind {
    /// The event's dotted name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MtlsSuccess => "auth.mtls.success",
            Self::MtlsFailure => "auth.mtls.failure",
            Self::OtpSuccess => "auth.otp.success",
            Self::OtpFailure => "auth.otp.failure",
            Self::AuthFailure => "auth.failure",
            Self::EnrollSuccess => "enroll.success",
            Self::EnrollFailure => "enroll.failure",
            Self::EnrollPending => "enroll.pending",
            Self::EnrollReplayed => "enroll.replayed",
            Self::ReenrollSuccess => "reenroll.success",
            Self::ReenrollFailure => "reenroll.failure",
            Self::ReenrollPending => "reenroll.pending",
            Self::ReenrollReplayed => "reenroll.replayed",
            Self::KeyGenerated => "key.generated",
            Self::CertIssued => "cert.issued",
            Self::CertRenewed => "cert.renewed",
            Self::CertDenied => "cert.denied",
        }
    }

    /// Whether what was attempted came about.
    #[must_use]
    pub fn is_success(self) -> bool {
        match self {
            Self::MtlsFailure
            | Self::OtpFailure
            | Self::AuthFailure
            | Self::EnrollFailure
            | Self::ReenrollFailure
            | Self::CertDenied => false,
            Self::MtlsSuccess
            | Self::OtpSuccess
            | Self::EnrollSuccess
            | Self::EnrollPending
            | Self::EnrollReplayed
            | Self::ReenrollSuccess
            | Self::ReenrollPending
            | Self::ReenrollReplayed
            | Self::KeyGenerated
            | Self::CertIssued
            | Self::CertRenewed => true,
        }
    }
}

/// Why a port could not answer. Its text is for the log, never for the client.
#[derive(Clone, Debug)]
pub struct PortError(pub String);

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for PortError {}
