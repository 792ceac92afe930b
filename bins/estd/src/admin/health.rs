//! Whether the server lives, is ready, and is well.

use axum::Json;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Access, Endpoint};

pub(super) fn endpoints() -> Vec<Endpoint> {
    ["/live", "/admin/live", "/admin/health/live"].map(live_at).into_iter().collect()
}

fn live_at(path: &'static str) -> Endpoint {
    Endpoint::get(path, "Whether the process runs.")
        .only(Access::Anybody)
        .unaudited()
        .json::<Probe>(StatusCode::OK, "It runs.")
        .by(live)
}

/// What a probe is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Probe {
    /// `ok`, or what is missing.
    status: &'static str,
}

async fn live() -> Json<Probe> {
    Json(Probe { status: "ok" })
}
