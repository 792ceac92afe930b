//! What is counted, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tracing::debug;

use super::Admin;
use super::cas::CaState;
use super::endpoint::{Content, Endpoint};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/metrics", "Gives what is counted, in the text format of Prometheus.")
            .unaudited()
            .answer(StatusCode::OK, "Text format 0.0.4.", Content::Text("text/plain"))
            .by(show),
    ]
}

async fn show(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    for condition in admin.conditions() {
        admin.metrics.health(&condition.id, condition.state == CaState::Healthy);
    }
    for (ca, next_update) in admin.serving.get().crls.published().ends() {
        admin.metrics.crl_ends(ca, next_update);
    }
    admin.metrics.ends(&admin.serving.get().ends());
    match admin.sinks().await {
        Ok(sinks) => sinks.iter().for_each(|lag| admin.metrics.sink(lag.sink, lag.records, lag.problem.is_none())),
        // The health and the log tell of the database.
        Err(error) => debug!(%error, "audit sink metrics are stale"),
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.exposition())
}
