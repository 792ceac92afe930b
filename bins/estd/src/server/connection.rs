//! One connection, from its handshake to its last answer.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use est_core::tower::{CloseAfter, NoRoom, Peer, TookTooLong};
use est_core::{Refusal, TlsExporter};
use est_store::Database;
use host::metrics::{Endpoint, Metrics};
use host::shell;
use host::spans::RequestSpan;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ProtocolVersion, ServerConnection};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tower_service::Service;
use tracing::debug;

use super::bodies::{Bodies, BodyRoom};
use super::connections::{Place, Wait, Work};
use super::crls::{Crls, OnlyCrls};
use super::hello::Overheard;
use super::leaving::Leaving;
use super::lent::lend;
use super::proxy::Sender;
use super::spelling::spell;
use super::{Admission, Limits, Listener, Source};

use crate::serving::{Current, Serving};
use crate::tls::handshake;

/// What every connection shares.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) current: Arc<Current>,
    pub(super) admission: Arc<Admission>,
    pub(super) bodies: Arc<Bodies>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) store: Database,
}

impl Context {
    /// Serves CRLs alone, without TLS.
    pub(super) async fn serve_plainly(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        stop: watch::Receiver<bool>,
    ) {
        let _ = stream.set_nodelay(true);
        let place = Arc::new(place);
        let limits = self.current.get().limits;
        let service =
            OnlyCrls { current: self.current, admission: self.admission, source: peer.ip(), place: place.clone() };
        let connection = http1(limits).serve_connection(TokioIo::new(stream), service);
        let finish = time_to_finish(stop);
        let ended = attend(connection, http1::Connection::graceful_shutdown, &place, limits.idle_timeout, finish);
        if let Err(error) = ended.await {
            debug!(%peer, %error, "connection ended early");
        }
    }

    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr, place: Place, stop: watch::Receiver<bool>) {
        // An answer is one write; waiting for more to send only delays it.
        let _ = stream.set_nodelay(true);
        let (handshake, limits, generation) = {
            let serving = self.current.get();
            let handshake = serving.tls.accept(Overheard::new(stream));
            let handshake = handshake::watched(serving.limits.handshake_timeout, handshake);
            (handshake, serving.limits, serving.generation)
        };
        let began = Instant::now();
        let accepted = tokio::select! {
            biased;
            () = place.dismissed() => return,
            () = time_to_finish(stop.clone()) => return,
            accepted = handshake => accepted,
        };
        self.metrics.handshake("est", handshake::outcome(&accepted), began.elapsed());
        let stream = match accepted {
            Ok(stream) => stream,
            Err(failed) => {
                debug!(%peer, error = %failed, "TLS handshake failed");
                drop(place);
                return self.admission.note_session(&self.store, peer.ip(), Listener::Est, failed).await;
            }
        };
        self.speak_http(stream, peer, limits, generation, Arc::new(place), stop).await;
    }

    async fn speak_http(
        self,
        mut stream: TlsStream<Overheard<TcpStream>>,
        peer: SocketAddr,
        limits: Limits,
        generation: u64,
        place: Arc<Place>,
        stop: watch::Receiver<bool>,
    ) {
        let (overheard, tls) = stream.get_mut();
        let channel_binding = tls_exporter(overheard, tls);
        let certificates = tls.peer_certificates().unwrap_or_default();
        let certificates = certificates.iter().map(|certificate| certificate.to_vec()).collect();
        let is_http2 = tls.alpn_protocol() == Some(b"h2");
        let source = Some(peer.ip().to_string());
        let last_answer = Arc::new(Notify::new());
        let service = OneClient {
            current: self.current,
            admission: self.admission,
            asked: AtomicUsize::new(0),
            generation,
            address: peer.ip(),
            peer: Peer { certificates: Arc::new(certificates), source, origin: Some(peer.ip()), channel_binding },
            place: place.clone(),
            last_answer: last_answer.clone(),
            bodies: self.bodies,
            metrics: self.metrics,
        };
        let stream = TokioIo::new(stream);
        let finish = async {
            tokio::select! {
                () = time_to_finish(stop) => {}
                () = last_answer.notified() => {}
            }
        };
        let ended = if is_http2 {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(64)
                .max_frame_size(16 * 1024)
                .max_pending_accept_reset_streams(MAX_CANCELLED)
                .max_local_error_reset_streams(MAX_RESETS)
                .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                .initial_stream_window_size(64 * 1024)
                .initial_connection_window_size(256 * 1024)
                .serve_connection(stream, service);
            attend(connection, http2::Connection::graceful_shutdown, &place, limits.idle_timeout, finish).await
        } else {
            let connection = http1(limits).serve_connection(stream, service);
            attend(connection, http1::Connection::graceful_shutdown, &place, limits.idle_timeout, finish).await
        };
        if let Err(error) = ended {
            debug!(%peer, %error, "connection ended early");
        }
    }
}

