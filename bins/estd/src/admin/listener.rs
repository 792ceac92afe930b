//! The admin API's own HTTPS listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use host::metrics::Endpoint;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::{Builder, Connection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;
use tracing::{debug, warn};

use super::caller::Peer;
use super::input::MAX_BODY_BYTES;
use super::{Admin, router};
use crate::server::{Connections, Listener as To, Place, attend, lend, spell, time_to_finish};
use crate::tls::handshake;

/// A bound listener.
pub(crate) struct Listener {
    socket: TcpListener,
    admin: Arc<Admin>,
    connections: Arc<Connections>,
}

impl Listener {
    /// Binds `address`.
    ///
    /// # Errors
    /// What the system says when the address is taken or not ours.
    pub(crate) async fn bind(address: SocketAddr, admin: Arc<Admin>) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let connections = Arc::new(Connections::new(admin.current().settings.admin.max_connections.get()));
        connections.measure("admin", &admin.metrics);
        Ok(Self { socket, admin, connections })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` turns true, then lets every request finish.
    pub(crate) async fn serve(self, mut stop: watch::Receiver<bool>) {
        let router = router(&self.admin);
        let counting = tokio::spawn(self.admin.clone().keep_counting());
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.connections.resize(self.admin.current().settings.admin.max_connections.get());
                    let connection = One {
                        router: router.clone(),
                        admin: self.admin.clone(),
                        place: Arc::new(self.connections.admit(peer.ip(), usize::MAX)),
                        peer,
                    };
                    tokio::spawn(connection.serve(stream, stop.clone()));
                }
                Err(error) => {
                    warn!(%error, "the admin API cannot accept a connection");
                    self.connections.evict();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        counting.abort();
        drop(self.socket);
        let patience = self.admin.current().settings.server.shutdown_timeout;
        if tokio::time::timeout(patience, self.connections.drained()).await.is_err() {
            self.connections.drop_all();
        }
    }
}

/// One connection.
struct One {
    router: Router,
    admin: Arc<Admin>,
    place: Arc<Place>,
    peer: SocketAddr,
}

impl One {
    async fn serve(self, stream: TcpStream, stop: watch::Receiver<bool>) {
        let Self { router, admin, place, peer } = self;
        let current = admin.current();
        let limits = &current.settings.limits;
        let handshake = TlsAcceptor::from(current.tls.clone()).accept(stream);
        let handshake = handshake::watched(limits.handshake_timeout, handshake);
        let began = Instant::now();
        let accepted = tokio::select! {
            biased;
            () = place.dismissed() => return,
            () = time_to_finish(stop.clone()) => return,
            accepted = handshake => accepted,
        };
        admin.metrics.handshake("admin", handshake::outcome(&accepted), began.elapsed());
        let stream = match accepted {
            Ok(stream) => stream,
            Err(failed) => {
                debug!(%peer, error = %failed, "TLS handshake with the admin API failed");
                drop(place);
                return admin.admission.note_session(&admin.store, peer.ip(), To::Admin, failed).await;
            }
        };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let caller = Peer {
            source: peer.ip().to_string(),
            network: peer.ip().into(),
            chain: Arc::new(chain.iter().map(|certificate| certificate.to_vec()).collect()),
        };
        let working = place.clone();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let (work, began) = (working.work(), Instant::now());
            let metrics = admin.metrics.clone();
            request.extensions_mut().insert(caller.clone());
            let (head, body) = request.into_parts();
            let (body, unread) = lend(body, &head.headers, MAX_BODY_BYTES);
            let answer = router.clone().call(http::Request::from_parts(head, body));
            async move {
                let mut answer = answer.await;
                if let Ok(answer) = &mut answer {
                    spell(answer);
                    metrics.answered(Endpoint::Admin, answer.status().as_u16(), began.elapsed());
                }
                // Who keeps back the rest of a request keeps nobody busy.
                drop(work);
                unread.read().await;
                answer
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .title_case_headers(true)
            .header_read_timeout(limits.idle_timeout)
            .max_buf_size(limits.header_bytes.max(8192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let ended =
            attend(connection, Connection::graceful_shutdown, &place, limits.idle_timeout, time_to_finish(stop));
        if let Err(error) = ended.await {
            debug!(%peer, %error, "a connection to the admin API ended early");
        }
    }
}
