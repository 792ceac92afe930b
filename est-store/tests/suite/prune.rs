//! What is deleted when it has been over for long enough, and what stays whatever the policy says.

use est_core::{Claimed, Intent, Seconds, Store as _, UnixTime};
use est_store::{
    Actor, AuditFilter, AuditRecord, Decision, NewCrl, NewPassword, Pruned, Publication, RequestState, Retention,
    Revocation, RevocationReason, SerialNumber, ServerEvent,
};
use tokio::task::JoinSet;

use super::subject::{Store, Subject};
use crate::support::{
    START, WINDOW, after, again, certificate_holder, csr, intent, issued, manual, new_password, password_holder,
    sign_certificate,
};

const MONTH: Seconds = Seconds::from_days(30);

/// How long CRLs are good, here.
const CRL_VALIDITY: Seconds = Seconds::from_days(7);

/// Keeps everything for a month.
const RETENTION: Retention = Retention { certificates: Some(MONTH), requests: Some(MONTH), passwords: Some(MONTH) };

const NOTHING: Pruned = Pruned { certificates: 0, requests: 0, passwords: 0 };

/// Deletes what may go, which is as much as was foretold.
async fn prune(store: &Store, retention: Retention, now: UnixTime) -> Pruned {
    let foretold = store.prunable(retention, now).await.unwrap();
    let pruned = store.prune(retention, now, &Actor::local("alice"), |_| {}).await.unwrap();
    assert_eq!(pruned, foretold);
    pruned
}

/// Enrolls a device. Its certificate ends at [`end`].
async fn enroll(store: &Store) -> Intent {
    let intent = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&intent).await.unwrap();
    store.record(&issued(&intent, &sign_certificate(&intent))).await.unwrap();
    intent
}

fn end() -> UnixTime {
    START + Seconds::from_days(90)
}

fn serial(intent: &Intent) -> SerialNumber {
    SerialNumber::from_contents(intent.serial.as_bytes())
}

/// Lets the claims end, and something be written: after it old ones are deleted, and before what comes next.
async fn forget_claims(subject: &Subject) {
    subject.clock.advance(Seconds(WINDOW.0 + 1));
    for _ in 0..2 {
        subject.store.note(ServerEvent::Startup, None).await.unwrap();
    }
}

async fn records(store: &Store) -> Vec<AuditRecord> {
    let filter = AuditFilter { event: Some("store.pruned".into()), ..Default::default() };
    store.audit(filter, 100, None).await.unwrap().items
}

#[tokio::test]
async fn a_certificate_goes_when_it_has_been_over_for_long_enough() {
    let subject = &Subject::fresh();
    let store = &subject.store;
    let serial = serial(&enroll(store).await);
    forget_claims(subject).await;
    assert_eq!(prune(store, RETENTION, end() + MONTH).await, NOTHING);
    assert!(store.certificate(&serial, None).await.unwrap().is_some());
    assert_eq!(records(store).await, []);

    let pruned = prune(store, RETENTION, end() + MONTH + Seconds(1)).await;
    assert_eq!(pruned, Pruned { certificates: 1, ..NOTHING });
    assert_eq!(store.certificate(&serial, None).await.unwrap(), None);
    let [record] = records(store).await.try_into().unwrap();
    let named = serial.to_string().replace(':', "");
    let expected = format!("certificates: 1 that ended before {}: {named}", end() + Seconds(1));
    assert_eq!((record.actor.as_deref(), record.reason), (Some("alice"), Some(expected)));
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), [], "what was deleted is accounted for");
}

#[tokio::test]
async fn everything_is_kept_for_ever_where_nothing_else_is_said() {
    let subject = &Subject::fresh();
    enroll(&subject.store).await;
    subject.store.create_password(new_password("p", 1), &Actor::local("alice")).await.unwrap();
    forget_claims(subject).await;
    assert_eq!(prune(&subject.store, Retention::default(), UnixTime(u64::MAX)).await, NOTHING);
    let others = Retention { certificates: None, ..RETENTION };
    assert_eq!(prune(&subject.store, others, end() + MONTH + MONTH).await, Pruned { passwords: 1, ..NOTHING });
}

#[tokio::test]
async fn a_certificate_that_a_claim_answers_with_stays() {
    let subject = &Subject::fresh();
    let store = &subject.store;
    let first = enroll(store).await;
    let late = end() + MONTH + MONTH;
    assert_eq!(prune(store, RETENTION, late).await, NOTHING);
    let replay = store.claim(&again(&first, after(1))).await.unwrap();
    assert!(matches!(replay, Claimed::Finished(_)), "{replay:?}");
    forget_claims(subject).await;
    assert_eq!(prune(store, RETENTION, late).await, Pruned { certificates: 1, ..NOTHING });
}

