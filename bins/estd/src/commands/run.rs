//! `estd run`: serve.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use est_core::Site;
use est_core::tower::Est;
use est_store::{ServerEvent, Sqlite};
use host::config::{ClientAuthMode, Settings, TlsVersion};
use host::shell::ServerShell;
use host::wiring::{self, Services};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::lock::Lock;
use crate::output;
use crate::server::{Limits, Parts, Proxies, Server, Tasks};
use crate::tls::{self, ClientCertificates, TlsOptions};

/// What can be prepared, and so checked, without a database and a port.
pub(crate) fn prepare(settings: &Settings) -> Result<Site> {
    let site = host::site(settings, est_backends::algorithms())?;
    wiring::backends(settings, &site)?;
    let paths = wiring::path_validator(settings)?.map(Arc::new);
    tls_config(settings, paths)?;
    Ok(site)
}

/// Serves until SIGTERM or SIGINT. `announce` is told the address once it is bound.
pub(crate) async fn serve(
    settings: &Settings,
    listen: SocketAddr,
    announce: impl AsyncFnOnce(SocketAddr, &Sqlite) -> Result<()>,
) -> Result<()> {
    let site = host::site(settings, est_backends::algorithms())?;
    let _lock = Lock::take(&settings.db.path)?;
    let store = super::open_store(settings)?;
    store.serve_alone().await?;
    let Services { ports, paths } = wiring::services(settings, &site, &store)?;
    let tls = Arc::new(tls_config(settings, paths)?);
    let tasks = Arc::new(Tasks::default());
    let spawner = tasks.clone();
    let shell = Arc::new(ServerShell::new(site, move |task| spawner.spawn(task)));
    let limits = Limits {
        header_bytes: settings.limits.header_bytes,
        handshake_timeout: settings.limits.handshake_timeout,
        request_timeout: settings.limits.request_timeout,
        idle_timeout: settings.limits.idle_timeout,
        max_connections: settings.limits.max_connections.get(),
    };
    let parts = Parts {
        tls,
        est: Est::new(shell, ports, settings.server.max_body_bytes),
        tasks,
        limits,
        proxies: Proxies::new(settings.server.proxies.clone()),
        shutdown_timeout: settings.server.shutdown_timeout,
    };
    let server = Server::bind(listen, parts).await.with_context(|| format!("cannot listen on {listen}"))?;
    let stop = stop_on_signal()?;
    let address = server.local_addr()?;
    store.note(ServerEvent::Startup, Some(format!("estd {} on {address}", env!("CARGO_PKG_VERSION")))).await?;
    info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    announce(address, &store).await?;
    server.serve(stop).await;
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
        // Nobody listens any more only when the server has stopped already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

fn tls_config(settings: &Settings, paths: Option<Arc<est_auth::PathValidator>>) -> Result<ServerConfig> {
    let tls = &settings.tls;
    let client_certificates = match (tls.client_auth.mode, paths) {
        (ClientAuthMode::Required, Some(paths)) => {
            ClientCertificates::Required(Arc::new(move |chain, now| paths.validate(chain, now).is_ok()))
        }
        (ClientAuthMode::Optional | ClientAuthMode::RequiredForReenroll, Some(_)) => ClientCertificates::Optional,
        (_, None) | (ClientAuthMode::None, _) => ClientCertificates::None,
    };
    let options = TlsOptions {
        chain: tls.certificates.iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect(),
        key: wiring::tls_key(&tls.key)?,
        only_tls13: tls.min_version == TlsVersion::V1_3,
        tls12_suites: tls.cipher_suites.clone(),
        client_certificates,
    };
    tls::server_config(options).with_context(|| format!("tls.key {}", display(&tls.key.path)))
}

fn display(path: &Path) -> std::path::Display<'_> {
    path.display()
}