fn http1(limits: Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(limits.header_bytes.max(8192));
    builder
}

/// The connection's tls-exporter, if it is of this connection alone (RFC 9266 §4.2).
fn tls_exporter(overheard: &mut Overheard<TcpStream>, tls: &ServerConnection) -> Option<TlsExporter> {
    let is_its_own =
        overheard.takes_extended_master_secret() || tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    is_its_own.then_some(())?;
    tls.export_keying_material([0; 32], TlsExporter::LABEL, Some(b"")).ok().map(TlsExporter)
}

/// How many streams a client may open and cancel before anybody has looked at them, until its connection ends.
const MAX_CANCELLED: usize = 20;
/// How many streams a client may make the server reset, by breaking the rules, until its connection ends.
const MAX_RESETS: usize = 64;

/// How long a connection that seems idle is listened to after the server was told to stop: what its client has sent
/// before may lie in the socket still, behind the end of a handshake, and nobody has seen it.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Waits until the server was told to stop and every request that was on its way has been seen.
pub(crate) async fn time_to_finish(mut stop: watch::Receiver<bool>) {
    // An error says that the sender is gone.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Runs a connection until it ends, idles too long, or has to make room; `finish`es it once `time_is_up`.
pub(crate) async fn attend<C, E>(
    connection: C,
    finish: fn(Pin<&mut C>),
    place: &Place,
    idle_timeout: Duration,
    time_is_up: impl Future<Output = ()>,
) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    tokio::pin!(connection);
    let look = tokio::time::sleep(idle_timeout);
    tokio::pin!(look);
    tokio::pin!(time_is_up);
    let mut finishing = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = place.dismissed() => return Ok(()),
            () = time_is_up.as_mut(), if !finishing => {
                finishing = true;
                finish(connection.as_mut());
            }
            () = look.as_mut() => {
                // Looks once per idle period instead of moving a timer with every request.
                let now = Instant::now();
                let since = place.waiting_since().unwrap_or(now);
                if since + idle_timeout <= now {
                    return Ok(());
                }
                look.as_mut().reset((since + idle_timeout).into());
            }
        }
    }
}

/// EST, for the requests of one connection.
struct OneClient {
    current: Arc<Current>,
    admission: Arc<Admission>,
    /// How many requests there have been.
    asked: AtomicUsize,
    /// What was served at its handshake.
    generation: u64,
    address: IpAddr,
    peer: Peer,
    place: Arc<Place>,
    /// Told when the connection is to end after an answer.
    last_answer: Arc<Notify>,
    bodies: Arc<Bodies>,
    metrics: Arc<Metrics>,
}

impl hyper::service::Service<Request<Incoming>> for OneClient {
    type Response = Response<Leaving>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let work = self.place.work();
        let serving = self.current.get();
        let is_for_crl = Crls::serve(request.uri().path());
        let endpoint = if is_for_crl { Endpoint::Crl } else { Endpoint::of_path(request.uri().path()) };
        let timing = Timing { metrics: self.metrics.clone(), endpoint, began: Instant::now() };
        let is_last = self.asked.fetch_add(1, Ordering::Relaxed) + 1 >= serving.limits.requests_per_connection;
        let says_close = request.version() < Version::HTTP_2;
        let last_answer = self.last_answer.clone();
        if is_for_crl {
            let answer = match self.pass(&serving, request.headers()) {
                Ok(_) => serving.crls.answer(&request, shell::now()),
                Err(refusal) => serving.est.refuse(refusal),
            };
            timing.end(&answer);
            let answer = Box::pin(ready(Ok(answer)));
            return Answering { answer, last_answer, is_last, says_close, work };
        }
        let (mut parts, body) = request.into_parts();
        let admitted = self.admit(&serving, &parts);
        let source = admitted.as_ref().ok().and_then(|peer| peer.origin).map(Source::from);
        let room = Arc::new(Mutex::new(self.bodies.begin(source)));
        let body = Arriving {
            body,
            place: self.place.clone(),
            began: Instant::now(),
            request_timeout: serving.limits.request_timeout,
            late: None,
            room: room.clone(),
        };
        let (body, unread) = lend(body, &parts.headers, serving.max_body);
        let answer = match admitted {
            Ok(peer) => {
                parts.extensions.insert(peer);
                let span = RequestSpan::begin(parts.method.as_str(), parts.uri.path());
                let answer = serving.est.clone().call(Request::from_parts(parts, body));
                span.around(answer, status)
            }
            Err(refusal) => {
                drop(body);
                Box::pin(ready(Ok(serving.est.refuse(refusal))))
            }
        };
        let request_timeout = serving.limits.request_timeout;
        let answer = Box::pin(async move {
            // What was begun is brought to its end: the client finds it when it asks again.
            let answer = tokio::time::timeout(request_timeout, answer).await;
            let answer = answer.unwrap_or_else(|_| Ok(serving.est.refuse(Refusal::Overloaded)));
            room.lock().unwrap_or_else(PoisonError::into_inner).give_back();
            if let Ok(answer) = &answer {
                timing.end(answer);
            }
            unread.read().await;
            answer
        });
        Answering { answer, last_answer, is_last, says_close, work }
    }
}

