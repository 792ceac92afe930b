//! Wrong passwords: counted once each, and who is locked out for them.

use est_core::{Counted, EventKind, Guess, Lockout, Outcome, Refusal, Seconds, Store as _, UnixTime};
use est_store::{Actor, AuditFilter};
use tokio::task::JoinSet;

use super::subject::{Store, Subject};
use crate::support::{START, after, csr, entry, intent, new_password, password_holder};

const LOCKOUT: Lockout =
    Lockout { max_failures: 3, max_address_failures: 3, window: Seconds(60), duration: Seconds(300) };

fn guess(against: &[&str], lockout: Lockout) -> Guess {
    let counted = |who: &&str| Counted { who: (*who).to_owned(), max_failures: lockout.max_failures };
    Guess { against: against.iter().map(counted).collect(), lockout }
}

/// Records a failed try.
async fn fail(store: &Store, guess: Guess) {
    let outcome = Outcome::Refused(Refusal::PasswordRejected);
    let tried = entry(&intent(password_holder("p1"), &csr("device-1")), outcome);
    let event = est_core::Event { kind: EventKind::OtpFailure, reason: None };
    let tried = est_core::Entry { principal: None, intent: None, guess: Some(guess), events: vec![event], ..tried };
    store.record(&tried).await.unwrap();
}

async fn locked_until(store: &Store, who: &str, now: UnixTime) -> Option<UnixTime> {
    store.locked_until(&["nobody".to_owned(), who.to_owned()], now).await.unwrap()
}

async fn lockouts(store: &Store) -> usize {
    let filter = AuditFilter { event: Some("auth.otp.lockout".into()), ..AuditFilter::default() };
    store.audit(filter, 100, None).await.unwrap().items.len()
}

#[tokio::test]
async fn so_many_failures_lock_out_for_so_long_and_nobody_else() {
    let Subject { store, .. } = &Subject::fresh();
    for _ in 0..2 {
        fail(store, guess(&["user a", "address x"], LOCKOUT)).await;
    }
    fail(store, guess(&["user b", "address x"], LOCKOUT)).await;
    assert_eq!(locked_until(store, "address x", START).await, Some(after(300)));
    assert_eq!(locked_until(store, "address x", after(299)).await, Some(after(300)));
    assert_eq!(locked_until(store, "address x", after(300)).await, None);
    assert_eq!(locked_until(store, "user a", START).await, None);
    assert_eq!(lockouts(store).await, 1);
    fail(store, guess(&["user a"], LOCKOUT)).await;
    assert_eq!(locked_until(store, "user a", START).await, Some(after(300)));
    assert_eq!(store.locked_until(&[], START).await.unwrap(), None);
    // Those who are locked out are listed with the failures that led to it.
    let counts = store.failures(10).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|one| (one.who.as_str(), one.count, one.locked_until)).collect();
    assert!(counts.contains(&("user a", 3, Some(after(300)))), "{counts:?}");
    assert!(counts.contains(&("user b", 1, None)), "{counts:?}");
}

#[tokio::test]
async fn an_address_may_fail_more_often_than_a_user() {
    let Subject { store, .. } = &Subject::fresh();
    let lockout = Lockout { max_address_failures: 5, ..LOCKOUT };
    for number in 1..=80 {
        let origin = format!("192.0.2.{}", number / 5).parse().unwrap();
        fail(store, Guess::new("a", None, Some(origin), lockout)).await;
        let is_locked = async |who| locked_until(store, who, START).await.is_some();
        assert_eq!(is_locked("user a").await, number >= 3, "{number}");
        assert_eq!(is_locked("address 192.0.2.1").await, number >= 9, "{number}");
        assert_eq!(is_locked("address 192.0.2.0/24").await, number >= 80, "{number}");
    }
}

#[tokio::test]
async fn failures_count_for_as_long_as_the_window_says_each_by_its_own_time() {
    let Subject { store, clock, .. } = &Subject::fresh();
    // At 0, 40, 61 and 99: three within a minute only in the end.
    for (later, at, locked) in [(0, 0, false), (40, 40, false), (21, 61, false), (38, 99, true)] {
        clock.advance(Seconds(later));
        fail(store, guess(&["user a"], LOCKOUT)).await;
        assert_eq!(locked_until(store, "user a", after(at)).await.is_some(), locked, "{at}");
    }
    // A lockout starts the count afresh.
    clock.advance(Seconds(301));
    fail(store, guess(&["user a"], LOCKOUT)).await;
    assert_eq!(locked_until(store, "user a", after(400)).await, None);
}

