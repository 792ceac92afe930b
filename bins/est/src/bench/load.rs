//! The load itself.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use est_core::Operation;
use est_core::client::{self, Answer, Call, MAX_BODY_BYTES, Received};
use est_core::pkix::Certificate;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::report::{Kind, Outcome, Tally};
use super::requests::Prepared;
use crate::cli::BenchArguments;
use crate::http::{self, Broken, Connection};
use crate::output::{Failure, end_live, live};
use crate::peer::{Peer, now};
use crate::server_url::ServerUrl;

/// After so many failures to connect in a row a worker gives up.
const MAX_FAILED_CONNECTIONS: u32 = 20;

/// The pause after a failure to connect: a refused client does not come back at once.
const PAUSE_AFTER_FAILED_CONNECTION: Duration = Duration::from_millis(100);

/// What every worker needs.
pub(super) struct Load {
    url: ServerUrl,
    tls: TlsConnector,
    head: Parts,
    requests: Vec<Prepared>,
    next: AtomicUsize,
    has_run_out: AtomicBool,
    enrolled: AtomicU64,
    failed: AtomicU64,
    duration: Duration,
    timeout: Duration,
    concurrency: usize,
    new_connections: bool,
}

impl Load {
    pub(super) fn new(peer: &Peer, requests: Vec<Prepared>, arguments: &BenchArguments) -> Result<Self, Failure> {
        let call = peer.authorize(Call::simple_enroll(peer.base_path(), peer.label.as_deref(), &[]));
        let template = http::request(&call, &peer.url.authority());
        let (head, _) = template.map_err(|broken| Failure::error(broken.explain(&peer.url)))?.into_parts();
        Ok(Self {
            url: peer.url.clone(),
            tls: peer.tls.clone(),
            head,
            requests,
            next: AtomicUsize::new(0),
            has_run_out: AtomicBool::new(false),
            enrolled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            duration: arguments.duration,
            timeout: peer.timeout,
            concurrency: arguments.concurrency as usize,
            new_connections: arguments.new_connections,
        })
    }

    fn take(&self) -> Option<&Prepared> {
        let request = self.requests.get(self.next.fetch_add(1, Ordering::Relaxed));
        if request.is_none() {
            self.has_run_out.store(true, Ordering::Relaxed);
        }
        request
    }

    fn count(&self, tally: &Mutex<Tally>, outcome: Result<Duration, Kind>) {
        let counter = if outcome.is_ok() { &self.enrolled } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        tally.lock().unwrap_or_else(PoisonError::into_inner).count(outcome);
    }
}

