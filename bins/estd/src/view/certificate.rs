//! Certificates.

use est_core::pkix::{Certificate, SubjectPublicKeyInfo, pem};
use est_core::{UnixTime, with_hidden_escaped};
use est_store::{CertificateStatus, Chapter, IssuedCertificate, Story};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::request::MadePassword;
use super::{Record, Request, Time};
use crate::explanation::Described;

/// What a certificate is.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CertificateStatus")]
pub(crate) enum Status {
    /// In its time, and not revoked.
    Active,
    /// Past its end, and not revoked.
    Expired,
    /// Revoked.
    Revoked,
}

impl From<CertificateStatus> for Status {
    fn from(status: CertificateStatus) -> Self {
        match status {
            CertificateStatus::Valid => Self::Active,
            CertificateStatus::Expired => Self::Expired,
            CertificateStatus::Revoked => Self::Revoked,
        }
    }
}

impl From<Status> for CertificateStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Valid,
            Status::Expired => Self::Expired,
            Status::Revoked => Self::Revoked,
        }
    }
}

/// A certificate.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct CertificateSummary {
    /// Its serial number, in hexadecimal with colons.
    pub(crate) serial: String,
    /// The SHA-256 of the certificate.
    fingerprint: String,
    /// Whom it names.
    pub(crate) subject: String,
    /// Its subjectAltName.
    names: Option<String>,
    /// The name of the CA.
    issuer: String,
    /// The first second in which it is valid.
    not_before: Time,
    /// The last.
    not_after: Time,
    /// What it is now.
    status: Status,
    /// The CA's id.
    ca_id: String,
    /// The label that it was asked for at.
    label: Option<String>,
    /// The profile that it was made from.
    profile: String,
    /// Whom it was issued to.
    principal: String,
    /// When.
    issued_at: Time,
    /// The one-time password that it was asked for with.
    otp_id: Option<String>,
    /// The request that an operator approved.
    request_id: Option<String>,
    /// The serial number of the certificate that its client authenticated with, if that was issued here: as a rule the one
    /// that it renews.
    predecessor: Option<String>,
    /// When it was revoked, if it was.
    revocation_time: Option<Time>,
    /// Why it was revoked, if it was.
    revocation_reason: Option<&'static str>,
}

/// A certificate with all that is known of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CertificateDetail {
    #[serde(flatten)]
    summary: CertificateSummary,
    /// The certificate, PEM.
    pem: String,
    /// The type of its key.
    key_type: Option<String>,
    /// Its extensions, in words.
    extensions: Vec<Described>,
    /// The line of certificates that it belongs to, the oldest first: those before it, itself, and those after it. Each
    /// was got by authenticating with the one that is its `predecessor`.
    story: Vec<StoryEntry>,
    /// Whether there are more before or after than `story` has.
    story_is_cut: bool,
    /// What happened to it, the latest first; not for viewers, as all of the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Record>>,
}

/// A certificate of a line, and what it goes back to.
#[derive(Serialize, JsonSchema)]
struct StoryEntry {
    /// Where it is, seen from the certificate that was asked about.
    relation: Relation,
    #[serde(flatten)]
    certificate: CertificateSummary,
    /// The one-time password that it was asked for with, as far as that is kept.
    password: Option<MadePassword>,
    /// The request that an operator approved, as far as that is kept.
    request: Option<Request>,
}

/// Where a certificate is in a line.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Relation {
    Before,
    This,
    After,
}

impl StoryEntry {
    fn of(chapter: Chapter, relation: Relation, now: UnixTime) -> Self {
        Self {
            relation,
            certificate: CertificateSummary::of(chapter.certificate, now),
            password: chapter.password.map(MadePassword::of),
            request: chapter.request.map(Request::of),
        }
    }
}

impl CertificateSummary {
    pub(crate) fn of(certificate: IssuedCertificate, now: UnixTime) -> Self {
        let status = certificate.status(now).into();
        let issuer = Certificate::parse(&certificate.der).map(|parsed| parsed.issuer().to_string());
        Self {
            status,
            issuer: issuer.unwrap_or_default(),
            serial: certificate.serial.to_string(),
            fingerprint: certificate.fingerprint.to_string(),
            subject: with_hidden_escaped(&certificate.subject).into_owned(),
            names: certificate.names.map(|names| with_hidden_escaped(&names).into_owned()),
            not_before: Time(certificate.not_before),
            not_after: Time(certificate.not_after),
            ca_id: certificate.ca,
            label: certificate.label,
            profile: certificate.profile,
            principal: with_hidden_escaped(&certificate.principal).into_owned(),
            issued_at: Time(certificate.issued_at),
            otp_id: certificate.password,
            request_id: certificate.request,
            predecessor: certificate.predecessor.map(|serial| serial.to_string()),
            revocation_time: certificate.revoked.map(|revoked| Time(revoked.at)),
            revocation_reason: certificate.revoked.map(|revoked| revoked.reason.name()),
        }
    }
}

impl CertificateDetail {
    pub(crate) fn of(story: Story, events: Option<Vec<Record>>, now: UnixTime) -> Self {
        let Story { before, this, after, is_cut } = story;
        let found = this.certificate.clone();
        let parsed = Certificate::parse(&found.der).ok();
        let told = |chapters: Vec<Chapter>, relation| {
            chapters.into_iter().map(move |chapter| StoryEntry::of(chapter, relation, now))
        };
        let story = told(before, Relation::Before).chain(told(vec![this], Relation::This));
        let story = story.chain(told(after, Relation::After)).collect();
        Self {
            pem: pem::encode("CERTIFICATE", &found.der),
            key_type: parsed.as_ref().and_then(key_type),
            extensions: parsed.iter().flat_map(Certificate::extensions).map(Described::of).collect(),
            story,
            story_is_cut: is_cut,
            events,
            summary: CertificateSummary::of(found, now),
        }
    }
}

fn key_type(certificate: &Certificate) -> Option<String> {
    let key = SubjectPublicKeyInfo::parse(certificate.public_key_der()).ok()?;
    Some(key.key_type().to_string())
}
