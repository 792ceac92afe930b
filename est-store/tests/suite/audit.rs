//! What is on record about what happened.

use est_core::{Entry, Event, EventKind, Operation, Outcome, Principal, Refusal, Seconds, Store as _};
use est_store::{
    Actor, AuditFilter, AuditRecord, CaEvent, CaNote, Instigator, Method, SerialNumber, ServerEvent, UnixMicros,
};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, again, certificate_holder, csr, entry, intent, issued, new_password, password_holder, serial,
    sign_certificate, with_serial,
};

async fn read(store: &Store, event: &str) -> Vec<AuditRecord> {
    let event = (!event.is_empty()).then(|| event.to_owned());
    in_order(store.audit(AuditFilter { event, ..Default::default() }, 100, None).await.unwrap().items)
}

/// As it happened: the trail is read the latest first.
fn in_order(mut records: Vec<AuditRecord>) -> Vec<AuditRecord> {
    records.reverse();
    records
}

fn names(records: &[AuditRecord]) -> Vec<&str> {
    records.iter().map(|record| record.event.as_str()).collect()
}

#[tokio::test]
async fn an_enrollment_leaves_its_events_in_order() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    store.record(&issued(&first, &certificate)).await.unwrap();
    let records = read(store, "").await;
    assert_eq!(names(&records), ["otp.created", "auth.otp.success", "cert.issued", "enroll.success"]);
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let expected = AuditRecord {
        number: 3,
        at: UnixMicros(START.0 * 1_000_000),
        event: "cert.issued".into(),
        success: true,
        actor: Some("password p1".into()),
        source: Some("192.0.2.7".into()),
        label: Some("factory".into()),
        ca: Some("root".into()),
        method: Some(Method::Otp),
        reason: None,
        serial: Some(SerialNumber::from_contents(certificate.serial())),
        fingerprint: Some(certificate.fingerprint()),
        chain: records[2].chain.clone(),
    };
    assert_eq!(records[2], expected);
    let sequences: Vec<_> = records.iter().map(|record| record.chain.as_ref().unwrap().sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert_eq!((&records[1].serial, records[1].fingerprint), (&None, None));
}

#[tokio::test]
async fn an_authentication_names_the_certificate_that_was_shown() {
    let Subject { store, .. } = &Subject::fresh();
    let holder = certificate_holder("device-1");
    let Principal::Certificate(shown) = &holder else { panic!("holds a certificate") };
    let first = intent(holder.clone(), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    let kinds = [EventKind::MtlsSuccess, EventKind::CertIssued];
    let events = kinds.map(|kind| Event { kind, reason: None }).to_vec();
    store.record(&Entry { events, ..issued(&first, &certificate) }).await.unwrap();
    let records = read(store, "").await;
    assert_eq!(records[0].fingerprint, Some(shown.fingerprint()));
    assert_eq!(records[0].method, Some(Method::Certificate));
    assert_eq!(records[1].fingerprint, Some(certificate.fingerprint()));
}

#[tokio::test]
async fn a_refusal_before_any_claim_is_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    let refused = Entry {
        now: START,
        principal: None,
        rejected: None,
        source: Some("192.0.2.7".into()),
        label: None,
        ca: "root".into(),
        operation: Operation::SimpleEnroll,
        intent: None,
        outcome: Outcome::Refused(Refusal::PasswordRejected),
        events: vec![Event { kind: EventKind::OtpFailure, reason: Some("password-rejected".into()) }],
        guess: None,
    };
    store.record(&refused).await.unwrap();
    let [record] = read(store, "").await.try_into().unwrap();
    assert_eq!(record.event, "auth.otp.failure");
    assert!(!record.success);
    assert_eq!(record.method, Some(Method::Otp));
    assert_eq!(record.reason.as_deref(), Some("password-rejected"));
    assert_eq!((record.actor, record.label), (None, None));
}

