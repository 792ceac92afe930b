//! The configuration: shown without its secrets, and read again.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_store::Actor;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Admin;
use super::caller::Caller;
use super::endpoint::{Access, Endpoint};
use super::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/config", "Shows the configuration that is in force, without its secrets.")
            .only(Access::Auditor)
            .json::<Value>(StatusCode::OK, "Every section with its keys, as they were written or by default.")
            .by(show),
        Endpoint::post("/admin/reload", "Reads the configuration again, as SIGHUP does.")
            .json::<Reloaded>(StatusCode::OK, "The new configuration is in force.")
            .fails(&[StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT])
            .by(reload),
    ]
}

/// What came of reading the configuration again.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Reloaded {
    /// `reloaded`.
    pub(crate) status: &'static str,
    /// What is worth a second look, and what only a restart changes.
    pub(crate) warnings: Vec<String>,
}

/// Reads the configuration again on somebody's behalf, puts it in force and gives it to [`Admin::replace`]; or changes
/// nothing and tells every mistake.
pub(crate) type Reload =
    Box<dyn Fn(Actor) -> Pin<Box<dyn Future<Output = Result<Reloaded, Vec<String>>> + Send>> + Send + Sync>;

async fn show(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(admin.shown())
}

async fn reload(State(admin): State<Arc<Admin>>, caller: Caller) -> Result<Json<Reloaded>, Problem> {
    let Some(reload) = admin.reload.get() else {
        return Err(Problem::Conflict("this server reads its configuration when it is started".to_owned()));
    };
    reload(caller.actor).await.map(Json).map_err(Problem::Refused)
}
