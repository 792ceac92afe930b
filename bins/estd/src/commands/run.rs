//! `estd run`: serve.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use est_auth::PathValidator;
use est_core::Site;
use est_core::tower::Est;
use est_store::{Database, ServerEvent};
use host::config::{ClientAuthMode, Settings, TlsVersion};
use host::crl_publisher::CrlPublisher;
use host::crls::CrlFiles;
use host::shell::{self, ServerShell};
use host::spans;
use host::wiring::{self, ClientPaths, Services};
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{error, info};

use crate::lock::Lock;
use crate::server::{Crls, Limits, Parts, Proxies, Server, Tasks};
use crate::tls::{self, ClientCertificates, TlsOptions};
use crate::{notify, output};

/// How often the CRLs are looked at.
const LOOK_AT_CRLS_EVERY: Duration = Duration::from_secs(2);
/// How often it is asked whether something was revoked, here or elsewhere.
const LOOK_AT_REVOCATIONS_EVERY: Duration = Duration::from_secs(2);

/// What can be prepared, and so checked, without a database and a port.
pub(crate) fn prepare(settings: &Settings) -> Result<Site> {
    let site = host::site(settings, est_backends::algorithms())?;
    wiring::backends(settings, &site)?;
    let paths = wiring::client_paths(settings)?;
    tls_config(settings, paths.as_ref())?;
    Ok(site)
}

/// Serves until SIGTERM or SIGINT. `announce` is told the address once it is bound.
pub(crate) async fn serve(
    settings: &Settings,
    listen: SocketAddr,
    announce: impl AsyncFnOnce(SocketAddr, &Database) -> Result<()>,
) -> Result<()> {
    let site = host::site(settings, est_backends::algorithms())?;
    let _lock = Lock::take(&settings.db.path)?;
    let store = super::open_store(settings)?;
    store.serve_alone().await?;
    let Services { ports, paths } = wiring::services(settings, &site, &store)?;
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
    };
    let mut server = Server::bind(listen, parts).await.with_context(|| format!("cannot listen on {listen}"))?;
    if let Some(http) = settings.server.http_listen {
        let bound = server.bind_plain(http).await.with_context(|| format!("cannot listen on {http}"))?;
        output::line(format!("CRLs on http://{bound}/crl/"));
        info!(address = %bound, "serving CRLs over plain HTTP");
    }
    let stop = stop_on_signal()?;
    let address = server.local_addr()?;
    store.note(ServerEvent::Startup, Some(format!("estd {} on {address}", env!("CARGO_PKG_VERSION")))).await?;
    info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    if let Some(ClientPaths { validator, crls: Some(files) }) = paths {
        tokio::spawn(keep_crls_fresh(files, validator, LOOK_AT_CRLS_EVERY));
    }
    let publishing = tokio::spawn(publish_crls(publisher, LOOK_AT_REVOCATIONS_EVERY, stop.clone()));
    announce(address, &store).await?;
    notify::ready(&format!("serving on {address}"));
    if let Some(every) = notify::watchdog_interval() {
        tokio::spawn(notify::keep_alive(store.clone(), every));
    }
    server.serve(stop).await;
    publishing.await.context("the CRLs")?;
    store.note(ServerEvent::Shutdown, None).await?;
    store.close().await;
    info!("stopped");
    Ok(())
}

/// `estd run`.
pub(crate) async fn run(settings: Settings, listen: Option<SocketAddr>) -> Result<()> {
    let listen = listen.unwrap_or(settings.server.listen);
    serve(&settings, listen, async |address, _| {
        output::line(format!("listening on https://{address}"));
        Ok(())
    })
    .await
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
