//! The audit trail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_core::UnixTime;
use est_store::{AuditFilter, UnixMicros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::endpoint::{Access, Endpoint};
use super::input::{Paging, Parameters, at_most, serial, time};
use super::problem::Problem;
use crate::view::{Outcome, Record};

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
    /// Not those of this name, or whose name begins with this and a dot: `admin.access` leaves out what operators read.
    #[schemars(regex(pattern = "^[a-z._]{1,64}$"))]
    without: Option<String>,
    /// Those that came about, or those that did not.
    outcome: Option<Outcome>,
    /// Those of this actor, or of those whose name goes on after this: `password tf5evn8xva`, `local:alice`.
    #[schemars(length(max = 255))]
    actor: Option<String>,
    /// Those with this CA.
    #[serde(alias = "ca")]
    #[schemars(length(max = 64))]
    ca_id: Option<String>,
    /// Those with this text in the actor or the reason, or about a certificate with it in its subject or subjectAltName.
    /// Also read as `subject`.
    #[serde(alias = "subject")]
    #[schemars(length(max = 255))]
    find: Option<String>,
    /// Those from this address.
    #[schemars(length(max = 64))]
    source: Option<String>,
    /// Those at this label.
    #[schemars(length(max = 255))]
    label: Option<String>,
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

async fn list(
    State(admin): State<Arc<Admin>>,
    Parameters(wanted): Parameters<ListEvents>,
) -> Result<Json<EventList>, Problem> {
    let paging = Paging::of(wanted.page, wanted.per_page, wanted.cursor.as_deref())?;
    for (name, event) in [("event", &wanted.event), ("without", &wanted.without)] {
        at_most(64, name, event)?;
        if !event.as_deref().is_none_or(is_event) {
            return Err(Problem::invalid(format_args!("{name}: write a dotted name, for example cert.issued")));
        }
    }
    at_most(255, "actor", &wanted.actor)?;
    at_most(64, "ca_id", &wanted.ca_id)?;
    at_most(255, "find", &wanted.find)?;
    at_most(64, "source", &wanted.source)?;
    at_most(255, "label", &wanted.label)?;
    let micros = |time: UnixTime| UnixMicros(time.0.saturating_mul(1_000_000));
    let filter = AuditFilter {
        event: wanted.event,
        without: wanted.without,
        success: wanted.outcome.map(|outcome| matches!(outcome, Outcome::Success)),
        serial: wanted.serial.as_deref().map(serial).transpose()?,
        since: wanted.start.map(|text| time("start", &text)).transpose()?.map(micros),
        before: wanted.end.map(|text| time("end", &text)).transpose()?.map(micros),
        actor: wanted.actor,
        ca: wanted.ca_id,
        containing: wanted.find,
        source: wanted.source,
        label: wanted.label,
    };
    let page = paging.read(|limit, after| admin.store.audit(filter.clone(), limit, after)).await?;
    Ok(Json(EventList {
        page: paging.page,
        per_page: paging.per_page,
        cursor: page.next.map(|next| next.to_string()),
        events: page.items.into_iter().map(Record::of).collect(),
    }))
}

fn is_event(event: &str) -> bool {
    !event.is_empty() && event.bytes().all(|octet| octet.is_ascii_lowercase() || b"._".contains(&octet))
}
