//! Failures with passwords, and lockouts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use est_store::Failures;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Body, Time};
use super::problem::Problem;

/// How many are listed.
const LISTED: u32 = 500;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/lockouts", "Lists what wrong passwords count against, and the lockouts.")
            .unaudited()
            .json::<Lockouts>(StatusCode::OK, "The latest 500, the last failure first.")
            .by(list),
        Endpoint::post("/admin/lockouts/unlock", "Forgets the wrong passwords that count against somebody.")
            .body::<Unlock>()
            .json::<Unlocked>(StatusCode::OK, "They are not locked out any more.")
            .fails(&[
                StatusCode::BAD_REQUEST,
                StatusCode::NOT_FOUND,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ])
            .by(unlock),
    ]
}

/// The user names, passwords and addresses that wrong passwords count against.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Lockouts {
    /// One for each user name, password and address.
    lockouts: Vec<Lockout>,
}

/// Wrong passwords that count against somebody.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Lockout {
    /// What they count against: `user NAME`, `password ID` or `address NETWORK`.
    who: String,
    /// How many there were.
    failures: u32,
    /// When the last one was.
    last: Time,
    /// Until when they are, or were, locked out.
    locked_until: Option<Time>,
}

/// Whom to unlock.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Unlock {
    /// As the list writes it.
    #[schemars(length(min = 1, max = 512))]
    who: String,
}

/// Who was unlocked.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Unlocked {
    /// As the list wrote it.
    unlocked: Vec<String>,
}

async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Lockouts>, Problem> {
    let failures = admin.store.failures(LISTED).await?;
    let lockouts = failures.into_iter().map(|Failures { who, count, last, locked_until }| Lockout {
        who,
        failures: count,
        last: Time(last),
        locked_until: locked_until.map(Time),
    });
    Ok(Json(Lockouts { lockouts: lockouts.collect() }))
}

async fn unlock(
    State(admin): State<Arc<Admin>>,
    caller: Caller,
    Body(Unlock { who }): Body<Unlock>,
) -> Result<Json<Unlocked>, Problem> {
    if !(1..=512).contains(&who.chars().count()) {
        return Err(Problem::invalid("who must be 1 to 512 characters long"));
    }
    let unlocked = admin.store.unlock(vec![who.clone()], &caller.actor).await?;
    if unlocked.is_empty() {
        return Err(Problem::not_found(format_args!(
            "no failures count against {who:?}: GET /admin/lockouts lists what they count against"
        )));
    }
    Ok(Json(Unlocked { unlocked }))
}
