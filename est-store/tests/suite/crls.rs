//! What belongs on a CA's CRL, and who publishes it.

use est_core::pkix::{RevocationReason, RevokedCertificate};
use est_core::{Intent, Seconds, Store as _, UnixTime};
use est_store::{
    Actor, AuditFilter, CrlState, NewCrl, Publication, PublishedCrl, Revocation, Revocations, SerialNumber,
};
use tokio::task::JoinSet;

use super::subject::{Store, Subject};
use crate::support::{START, after, certificate_holder, csr, intent, issued, sign_certificate};

/// Enrolls a device. Its certificate is good for 90 days.
async fn enroll(store: &Store, name: &str, ca: &str) -> Intent {
    let intent = Intent { ca: ca.to_owned(), ..intent(certificate_holder(name), &csr(name)) };
    store.claim(&intent).await.unwrap();
    store.record(&est_core::Entry { ca: ca.to_owned(), ..issued(&intent, &sign_certificate(&intent)) }).await.unwrap();
    intent
}

async fn revoke(store: &Store, intent: &Intent, reason: RevocationReason, now: UnixTime) {
    let serial = SerialNumber::from_contents(intent.serial.as_bytes());
    let done = store.revoke(&serial, None, reason, now, &Actor::local("alice")).await.unwrap();
    assert_eq!(done, Revocation::Revoked);
}

fn entry(intent: &Intent, reason: RevocationReason, revocation_date: UnixTime) -> RevokedCertificate {
    RevokedCertificate { serial: intent.serial.as_bytes().to_vec(), revocation_date, reason }
}

fn crl(number: u64, revocations: u64) -> NewCrl {
    NewCrl {
        ca: "root".into(),
        authority: "root".into(),
        number,
        follows: (number > 1).then(|| number - 1),
        this_update: after(number),
        next_update: after(1_000 + number),
        entries: 3,
        revocations,
        der: vec![0x30, 0],
    }
}

#[tokio::test]
async fn each_ca_has_its_own_revocations_in_the_order_of_issuance() {
    let Subject { store, .. } = &Subject::fresh();
    let (first, second) = (enroll(store, "device-1", "root").await, enroll(store, "device-2", "root").await);
    let elsewhere = enroll(store, "device-3", "other").await;
    enroll(store, "device-4", "root").await;
    let (compromised, unspecified) = (RevocationReason::KeyCompromise, RevocationReason::Unspecified);
    revoke(store, &second, compromised, after(1)).await;
    revoke(store, &first, unspecified, after(2)).await;
    revoke(store, &elsewhere, unspecified, after(3)).await;
    let expected = vec![entry(&first, unspecified, after(2)), entry(&second, compromised, after(1))];
    assert_eq!(store.revocations("root", START).await.unwrap(), Revocations { count: 2, revoked: expected });
    let expected = vec![entry(&elsewhere, unspecified, after(3))];
    assert_eq!(store.revocations("other", START).await.unwrap(), Revocations { count: 1, revoked: expected });
    assert_eq!(store.revocations("none", START).await.unwrap(), Revocations { count: 0, revoked: Vec::new() });
}

#[tokio::test]
async fn what_ended_and_was_revoked_long_ago_leaves_the_list() {
    let Subject { store, .. } = &Subject::fresh();
    let (early, late) = (enroll(store, "device-1", "root").await, enroll(store, "device-2", "root").await);
    let (end, reason) = (START + Seconds::from_days(90), RevocationReason::Superseded);
    let long_after = end + Seconds::from_days(30);
    revoke(store, &early, reason, after(1)).await;
    revoke(store, &late, reason, long_after).await;
    let both = vec![entry(&early, reason, after(1)), entry(&late, reason, long_after)];
    assert_eq!(store.revocations("root", end).await.unwrap().revoked, both);
    assert_eq!(store.revocations("root", end + Seconds(1)).await.unwrap().revoked, both[1..]);
    assert_eq!(
        store.revocations("root", long_after + Seconds(1)).await.unwrap(),
        Revocations { count: 2, revoked: Vec::new() }
    );
}

