//! The CAs: what they are, and how they do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use est_core::Seconds;
use est_core::pkix::{Certificate, SubjectPublicKeyInfo, pem};
use est_store::SerialNumber;
use host::config::Ca;
use host::shell;
use host::vitals::Vital;
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use super::endpoint::{Content, Endpoint};
use super::input::{Segment, Time};
use super::problem::Problem;

/// A CA whose certificate ends within this time wants to be looked at.
const SOON: Seconds = Seconds::from_days(30);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/ca", "Lists the CAs.")
            .json::<Vec<CaSummary>>(StatusCode::OK, "The CAs, in the order of the configuration.")
            .by(list),
        Endpoint::get("/admin/ca/health", "How each CA does, and how quickly it signs.")
            .unaudited()
            .json::<Vec<CaCondition>>(StatusCode::OK, "The CAs, in the order of the configuration.")
            .by(health),
        Endpoint::get("/admin/ca/{id}", "Shows a CA and its certificates.")
            .json::<CaDetail>(StatusCode::OK, "The CA.")
            .fails(&[StatusCode::NOT_FOUND])
            .by(show),
        Endpoint::get("/admin/ca/{id}/chain", "Gives a CA's certificate and those above it.")
            .answer(StatusCode::OK, "The certificates, PEM.", Content::Text("application/pem-certificate-chain"))
            .fails(&[StatusCode::NOT_FOUND])
            .by(chain),
    ]
}

/// How a CA does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CaStatus")]
pub(super) enum CaState {
    /// It issues.
    Healthy,
    /// Its last order failed, it has no new CRL though one is due, or its certificate ends soon or has ended.
    Degraded,
    /// It is not asked any more for the time being.
    #[expect(dead_code, reason = "only pools of CAs break the circuit")]
    CircuitOpen,
    /// It is asked again, with care.
    #[expect(dead_code, reason = "only pools of CAs break the circuit")]
    Recovering,
}

/// How a CA does, and why.
pub(super) struct Condition {
    pub(super) id: String,
    pub(super) labels: Vec<String>,
    pub(super) state: CaState,
    pub(super) error: Option<String>,
    pub(super) vital: Vital,
    /// Whether its certificate has ended: it can issue nothing.
    pub(super) is_over: bool,
}

/// A CA.
#[derive(Serialize, JsonSchema)]
struct CaSummary {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// The first label that it serves; null for requests without one.
    label: Option<String>,
    /// Every label that it serves.
    labels: Vec<String>,
    /// Where its key is: `local`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// How it does.
    status: CaState,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it was last asked to issue, since the server was started.
    last_check: Option<Time>,
    /// When it last issued, since the server was started.
    last_sign_time: Option<Time>,
    /// When its certificate ends.
    cert_not_after: Time,
    /// How many certificates it has issued since midnight (UTC), as they were last counted.
    certs_issued_today: Option<u64>,
    /// How many it has issued that are in the inventory, as they were last counted.
    total_certs_issued: Option<u64>,
    /// How many of them are neither over nor revoked.
    active_certs: Option<u64>,
}

/// A CA with its certificates.
#[derive(Serialize, JsonSchema)]
struct CaDetail {
    #[serde(flatten)]
    summary: CaSummary,
    /// Its certificate, then those above it.
    certificate_chain: Vec<ChainCertificate>,
}

/// A certificate of a CA.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ChainCertificate {
    /// Whom it names.
    subject: String,
    /// Who signed it.
    issuer: String,
    /// Its serial number, in hexadecimal with colons.
    serial: String,
    /// The SHA-256 of it.
    fingerprint: String,
    /// The first second in which it is valid.
    not_before: Time,
    /// The last.
    not_after: Time,
    /// The type of its key; null where it is none of those that are known.
    key_algorithm: Option<String>,
}

/// How a CA does.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CaCondition {
    /// Its id.
    id: String,
    /// Where its key is: `local`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// How it does.
    status: CaState,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it was last asked to issue, since the server was started.
    last_check: Option<Time>,
    /// When it last issued, since the server was started.
    last_sign_time: Option<Time>,
    /// How long that took, in microseconds.
    signing_latency_us: Option<u64>,
    /// How many orders have failed since.
    consecutive_failures: u32,
}

