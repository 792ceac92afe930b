//! EST as a service: what needs room, and what happens although its client hangs up.

#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use est_core::tower::{Admission, Answer, Est, Room, Shell, Task, Work};
use est_core::{
    Authenticator, CaBackend, Claimed, Doubt, Entropy, Entry, Evidence, Generated, GeneratedKey, Guess, Intent,
    Issuance, KeyGenerator, KeyPart, KeyWish, Lockout, Operation, Order, Outcome, PortError, PortFuture, Ports,
    Refusal, Seconds, Site, Store, UnixTime, Verdict,
};
use est_testkit::https::base64;
use est_testkit::pki::{Key, NOW, TestCa, entropy, password_holder};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::Full;
use tower_service::Service as _;

#[test]
fn who_waits_for_a_password_to_be_checked_takes_no_room() {
    let world = World::new(password_holder_known);
    let mut answer = world.ask();
    world.run(&mut answer);
    assert_eq!(world.asked_for_room(), 0);
    world.is_checked.store(true, Ordering::SeqCst);
    assert_eq!(world.run(&mut answer), None);
    assert_eq!((world.asked_for_room(), world.recorded()), (1, 0));
    world.has_room.store(true, Ordering::SeqCst);
    assert_eq!(world.run(&mut answer), Some(503));
}

#[test]
fn a_wrong_password_counts_though_its_client_hangs_up_and_there_is_no_room() {
    let world = World::new(guess);
    let mut answer = world.ask();
    world.run(&mut answer);
    drop(answer);
    world.is_checked.store(true, Ordering::SeqCst);
    world.run_tasks();
    assert_eq!((world.asked_for_room(), world.recorded()), (0, 1));
}

#[test]
fn a_key_that_nobody_waits_for_any_more_is_not_certified() {
    for (hangs_up, outcomes) in [(false, [Refusal::CaUnavailable]), (true, [Refusal::KeyGeneratorUnavailable])] {
        let world = World::new(password_holder_known);
        world.is_checked.store(true, Ordering::SeqCst);
        world.has_room.store(true, Ordering::SeqCst);
        let csr = base64(&Key::p256().csr("CN=device-1", &[]));
        let mut answer = world.send("serverkeygen", Full::new(Bytes::from(csr)));
        assert_eq!(world.run(&mut answer), None);
        if hangs_up {
            drop(answer);
        }
        world.is_made.store(true, Ordering::SeqCst);
        world.run_tasks();
        // The CA is down, where it comes to that.
        assert_eq!(*world.outcomes.lock().unwrap(), outcomes);
    }
}

#[test]
fn a_client_that_hangs_up_before_there_is_room_is_on_record() {
    for is_checked_first in [true, false] {
        let world = World::new(password_holder_known);
        let mut answer = world.ask();
        world.is_checked.store(is_checked_first, Ordering::SeqCst);
        world.run(&mut answer);
        drop(answer);
        world.is_checked.store(true, Ordering::SeqCst);
        world.run_tasks();
        assert_eq!((world.recorded(), world.told()), (1, vec!["auth.otp.success", "enroll.failure"]));
    }
}

#[test]
fn a_client_for_which_there_is_no_room_is_on_record() {
    let world = World::new(password_holder_known);
    world.is_checked.store(true, Ordering::SeqCst);
    world.is_full.store(true, Ordering::SeqCst);
    let mut answer = world.ask();
    assert_eq!(world.run(&mut answer), Some(503));
    world.run_tasks();
    assert_eq!(world.recorded(), 1);
}

#[test]
fn a_client_whose_long_body_breaks_off_is_on_record_once() {
    for ends in [None, Some(Err("cut off"))] {
        let world = World::new(password_holder_known);
        world.is_checked.store(true, Ordering::SeqCst);
        world.has_room.store(true, Ordering::SeqCst);
        let hangs_up = ends.is_none();
        let mut answer = world.send("simpleenroll", Sends { octets: 20_000, ends });
        let status = world.run(&mut answer);
        assert_eq!(status, if hangs_up { None } else { Some(400) });
        assert_eq!(world.recorded(), usize::from(!hangs_up), "not before it has broken off");
        drop(answer);
        world.run_tasks();
        assert_eq!((world.recorded(), world.told()[0]), (1, "auth.otp.success"));
    }
    let world = World::new(password_holder_known);
    world.is_checked.store(true, Ordering::SeqCst);
    world.has_room.store(true, Ordering::SeqCst);
    let mut answer = world.send("simpleenroll", Sends { octets: 20_000, ends: Some(Ok(())) });
    assert_eq!(world.run(&mut answer), Some(400));
    drop(answer);
    world.run_tasks();
    assert_eq!(world.recorded(), 1);
}

#[test]
fn a_stranger_whose_long_body_breaks_off_is_answered_and_its_guess_counted() {
    let world = World::new(guess);
    world.is_checked.store(true, Ordering::SeqCst);
    let mut answer = world.send("simpleenroll", Sends { octets: 20_000, ends: None });
    assert_eq!((world.run(&mut answer), world.recorded()), (Some(401), 1));
}

/// A body of this many octets that comes at once and then ends, breaks off, or has more to come for ever.
struct Sends {
    octets: usize,
    ends: Option<Result<(), &'static str>>,
}

impl Body for Sends {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match (std::mem::take(&mut self.octets), self.ends) {
            (0, None) => Poll::Pending,
            (0, Some(Ok(()))) => Poll::Ready(None),
            (0, Some(Err(why))) => Poll::Ready(Some(Err(why.into()))),
            (octets, _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'A'; octets]))))),
        }
    }
}