fn status(answer: &Result<Response<Full<Bytes>>, Infallible>) -> u16 {
    match answer {
        Ok(answer) => answer.status().as_u16(),
        Err(never) => match *never {},
    }
}

impl OneClient {
    /// Who asks, as far as the connection and the head of the request tell.
    fn admit(&self, serving: &Serving, head: &Parts) -> Result<Peer, Refusal> {
        if !has_sound_host(head) {
            return Err(Refusal::Host);
        }
        // The handshake went by the rules of then; by those of now there might have been no connection.
        if serving.generation != self.generation
            && let Some(check) = &serving.demanded
            && check(&self.peer.certificates, shell::now()).is_err()
        {
            self.last_answer.notify_one();
            return Err(Refusal::Unauthenticated);
        }
        let (sender, address) = self.pass(serving, &head.headers)?;
        let peer = sender.peer(&self.peer, &head.headers)?;
        Ok(match (sender, address) {
            (Sender::Proxy(_), Some(address)) => {
                Peer { source: Some(address.to_string()), origin: Some(address), ..peer }
            }
            (Sender::Proxy(_), None) | (Sender::Client, _) => peer,
        })
    }

    /// Who sends a request, and where the client connects from, if that is known; a refusal when it asks too often.
    fn pass(&self, serving: &Serving, headers: &HeaderMap) -> Result<(Sender, Option<IpAddr>), Refusal> {
        let leaf = self.peer.certificates.first();
        let sender = serving.proxies.sender(self.address, leaf.map(Vec::as_slice));
        let address = sender.client(self.address, headers);
        // A proxy that tells no addresses asks for many, and is not held to what one of them may take.
        if let Some(address) = address {
            self.admission.pass(address.into(), &serving.bounds)?;
        }
        Ok((sender, address))
    }
}

/// Whether an HTTP/1.1 request has one Host header that is one (RFC 9112 §3.2): of two, a proxy may believe the other.
fn has_sound_host(head: &Parts) -> bool {
    if head.version != Version::HTTP_11 {
        return true;
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().unwrap_or_default();
    !host.contains('@') && host.parse::<Authority>().is_ok()
}

/// An answer to come, during which the connection is not idle.
struct Answering {
    answer: est_core::tower::Answer,
    last_answer: Arc<Notify>,
    /// Whether the connection has had its share.
    is_last: bool,
    /// Whether a header says so, as in HTTP/1; HTTP/2 has a frame for it.
    says_close: bool,
    work: Work,
}

/// A request whose time is measured.
struct Timing {
    metrics: Arc<Metrics>,
    endpoint: Endpoint,
    began: Instant,
}

impl Timing {
    fn end(&self, answer: &Response<Full<Bytes>>) {
        self.metrics.answered(self.endpoint, answer.status().as_u16(), self.began.elapsed());
    }
}

impl Future for Answering {
    type Output = Result<Response<Leaving>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut answer = ready!(self.answer.as_mut().poll(context));
        if let Ok(answer) = &mut answer {
            if self.is_last {
                answer.extensions_mut().insert(CloseAfter);
                if self.says_close {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
            }
            spell(answer);
        }
        #[cfg(feature = "fault-points")]
        host::fault::pass("reply:before");
        if answer.as_ref().is_ok_and(|answer| answer.extensions().get::<CloseAfter>().is_some()) {
            self.last_answer.notify_one();
        }
        let place = self.work.place().clone();
        Poll::Ready(answer.map(|answer| answer.map(|body| Leaving::new(body, place))))
    }
}

/// A body that must arrive in time. While it does not come, the client keeps us waiting.
struct Arriving {
    body: Incoming,
    place: Arc<Place>,
    began: Instant,
    request_timeout: Duration,
    late: Option<Late>,
    room: Arc<Mutex<BodyRoom>>,
}

struct Late {
    deadline: Pin<Box<Sleep>>,
    _wait: Wait,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.late = None;
            let mut room = this.room.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Ok(frame)) = &frame
                && let Some(data) = frame.data_ref()
                && let Err(error) = room.take(data.len())
            {
                return Poll::Ready(Some(Err(error.into())));
            }
            if frame.is_none() || this.body.is_end_stream() {
                room.arrived();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.room.lock().unwrap_or_else(PoisonError::into_inner).has_lost(context) {
            return Poll::Ready(Some(Err(NoRoom.into())));
        }
        let late = this.late.get_or_insert_with(|| Late {
            deadline: Box::pin(tokio::time::sleep_until((this.began + this.request_timeout).into())),
            _wait: this.place.wait(this.began),
        });
        ready!(late.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(TookTooLong.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