#[tokio::test]
async fn a_revoked_certificate_stays_until_no_crl_has_it_any_more() {
    let subject = &Subject::fresh();
    let store = &subject.store;
    let first = enroll(store).await;
    let serial = serial(&first);
    let alice = &Actor::local("alice");
    let revoked = store.revoke(&serial, None, RevocationReason::KeyCompromise, after(5), alice).await.unwrap();
    assert_eq!(revoked, Revocation::Revoked);
    forget_claims(subject).await;
    let publish = async |number, this_update: UnixTime| {
        let next_update = this_update + CRL_VALIDITY;
        let crl = NewCrl {
            ca: "root".into(),
            authority: "root".into(),
            number,
            follows: (number > 1).then(|| number - 1),
            this_update,
            next_update,
            entries: 1,
            revocations: 1,
            der: vec![0x30, 0],
        };
        assert_eq!(store.publish_crl(crl, None).await.unwrap(), Publication::Published);
    };
    let retention = Retention { certificates: Some(Seconds(1)), ..RETENTION };
    let late = end() + CRL_VALIDITY;
    assert_eq!(prune(store, retention, late + MONTH).await, NOTHING, "no CRL was ever made");
    publish(1, end()).await;
    assert_eq!(prune(store, retention, late + MONTH).await, NOTHING, "none was made after its end");
    publish(2, end() + Seconds(1)).await;
    assert_eq!(prune(store, retention, late).await, NOTHING, "the next one has it");
    let next = store.revocations("root", end()).await.unwrap().revoked;
    assert_eq!((next.len(), store.certificate(&serial, None).await.unwrap().unwrap().revoked.is_some()), (1, true));

    assert_eq!(store.revocations("root", end() + Seconds(1)).await.unwrap().revoked, [], "the one after has not");
    assert_eq!(prune(store, retention, late + Seconds(1)).await, Pruned { certificates: 1, ..NOTHING });
    assert_eq!(store.certificate(&serial, None).await.unwrap(), None);
    assert!(!store.crl_state("root").await.unwrap().unwrap().is_stale, "what was revoked is counted for ever");
    let same_key = intent(certificate_holder("device-2"), &first.csr);
    assert_eq!(store.claim(&same_key).await.unwrap(), Claimed::KeyCompromised);
}

#[tokio::test]
async fn a_request_stays_until_it_has_been_decided_for_long_enough() {
    let Subject { store, .. } = &Subject::fresh();
    let [open, decided] = ["device-1", "device-2"].map(|name| manual(intent(certificate_holder(name), &csr(name))));
    store.claim(&open).await.unwrap();
    let awaiting = store.requests(None, 10, None).await.unwrap().items[0].id.clone();
    store.claim(&decided).await.unwrap();
    let id = store.requests(None, 10, None).await.unwrap().items[0].id.clone();
    store.decide_request(&id, Decision::Approve, &Actor::local("alice"), after(5)).await.unwrap();
    assert_eq!(prune(store, RETENTION, after(5) + MONTH).await, NOTHING);
    assert_eq!(prune(store, RETENTION, after(6) + MONTH).await, Pruned { requests: 1, ..NOTHING });
    assert_eq!(prune(store, RETENTION, end() + MONTH).await, NOTHING, "nobody has decided the other one");
    let [left] = store.requests(None, 10, None).await.unwrap().items.try_into().unwrap();
    assert_eq!((left.id, left.state), (awaiting, RequestState::Awaiting));
    assert_eq!(store.claim(&again(&decided, after(7))).await.unwrap(), Claimed::Fresh, "it was approved all the same");
}

#[tokio::test]
async fn a_password_stays_until_it_has_been_over_for_long_enough_and_no_claim_has_used_it() {
    let subject = &Subject::fresh();
    let (store, alice) = (&subject.store, &Actor::local("alice"));
    for id in ["used", "unused", "revoked"] {
        let expires = if id == "revoked" { end() + MONTH + MONTH } else { after(600) };
        store.create_password(NewPassword { expires, ..new_password(id, 1) }, alice).await.unwrap();
    }
    store.claim(&intent(password_holder("used"), &csr("device-1"))).await.unwrap();
    store.revoke_password("revoked", after(300), alice).await.unwrap();
    assert_eq!(prune(store, RETENTION, after(300) + MONTH).await, NOTHING);
    assert_eq!(prune(store, RETENTION, after(301) + MONTH).await, Pruned { passwords: 1, ..NOTHING });
    assert_eq!(store.password_summary("revoked").await.unwrap(), None);
    assert_eq!(prune(store, RETENTION, after(601) + MONTH).await, Pruned { passwords: 1, ..NOTHING });
    assert_eq!(store.password_summary("unused").await.unwrap(), None);
    assert_eq!(prune(store, RETENTION, end() + MONTH).await, NOTHING, "a claim has used it");
    forget_claims(subject).await;
    assert_eq!(prune(store, RETENTION, end() + MONTH).await, Pruned { passwords: 1, ..NOTHING });
    assert_eq!(store.password_summary("used").await.unwrap(), None);
}

#[tokio::test]
async fn many_go_some_at_a_time_each_time_with_a_record_and_counting_deletes_none() {
    let Subject { store, .. } = &Subject::fresh();
    let create = |number: u32| {
        let (store, password) = (store.clone(), new_password(&format!("password-{number}"), 1));
        async move { store.create_password(password, &Actor::local("alice")).await.unwrap() }
    };
    (0..1_001).map(create).collect::<JoinSet<_>>().join_all().await;
    let now = end() + MONTH;
    assert_eq!(store.prunable(RETENTION, now).await.unwrap(), Pruned { passwords: 1_001, ..NOTHING });
    assert_eq!(store.prunable(RETENTION, now).await.unwrap(), Pruned { passwords: 1_001, ..NOTHING });
    assert_eq!(records(store).await, []);

    let mut told = Vec::new();
    store.prune(RETENTION, now, &Actor::local("bob"), |pruned| told.push(pruned.passwords)).await.unwrap();
    assert_eq!(told, [500, 1_000, 1_001]);
    assert_eq!(store.list_passwords(None, 10, None).await.unwrap().items, []);
    let records = records(store).await;
    let counts = records.iter().map(|record| record.reason.as_deref().unwrap().split(' ').nth(1).unwrap());
    let expected: Vec<_> = ["1"].into_iter().chain(["25"; 40]).collect();
    assert_eq!(counts.collect::<Vec<_>>(), expected, "the latest first, and each names what was deleted");
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
    assert!(records.iter().all(|record| record.actor.as_deref() == Some("bob")));
}
