//! The admin API: what operators do from elsewhere, on a listener of its own.
//!
//! [`endpoint::Endpoint`]s say what there is; [`guard`] checks each call first; [`caller`] is the operator that calls.

mod audit;
mod caller;
mod cas;
mod census;
mod certs;
mod chain;
mod configuration;
mod crls;
mod endpoint;
mod guard;
mod ha;
mod health;
mod input;
mod listener;
mod lockouts;
mod metrics;
mod openapi;
mod otp;
mod overview;
mod problem;
mod repeated;
mod requests;
mod session;
mod throttle;
mod ui;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use anyhow::Result;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::{Json, Router};
use est_core::PortError;
use est_store::{Actor, AdminEvent, Census, Database, Method};
use host::config::{AdminAuth, Settings};
use host::metrics::Metrics;
use host::sinks::{Lag, SinkWatch};
use host::wiring;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::Mutex;

pub(crate) use configuration::{Reload, Reloaded};
pub(crate) use listener::Listener;
pub(crate) use requests::{LONGEST_COMMENT, NEEDS_ANOTHER};

use crate::server::Admission;
use crate::serving;
use crate::tls::{self, ClientCertificates, TlsOptions};
use caller::Door;
use endpoint::{Access, Endpoint};
use guard::Rule;
use problem::Problem;
use repeated::RepeatedReads;
use session::Sessions;
use throttle::Throttle;

/// What the admin API works with.
pub(crate) struct Admin {
    current: RwLock<Arc<Current>>,
    store: Database,
    metrics: Arc<Metrics>,
    /// What EST serves: its CRLs.
    serving: Arc<serving::Current>,
    sinks: OnceLock<SinkWatch>,
    reload: OnceLock<Reload>,
    /// What tells which failures are counted instead of written down.
    admission: Arc<Admission>,
    requests: Throttle,
    failures: Throttle,
    sessions: Sessions,
    reads: RepeatedReads,
    /// When the database was last asked whether it writes, and what it answered.
    probed: Mutex<Option<(Instant, Answer)>>,
    census: RwLock<Option<Vec<Census>>>,
    started: Instant,
}

/// Whether the database writes, or why it does not.
type Answer = Result<(), Arc<str>>;

/// The configuration, and what was made of it.
pub(crate) struct Current {
    settings: Arc<Settings>,
    tls: Arc<ServerConfig>,
    door: Door,
    /// The configuration file, as it may be shown.
    shown: Value,
}

impl Current {
    /// Makes it of settings, and of the file that they were read from as [`shown`](host::config::shown) shows it.
    ///
    /// # Errors
    /// When a key or a trust anchor cannot be used.
    pub(crate) fn of(settings: Arc<Settings>, shown: Value) -> Result<Self> {
        let admin = &settings.admin;
        let certificates = match &admin.certificate {
            Some(own) => vec![wiring::tls_certificate(own)?],
            None => wiring::tls_certificates(&settings.tls)?,
        };
        let client_certificates = match admin.auth {
            AdminAuth::Bearer => ClientCertificates::None,
            AdminAuth::Mtls | AdminAuth::Both => ClientCertificates::Optional,
        };
        let tls = tls::server_config(TlsOptions {
            certificates,
            only_tls13: settings.tls.min_version == host::config::TlsVersion::V1_3,
            tls12_suites: settings.tls.cipher_suites.clone(),
            client_certificates,
            session_tickets: settings.tls.session_tickets,
        })?;
        let door = Door::new(&settings)?;
        Ok(Self { tls: Arc::new(tls), door, settings, shown })
    }
}

