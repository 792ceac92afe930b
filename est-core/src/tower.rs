//! Mounts EST in any server that speaks `http` and `tower`: hyper, axum, tonic.
//!
//! The server's part is [`Shell`] (a clock, randomness, a way to spawn, the current [`Site`]), the four
//! [`Ports`], and a [`Peer`] in the extensions of each request.

mod keys;
mod loan;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::convert::Infallible;
use core::fmt;
use core::future::{Future, ready};
use core::net::IpAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::error::Error;

use bytes::{Buf as _, Bytes};
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, IF_NONE_MATCH,
    TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::oneshot;
use tower_service::Service;
use zeroize::Zeroizing;

use crate::pkix::KeyType;
use crate::wire::http::{Head, Preferences, Route, respond};
use crate::{
    Authenticate, Entropy, Evidence, PortError, Ports, Principal, Refusal, Reply, Site, Step, TlsExporter, UnixTime,
    begin, drive,
};
use keys::KeysWhileAwaited;
use loan::{Loan, Met};

/// A future that answers nobody: [`Shell::spawn`] runs it to its end.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the core needs of the server around it.
pub trait Shell: Send + Sync {
    /// The CAs, labels and rules at this moment.
    fn site(&self) -> Arc<Site>;

    /// The time.
    fn now(&self) -> UnixTime;

    /// 32 octets from a CSPRNG.
    ///
    /// # Errors
    /// [`PortError`] when there is no randomness to be had.
    fn entropy(&self) -> Result<Entropy, PortError>;

    /// Waits until there is room for `work`. What it answers is dropped once the exchange has ended.
    ///
    /// Called after the body has arrived and the client is authenticated; not for plain reads. Authenticators limit password
    /// checks themselves. By default there is always room.
    fn admit(&self, work: &Work<'_>) -> Admission {
        let _ = work;
        Box::pin(ready(Ok(Box::new(()) as Room)))
    }

    /// Runs `task` to its end, whatever becomes of the request that asked for it.
    fn spawn(&self, task: Task);
}

/// A body of at most so many octets is read from any client: enough for a request with any key that there is. A longer one
/// is read only from a client that is known.
pub const SHORT_BODY: usize = 16 * 1024;

/// An exchange that needs room.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Work<'a> {
    /// The label that is asked, if the path has one.
    pub label: Option<&'a str>,
    /// Who asks; `None` when the client is not known, and its refusal is to be recorded.
    pub principal: Option<&'a Principal>,
    /// Where the client is, as far as the server knows.
    pub source: Option<&'a str>,
    /// The type of the key that is to be made for the client, if one is.
    pub key: Option<KeyType>,
}

impl<'a> Work<'a> {
    fn of(label: Option<&'a str>, step: &'a Step) -> Self {
        let none = Self { label, principal: None, source: None, key: None };
        match step {
            Step::Claim(claim) => Self {
                principal: Some(&claim.intent().principal),
                source: claim.source(),
                key: claim.wish().map(|wish| wish.key_type),
                ..none
            },
            Step::Record(record) => {
                let entry = record.entry();
                Self { principal: entry.principal.as_ref(), source: entry.source.as_deref(), ..none }
            }
            Step::Authenticate(_) | Step::GenerateKey(_) | Step::Issue(_) | Step::Done(_) => none,
        }
    }
}

/// Room for an exchange, until it is dropped.
pub type Room = Box<dyn Any + Send>;

/// Room to come, or the refusal that there is none. Dropped by a client that hangs up while it waits.
pub type Admission = Pin<Box<dyn Future<Output = Result<Room, Refusal>> + Send>>;

/// What the server knows of the other end of a connection; it belongs in [`Request::extensions`].
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The certificates of the TLS handshake, DER, leaf first; empty when none was shown.
    pub certificates: Arc<Vec<Vec<u8>>>,
    /// The peer's address.
    pub source: Option<String>,
    /// The peer's own address, which its wrong passwords count against; `None` behind a proxy that does not tell it.
    pub origin: Option<IpAddr>,
    /// The connection's tls-exporter, if the server is the other end of the client's TLS connection.
    pub channel_binding: Option<TlsExporter>,
}

/// Stands in [`Response::extensions`] when the connection is to end after this answer (RFC 9266 §4.1).
///
/// HTTP/1.1 is told by the Connection header; the server of an HTTP/2 connection sends GOAWAY.
#[derive(Clone, Copy, Debug)]
pub struct CloseAfter;

/// The error with which a server's body ends when the client was too slow: it is answered with 408, any other with 400.
#[derive(Clone, Copy, Debug)]
pub struct TookTooLong;

impl fmt::Display for TookTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not arrive in time")
    }
}

impl Error for TookTooLong {}

/// The error with which a server's body ends when the server has no memory to spare for it: answered with 503.
#[derive(Clone, Copy, Debug)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no room for the body at the moment")
    }
}

impl Error for NoRoom {}