#[tokio::test]
async fn what_counts_against_somebody_locked_out_does_not_lock_them_out_longer() {
    let Subject { store, clock, .. } = &Subject::fresh();
    for _ in 0..10 {
        fail(store, guess(&["user a"], LOCKOUT)).await;
        clock.advance(Seconds(1));
    }
    assert_eq!(locked_until(store, "user a", after(10)).await, Some(after(302)));
    assert_eq!(lockouts(store).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_failures_at_two_processes_counts_once() {
    let subject = Subject::fresh();
    let stores = [subject.store.clone(), subject.neighbour()];
    let lockout = Lockout { max_failures: 100, ..LOCKOUT };
    let crowd: JoinSet<_> = (0..64)
        .map(|number| {
            let store = stores[number % 2].clone();
            async move { fail(&store, guess(&["user a", "password p1", "address x"], lockout)).await }
        })
        .collect();
    crowd.join_all().await;
    let counted = subject.store.failures(10).await.unwrap();
    assert_eq!(counted.len(), 3);
    assert!(counted.iter().all(|one| one.count == 64 && one.locked_until.is_none()), "{counted:?}");

    // Whoever comes beyond the last is locked out, once.
    let crowd: JoinSet<_> = (0..64)
        .map(|number| {
            let store = stores[number % 2].clone();
            async move { fail(&store, guess(&["user b"], LOCKOUT)).await }
        })
        .collect();
    crowd.join_all().await;
    assert_eq!(lockouts(&subject.store).await, 1);
}

#[tokio::test]
async fn the_right_password_clears_what_counts_against_its_holder_and_nobody_else() {
    let Subject { store, clock, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    for _ in 0..2 {
        fail(store, guess(&["password p1", "address x"], LOCKOUT)).await;
    }
    let outcome = Outcome::Refused(Refusal::Denied);
    let known = entry(&intent(password_holder("p1"), &csr("device-1")), outcome);
    let known = est_core::Entry { intent: None, ..known };
    store.record(&known).await.unwrap();
    let counted = store.failures(10).await.unwrap();
    assert_eq!(counted.iter().map(|one| one.who.as_str()).collect::<Vec<_>>(), ["address x"]);

    // A lockout stays until its end.
    for _ in 0..3 {
        fail(store, guess(&["password p1"], LOCKOUT)).await;
    }
    store.record(&known).await.unwrap();
    assert!(locked_until(store, "password p1", START).await.is_some());
    clock.advance(Seconds(301));
    store.record(&known).await.unwrap();
    assert_eq!(store.failures(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_operator_ends_a_lockout_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    for _ in 0..3 {
        fail(store, guess(&["user a"], LOCKOUT)).await;
    }
    let who = vec!["user a".to_owned(), "user b".to_owned()];
    assert_eq!(store.unlock(who.clone(), &Actor::local("alice")).await.unwrap(), ["user a"]);
    assert_eq!(locked_until(store, "user a", START).await, None);
    assert_eq!(store.unlock(who, &Actor::local("alice")).await.unwrap(), [""; 0]);
    let page = store.audit(AuditFilter::default(), 1, None).await.unwrap();
    assert_eq!((page.items[0].event.as_str(), page.items[0].reason.as_deref()), ("auth.otp.unlocked", Some("user a")));
}

#[tokio::test]
async fn lockouts_outlive_the_process_and_old_failures_go() {
    let subject = Subject::fresh();
    for _ in 0..3 {
        fail(&subject.store, guess(&["user a"], LOCKOUT)).await;
    }
    let subject = subject.reopened();
    assert!(locked_until(&subject.store, "user a", START).await.is_some());
    for number in 0..20 {
        fail(&subject.store, guess(&[&format!("address {number}")], LOCKOUT)).await;
    }
    subject.clock.advance(Seconds(1000));
    for _ in 0..3 {
        fail(&subject.store, guess(&["user b"], LOCKOUT)).await;
    }
    assert_eq!(subject.store.failures(100).await.unwrap().len(), 1);
}
