//! `estd run`: serve.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use est_core::Site;
use est_store::{Database, ServerEvent};
use host::config::Settings;
use host::wiring;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::lock::Lock;
use crate::output;
use crate::reload::Reloader;
use crate::server::{Admission, Bounds, Server, Tasks};
use crate::serving::{self, Base, Current, Serving};

/// What can be prepared, and so checked, without a database and a port.
pub(crate) fn prepare(settings: &Settings) -> Result<Site> {
    let site = host::site(settings, est_backends::algorithms())?;
    wiring::backends(settings, &site)?;
    serving::check_tls(settings)?;
    Ok(site)
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// It has the configuration read again.
    Reload,
    /// What it does to any program in a terminal: it ends the server.
    End,
}

/// Serves what the file at `config` says, which are `settings`, until SIGTERM or SIGINT. `announce` is told the address
/// once it is bound.
pub(crate) async fn serve(
    settings: Settings,
    config: &Path,
    listen: SocketAddr,
    hangup: Hangup,
    announce: impl AsyncFnOnce(SocketAddr, &Database) -> Result<()>,
) -> Result<()> {
    // From here on the signal ends nobody: one that comes early is acted upon once the server serves.
    let hangup = (hangup == Hangup::Reload).then(|| signal(SignalKind::hangup())).transpose()?;
    let _lock = Lock::take(&settings.db.path)?;
    let store = super::open_store(&settings)?;
    store.serve_alone().await?;
    let admission = Admission::new(Bounds::of(&settings));
    let base = Base { store: store.clone(), tasks: Arc::new(Tasks::default()), admission: admission.clone() };
    let current = Arc::new(Current::new(Serving::new(&settings, &base)?));
    let server = Server::bind(listen, current.clone(), base.tasks.clone(), admission.clone())
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let stop = stop_on_signal()?;
    let address = server.local_addr()?;
    store.note(ServerEvent::Startup, Some(format!("estd {} on {address}", env!("CARGO_PKG_VERSION")))).await?;
    info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    announce(address, &store).await?;
    let reloader = Arc::new(Reloader::new(config.to_owned(), settings, base, current));
    let reloading = hangup.map(|hangup| tokio::spawn(reloader.clone().reload_at(hangup)));
    let tallying = tokio::spawn(admission.clone().keep_tally(store.clone()));
    server.serve(stop).await;
    tallying.abort();
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    admission.write_down(&store).await;
    store.note(ServerEvent::Shutdown, None).await?;
    store.close().await;
    info!("stopped");
    Ok(())
}

/// `estd run`.
pub(crate) async fn run(settings: Settings, config: &Path, listen: Option<SocketAddr>) -> Result<()> {
    let listen = listen.unwrap_or(settings.server.listen);
    serve(settings, config, listen, Hangup::Reload, async |address, _| {
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