impl Admin {
    /// How each CA does, in the order of the configuration.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let current = self.current();
        let labels = |id: &str| {
            let of_ca = current.settings.labels.iter().filter(|label| label.ca_id == id);
            of_ca.map(|label| label.name.clone()).collect()
        };
        let now = shell::now();
        let crls = self.serving.get().crls.published().troubles(now);
        let condition = |ca: &Ca| {
            let vital = self.metrics.vitals().of(&ca.id);
            let end = ca.certificate.not_after();
            let is_over = end < now;
            let errors: Vec<String> = [
                is_over.then(|| format!("its certificate ended at {end}")),
                (vital.consecutive_failures > 0).then(|| {
                    format!("it issued nothing {} times in a row: the log says why", vital.consecutive_failures)
                }),
                crls.get(&ca.id).cloned(),
                (!is_over && end < now + SOON).then(|| format!("its certificate ends at {end}")),
            ]
            .into_iter()
            .flatten()
            .collect();
            let error = (!errors.is_empty()).then(|| errors.join("; "));
            let state = if error.is_some() { CaState::Degraded } else { CaState::Healthy };
            Condition { id: ca.id.clone(), labels: labels(&ca.id), state, error, vital, is_over }
        };
        current.settings.cas.iter().map(condition).collect()
    }

    fn summaries(&self) -> Vec<CaSummary> {
        let current = self.current();
        let counted = self.census();
        let summary = |(ca, condition): (&Ca, Condition)| {
            let count = counted.as_ref().map(|counted| counted.iter().find(|census| census.ca == ca.id));
            let number = |read: fn(&est_store::Census) -> u64| count.map(|census| census.map_or(0, read));
            CaSummary {
                id: condition.id,
                name: ca.name.clone(),
                label: condition.labels.first().cloned(),
                labels: condition.labels,
                kind: "local",
                status: condition.state,
                error: condition.error,
                last_check: condition.vital.last_check.map(Time),
                last_sign_time: condition.vital.last_sign_time.map(Time),
                cert_not_after: Time(ca.certificate.not_after()),
                certs_issued_today: number(|census| census.recent),
                total_certs_issued: number(|census| census.issued),
                active_certs: number(est_store::Census::active),
            }
        };
        current.settings.cas.iter().zip(self.conditions()).map(summary).collect()
    }
}

impl ChainCertificate {
    fn of(certificate: &Certificate) -> Self {
        let key = SubjectPublicKeyInfo::parse(certificate.public_key_der());
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: SerialNumber::from_contents(certificate.serial()).to_string(),
            fingerprint: certificate.fingerprint().to_string(),
            not_before: Time(certificate.not_before()),
            not_after: Time(certificate.not_after()),
            key_algorithm: key.ok().map(|key| key.key_type().to_string()),
        }
    }
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<CaSummary>> {
    Json(admin.summaries())
}

async fn health(State(admin): State<Arc<Admin>>) -> Json<Vec<CaCondition>> {
    let conditions = admin.conditions().into_iter().map(|condition| CaCondition {
        id: condition.id,
        kind: "local",
        status: condition.state,
        error: condition.error,
        last_check: condition.vital.last_check.map(Time),
        last_sign_time: condition.vital.last_sign_time.map(Time),
        signing_latency_us: condition.vital.latency.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        consecutive_failures: condition.vital.consecutive_failures,
    });
    Json(conditions.collect())
}

async fn show(State(admin): State<Arc<Admin>>, Segment(id): Segment) -> Result<Json<CaDetail>, Problem> {
    let summary = admin.summaries().into_iter().find(|summary| summary.id == id);
    let current = admin.current();
    let ca = current.settings.cas.iter().find(|ca| ca.id == id);
    let (Some(summary), Some(ca)) = (summary, ca) else { return Err(unknown(&id)) };
    let chain = std::iter::once(&ca.certificate).chain(&ca.chain).map(ChainCertificate::of);
    Ok(Json(CaDetail { summary, certificate_chain: chain.collect() }))
}

async fn chain(State(admin): State<Arc<Admin>>, Segment(id): Segment) -> Result<impl IntoResponse, Problem> {
    let current = admin.current();
    let ca = current.settings.cas.iter().find(|ca| ca.id == id).ok_or_else(|| unknown(&id))?;
    let chain = std::iter::once(&ca.certificate).chain(&ca.chain);
    let text: String = chain.map(|certificate| pem::encode("CERTIFICATE", certificate.as_der())).collect();
    Ok(([(CONTENT_TYPE, "application/pem-certificate-chain")], text))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format_args!("CA with id '{id}' does not exist"))
}