#[tokio::test]
async fn an_authentication_that_fails_names_the_certificate_that_was_shown_too() {
    let Subject { store, .. } = &Subject::fresh();
    let Principal::Certificate(shown) = certificate_holder("device-1") else { panic!("holds a certificate") };
    let first = intent(certificate_holder("device-2"), &csr("device-1"));
    let refused = Entry {
        principal: None,
        rejected: Some(shown.leaf().clone()),
        intent: None,
        events: vec![Event { kind: EventKind::MtlsFailure, reason: None }],
        ..entry(&first, Outcome::Refused(Refusal::ClientCertificateUntrusted))
    };
    store.record(&refused).await.unwrap();
    let [record] = read(store, "auth.mtls.failure").await.try_into().unwrap();
    assert_eq!(record.fingerprint, Some(shown.fingerprint()));
    assert_eq!(record.serial.as_ref().map(SerialNumber::as_bytes), Some(shown.serial()));
    assert_eq!(record.actor, None);
}

#[tokio::test]
async fn a_serial_number_that_nobody_may_have_is_left_out_and_the_record_is_not() {
    let Subject { store, .. } = &Subject::fresh();
    for (length, is_kept) in [(20, true), (64, true), (65, false), (23_000, false)] {
        let shown = with_serial(&vec![0x5a; length]);
        let instigator = Instigator { shown: Some(shown.clone()), ..Instigator::default() };
        store.note_by(instigator, ServerEvent::CertificateRejected, Some(length.to_string())).await.unwrap();
        let record = read(store, "auth.mtls.failure").await.pop().unwrap();
        assert_eq!(record.reason, Some(length.to_string()));
        assert_eq!(record.fingerprint, Some(shown.fingerprint()));
        assert_eq!(record.serial.is_some(), is_kept, "{length}");
    }
}

#[tokio::test]
async fn a_replay_names_the_certificate_that_was_handed_out() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let certificate = sign_certificate(&first);
    let replayed = entry(&first, Outcome::Replayed(certificate.as_der().to_vec()));
    store.record(&Entry { intent: None, ..replayed }).await.unwrap();
    let [record] = read(store, "enroll.replayed").await.try_into().unwrap();
    assert_eq!(record.fingerprint, Some(certificate.fingerprint()));
}

#[tokio::test]
async fn what_was_not_recorded_left_no_event() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let stranger = est_core::Intent { serial: serial(), ..first.clone() };
    assert!(store.record(&issued(&stranger, &sign_certificate(&stranger))).await.is_err());
    assert!(read(store, "").await.is_empty());
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    assert_eq!(read(store, "").await.len(), 3);
}

#[tokio::test]
async fn the_server_leaves_notes() {
    let Subject { store, clock, .. } = &Subject::fresh();
    store.note(ServerEvent::Startup, Some("version 0.1.0".into())).await.unwrap();
    clock.advance(Seconds(9));
    store.note(ServerEvent::Shutdown, None).await.unwrap();
    let records = read(store, "server").await;
    assert_eq!(names(&records), ["server.startup", "server.shutdown"]);
    assert_eq!(records[0].reason.as_deref(), Some("version 0.1.0"));
    assert_eq!(records[1].at, UnixMicros(after(9).0 * 1_000_000));
}

#[tokio::test]
async fn the_trail_is_filtered() {
    let Subject { store, clock, .. } = &Subject::fresh();
    store.note(ServerEvent::Startup, None).await.unwrap();
    clock.advance(Seconds(1));
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let second = intent(certificate_holder("device-2"), &csr("device-2"));
    store.claim(&second).await.unwrap();
    store.record(&entry(&second, Outcome::Interrupted(Refusal::CaUnavailable))).await.unwrap();
    let of = |filter| async move { in_order(store.audit(filter, 100, None).await.unwrap().items) };
    let failures = of(AuditFilter { success: Some(false), ..Default::default() }).await;
    assert_eq!(names(&failures), ["enroll.failure"]);
    assert_eq!(failures[0].reason.as_deref(), Some("ca-unavailable"));
    let serial = Some(SerialNumber::from_contents(first.serial.as_bytes()));
    assert_eq!(names(&of(AuditFilter { serial, ..Default::default() }).await), ["cert.issued", "enroll.success"]);
    let since = Some(UnixMicros(after(1).0 * 1_000_000));
    assert_eq!(of(AuditFilter { since, ..Default::default() }).await.len(), 5);
    assert!(read(store, "enroll.suc").await.is_empty(), "a name is matched up to a dot");
}

