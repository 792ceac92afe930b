//! What the operator page shows first: the caller, and how many certificates were issued lately.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_core::{Seconds, UnixTime};
use host::config::Role;
use host::shell;
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::Time;
use super::problem::Problem;

/// How far back the statistics go.
const HOURS: u64 = 24;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/whoami", "Gives the caller's name and role.")
            .unaudited()
            .json::<Identity>(StatusCode::OK, "The caller.")
            .by(whoami),
        Endpoint::get("/admin/statistics", "Counts the certificates of the last 24 hours, by the hour.")
            .unaudited()
            .json::<Statistics>(StatusCode::OK, "The counts.")
            .by(statistics),
    ]
}

/// The caller, and where they are.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Identity {
    /// Who it is, as the audit trail writes it.
    name: String,
    /// What they may do.
    role: RoleName,
    /// What this installation is called (`admin.title`).
    title: Option<String>,
    /// The labels of EST that there are.
    labels: Vec<String>,
}

/// What a caller may do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Role")]
enum RoleName {
    /// Everything.
    Operator,
    /// Read everything.
    Auditor,
    /// Read all but the audit trail and the configuration.
    Viewer,
}

/// How many certificates were issued when.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Statistics {
    /// The last 24 hours, the one that is under way at the end.
    hours: Vec<Hour>,
}

/// An hour.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Hour {
    /// When it begins.
    start: Time,
    /// How many certificates were issued in it.
    issued: u64,
}

impl Identity {
    pub(super) fn of(admin: &Admin, caller: &Caller) -> Self {
        let role = match caller.role {
            Role::Operator => RoleName::Operator,
            Role::Auditor => RoleName::Auditor,
            Role::Viewer => RoleName::Viewer,
        };
        let settings = &admin.current().settings;
        let labels = settings.labels.iter().map(|label| label.name.clone()).collect();
        Self { name: caller.actor.name.clone(), role, title: settings.admin.title.clone(), labels }
    }
}

async fn whoami(State(admin): State<Arc<Admin>>, caller: Caller) -> Json<Identity> {
    Json(Identity::of(&admin, &caller))
}

async fn statistics(State(admin): State<Arc<Admin>>) -> Result<Json<Statistics>, Problem> {
    const HOUR: u64 = 3_600;
    let last = UnixTime(shell::now().0 / HOUR * HOUR);
    let first = UnixTime(last.0.saturating_sub((HOURS - 1) * HOUR));
    let counted = admin.store.issued_per_hour(first).await?;
    let hours = (0..HOURS).map(|number| {
        let start = first + Seconds(number * HOUR);
        let issued = counted.iter().find(|(hour, _)| *hour == start).map_or(0, |(_, issued)| *issued);
        Hour { start: Time(start), issued }
    });
    Ok(Json(Statistics { hours: hours.collect() }))
}
