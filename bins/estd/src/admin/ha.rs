//! Pools of CAs. There are none in this version: each CA is on its own, and the answers say so.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::cas::CaState;
use super::endpoint::Endpoint;
use super::input::{Body, at_most};
use super::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/ha", "Shows the pools of CAs.")
            .unaudited()
            .json::<Pools>(StatusCode::OK, "The pools, and how the CAs do.")
            .by(show),
        Endpoint::post("/admin/ha/failover", "Has another CA of a pool issue from now on.")
            .body::<Failover>()
            .json::<Pools>(StatusCode::OK, "The pools as they are from now on.")
            .fails(&[
                StatusCode::BAD_REQUEST,
                StatusCode::CONFLICT,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ])
            .by(fail_over),
    ]
}

/// The pools of CAs.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Pools {
    /// Whether there are any.
    enabled: bool,
    /// How a CA is chosen, where there are.
    strategy: Option<&'static str>,
    /// Their names.
    groups: Vec<String>,
    /// How each CA does.
    cas: Vec<Member>,
}

/// How a CA does.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Member {
    /// Its id.
    id: String,
    /// How it does.
    status: CaState,
}

/// Which CA is to issue.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Failover {
    /// The pool.
    #[schemars(length(min = 1, max = 64))]
    group: String,
    /// The CA; the next one if it is left out.
    #[schemars(length(min = 1, max = 64))]
    ca_id: Option<String>,
}

async fn show(State(admin): State<Arc<Admin>>) -> Json<Pools> {
    let members = admin.conditions().into_iter().map(|condition| Member { id: condition.id, status: condition.state });
    Json(Pools { enabled: false, strategy: None, groups: Vec::new(), cas: members.collect() })
}

async fn fail_over(Body(wanted): Body<Failover>) -> Result<Json<Pools>, Problem> {
    let Failover { group, ca_id } = wanted;
    at_most(64, "ca_id", &ca_id)?;
    if group.is_empty() || group.chars().count() > 64 || ca_id.is_some_and(|id| id.is_empty()) {
        return Err(Problem::invalid("group and ca_id must be 1 to 64 characters long"));
    }
    Err(Problem::Conflict(format!("pool {group:?} is not known: this server has no pools, and each CA works alone")))
}