/// EST as a [`tower::Service`](Service). Cheap to clone.
#[derive(Clone)]
pub struct Est {
    shell: Arc<dyn Shell>,
    ports: Ports,
    max_body: usize,
}

impl fmt::Debug for Est {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Est").field("max_body", &self.max_body).finish_non_exhaustive()
    }
}

/// The answer to come.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

impl Est {
    /// Makes the service; bodies over `max_body` octets are refused.
    #[must_use]
    pub fn new(shell: Arc<dyn Shell>, ports: Ports, max_body: usize) -> Self {
        Self { shell, ports, max_body }
    }

    /// Writes what the server itself refuses, before or instead of the service.
    #[must_use]
    pub fn refuse(&self, refusal: Refusal) -> Response<Full<Bytes>> {
        into_http(respond(&self.shell.site(), &Reply::Refused(refusal), Preferences::default(), self.shell.now()))
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let site = self.shell.site();
        let is_head = request.method() == Method::HEAD;
        let path = String::from(request.uri().path());
        let [accept, if_none_match, user_agent] =
            [&ACCEPT, &IF_NONE_MATCH, &USER_AGENT].map(|name| text(request.headers(), name).map(String::from));
        let has_authorization = request.headers().contains_key(AUTHORIZATION);
        let version = request.version();
        let reply = self.exchange(&site, request).await.unwrap_or_else(Reply::Refused);
        let preferences = Preferences {
            path: &path,
            accept: accept.as_deref(),
            if_none_match: if_none_match.as_deref(),
            user_agent: user_agent.as_deref(),
            has_authorization,
        };
        let mut response = respond(&site, &reply, preferences, self.shell.now());
        let closes = matches!(reply, Reply::ThenClose(_));
        let reply = if let Reply::ThenClose(reply) = &reply { &**reply } else { &reply };
        let mut answer = if matches!(reply, Reply::KeyAndCertificate { .. }) {
            // A private key is overwritten once it has been sent.
            let body = Bytes::from_owner(Zeroizing::new(core::mem::take(&mut response.body)));
            into_http(response).map(|_| Full::new(body))
        } else {
            into_http(response)
        };
        if closes {
            answer.extensions_mut().insert(CloseAfter);
            if version < Version::HTTP_2 {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        if is_head { without_body(answer) } else { answer }
    }

    /// Reads head and body, and brings the exchange to its end. A long body is read only from a client that is known.
    async fn exchange<B>(&self, site: &Arc<Site>, request: Request<B>) -> Result<Reply, Refusal>
    where
        B: Body + Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let head = Head {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            content_type: only(&parts.headers, &CONTENT_TYPE).and_then(|value| value.to_str().ok()),
            authorization: only(&parts.headers, &AUTHORIZATION).map(HeaderValue::as_bytes),
        };
        if head.authorization.is_none() && parts.headers.contains_key(AUTHORIZATION) {
            return Err(Refusal::MalformedAuthorization);
        }
        let route = Route::find(site, &head)?;
        let takes_body = route.takes_body();
        let declared =
            if takes_body { self.length(&parts.headers, parts.version, body.is_end_stream())? } else { None };
        let peer = parts.extensions.get::<Peer>().cloned().unwrap_or_default();
        let Peer { certificates, source, origin, channel_binding } = peer;
        let evidence = Evidence { certificates, credentials: None, source, origin, channel_binding };
        let entropy = self.shell.entropy().map_err(|_| Refusal::Overloaded)?;
        let request = route.request(evidence, Vec::new());
        let begun = begin(site.clone(), request, self.shell.now(), &entropy);
        let Step::Authenticate(step) = begun else { return Ok(drive(begun, &self.ports).await) };
        let label = step.label().map(String::from);
        let label = label.as_deref();
        if !takes_body {
            return self.finish(label, self.meet(step, Sent::Whole).await?).await;
        }
        let mut reading = Reading { body: Box::pin(body), octets: Vec::new(), limit: self.max_body };
        let is_long = declared.is_some_and(|length| length > SHORT_BODY as u64) || !reading.read(SHORT_BODY).await?;
        if !is_long {
            let step = step.with_body(Ok(reading.body()), self.shell.now());
            return self.finish(label, self.meet(step, Sent::Whole).await?).await;
        }
        let mut loan = self.meet(step, Sent::InPart).await?;
        if loan.awaits_body() {
            let length = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
            reading.octets.reserve_exact(length.min(self.max_body).saturating_sub(reading.octets.len()));
            let read = reading.read(usize::MAX).await;
            loan.bring(read.map(|_| reading.body()), self.shell.now());
        }
        self.finish(label, loan).await
    }

    /// How long the body is, if the head says so.
    fn length(&self, headers: &HeaderMap, version: Version, is_empty: bool) -> Result<Option<u64>, Refusal> {
        let is_framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        if version < Version::HTTP_2 && !is_framed && is_empty {
            return Err(Refusal::LengthRequired);
        }
        let declared = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        match declared {
            Some(length) if length > self.max_body as u64 => Err(Refusal::BodyTooLarge { limit: self.max_body }),
            Some(_) | None => Ok(declared),
        }
    }

    /// Authenticates the client, in a task of its own, and lends what comes next. An exchange whose client is known ends on record,
    /// also where the client hangs up before its body has come or there is room: no password is tried unseen.
    async fn meet(&self, step: Authenticate, sent: Sent) -> Result<Loan, Refusal> {
        let (ports, shell) = (self.ports.clone(), self.shell.clone());
        let (sender, receiver) = oneshot::channel();
        self.shell.spawn(Box::pin(async move {
            let verdict = ports.authenticator.authenticate(step.evidence(), step.now()).await;
            let met = match verdict {
                Ok(verdict) if sent == Sent::InPart && verdict.principal().is_some() => {
                    Met::before_body(Step::Authenticate(step), verdict)
                }
                verdict => Met::next(at_once(step.answer(verdict), &ports).await),
            };
            let (loan, given_back) = Loan::of(met);
            // A client that has hung up does not take the loan, which then comes back.
            drop(sender.send(loan));
            if let Ok(met) = given_back.await
                && let Some(step) = met.broken_off(shell.now())
            {
                drive(step, &ports).await;
            }
        }));
        receiver.await.map_err(|_| Refusal::Overloaded)
    }

    /// Waits for room, and drives what is left.
    async fn finish(&self, label: Option<&str>, loan: Loan) -> Result<Reply, Refusal> {
        if matches!(loan.step(), Step::Done(_)) {
            return Ok(drive(loan.take(), &self.ports).await);
        }
        let (room, makes_key) = {
            let work = Work::of(label, loan.step());
            (self.shell.admit(&work), work.key.is_some())
        };
        let room = room.await?;
        let (step, mut ports) = (loan.take(), self.ports.clone());
        // Dropped with whoever waits for the answer.
        let client = Arc::new(());
        if makes_key {
            ports.keys = Arc::new(KeysWhileAwaited::of(ports.keys, &client));
        }
        self.to_its_end(async move {
            let reply = drive(step, &ports).await;
            drop(room);
            reply
        })
        .await
    }

    /// Runs `work` in a task of its own: a client that hangs up drops what waits for it, but nothing that was guessed,
    /// claimed or signed.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (sender, receiver) = oneshot::channel();
        self.shell.spawn(Box::pin(async move {
            // Nobody may be listening any more; the work is done all the same.
            let _ = sender.send(work.await);
        }));
        receiver.await.map_err(|_| Refusal::Overloaded)
    }
}