fn password_holder_known() -> Verdict {
    Verdict::Known(password_holder("p1"))
}

fn guess() -> Verdict {
    let lockout = Lockout { max_failures: 5, max_address_failures: 50, window: Seconds(900), duration: Seconds(1800) };
    Verdict::Guessed(Doubt::PasswordRejected, Guess::new("device-1", None, None, lockout))
}

/// A server without threads: everything goes on when it is asked to.
struct World {
    site: Arc<Site>,
    verdict: fn() -> Verdict,
    is_checked: AtomicBool,
    has_room: AtomicBool,
    is_full: AtomicBool,
    asked_for_room: AtomicUsize,
    recorded: AtomicUsize,
    /// The names of the events that were recorded last.
    told: Mutex<Vec<&'static str>>,
    is_made: AtomicBool,
    /// How exchanges that claimed something ended.
    outcomes: Mutex<Vec<Refusal>>,
    tasks: Mutex<Vec<Task>>,
}

impl World {
    fn new(verdict: fn() -> Verdict) -> Arc<Self> {
        Arc::new(Self {
            site: Arc::new(TestCa::new().site()),
            verdict,
            is_checked: AtomicBool::default(),
            has_room: AtomicBool::default(),
            is_full: AtomicBool::default(),
            told: Mutex::default(),
            asked_for_room: AtomicUsize::default(),
            recorded: AtomicUsize::default(),
            is_made: AtomicBool::default(),
            outcomes: Mutex::default(),
            tasks: Mutex::default(),
        })
    }

    /// Asks for a certificate.
    fn ask(self: &Arc<Self>) -> Answer {
        self.send("simpleenroll", Full::new(Bytes::from(base64(&Key::p256().csr("CN=device-1", &[])))))
    }

    fn send<B>(self: &Arc<Self>, operation: &str, body: B) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let port = Arc::new(Port(self.clone()));
        let ports = Ports { authenticator: port.clone(), ca: port.clone(), keys: port.clone(), store: port.clone() };
        let request =
            Request::post(format!("/.well-known/est/{operation}")).header("Content-Type", "application/pkcs10");
        Est::new(port, ports, 64 * 1024).call(request.body(body).unwrap())
    }

    /// Goes on as far as possible; the status if there is an answer.
    fn run(&self, answer: &mut Answer) -> Option<u16> {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..4 {
            if let Poll::Ready(Ok::<_, Infallible>(answer)) = answer.as_mut().poll(&mut context) {
                return Some(answer.status().as_u16());
            }
            self.run_tasks();
        }
        None
    }

    fn run_tasks(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        let mut context = Context::from_waker(Waker::noop());
        let unfinished =
            tasks.into_iter().filter_map(|mut task| task.as_mut().poll(&mut context).is_pending().then_some(task));
        let unfinished: Vec<_> = unfinished.collect();
        self.tasks.lock().unwrap().extend(unfinished);
    }

    fn asked_for_room(&self) -> usize {
        self.asked_for_room.load(Ordering::SeqCst)
    }

    fn recorded(&self) -> usize {
        self.recorded.load(Ordering::SeqCst)
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().clone()
    }
}

async fn until(is_so: &AtomicBool) {
    poll_fn(|_| if is_so.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Every port of it, and its shell.
struct Port(Arc<World>);

impl Shell for Port {
    fn site(&self) -> Arc<Site> {
        self.0.site.clone()
    }

    fn now(&self) -> UnixTime {
        NOW
    }

    fn entropy(&self) -> Result<Entropy, PortError> {
        Ok(entropy(7))
    }

    fn admit(&self, _: &Work<'_>) -> Admission {
        let world = self.0.clone();
        world.asked_for_room.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if world.is_full.load(Ordering::SeqCst) {
                return Err(Refusal::Overloaded);
            }
            until(&world.has_room).await;
            Ok::<Room, Refusal>(Box::new(()))
        })
    }

    fn spawn(&self, task: Task) {
        self.0.tasks.lock().unwrap().push(task);
    }
}

impl Authenticator for Port {
    fn authenticate<'a>(&'a self, _: &'a Evidence, _: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(async {
            until(&self.0.is_checked).await;
            Ok((self.0.verdict)())
        })
    }
}

impl KeyGenerator for Port {
    fn generate<'a>(&'a self, _: &'a KeyWish) -> PortFuture<'a, Generated> {
        Box::pin(async {
            until(&self.0.is_made).await;
            let part = KeyPart::Pkcs8(Vec::new().into());
            Ok(Generated::Key(GeneratedKey { public_key: Key::p256().public_key().clone(), part }))
        })
    }
}

impl CaBackend for Port {
    fn issue<'a>(&'a self, _: &'a Order) -> PortFuture<'a, Issuance> {
        down()
    }
}

impl Store for Port {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        match intent.operation {
            Operation::ServerKeyGen => Box::pin(async { Ok(Claimed::Fresh) }),
            _ => down(),
        }
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        *self.0.told.lock().unwrap() = entry.events.iter().map(|event| event.kind.name()).collect();
        self.0.recorded.fetch_add(1, Ordering::SeqCst);
        if let Outcome::Interrupted(refusal) = &entry.outcome {
            self.0.outcomes.lock().unwrap().push(refusal.clone());
        }
        Box::pin(async { Ok(()) })
    }
}

fn down<'a, T>() -> PortFuture<'a, T> {
    Box::pin(async { Err(PortError("down".into())) })
}
