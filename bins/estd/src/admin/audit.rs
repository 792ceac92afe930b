//! The audit trail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_core::UnixTime;
use est_store::{AuditFilter, AuditRecord, Method, UnixMicros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::endpoint::{Access, Endpoint};
use super::input::{Paging, Parameters, at_most, serial, time};
use super::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/audit", "Searches the audit trail.")
            .only(Access::Auditor)
            .query::<ListEvents>()
            .json::<EventList>(StatusCode::OK, "Events, the latest first.")
            .fails(&[StatusCode::BAD_REQUEST])
            .by(list),
    ]
}

/// Which events to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListEvents {
    /// Those of this name, or whose name begins with this and a dot: `cert.issued`, `otp`. Also read as `action`.
    #[serde(alias = "action")]
    #[schemars(regex(pattern = "^[a-z._]{1,64}$"))]
    event: Option<String>,
    /// Those that came about, or those that did not.
    outcome: Option<Outcome>,
    /// Those of this actor, as the trail writes it.
    #[schemars(length(max = 255))]
    actor: Option<String>,
    /// Those with this CA.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
    /// Those about the certificate with this serial number.
    #[schemars(regex(pattern = super::openapi::SERIAL))]
    serial: Option<String>,
    /// Those at this time or later.
    #[schemars(extend("format" = "date-time"))]
    start: Option<String>,
    /// Those before this time.
    #[schemars(extend("format" = "date-time"))]
    end: Option<String>,
    /// The number of the page.
    #[schemars(range(min = 1, max = 100))]
    page: Option<u32>,
    /// How many at most.
    #[serde(alias = "limit")]
    #[schemars(range(min = 1, max = 500))]
    per_page: Option<u32>,
    /// Where to go on, as a listing before said; goes before `page`.
    #[schemars(regex(pattern = "^[0-9]{1,18}$"))]
    cursor: Option<String>,
}

/// Whether what was attempted came about.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Success,
    Failure,
}

/// A page of events.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct EventList {
    /// The number of this page; 1 after a cursor.
    page: u32,
    /// How many there are on a page at most.
    per_page: u32,
    /// Where the next page begins; null after the last.
    cursor: Option<String>,
    /// The events.
    events: Vec<Record>,
}

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event", deny_unknown_fields)]
pub(super) struct Record {
    /// Its place in the trail.
    number: u64,
    /// When it was written down.
    #[schemars(extend("format" = "date-time"))]
    timestamp: String,
    /// What happened.
    event: String,
    /// Whether it came about.
    outcome: Outcome,
    /// Who did it.
    actor: Option<String>,
    /// From what address.
    source: Option<String>,
    /// At what label.
    label: Option<String>,
    /// With what CA.
    ca_id: Option<String>,
    /// How they had shown who they are.
    method: Option<&'static str>,
    /// What else there is to say.
    reason: Option<String>,
    /// The serial number of the certificate that it is about.
    serial: Option<String>,
    /// The SHA-256 of that certificate.
    fingerprint: Option<String>,
}

impl Record {
    pub(super) fn of(record: AuditRecord) -> Self {
        Self {
            number: record.number,
            timestamp: record.at.to_string(),
            event: record.event,
            outcome: if record.success { Outcome::Success } else { Outcome::Failure },
            actor: record.actor,
            source: record.source,
            label: record.label,
            ca_id: record.ca,
            method: record.method.map(Method::name),
            reason: record.reason,
            serial: record.serial.map(|serial| serial.to_string()),
            fingerprint: record.fingerprint.map(|fingerprint| fingerprint.to_string()),
        }
    }
}

async fn list(
    State(admin): State<Arc<Admin>>,
    Parameters(wanted): Parameters<ListEvents>,
) -> Result<Json<EventList>, Problem> {
    let paging = Paging::of(wanted.page, wanted.per_page, wanted.cursor.as_deref())?;
    at_most(64, "event", &wanted.event)?;
    at_most(255, "actor", &wanted.actor)?;
    at_most(64, "ca_id", &wanted.ca_id)?;
    let is_event = |event: &String| {
        !event.is_empty() && event.bytes().all(|octet| octet.is_ascii_lowercase() || b"._".contains(&octet))
    };
    if !wanted.event.as_ref().is_none_or(is_event) {
        return Err(Problem::invalid("event: write a dotted name, cert.issued say"));
    }
    let micros = |time: UnixTime| UnixMicros(time.0.saturating_mul(1_000_000));
    let filter = AuditFilter {
        event: wanted.event,
        success: wanted.outcome.map(|outcome| matches!(outcome, Outcome::Success)),
        serial: wanted.serial.as_deref().map(serial).transpose()?,
        since: wanted.start.map(|text| time("start", &text)).transpose()?.map(micros),
        before: wanted.end.map(|text| time("end", &text)).transpose()?.map(micros),
        actor: wanted.actor,
        ca: wanted.ca_id,
        ..AuditFilter::default()
    };
    let page = paging.read(|limit, after| admin.store.audit(filter.clone(), limit, after)).await?;
    Ok(Json(EventList {
        page: paging.page,
        per_page: paging.per_page,
        cursor: page.next.map(|next| next.to_string()),
        events: page.items.into_iter().map(Record::of).collect(),
    }))
}