/// Runs the load on `threads` threads and shows how it goes.
pub(super) fn run(load: Arc<Load>, threads: usize) -> Result<Outcome, Failure> {
    let no_runtime = |error| Failure::error(format!("the runtime does not start: {error}"));
    let start = Arc::new(Barrier::new(load.concurrency + 1));
    let (send, receive) = mpsc::channel();
    for thread in 0..threads {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
        let workers = load.concurrency / threads + usize::from(thread < load.concurrency % threads);
        let (load, start, send) = (load.clone(), start.clone(), send.clone());
        thread::spawn(move || {
            let tally = Arc::new(Mutex::new(Tally::new()));
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for _ in 0..workers {
                    tasks.spawn(work(load.clone(), start.clone(), tally.clone()));
                }
                tasks.join_all().await;
            });
            // Main waits for every thread, so it is there to receive.
            let _ = send.send(tally);
        });
    }
    drop(send);

    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(no_runtime)?;
    runtime.block_on(start.wait());
    let begun = Instant::now();
    let mut tally = Tally::new();
    loop {
        match receive.recv_timeout(Duration::from_secs(1)) {
            Ok(finished) => tally.add(&finished.lock().unwrap_or_else(PoisonError::into_inner)),
            Err(mpsc::RecvTimeoutError::Timeout) => show(&load, begun.elapsed()),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let elapsed = begun.elapsed();
    end_live();
    Ok(Outcome { tally, elapsed, has_run_out: load.has_run_out.load(Ordering::Relaxed), prepared: load.requests.len() })
}

fn show(load: &Load, elapsed: Duration) {
    let (enrolled, failed) = (load.enrolled.load(Ordering::Relaxed), load.failed.load(Ordering::Relaxed));
    let rate = enrolled as f64 / elapsed.as_secs_f64();
    live(&format!("{:.0} s: {enrolled} enrollments, {rate:.0}/s, {failed} failures", elapsed.as_secs_f64()));
}

/// One worker: one request at a time until the time is up or the requests are.
async fn work(load: Arc<Load>, start: Arc<Barrier>, tally: Arc<Mutex<Tally>>) {
    let mut connection = match load.new_connections {
        true => None,
        false => connect(&load).await.ok(),
    };
    start.wait().await;
    let deadline = Instant::now() + load.duration;
    let mut failed_connections = 0;
    let mut is_first = true;
    while Instant::now() < deadline && failed_connections < MAX_FAILED_CONNECTIONS {
        let begun = Instant::now();
        // A server may end a connection after any answer; that is not a failure.
        let kept = match connection.take() {
            Some(mut open) => open.ready().await.then_some(open),
            None => None,
        };
        let mut open = match kept {
            Some(open) => open,
            None => match connect(&load).await {
                Ok(open) => open,
                Err(kind) => {
                    failed_connections += 1;
                    load.count(&tally, Err(kind));
                    tokio::time::sleep(PAUSE_AFTER_FAILED_CONNECTION).await;
                    continue;
                }
            },
        };
        failed_connections = 0;
        let Some(request) = load.take() else { break };
        let begun = if load.new_connections { begun } else { Instant::now() };
        let answered = timeout(load.timeout, enroll(&load, &mut open, request, is_first)).await;
        let outcome = answered.unwrap_or(Err(Kind::Word("timeout")));
        // What the connection still carries after a failure is anybody's guess, unless it was an answer.
        if !load.new_connections && matches!(outcome, Ok(()) | Err(Kind::Status(_))) {
            connection = Some(open);
        }
        is_first &= outcome.is_err();
        load.count(&tally, outcome.map(|()| begun.elapsed()));
    }
}

async fn connect(load: &Load) -> Result<Connection, Kind> {
    let opened = timeout(load.timeout, Connection::open(&load.url, &load.tls)).await;
    let mut open = opened.map_err(|_| Kind::Word("timeout"))?.map_err(|broken: Broken| Kind::Word(broken.word()))?;
    if open.ready().await { Ok(open) } else { Err(Kind::Word("connection")) }
}

/// Sends one request and reads its answer; looks at the certificate only when `thoroughly`.
async fn enroll(load: &Load, open: &mut Connection, prepared: &Prepared, thoroughly: bool) -> Result<(), Kind> {
    let broken = |broken: Broken| Kind::Word(broken.word());
    let request = Request::from_parts(load.head.clone(), Full::new(prepared.body.clone()));
    let response = open.send(request).await.map_err(broken)?;
    let status = response.status();
    let mut body = response.into_body();
    let (mut size, mut kept) = (0, Vec::new());
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame: Bytes = frame.map_err(|_| Kind::Word("connection"))?.into_data().unwrap_or_default();
        size += frame.len();
        if size > MAX_BODY_BYTES {
            return Err(Kind::Word("answer"));
        }
        if thoroughly {
            kept.extend_from_slice(&frame);
        }
    }
    match status {
        StatusCode::OK if size > 0 && (!thoroughly || is_for(prepared, &kept)) => Ok(()),
        StatusCode::OK => Err(Kind::Word("answer")),
        other => Err(Kind::Status(other.as_u16())),
    }
}

/// Whether the answer holds a certificate for the key of the request.
fn is_for(prepared: &Prepared, body: &[u8]) -> bool {
    let received = Received { status: 200, headers: &[], body };
    let Ok(Answer::Certificates(certificates)) = client::read(Operation::SimpleEnroll, &received, now()) else {
        return false;
    };
    let is_ours = |certificate: Certificate| certificate.public_key_der().ends_with(&prepared.point);
    certificates.iter().any(|der| Certificate::parse(der).is_ok_and(is_ours))
}