/// How much of a body was read before its client is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    InPart,
}

/// Records a wrong password at once: it counts whether or not there is room.
async fn at_once(step: Step, ports: &Ports) -> Step {
    if let Step::Record(record) = &step
        && record.entry().guess.is_some()
    {
        return Step::Done(drive(step, ports).await);
    }
    step
}

/// A body that is being read.
struct Reading<B> {
    body: Pin<Box<B>>,
    octets: Vec<u8>,
    limit: usize,
}

impl<B> Reading<B>
where
    B: Body + Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Reads on until there are more than so many octets, and tells whether the body has ended.
    async fn read(&mut self, octets: usize) -> Result<bool, Refusal> {
        while self.octets.len() <= octets {
            let Some(frame) = self.body.frame().await else { return Ok(true) };
            let frame = frame.map_err(|error| {
                let error = error.into();
                if error.is::<TookTooLong>() {
                    Refusal::BodyLate
                } else if error.is::<NoRoom>() {
                    Refusal::Overloaded
                } else {
                    Refusal::BodyIncomplete
                }
            })?;
            let Ok(mut data) = frame.into_data() else { continue };
            if data.remaining() > self.limit.saturating_sub(self.octets.len()) {
                return Err(Refusal::BodyTooLarge { limit: self.limit });
            }
            self.octets.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
        Ok(self.body.is_end_stream())
    }

    /// What was read.
    fn body(self) -> crate::Body {
        crate::Body::Text(self.octets)
    }
}

fn into_http(response: crate::wire::http::Response) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(response.body)));
    *answer.status_mut() = http::StatusCode::from_u16(response.status).expect("the table holds real status codes");
    for (name, value) in response.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("header names are constants");
        let value = HeaderValue::from_str(&value).expect("header values are constants, numbers and digests");
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// What a HEAD request gets: the length of a body that does not come (RFC 9110 §9.3.2). hyper leaves the body out over
/// HTTP/1, but sends it over HTTP/2.
fn without_body(answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let length = answer.body().size_hint().exact().unwrap_or_default();
    let has_one = !matches!(answer.status().as_u16(), 204 | 304);
    let mut answer = answer.map(|_| Full::default());
    if has_one {
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    answer
}

/// The value of a header that stands there once; of two, nobody knows which counts (RFC 9110 §5.3).
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl<B> Service<Request<B>> for Est
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
