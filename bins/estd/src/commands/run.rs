//! `estd run`: serve.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use est_auth::Hashing;
use est_core::Site;
use est_store::{Database, LogUse, RegisteredCas, ServerEvent, StoreError};
use host::config::{self, Settings};
use host::ends::EndsLog;
use host::metrics::Metrics;
use host::sinks::{self, Sinks, StoredChains};
use host::{shell, wiring};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, timeout};
use tracing::{info, warn};

use crate::admin::{self, Admin};
use crate::cli::Run;
use crate::lock::Lock;
use crate::reload::Reloader;
use crate::server::{Admission, Bounds, Parts, Server, Tasks};
use crate::serving::{self, Base, Current, Serving};
use crate::trail::Trail;
use crate::{notify, output};

/// How often it is asked whether something was revoked, here or elsewhere.
const LOOK_AT_REVOCATIONS_EVERY: Duration = Duration::from_secs(2);
/// How long to wait before a database that could not be reached is tried again.
const TRY_TO_OPEN_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether something ends soon.
const LOOK_AT_ENDS_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether the database can be written to.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long the last audit records of the server may take to be written.
const WRITE_LAST_WORDS_WITHIN: Duration = Duration::from_secs(15);
/// How long audit records may take to leave when the server stops; the rest leaves after the next start.
const SHIP_THE_REST_WITHIN: Duration = Duration::from_secs(10);

/// What can be prepared, and so checked, without a database and a port.
pub(crate) fn prepare(settings: &Settings) -> Result<Site> {
    let site = host::site(settings, est_backends::algorithms())?;
    wiring::backends(settings, &site)?;
    settings.cas.iter().try_for_each(|ca| wiring::crl_keys(ca).map(drop))?;
    serving::check_tls(settings)?;
    sinks::Plan::new(&settings.audit)?;
    if settings.admin.enabled {
        admin::Current::of(Arc::new(settings.clone()), Value::Null).context("[admin]")?;
    }
    Ok(site)
}

/// Where to listen.
#[derive(Clone, Copy)]
pub(crate) struct Listen {
    /// For EST.
    pub(crate) est: SocketAddr,
    /// For the admin API, if it is enabled.
    pub(crate) admin: SocketAddr,
}

/// The addresses that were bound.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    /// EST's.
    pub(crate) est: SocketAddr,
    /// The admin API's, if it is enabled.
    pub(crate) admin: Option<SocketAddr>,
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// It has the configuration read again.
    Reload,
    /// What it does to any program in a terminal: it ends the server.
    End,
}