impl Admin {
    /// Puts it together.
    pub(crate) fn new(
        current: Current,
        store: Database,
        metrics: Arc<Metrics>,
        serving: Arc<serving::Current>,
        admission: Arc<Admission>,
    ) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            current: RwLock::new(Arc::new(current)),
            store,
            metrics,
            serving,
            sinks: OnceLock::new(),
            reload: OnceLock::new(),
            admission,
            requests: Throttle::new(now),
            failures: Throttle::new(now),
            sessions: Sessions::default(),
            reads: RepeatedReads::default(),
            probed: Mutex::new(None),
            census: RwLock::new(None),
            started: now,
        })
    }

    /// Works with another configuration from the next request and the next connection on.
    pub(crate) fn replace(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
    }

    /// The configuration that is in force, as it may be shown.
    pub(crate) fn shown(&self) -> Value {
        self.current().shown.clone()
    }

    fn current(&self) -> Arc<Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has `POST /admin/reload` do this; what was said first stays.
    pub(crate) fn reload_by(&self, reload: Reload) {
        let _ = self.reload.set(reload);
    }

    /// Tells from now on how these sinks are doing; those that were said first stay.
    pub(crate) fn watch_sinks(&self, sinks: SinkWatch) {
        let _ = self.sinks.set(sinks);
    }

    /// How the audit sinks are doing.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn sinks(&self) -> Result<Vec<Lag>, PortError> {
        match self.sinks.get() {
            Some(sinks) => sinks.lag().await,
            None => Ok(Vec::new()),
        }
    }

    /// Whether the database writes, as far as was asked within the last second; or why it does not.
    async fn database_answers(&self) -> Answer {
        let mut probed = self.probed.lock().await;
        if let Some((at, answer)) = &*probed
            && at.elapsed() < health::PROBE_COUNTS_FOR
        {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(health::PROBE_PATIENCE, self.store.probe()).await {
            Ok(probe) => probe.map_err(|error| error.to_string().into()),
            Err(_) => Err(format!("it does not answer within {} s", health::PROBE_PATIENCE.as_secs()).into()),
        };
        *probed = Some((Instant::now(), answer.clone()));
        answer
    }

    /// Writes down that somebody was let in, or was not for lack of a role.
    async fn note_access(&self, actor: &Actor, what: &str, allowed: bool) -> Result<(), Problem> {
        let event = if allowed { AdminEvent::Allowed } else { AdminEvent::Denied };
        Ok(self.store.note_admin(event, what.to_owned(), actor).await?)
    }

    /// Writes down that somebody showed a credential that does not hold.
    async fn note_failure(&self, source: &str, method: Method, reason: &str) -> Result<(), Problem> {
        let stranger = Actor { name: "admin:unknown".to_owned(), method, source: Some(source.to_owned()) };
        Ok(self.store.note_admin(AdminEvent::Rejected, reason.to_owned(), &stranger).await?)
    }
}

/// Every endpoint.
fn endpoints() -> Vec<Endpoint> {
    let own = Endpoint::get("/admin/openapi.json", "Describes this API in OpenAPI 3.1.")
        .only(Access::Anybody)
        .unaudited()
        .json::<Value>(StatusCode::OK, "The description.")
        .by(async || Json(openapi::document(endpoints())));
    let parts = [
        health::endpoints(),
        cas::endpoints(),
        crls::endpoints(),
        ha::endpoints(),
        otp::endpoints(),
        lockouts::endpoints(),
        certs::endpoints(),
        requests::endpoints(),
        audit::endpoints(),
        chain::endpoints(),
        configuration::endpoints(),
        metrics::endpoints(),
        overview::endpoints(),
        session::endpoints(),
        vec![own],
    ];
    parts.into_iter().flatten().collect()
}

fn router(admin: &Arc<Admin>) -> Router {
    let mut router = Router::new();
    for endpoint in endpoints() {
        let rule = Rule { admin: admin.clone(), access: endpoint.access, audited: endpoint.audited };
        let handler = endpoint.handler.route_layer(from_fn_with_state(Arc::new(rule), guard::pass));
        router = router.route(endpoint.path, handler);
    }
    router
        .merge(ui::router())
        .fallback(async || Problem::not_found("there is nothing here: GET /admin/openapi.json lists what there is"))
        .method_not_allowed_fallback(async || Problem::NoSuchMethod)
        .layer(from_fn_with_state(admin.clone(), guard::count))
        .layer(map_response(guard::with_security_headers))
        .with_state(admin.clone())
}
