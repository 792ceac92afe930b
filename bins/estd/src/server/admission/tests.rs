//! Seats, with clients that wait and hang up.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const PATIENCE: Duration = Duration::from_secs(3_600);

fn admission(max_concurrent: usize, queue: usize) -> Arc<Admission> {
    let rate = Rate::new(1, 2);
    Admission::new(Bounds { per_source: rate, per_principal: rate, max_concurrent, queue, queue_timeout: PATIENCE }, 1)
}

/// Asks for a seat, and for no more than what there is at once.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn seat(admission: &Arc<Admission>, label: &str) -> impl Future<Output = Result<Room, Refusal>> + use<> {
    admission.clone().seat(label.to_owned(), who("a"), None, PATIENCE)
}

fn who(name: &str) -> [String; 2] {
    ["known".to_owned(), name.to_owned()]
}

#[tokio::test]
async fn no_seat_and_no_room_to_wait_is_a_refusal_that_is_counted() {
    let admission = admission(1, 1);
    let _first = seat(&admission, "a").await.unwrap();
    let mut second = pin!(seat(&admission, "a"));
    assert!(poll(second.as_mut()).is_pending());
    let mut third = pin!(seat(&admission, "b"));
    assert!(matches!(poll(third.as_mut()), Poll::Ready(Err(Refusal::Overloaded))));
    let line = admission.tally.take().remove(0);
    assert_eq!(line.reason(), "1 requests at the label b found the server busy");
}

#[tokio::test]
async fn the_last_of_the_principal_that_has_most_makes_room_for_another_at_the_same_label() {
    let admission = admission(1, 3);
    let seat = |name| admission.clone().seat("a".to_owned(), who(name), None, PATIENCE);
    let first = seat("greedy").await.unwrap();
    let mut greedy: Vec<_> = (0..3).map(|_| Box::pin(seat("greedy"))).collect();
    assert!(greedy.iter_mut().all(|waiting| poll(waiting.as_mut()).is_pending()));
    let mut honest = pin!(seat("honest"));
    assert!(poll(honest.as_mut()).is_pending());
    let outcomes: Vec<_> = greedy.iter_mut().map(|waiting| poll(waiting.as_mut()).is_ready()).collect();
    assert_eq!(outcomes, [false, false, true]);
    drop(first);
    let Poll::Ready(Ok(room)) = poll(greedy[0].as_mut()) else { panic!("the first that waits") };
    drop(room);
    assert!(matches!(poll(honest.as_mut()), Poll::Ready(Ok(_))), "then the other line");
}

#[tokio::test]
async fn those_who_wait_for_an_rsa_key_hold_no_place() {
    let admission = admission(1, 1);
    let cores = cores();
    let line = |number: usize| Some(Line::new(vec!["known".to_owned(), number.to_string()]));
    let turns: Vec<_> = (0..cores).map(|number| pin_turn(&admission, line(number))).collect();
    let mut keys: Vec<_> = Vec::new();
    for turn in turns {
        keys.push(turn.await);
    }
    let mut waits = pin!(admission.clone().seat("a".to_owned(), who("b"), line(99), PATIENCE));
    assert!(poll(waits.as_mut()).is_pending());
    assert_eq!((admission.keys.waiting(), admission.places.running()), (1, 0));
    seat(&admission, "a").await.unwrap();
    keys.pop();
    assert!(matches!(poll(waits.as_mut()), Poll::Ready(Ok(_))));
}

/// Takes a turn at making an RSA key.
fn pin_turn(admission: &Arc<Admission>, line: Option<Line>) -> impl Future<Output = est_auth::Turn> + use<> {
    let admission = admission.clone();
    async move { admission.keys.turn(line.unwrap()).await.unwrap() }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_configuration_says() {
    let admission = admission(1, 1);
    let _first = seat(&admission, "a").await.unwrap();
    let refused = admission.clone().seat("a".to_owned(), who("a"), None, Duration::ZERO).await;
    assert!(matches!(refused, Err(Refusal::Overloaded)));
    assert_eq!(admission.places.waiting(), 0);
}

#[test]
fn a_source_that_asks_too_often_is_told_when_to_come_back() {
    let admission = admission(1, 1);
    let bounds = Bounds { per_source: Rate::new(1, 2), ..bounds() };
    let source = Source::from(IpAddr::from([192, 0, 2, 7]));
    let asked: Vec<_> = (0..4).map(|_| admission.pass(source, &bounds)).collect();
    assert_eq!(asked[..2], [Ok(()), Ok(())]);
    assert!(matches!(asked[3], Err(Refusal::TooManyRequests { retry_after: Seconds(1..=2) })), "{asked:?}");
    assert_eq!(admission.pass(IpAddr::from([192, 0, 2, 8]).into(), &bounds), Ok(()));
}

#[test]
fn a_few_refusals_of_a_stranger_are_written_down_and_the_rest_is_counted() {
    let admission = admission(1, 1);
    let written = (0..500).filter(|_| admission.is_written_down(Some("192.0.2.7"))).count();
    assert!((100..110).contains(&written), "{written}");
    assert!(admission.is_written_down(Some("192.0.2.8")));
    let line = admission.tally.take().remove(0);
    assert_eq!(line.instigator().source.as_deref(), Some("192.0.2.7"));
    assert_eq!(line.reason(), format!("{} more attempts to authenticate failed", 500 - written));
    // From everywhere at once, there is a bound as well.
    let written = (0..50_000_u32).filter(|number| {
        let address = std::net::Ipv4Addr::from_bits(*number);
        admission.is_written_down(Some(&address.to_string()))
    });
    assert!(written.count() < 2_000);
}

#[test]
fn a_few_refusals_of_a_principal_are_written_down_and_the_rest_is_counted() {
    let admission = admission(1, 1);
    let [greedy, honest] = ["1", "2"].map(est_testkit::pki::password_holder);
    let written = (0..500).filter(|_| admission.is_refusal_written_down(&greedy)).count();
    assert!((20..22).contains(&written), "{written}");
    assert!(admission.is_refusal_written_down(&honest));
    let line = admission.tally.take().remove(0);
    assert_eq!(line.instigator().name, Some(greedy.to_string()));
    assert_eq!(line.reason(), format!("{} more requests were refused", 500 - written));
}

#[test]
fn so_many_wrong_passwords_are_written_down_and_the_rest_is_counted() {
    let admission = admission(1, 1);
    let written = (0..5_000).filter(|_| admission.is_guess_written_down(Some("192.0.2.7"))).count();
    assert!((1_000..1_100).contains(&written), "{written}");
    assert_eq!(admission.tally.take()[0].reason(), format!("{} more attempts to authenticate failed", 5_000 - written));
    // Who shows nothing at all has a bound of its own.
    assert!(admission.is_written_down(Some("192.0.2.7")));
}

fn bounds() -> Bounds {
    let rate = Rate::new(1, 2);
    Bounds { per_source: rate, per_principal: rate, max_concurrent: 1, queue: 1, queue_timeout: PATIENCE }
}