/// Serves what the file at `config` says, which are `settings`, until SIGTERM or SIGINT. `announce` is told the addresses once they are bound.
pub(crate) async fn serve(
    settings: Settings,
    config: &Path,
    listen: Listen,
    hangup: Hangup,
    announce: impl AsyncFnOnce(Bound, &Database) -> Result<()>,
) -> Result<()> {
    // From here on the signal ends nobody: one that comes early is acted upon once the server serves.
    let hangup = (hangup == Hangup::Reload).then(|| signal(SignalKind::hangup())).transpose()?;
    // Others may serve from a database server: their leases are alive.
    let _lock = settings.db.url.file().map(Lock::take).transpose()?;
    let store = open_store(&settings).await?;
    let is_file = settings.db.url.file().is_some();
    if is_file {
        store.serve_alone();
    } else {
        store.serve_as_node();
    }
    tell_store(&settings, &store).await?;
    let cas: Vec<&str> = settings.cas.iter().map(|ca| ca.id.as_str()).collect();
    let sinks = sinks::Plan::new(&settings.audit)?;
    let metrics = Arc::new(Metrics::new(&cas, env!("CARGO_PKG_VERSION")));
    let hashing = Arc::new(Hashing::default());
    measure(&metrics, &settings, &store, &hashing);
    let admission = Admission::new(Bounds::of(&settings), shell::seed()?);
    let tasks = Arc::new(Tasks::default());
    let base = Base { store: store.clone(), tasks, admission: admission.clone(), hashing, metrics: metrics.clone() };
    let current = Arc::new(Current::new(Serving::new(&settings, &base)?));
    let parts = Parts {
        current: current.clone(),
        admission: admission.clone(),
        tasks: base.tasks.clone(),
        metrics: metrics.clone(),
        store: store.clone(),
    };
    let mut server =
        Server::bind(listen.est, parts).await.with_context(|| format!("cannot listen on {}", listen.est))?;
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let shown = config::shown(&text);
    let admin = match settings.admin.enabled {
        true => {
            let administered = admin::Current::of(Arc::new(settings.clone()), shown).context("[admin]")?;
            let admin = Admin::new(administered, store.clone(), metrics.clone(), current.clone(), admission.clone());
            let bound = admin::Listener::bind(listen.admin, admin.clone()).await;
            let bound = bound.with_context(|| format!("cannot listen on {} (server.admin_listen)", listen.admin))?;
            Some((bound, admin))
        }
        false => None,
    };
    let (admin, administered) = admin.unzip();
    if let Some(http) = settings.server.http_listen {
        let bound = server.bind_plain(http).await.with_context(|| format!("cannot listen on {http}"))?;
        output::notice(format!("CRLs on http://{bound}/crl/"));
        info!(address = %bound, "serving CRLs over plain HTTP");
    }
    let stop = stop_on_signal(&store)?;
    let node = settings.server.node.clone();
    let trail = Trail::begin(&settings, config, &store).await?;
    let reloader = Reloader::new(config.to_owned(), &text, settings, base, current.clone(), administered.clone());
    let reloader = Arc::new(reloader);
    if let Some(administered) = &administered {
        administered.reload_by(reloader.clone().for_admin());
    }
    let address = server.local_addr()?;
    let bound = Bound { est: address, admin: admin.as_ref().map(admin::Listener::local_addr).transpose()? };
    store.note(ServerEvent::Startup, Some(format!("estd {} on {address}", env!("CARGO_PKG_VERSION")))).await?;
    let chains = StoredChains::new(store.clone(), node.as_str());
    let sinks = Sinks::spawn(Arc::new(chains), sinks, sinks::Pace::default())?;
    if let Some(administered) = &administered {
        administered.watch_sinks(sinks.watch());
    }
    info!(%address, admin = bound.admin.map(tracing::field::display), version = env!("CARGO_PKG_VERSION"), "serving");
    let ending = tokio::spawn(watch_ends(current.clone()));
    let publishing = tokio::spawn(publish_crls(current, LOOK_AT_REVOCATIONS_EVERY, stop.clone()));
    announce(bound, &store).await?;
    let admin = admin.map(|admin| tokio::spawn(admin.serve(stop.clone())));
    notify::ready(&format!("serving on {address}"));
    let probing = is_file.then(|| tokio::spawn(probe(store.clone())));
    if let Some(every) = notify::watchdog_interval() {
        let patience = (!is_file).then_some(every / 2);
        tokio::spawn(notify::keep_alive(store.clone(), every, patience));
    }
    let renewing = tokio::spawn(reloader.clone().keep_certificates());
    let reloading = hangup.map(|hangup| tokio::spawn(reloader.reload_at(hangup)));
    let tallying = tokio::spawn(admission.clone().keep_tally(store.clone()));
    server.serve(stop).await;
    tallying.abort();
    ending.abort();
    if let Some(probing) = probing {
        probing.abort();
    }
    renewing.abort();
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    publishing.await.context("the CRLs")?;
    if let Some(admin) = admin {
        admin.await.context("the admin API")?;
    }
    let last_words = async {
        admission.write_down(&store).await;
        store.note(ServerEvent::Shutdown, None).await?;
        trail.end().await
    };
    let written = timeout(WRITE_LAST_WORDS_WITHIN, last_words).await;
    sinks.close(SHIP_THE_REST_WITHIN).await;
    store.close().await;
    written.context("the database did not take the last audit records in time")??;
    info!("stopped");
    Ok(())
}

/// Opens the database. A server that cannot be reached is waited for: both may have been started together, and a service
/// manager that sees this one end again and again gives it up.
async fn open_store(settings: &Settings) -> Result<Database> {
    let mut is_known = false;
    loop {
        let error = match super::open_store(settings).await {
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::Unreachable(_))) => error,
            opened => return opened,
        };
        if !is_known {
            warn!(%error, "waiting for the database");
            is_known = true;
        }
        notify::waiting(&format!("waiting: {error}"), settings.db.connect_timeout + 60 * TRY_TO_OPEN_EVERY);
        tokio::time::sleep(TRY_TO_OPEN_EVERY).await;
    }
}

