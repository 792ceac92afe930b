//! Requests that a person has to look at.

use est_core::pkix::{Certificate, pem};
use est_core::{Site, UnixTime, with_hidden_escaped};
use est_store::{ApprovalRequest, IssuedCertificate, PasswordSummary};
use schemars::JsonSchema;
use serde::Serialize;

use super::Time;
use crate::explanation::{Described, Explanation, Understood};

/// Whether somebody has decided.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequestState {
    Awaiting,
    Approved,
    Denied,
}

impl From<est_store::RequestState> for RequestState {
    fn from(state: est_store::RequestState) -> Self {
        match state {
            est_store::RequestState::Awaiting => Self::Awaiting,
            est_store::RequestState::Approved => Self::Approved,
            est_store::RequestState::Denied => Self::Denied,
        }
    }
}

/// A request that a person has to look at, or has looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Request {
    /// Its id.
    id: String,
    /// Whether somebody has decided.
    state: RequestState,
    /// When it came.
    created: Time,
    /// The subject that the certificate is to have.
    subject: String,
    /// The subjectAltName that it is to have.
    names: Option<String>,
    /// Who asks.
    principal: String,
    /// At what label.
    label: Option<String>,
    /// Which CA is to issue.
    ca_id: String,
    /// What is asked for: `simpleenroll`, `simplereenroll` or `serverkeygen`.
    enrollment_type: &'static str,
    /// The address that it came from first.
    source: Option<String>,
    /// The one-time password that it came with.
    otp_id: Option<String>,
    /// When it was decided.
    decided_at: Option<Time>,
    /// Who decided.
    decided_by: Option<String>,
    /// What they said.
    comment: Option<String>,
}

/// A request with all that is known of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RequestDetail {
    #[serde(flatten)]
    request: Request,
    /// The certification request, PEM.
    csr: String,
    /// The type of the key in it; null where the server is to make the key.
    key_type: Option<String>,
    /// The extensions that it asks for.
    extensions: Vec<Described>,
    /// The one-time password that it came with, as far as that is kept.
    password: Option<MadePassword>,
    /// The serial number of the certificate that the client authenticated with.
    client_certificate: Option<String>,
    /// The serial number of the certificate that was issued for it.
    certificate: Option<String>,
    /// What it would get by the configuration in force; null if the client is not on record any more, or the label is gone.
    explanation: Option<Explanation>,
}

/// A one-time password, and its maker.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct MadePassword {
    /// Its public half.
    id: String,
    /// The client's name; null if any client may use it.
    entity_id: Option<String>,
    /// When it was made.
    created: Time,
    /// Who made it, where that is known.
    created_by: Option<String>,
}

impl MadePassword {
    pub(crate) fn of(password: PasswordSummary) -> Self {
        Self {
            id: password.id,
            entity_id: password.entity,
            created: Time(password.created),
            created_by: password.created_by,
        }
    }
}

impl Request {
    pub(crate) fn of(request: ApprovalRequest) -> Self {
        Self {
            id: request.id,
            state: request.state.into(),
            created: Time(request.created),
            subject: with_hidden_escaped(&request.subject).into_owned(),
            names: request.names.map(|names| with_hidden_escaped(&names).into_owned()),
            principal: with_hidden_escaped(&request.principal).into_owned(),
            label: request.label,
            ca_id: request.ca,
            enrollment_type: request.operation.segment(),
            source: request.source,
            otp_id: request.password,
            decided_at: request.decided_at.map(Time),
            decided_by: request.decided_by,
            comment: request.comment,
        }
    }
}

impl RequestDetail {
    pub(crate) fn of(
        request: ApprovalRequest,
        password: Option<PasswordSummary>,
        certificate: Option<IssuedCertificate>,
        site: &Site,
        now: UnixTime,
    ) -> Self {
        let Understood { key_type, extensions, explanation } = Understood::of(site, &request, password.as_ref(), now);
        let shown = request.shown.as_deref().and_then(|der| Certificate::parse(der).ok());
        Self {
            csr: pem::encode("CERTIFICATE REQUEST", request.csr.as_deref().unwrap_or_default()),
            key_type,
            extensions,
            password: password.map(MadePassword::of),
            client_certificate: shown.map(|shown| shown.serial_text()),
            certificate: certificate.map(|certificate| certificate.serial.to_string()),
            explanation,
            request: Request::of(request),
        }
    }
}