#[tokio::test]
async fn the_trail_is_read_from_its_end_and_on_where_one_stopped() {
    let Subject { store, .. } = &Subject::fresh();
    for _ in 0..5 {
        store.note(ServerEvent::Startup, None).await.unwrap();
    }
    let (mut next, mut numbers) = (None, Vec::new());
    loop {
        let page = store.audit(AuditFilter::default(), 2, next).await.unwrap();
        numbers.extend(page.items.iter().map(|record| record.number));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn the_trail_survives_a_restart() {
    let subject = Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    subject.store.claim(&first).await.unwrap();
    subject.store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    subject.store.claim(&again(&first, after(1))).await.unwrap();
    let Subject { store, .. } = &subject.reopened();
    assert_eq!(names(&read(store, "").await), ["auth.otp.success", "cert.issued", "enroll.success"]);
}

#[tokio::test]
async fn what_happens_to_a_ca_is_on_record_with_its_certificate() {
    let Subject { store, .. } = &Subject::fresh();
    let Principal::Certificate(certificate) = certificate_holder("ca") else { panic!("a certificate") };
    let note =
        |event, certificate, reason: &str| CaNote { ca: "root".into(), event, certificate, reason: reason.into() };
    let made = vec![
        note(CaEvent::KeyGenerated, None, "a key"),
        note(CaEvent::CertificateIssued, Some((**certificate.leaf()).clone()), "new.pem"),
    ];
    store.note_cas(made, Some(&Actor::local("admin"))).await.unwrap();
    store.note_cas(vec![note(CaEvent::Started, Some((**certificate.leaf()).clone()), "ready")], None).await.unwrap();
    store.note_cas(vec![note(CaEvent::CrlFailed, None, "no key")], None).await.unwrap();
    let records = read(store, "").await;
    assert_eq!(names(&records), ["ca.key.generated", "ca.cert.issued", "ca.started", "crl.failed"]);
    assert!(records.iter().all(|record| record.ca.as_deref() == Some("root")));
    assert_eq!(records.iter().map(|record| record.success).collect::<Vec<_>>(), [true, true, true, false]);
    let by: Vec<_> = records.iter().map(|record| record.actor.as_deref()).collect();
    assert_eq!(by, [Some("admin"), Some("admin"), None, None]);
    let about = Some(certificate.fingerprint());
    assert_eq!(records.iter().map(|record| record.fingerprint).collect::<Vec<_>>(), [None, about, about, None]);
    assert_eq!(records[2].serial, Some(SerialNumber::from_contents(certificate.serial())));
    assert_eq!(records[3].reason.as_deref(), Some("no key"));
}

#[tokio::test]
async fn a_node_vouches_for_its_chain_where_it_ends() {
    let Subject { store, .. } = &Subject::fresh();
    let beginning = store.own_chain().await.unwrap();
    assert_eq!((beginning.sequence, store.chain_ends().await.unwrap()), (0, vec![]));
    store.note(ServerEvent::Startup, None).await.unwrap();
    assert!(!store.note_vouched(beginning, "too late".into()).await.unwrap());
    let end = store.own_chain().await.unwrap();
    assert_eq!(store.chain_ends().await.unwrap(), std::slice::from_ref(&end));
    assert!(store.note_vouched(end, "in time".into()).await.unwrap());
    let last = store.audit(AuditFilter::default(), 1, None).await.unwrap().items.remove(0);
    assert_eq!((last.event.as_str(), last.reason.as_deref()), (est_store::VOUCHED, Some("in time")));
    assert_eq!(last.chain.map(|chain| chain.sequence), Some(2));
}
