//! The HTTPS listener, and the one for CRLs over plain HTTP: accepts, admits, hands over, and stops without losing an answer.

mod admission;
mod bodies;
mod connection;
mod connections;
mod crls;
mod forwarded;
mod hello;
mod leaving;
mod lent;
mod limits;
mod proxy;
mod spelling;
mod tasks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use est_store::Database;
use host::metrics::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, info, warn};

pub(crate) use admission::{Admission, Bounds, Buckets, KEYS, Listener, Rate, Source};
pub(crate) use connection::{attend, time_to_finish};
pub(crate) use connections::{Connections, Place};
pub(crate) use crls::Crls;
pub(crate) use lent::lend;
pub(crate) use limits::Limits;
pub(crate) use proxy::Proxies;
pub(crate) use spelling::spell;
pub(crate) use tasks::Tasks;

use bodies::Bodies;
use connection::Context;

use crate::serving::Current;

/// A bound listener.
pub(crate) struct Server {
    listener: TcpListener,
    /// For CRLs over plain HTTP.
    plain: Option<TcpListener>,
    context: Context,
    connections: Arc<Connections>,
    tasks: Arc<Tasks>,
}

/// What a server is made of.
pub(crate) struct Parts {
    /// What is served.
    pub(crate) current: Arc<Current>,
    /// Who gets in.
    pub(crate) admission: Arc<Admission>,
    /// Where exchanges run that nobody waits for any more.
    pub(crate) tasks: Arc<Tasks>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Who remembers the handshakes that failed.
    pub(crate) store: Database,
}

impl Server {
    /// Binds `address`, to serve what is `current` at each moment.
    ///
    /// # Errors
    /// What the system says when the address is taken or not ours.
    pub(crate) async fn bind(address: SocketAddr, parts: Parts) -> io::Result<Self> {
        let Parts { current, admission, tasks, metrics, store } = parts;
        let listener = TcpListener::bind(address).await?;
        let connections = Arc::new(Connections::new(current.get().limits.max_connections));
        connections.measure("est", &metrics);
        admission.measure(&metrics);
        let context = Context { current, admission, bodies: Arc::new(Bodies::default()), metrics, store };
        Ok(Self { listener, plain: None, context, connections, tasks })
    }

    /// Binds `address` for CRLs over plain HTTP, and returns what was bound.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub(crate) async fn bind_plain(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr();
        self.plain = Some(listener);
        bound
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` turns true, then lets every exchange finish and every answer leave.
    pub(crate) async fn serve(self, mut stop: watch::Receiver<bool>) {
        let mut accepting = stop.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = accepting.wait_for(|stop| *stop) => break,
                accepted = self.listener.accept() => accepted.map(|accepted| (accepted, Speaks::Tls)),
                accepted = accept(self.plain.as_ref()) => accepted.map(|accepted| (accepted, Speaks::Plainly)),
            };
            match accepted {
                Ok(((stream, peer), speaks)) => self.admit(stream, peer, speaks, &stop),
                Err(error) => self.survive(&error).await,
            }
        }
        // The port is free from here on: a successor can bind it while the last answers leave.
        drop((self.listener, self.plain));
        stop.mark_unchanged();
        info!(connections = self.connections.len(), "shutting down: finishing what is under way");
        let drained = async {
            self.connections.drained().await;
            self.tasks.drained().await;
        };
        let shutdown_timeout = self.context.current.get().shutdown_timeout;
        if tokio::time::timeout(shutdown_timeout, drained).await.is_err() {
            warn!(connections = self.connections.len(), "clients did not take their answers in time");
            self.connections.drop_all();
            self.tasks.drained().await;
        }
    }

    /// Makes room if there is none, and serves the connection in a task of its own.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, speaks: Speaks, stop: &watch::Receiver<bool>) {
        let serving = self.context.current.get();
        let Limits { max_connections, connections_per_source, .. } = serving.limits;
        self.connections.resize(max_connections);
        // A proxy has many clients.
        let share = if serving.proxies.is_at(peer.ip()) { max_connections } else { connections_per_source };
        let place = self.connections.admit(peer.ip(), share);
        let (context, stop) = (self.context.clone(), stop.clone());
        match speaks {
            Speaks::Tls => tokio::spawn(async move { context.serve(stream, peer, place, stop).await }),
            Speaks::Plainly => tokio::spawn(async move { context.serve_plainly(stream, peer, place, stop).await }),
        };
    }

    /// An accept that failed says nothing about the next one.
    async fn survive(&self, error: &io::Error) {
        use rustix::io::Errno;
        let out_of_descriptors = matches!(
            error.raw_os_error().map(Errno::from_raw_os_error),
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
        );
        if out_of_descriptors {
            warn!(%error, "cannot accept: closing the connection that has waited longest");
            self.connections.evict();
            tokio::time::sleep(Duration::from_millis(20)).await;
        } else {
            debug!(%error, "a connection was gone before it was accepted");
        }
    }
}

/// What a connection speaks below HTTP.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    Tls,
    Plainly,
}

/// The next connection to a listener; never one where there is none.
async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}
