//! What a certificate goes back to, and what followed.

use std::sync::Arc;

use est_core::pkix::Certificate;
use est_core::{Intent, Operation, Principal, Store as _};
use est_store::{Actor, AuditFilter, CertificateFilter, Decision, RequestState, Ruling, SerialNumber, Story};

use super::subject::{Store, Subject};
use crate::support::{after, again, csr, intent, intent_at, issued, manual, new_password, password_holder, sign_certificate};

fn number(certificate: &Certificate) -> SerialNumber {
    SerialNumber::from_contents(certificate.serial())
}

/// Enrolls, and answers with the certificate.
async fn enroll(store: &Store, wanted: &Intent) -> Arc<Certificate> {
    store.claim(wanted).await.unwrap();
    let certificate = sign_certificate(wanted);
    store.record(&issued(wanted, &certificate)).await.unwrap();
    certificate
}

/// Renews a certificate.
async fn renew(store: &Store, shown: &Arc<Certificate>, seconds: u64) -> Arc<Certificate> {
    let renewal = intent_at(Principal::Certificate(shown.clone().into()), &csr("device-1"), after(seconds));
    enroll(store, &Intent { operation: Operation::SimpleReenroll, ..renewal }).await
}

async fn story(store: &Store, certificate: &Certificate) -> Story {
    store.story(&number(certificate), None).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_certificate_leads_to_its_request_its_approval_its_password_and_who_made_that() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin:alice")).await.unwrap();
    let first = manual(intent(password_holder("p1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    let [request] = store.requests(Some(RequestState::Awaiting), 9, None).await.unwrap().items.try_into().unwrap();
    let ruling = Ruling { comment: Some("seen in the field".into()), ..Decision::Approve.into() };
    store.decide_request(&request.id, ruling, &Actor::local("admin:bob"), after(5)).await.unwrap();
    let certificate = enroll(store, &again(&first, after(6))).await;

    let Story { this, .. } = story(store, &certificate).await;
    assert_eq!((this.certificate.password.as_deref(), this.certificate.request.as_ref()), (Some("p1"), Some(&request.id)));
    let password = this.password.unwrap();
    assert_eq!((password.id.as_str(), password.created_by.as_deref()), ("p1", Some("admin:alice")));
    let approved = this.request.unwrap();
    assert_eq!(approved.decided_by.as_deref(), Some("admin:bob"));
    assert_eq!(approved.comment.as_deref(), Some("seen in the field"));
    assert_eq!(approved.source.as_deref(), Some("192.0.2.7"));
    assert_eq!(approved.password.as_deref(), Some("p1"));
    // And back.
    let found = store.certificate_of_request(&request.id).await.unwrap().unwrap();
    assert_eq!(found.serial, number(&certificate));
    let found = store.certificates_of_password("p1", 9).await.unwrap();
    assert_eq!(found.iter().map(|one| one.serial.clone()).collect::<Vec<_>>(), [number(&certificate)]);
}

#[tokio::test]
async fn a_story_goes_from_the_first_certificate_to_the_last_renewal() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin:alice")).await.unwrap();
    let first = enroll(store, &intent(password_holder("p1"), &csr("device-1"))).await;
    let second = renew(store, &first, 10).await;
    let third = renew(store, &second, 20).await;
    let fourth = renew(store, &third, 30).await;
    let beside = renew(store, &second, 40).await;
    // Somebody else's is no part of it.
    store.create_password(new_password("p2", 1), &Actor::local("admin:alice")).await.unwrap();
    enroll(store, &intent(password_holder("p2"), &csr("device-2"))).await;

    let told = story(store, &second).await;
    let serials = |chapters: &[est_store::Chapter]| -> Vec<SerialNumber> {
        chapters.iter().map(|chapter| chapter.certificate.serial.clone()).collect()
    };
    assert_eq!(serials(&told.before), [number(&first)]);
    assert_eq!(told.this.certificate.predecessor, Some(number(&first)));
    assert_eq!(serials(&told.after), [number(&third), number(&fourth), number(&beside)]);
    assert_eq!(told.before[0].password.as_ref().unwrap().created_by.as_deref(), Some("admin:alice"));
    assert!(!told.is_cut);
    let told = story(store, &fourth).await;
    assert_eq!(serials(&told.before), [number(&first), number(&second), number(&third)]);
    assert!(told.after.is_empty());
}

#[tokio::test]
async fn a_long_story_is_cut_and_says_so() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin:alice")).await.unwrap();
    let first = enroll(store, &intent(password_holder("p1"), &csr("device-1"))).await;
    let mut last = first.clone();
    for seconds in 1..=40 {
        last = renew(store, &last, seconds).await;
    }
    let told = story(store, &first).await;
    assert_eq!((told.after.len(), told.is_cut), (32, true));
    let told = story(store, &last).await;
    assert_eq!((told.before.len(), told.is_cut), (32, true));
}

#[tokio::test]
async fn the_trail_is_searched_by_the_subject_of_a_certificate_and_the_beginning_of_an_actor() {
    let Subject { store, .. } = &Subject::fresh();
    for (id, name) in [("p1", "device-1"), ("p2", "device-2")] {
        store.create_password(new_password(id, 1), &Actor::local("local:alice (uid 1000)")).await.unwrap();
        enroll(store, &intent(password_holder(id), &csr(name))).await;
    }
    let count = |filter: AuditFilter| async move { store.audit(filter, 99, None).await.unwrap().items.len() };
    let containing = |text: &str| AuditFilter { containing: Some(text.into()), ..AuditFilter::default() };
    let by = |text: &str| AuditFilter { actor: Some(text.into()), ..AuditFilter::default() };
    let issued = AuditFilter { event: Some("cert.issued".into()), ..containing("DEVICE-2.EXAMPLE") };
    assert_eq!(count(issued).await, 1);
    assert_eq!(count(containing("no-such-device")).await, 0);
    assert_eq!(count(containing("password p1")).await, count(by("password p1")).await + 1, "and its making");
    assert_eq!(count(by("local:alice")).await, 2);
    assert_eq!(count(by("local:alice (uid 1000)")).await, 2);
    for other in ["local:ali", "local", "LOCAL:ALICE", "password p"] {
        assert_eq!(count(by(other)).await, 0, "{other}");
    }
}

#[tokio::test]
async fn a_certificate_is_found_by_its_serial_number_and_by_the_beginning_of_it() {
    let Subject { store, .. } = &Subject::fresh();
    let mut certificates = Vec::new();
    for id in ["p1", "p2", "p3"] {
        store.create_password(new_password(id, 1), &Actor::local("alice")).await.unwrap();
        certificates.push(enroll(store, &intent(password_holder(id), &csr(id))).await);
    }
    let serial = certificates[1].serial_text();
    let plain = serial.replace(':', "").to_lowercase();
    let beginning = &plain[..plain.len() / 2];
    for text in [&serial, &plain, &format!("0x{plain}"), beginning, &plain[..plain.len() - 1]] {
        let filter = CertificateFilter { containing: Some(text.to_string()), ..CertificateFilter::default() };
        let found = store.certificates(filter, 9, None).await.unwrap().items;
        assert_eq!(found.len(), 1, "{text}");
    }
    // What is no beginning of one is a text like any other.
    for (text, count) in [("device", 0), ("p2", 1), ("00112233445566778899aabbccddeeff", 0)] {
        let filter = CertificateFilter { containing: Some(text.to_owned()), ..CertificateFilter::default() };
        assert_eq!(store.certificates(filter, 9, None).await.unwrap().items.len(), count, "{text}");
    }
}
