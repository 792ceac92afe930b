//! `estd run`: serve.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use est_auth::PathValidator;
use est_core::Site;
use est_core::tower::Est;
use est_store::{Database, ServerEvent};
use host::config::{self, ClientAuthMode, Settings, TlsVersion};
use host::crl_publisher::CrlPublisher;
use host::crls::CrlFiles;
use host::metrics::{Metrics, measured};
use host::shell::{self, ServerShell};
use host::sinks::{self, Sinks, StoredChain};
use host::spans;
use host::wiring::{self, ClientPaths, Services};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

use crate::admin::{self, Admin};
use crate::cli::Run;
use crate::lock::Lock;
use crate::server::{Crls, Limits, Parts, Proxies, Server, Tasks};
use crate::tls::{self, ClientCertificates, TlsOptions};
use crate::trail::Trail;
use crate::{notify, output};

/// How often the CRLs are looked at.
const LOOK_AT_CRLS_EVERY: Duration = Duration::from_secs(2);
/// How often it is asked whether something was revoked, here or elsewhere.
const LOOK_AT_REVOCATIONS_EVERY: Duration = Duration::from_secs(2);
/// How long audit records may take to leave when the server stops; the rest leaves after the next start.
const SHIP_THE_REST_WITHIN: Duration = Duration::from_secs(10);

/// What can be prepared, and so checked, without a database and a port.
pub(crate) fn prepare(settings: &Settings) -> Result<Site> {
    let site = host::site(settings, est_backends::algorithms())?;
    wiring::backends(settings, &site)?;
    let paths = wiring::client_paths(settings)?;
    tls_config(settings, paths.as_ref())?;
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

/// Serves until SIGTERM or SIGINT. `announce` is told the addresses once they are bound.
pub(crate) async fn serve(
    settings: &Settings,
    config: &Path,
    listen: Listen,
    announce: impl AsyncFnOnce(Bound, &Database) -> Result<()>,
) -> Result<()> {
    let site = host::site(settings, est_backends::algorithms())?;
    // Others may serve from a database server: their leases are alive.
    let _lock = settings.db.url.file().map(Lock::take).transpose()?;
    let store = super::open_store(settings)?;
    if settings.db.url.file().is_some() {
        store.serve_alone().await?;
    }
    let cas: Vec<&str> = settings.cas.iter().map(|ca| ca.id.as_str()).collect();
    let sinks = sinks::Plan::new(&settings.audit)?;
    let metrics = Arc::new(Metrics::new(&cas, env!("CARGO_PKG_VERSION")));
    let pool = settings.db.max_connections.get() as f64;
    metrics.reading("ohia_database_pool_size", "Connections to the database, at most.", &[], move || pool);
    let Services { ports, paths } = wiring::services(settings, &site, &store)?;
    let ports = measured(ports, &metrics);
    let tls = Arc::new(tls_config(settings, paths.as_ref())?);
    let tasks = Arc::new(Tasks::default());
    let spawner = tasks.clone();
    let shell = Arc::new(ServerShell::new(site, move |task| spawner.spawn(spans::inherited(task))));
    let limits = Limits {
        header_bytes: settings.limits.header_bytes,
        handshake_timeout: settings.limits.handshake_timeout,
        request_timeout: settings.limits.request_timeout,
        idle_timeout: settings.limits.idle_timeout,
        max_connections: settings.limits.max_connections.get(),
    };
    let publisher = CrlPublisher::new(&settings.cas, &store);
    let parts = Parts {
        tls,
        crls: Crls::new(publisher.published()),
        est: Est::new(shell, ports, settings.server.max_body_bytes),
        tasks,
        limits,
        proxies: Proxies::new(settings.server.proxies.clone()),
        shutdown_timeout: settings.server.shutdown_timeout,
        metrics: metrics.clone(),
    };
    let mut server =
        Server::bind(listen.est, parts).await.with_context(|| format!("cannot listen on {}", listen.est))?;
    let shown = config::shown(&std::fs::read_to_string(config).unwrap_or_default());
    let admin = match settings.admin.enabled {
        true => Some(bind_admin(settings, shown, listen.admin, &store, &metrics).await?),
        false => None,
    };
    if let Some(http) = settings.server.http_listen {
        let bound = server.bind_plain(http).await.with_context(|| format!("cannot listen on {http}"))?;
        output::line(format!("CRLs on http://{bound}/crl/"));
        info!(address = %bound, "serving CRLs over plain HTTP");
    }
    let stop = stop_on_signal()?;
    let address = server.local_addr()?;
    let trail = Trail::begin(settings, config, &store).await?;
    let bound = Bound { est: address, admin: admin.as_ref().map(admin::Listener::local_addr).transpose()? };
    store.note(ServerEvent::Startup, Some(format!("estd {} on {address}", env!("CARGO_PKG_VERSION")))).await?;
    let chain = StoredChain::new(store.clone(), settings.server.node.as_str());
    let sinks = Sinks::spawn(Arc::new(chain), sinks, sinks::Pace::default())?;
    info!(%address, admin = bound.admin.map(tracing::field::display), version = env!("CARGO_PKG_VERSION"), "serving");
    if let Some(ClientPaths { validator, crls: Some(files) }) = paths {
        tokio::spawn(keep_crls_fresh(files, validator, LOOK_AT_CRLS_EVERY));
    }
    let publishing = tokio::spawn(publish_crls(publisher, LOOK_AT_REVOCATIONS_EVERY, stop.clone()));
    announce(bound, &store).await?;
    let admin = admin.map(|admin| tokio::spawn(admin.serve(stop.clone())));
    notify::ready(&format!("serving on {address}"));
    if let Some(every) = notify::watchdog_interval() {
        tokio::spawn(notify::keep_alive(store.clone(), every));
    }
    server.serve(stop).await;
    publishing.await.context("the CRLs")?;
    if let Some(admin) = admin {
        admin.await.context("the admin API")?;
    }
    store.note(ServerEvent::Shutdown, None).await?;
    trail.end().await?;
    sinks.close(SHIP_THE_REST_WITHIN).await;
    store.close().await;
    info!("stopped");
    Ok(())
}

/// `estd run`.
pub(crate) async fn run(settings: Settings, options: &Run) -> Result<()> {
    let server = &settings.server;
    let listen = Listen {
        est: options.listen.unwrap_or(server.listen),
        admin: options.admin_listen.unwrap_or(server.admin_listen),
    };
    serve(&settings, &options.config.config, listen, async |bound, _| {
        tell(bound);
        Ok(())
    })
    .await
}

/// Prints where the server listens; EST comes last, for whoever waits for it.
pub(crate) fn tell(bound: Bound) {
    if let Some(admin) = bound.admin {
        output::line(format!("admin API on https://{admin}"));
    }
    output::line(format!("listening on https://{}", bound.est));
}

async fn bind_admin(
    settings: &Settings,
    shown: Value,
    listen: SocketAddr,
    store: &Database,
    metrics: &Arc<Metrics>,
) -> Result<admin::Listener> {
    let current = admin::Current::of(Arc::new(settings.clone()), shown).context("[admin]")?;
    let admin = Admin::new(current, store.clone(), metrics.clone());
    let bound = admin::Listener::bind(listen, admin).await;
    bound.with_context(|| format!("cannot listen on {listen} (server.admin_listen)"))
}

/// Turns true at the first SIGTERM or SIGINT.
fn stop_on_signal() -> Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify::stopping();
        // Nobody listens any more only when the server has stopped already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

/// Looks at the CRLs again and again, until the server ends.
async fn keep_crls_fresh(mut files: CrlFiles, validator: Arc<PathValidator>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let validator = validator.clone();
        let look = tokio::task::spawn_blocking(move || {
            files.look_for(&validator);
            files
        });
        match look.await {
            Ok(looked) => files = looked,
            Err(error) => return error!(%error, "the CRLs are looked at no more"),
        }
    }
}

