//! Whether the server lives, is ready, and is well.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use est_core::UnixTime;
use host::ends::{End, Urgency, What};
use host::shell;
use host::sinks::Lag;
use schemars::JsonSchema;
use serde::Serialize;

use super::Admin;
use super::cas::{CaState, Condition};
use super::endpoint::{Access, Endpoint};
use super::input::Time;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let live = |path| {
        Endpoint::get(path, "Whether the process runs.")
            .only(Access::Anybody)
            .unaudited()
            .json::<Probe>(StatusCode::OK, "It runs.")
            .by(live)
    };
    let ready = |path| {
        Endpoint::get(path, "Whether the server can take requests.")
            .only(Access::Anybody)
            .unaudited()
            .json::<Probe>(StatusCode::OK, "It can.")
            .json::<Probe>(StatusCode::SERVICE_UNAVAILABLE, "It cannot, for now.")
            .by(ready)
    };
    let cas = |path| {
        Endpoint::get(path, "How each CA does.")
            .unaudited()
            .json::<BTreeMap<String, CaVital>>(StatusCode::OK, "The CAs by their ids.")
            .by(cas)
    };
    vec![
        live("/live"),
        live("/admin/live"),
        live("/admin/health/live"),
        ready("/ready"),
        ready("/admin/ready"),
        ready("/admin/health/ready"),
        cas("/health/ca"),
        cas("/admin/health/ca"),
        Endpoint::get("/admin/health", "How the server and its parts do.")
            .unaudited()
            .json::<Health>(StatusCode::OK, "Its health, good or bad.")
            .by(health),
    ]
}

/// What a probe is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Probe {
    /// `ok`, or what is missing.
    status: &'static str,
}

/// How the server does: as its worst part.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Health {
    /// All in one.
    status: Overall,
    /// The version that runs.
    version: &'static str,
    /// For how long it has run.
    uptime_seconds: u64,
    /// The CAs.
    cas: Vec<CaHealth>,
    /// The database.
    database: DatabaseHealth,
    /// The audit sinks: where audit records also go; null while the database does not answer.
    sinks: Option<Vec<SinkHealth>>,
    /// What ends: certificates and CRLs that the server depends on, the next to end first.
    ends: Vec<EndHealth>,
}

/// A certificate or a CRL that the server depends on.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct EndHealth {
    /// What it is: `tls`, `admin`, `ca`, `crl`, `trust-anchor` and so on.
    what: &'static str,
    /// Which one: a file, the id of a CA, or a subject.
    name: String,
    /// When it ends.
    not_after: Time,
    /// `healthy`, `degraded` from 30 days before its end on, or from the last third of its time if that is shorter, and
    /// once it has ended.
    status: Overall,
    /// When it ends and what to do, if something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl EndHealth {
    fn of(end: &End, now: UnixTime) -> Self {
        let status = if end.urgency(now) == Urgency::None { Overall::Healthy } else { Overall::Degraded };
        Self {
            what: end.what.name(),
            name: end.name.clone(),
            not_after: Time(end.not_after),
            status,
            error: end.told(now),
        }
    }
}

/// How well something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Overall {
    /// Nothing is wrong.
    Healthy,
    /// Something is wrong, and certificates are issued still.
    Degraded,
    /// No certificate is issued.
    Unhealthy,
}

/// How a CA does.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CaHealth {
    /// Its id.
    id: String,
    /// The first label that it serves; null for requests without one.
    label: Option<String>,
    /// How it does.
    status: CaState,
    /// When it last issued, since the server was started.
    last_sign_time: Option<Time>,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How the database does.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DatabaseHealth {
    /// `healthy`; `degraded` when its disk is almost full; `unhealthy` when it cannot be written to, or did not take the last
    /// change.
    status: Overall,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Which kind it is.
    backend: &'static str,
    /// How many connections there are at most.
    pool_size: usize,
    /// How many of them somebody uses.
    pool_in_use: usize,
}

/// How a sink of audit records does.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SinkHealth {
    /// Which: `file` or `syslog`.
    sink: &'static str,
    /// `healthy`, or `degraded` while it takes no records, and since the start if one could not be read.
    status: Overall,
    /// How many records, of all nodes, it has yet to take.
    lag: u64,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Lag> for SinkHealth {
    fn from(Lag { sink, records, problem, damage }: Lag) -> Self {
        let problem = problem.or(damage);
        let status = if problem.is_none() { Overall::Healthy } else { Overall::Degraded };
        Self { sink, status, lag: records, error: problem }
    }
}