#[tokio::test]
async fn a_crl_follows_the_last_one_or_changes_nothing() {
    let subject = Subject::fresh();
    let Subject { store, .. } = &subject;
    assert_eq!(store.crl("root").await.unwrap(), None);
    for (number, expected) in [
        (2, Publication::Superseded),
        (1, Publication::Published),
        (1, Publication::Superseded),
        (3, Publication::Superseded),
        (2, Publication::Published),
        (1, Publication::Superseded),
    ] {
        assert_eq!(store.publish_crl(crl(number, 0), None).await.unwrap(), expected, "{number}");
    }
    let NewCrl { number, this_update, next_update, der, .. } = crl(2, 0);
    let expected = PublishedCrl { number, this_update, next_update, der };
    assert_eq!(store.crl("root").await.unwrap(), Some(expected.clone()));
    assert_eq!(store.crl("other").await.unwrap(), None);
    let Subject { store, .. } = &subject.reopened();
    assert_eq!(store.crl("root").await.unwrap(), Some(expected));
    assert_eq!(store.publish_crl(crl(1, 0), None).await.unwrap(), Publication::Superseded);
}

#[tokio::test]
async fn a_revocation_makes_the_last_crl_stale_wherever_it_happens() {
    let subject = &Subject::fresh();
    let (store, neighbour) = (&subject.store, &subject.neighbour());
    let [first, second] = [enroll(store, "device-1", "root").await, enroll(store, "device-2", "root").await];
    let elsewhere = enroll(store, "device-3", "other").await;
    assert_eq!(store.crl_state("root").await.unwrap(), None);
    let count = store.revocations("root", START).await.unwrap().count;
    revoke(neighbour, &first, RevocationReason::Unspecified, after(1)).await;
    store.publish_crl(crl(1, count), None).await.unwrap();
    let stale = CrlState { number: 1, this_update: after(1), next_update: after(1_001), is_stale: true };
    assert_eq!(store.crl_state("root").await.unwrap(), Some(stale), "it was revoked while the list was made");

    let count = store.revocations("root", START).await.unwrap().count;
    store.publish_crl(crl(2, count), None).await.unwrap();
    revoke(neighbour, &elsewhere, RevocationReason::Unspecified, after(2)).await;
    let fresh = CrlState { number: 2, this_update: after(2), next_update: after(1_002), is_stale: false };
    assert_eq!(neighbour.crl_state("root").await.unwrap(), Some(fresh));
    revoke(neighbour, &second, RevocationReason::Unspecified, after(3)).await;
    assert_eq!(store.crl_state("root").await.unwrap(), Some(CrlState { is_stale: true, ..fresh }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_publish_the_same_number_one_does() {
    let subject = Subject::fresh();
    let handles = [subject.store.clone(), subject.neighbour()];
    for number in 1..=5 {
        let publish = |store: &Store| {
            let store = store.clone();
            async move { store.publish_crl(crl(number, 0), None).await.unwrap() }
        };
        let mut crowd: JoinSet<_> = handles.iter().cycle().take(16).map(publish).collect();
        let mut published = 0;
        while let Some(done) = crowd.join_next().await {
            published += usize::from(done.unwrap() == Publication::Published);
        }
        assert_eq!(published, 1);
    }
    let filter = AuditFilter { event: Some("crl.published".into()), ..Default::default() };
    assert_eq!(subject.store.audit(filter, 100, None).await.unwrap().items.len(), 5);
}

#[tokio::test]
async fn a_crl_is_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    store.publish_crl(crl(1, 0), None).await.unwrap();
    store.publish_crl(crl(2, 0), Some(&Actor::local("alice"))).await.unwrap();
    let [by_alice, by_itself] = store.audit(AuditFilter::default(), 10, None).await.unwrap().items.try_into().unwrap();
    assert_eq!((by_alice.actor.as_deref(), by_itself.actor), (Some("alice"), None));
    assert_eq!((by_itself.event.as_str(), by_itself.ca.as_deref()), ("crl.published", Some("root")));
    let expected = format!("number 1, 3 revoked, until {}, of root (sha-256:", after(1_001));
    assert!(by_itself.reason.as_deref().is_some_and(|reason| reason.starts_with(&expected)), "{:?}", by_itself.reason);
}
