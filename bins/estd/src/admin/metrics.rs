//! What is counted, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tracing::warn;

use super::Admin;
use super::cas::CaState;
use super::endpoint::{Content, Endpoint};
use super::problem::Problem;

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
    if let Err(problem) = admin.measure_sinks().await {
        warn!(?problem, "the metrics say of audit sinks what they said before");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.exposition())
}

impl Admin {
    /// How far the sinks of this node are behind its audit trail.
    async fn measure_sinks(&self) -> Result<(), Problem> {
        let current = self.current();
        let (node, audit) = (&current.settings.server.node, &current.settings.audit);
        let sinks = [("file", audit.file.is_some()), ("syslog", audit.syslog.is_some())];
        for (sink, _) in sinks.into_iter().filter(|(_, is_there)| *is_there) {
            let last = self.store.chain_end(node).await?.map_or(0, |end| end.sequence);
            let taken = self.store.sink_position(node, sink).await?;
            self.metrics.sink_lag(sink, last.saturating_sub(taken));
        }
        Ok(())
    }
}