/// Makes CRLs until the server is told to stop.
async fn publish_crls(mut publisher: CrlPublisher, every: Duration, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        // Reading a key and listing what was revoked may take a while.
        let runtime = Handle::current();
        let look = tokio::task::spawn_blocking(move || {
            runtime.block_on(publisher.look(shell::now()));
            publisher
        });
        match look.await {
            Ok(looked) => publisher = looked,
            Err(error) => return error!(%error, "no more CRLs are made"),
        }
    }
}

fn tls_config(settings: &Settings, paths: Option<&ClientPaths>) -> Result<ServerConfig> {
    let tls = &settings.tls;
    let client_certificates = match (tls.client_auth.mode, paths) {
        (ClientAuthMode::Required, Some(paths)) => {
            let validator = paths.validator.clone();
            ClientCertificates::Required(Arc::new(move |chain, now| validator.validate(chain, now).is_ok()))
        }
        (ClientAuthMode::Optional | ClientAuthMode::RequiredForReenroll, Some(_)) => ClientCertificates::Optional,
        (_, None) | (ClientAuthMode::None, _) => ClientCertificates::None,
    };
    let options = TlsOptions {
        certificates: wiring::tls_certificates(tls)?,
        only_tls13: tls.min_version == TlsVersion::V1_3,
        tls12_suites: tls.cipher_suites.clone(),
        client_certificates,
    };
    tls::server_config(options).context("[tls]")
}