/// How a CA does, to a monitor.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CaVital {
    /// How it does.
    status: CaState,
    /// When it was last asked to issue, since the server was started.
    last_check: Option<Time>,
    /// How many orders have failed since it last issued.
    consecutive_failures: u32,
}

async fn live() -> Json<Probe> {
    Json(Probe { status: "ok" })
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    if admin.database_answers().await.is_ok() {
        Json(Probe { status: "ok" }).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: "the database does not answer" })).into_response()
    }
}

async fn cas(State(admin): State<Arc<Admin>>) -> Json<BTreeMap<String, CaVital>> {
    let conditions = admin.conditions().into_iter().map(|Condition { id, state, vital, .. }| {
        let last_check = vital.last_check.map(Time);
        (id, CaVital { status: state, last_check, consecutive_failures: vital.consecutive_failures })
    });
    Json(conditions.collect())
}

async fn health(State(admin): State<Arc<Admin>>) -> Json<Health> {
    let current = admin.current();
    let conditions = admin.conditions();
    let is_over = conditions.iter().all(|condition| condition.is_over);
    let (database, database_error) = database(&admin).await;
    let cas = if is_over {
        Overall::Unhealthy
    } else if conditions.iter().any(|condition| condition.state != CaState::Healthy) {
        Overall::Degraded
    } else {
        Overall::Healthy
    };
    // Only the database tells how far they are.
    let sinks = admin.sinks().await.ok().map(|sinks| sinks.into_iter().map(SinkHealth::from).collect::<Vec<_>>());
    let worst_sink = sinks.iter().flatten().map(|sink| sink.status).max().unwrap_or(Overall::Healthy);
    let now = shell::now();
    let mut ends = admin.serving.get().ends();
    ends.sort_by_key(|end| end.not_after);
    let shown: Vec<&End> = ends.iter().filter(|end| end.what == What::Tls).collect();
    // Then no client gets a certificate that looks at the server's.
    let is_shown_over = !shown.is_empty() && shown.iter().all(|end| end.urgency(now) == Urgency::Over);
    let ends: Vec<EndHealth> = ends.iter().map(|end| EndHealth::of(end, now)).collect();
    let worst_end = match ends.iter().map(|end| end.status).max() {
        _ if is_shown_over => Overall::Unhealthy,
        worst => worst.unwrap_or(Overall::Healthy),
    };
    let listed = conditions.into_iter().map(|condition| CaHealth {
        id: condition.id,
        label: condition.labels.into_iter().next(),
        status: condition.state,
        last_sign_time: condition.vital.last_sign_time.map(Time),
        error: condition.error,
    });
    Json(Health {
        status: database.max(cas).max(worst_sink).max(worst_end),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: admin.started.elapsed().as_secs(),
        cas: listed.collect(),
        database: DatabaseHealth {
            status: database,
            error: database_error,
            backend: current.settings.db.url.kind(),
            pool_size: current.settings.db.max_connections.get(),
            pool_in_use: admin.store.busy_connections(),
        },
        sinks,
        ends,
    })
}

/// How the database does, and what is wrong.
async fn database(admin: &Admin) -> (Overall, Option<String>) {
    if let Err(why) = admin.database_answers().await {
        return (Overall::Unhealthy, Some(why.to_string()));
    }
    if let Some(trouble) = admin.store.trouble().filter(|trouble| trouble.at.elapsed() < TROUBLE_COUNTS_FOR) {
        let ago = trouble.at.elapsed().as_secs();
        return (Overall::Unhealthy, Some(format!("the last change, {ago} s ago, was not taken: {}", trouble.why)));
    }
    let current = admin.current();
    let Some(room) = current.settings.db.url.file().and_then(room_beside) else { return (Overall::Healthy, None) };
    if room < LEAST_ROOM {
        let text = format!("its disk has room for {} MiB only: nothing is issued when that is gone", room >> 20);
        return (Overall::Degraded, Some(text));
    }
    (Overall::Healthy, None)
}

/// How many octets more there is room for where this file is.
fn room_beside(file: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(file).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// For how long a change that was not taken counts, where none comes after it that is.
const TROUBLE_COUNTS_FOR: Duration = Duration::from_secs(60);
/// With less room than this, what is on its way may not fit: the write-ahead log alone takes up to 64 MiB.
const LEAST_ROOM: u64 = 64 << 20;

/// For how long an answer of the database counts: probes are for everybody, and must not become work.
pub(super) const PROBE_COUNTS_FOR: Duration = Duration::from_secs(1);
/// How long the database has for its answer.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_secs(2);