/// Tells the store which keys the CAs have, and how long requests wait.
///
/// # Errors
/// When it cannot be written down.
pub(crate) async fn tell_store(settings: &Settings, store: &Database) -> Result<(), StoreError> {
    let known = register(settings, store).await?;
    go_by(settings, known, store);
    Ok(())
}

/// Tells the store which keys the CAs have; it has yet to be told to [go by them](go_by).
///
/// # Errors
/// When it cannot be written down.
pub(crate) async fn register(settings: &Settings, store: &Database) -> Result<RegisteredCas, StoreError> {
    let known = store.register_cas(&host::configured_cas(settings), shell::now()).await?;
    for renamed in known.renamed() {
        warn!(from = renamed.from, to = renamed.to, "a CA has a new id: its certificates and CRLs belong to that");
    }
    Ok(known)
}

/// Has the store go by these CAs, and by how long requests wait.
pub(crate) fn go_by(settings: &Settings, known: RegisteredCas, store: &Database) {
    store.end_waiting_after(settings.waiting);
    store.go_by(known);
}

/// Has `metrics` show how busy the database and the hashing of passwords are.
fn measure(metrics: &Metrics, settings: &Settings, store: &Database, hashing: &Arc<Hashing>) {
    let pool = settings.db.max_connections.get() as f64;
    metrics.reading("ohia_database_pool_size", "Connections to the database, at most.", &[], move || pool);
    let counted = store.clone();
    let busy = move || counted.busy_connections() as f64;
    metrics.reading("ohia_database_pool_in_use", "Connections to the database that somebody uses.", &[], busy);
    if store.log().is_some() {
        let of = |read: fn(LogUse) -> u64| {
            let store = store.clone();
            move || store.log().map_or(0.0, |log| read(log) as f64)
        };
        let about = "Pages of 4 KiB in the write-ahead log of the SQLite database.";
        metrics.reading("ohia_database_log_pages", about, &[], of(|log| log.pages));
        let about =
            "How often the write-ahead log was copied into the SQLite database since the start, by how that ended.";
        let checkpoints = "ohia_database_checkpoints";
        metrics.reading(checkpoints, about, &[("result", "done")], of(|log| log.checkpoints));
        metrics.reading(checkpoints, about, &[("result", "failed")], of(|log| log.failures));
    }
    let about = "Hashes of passwords that are computed, and that wait for it.";
    let hashes = "ohia_password_hashes";
    let (running, waiting) = (hashing.clone(), hashing.clone());
    metrics.reading(hashes, about, &[("state", "running")], move || running.running() as f64);
    metrics.reading(hashes, about, &[("state", "waiting")], move || waiting.waiting() as f64);
}

/// `estd run`.
pub(crate) async fn run(settings: Settings, options: &Run) -> Result<()> {
    let server = &settings.server;
    let listen = Listen {
        est: options.listen.unwrap_or(server.listen),
        admin: options.admin_listen.unwrap_or(server.admin_listen),
    };
    serve(settings, &options.config.config, listen, Hangup::Reload, async |bound, _| {
        tell(bound);
        Ok(())
    })
    .await
}

/// Prints where the server listens. EST comes last: scripts wait for that line.
pub(crate) fn tell(bound: Bound) {
    if let Some(admin) = bound.admin {
        output::notice(format!("admin API on https://{admin}"));
    }
    output::notice(format!("listening on https://{}", bound.est));
}

/// Turns true at the first SIGTERM or SIGINT, or when the disk has failed under the database: nothing can be issued then
/// before somebody has looked after it.
fn stop_on_signal(store: &Database) -> Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let store = store.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = store.broken() => {}
        }
        // A handle to it: the database is closed when the last one is dropped.
        drop(store);
        notify::stopping();
        // Nobody listens any more only when the server has stopped already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

/// Has the database written to again and again, so that the log says when it cannot be, also while no client asks.
async fn probe(store: Database) {
    let mut ticks = tokio::time::interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // The writer logs what went wrong.
        let _ = store.probe().await;
    }
}

/// Logs what of that which is `current` ends soon, or has ended.
async fn watch_ends(current: Arc<Current>) {
    let mut log = EndsLog::default();
    let mut ticks = tokio::time::interval(LOOK_AT_ENDS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        log.look(&current.get().ends(), shell::now());
    }
}

/// Makes the CRLs of what is `current`, until the server is told to stop.
async fn publish_crls(current: Arc<Current>, every: Duration, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        current.get().publish_crls().await;
    }
}
