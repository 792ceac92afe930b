//! What was issued, and what of it was revoked.

use est_core::pkix::Certificate;
use est_core::{Intent, Seconds, Store as _};
use est_store::{
    Actor, AuditFilter, CertificateFilter, CertificateStatus, IssuedCertificate, Method, Revocation, RevocationReason,
    Revoked, SerialNumber, StoreError,
};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, again, certificate_holder, csr, intent, intent_at, issued, new_password, password_holder,
    sign_certificate,
};

/// Enrolls a device, and returns what was asked for.
async fn enroll(store: &Store, name: &str) -> Intent {
    let intent = intent(certificate_holder(name), &csr(name));
    record(store, &intent).await;
    intent
}

async fn record(store: &Store, intent: &Intent) {
    store.claim(intent).await.unwrap();
    store.record(&issued(intent, &sign_certificate(intent))).await.unwrap();
}

fn number(intent: &Intent) -> SerialNumber {
    SerialNumber::from_contents(intent.serial.as_bytes())
}

async fn subjects(store: &Store, filter: CertificateFilter) -> Vec<String> {
    let page = store.certificates(filter, 100, None).await.unwrap();
    page.items.into_iter().map(|certificate| certificate.subject).collect()
}

#[tokio::test]
async fn a_certificate_is_found_by_its_serial_number() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    store.record(&issued(&first, &certificate)).await.unwrap();
    let typed: SerialNumber = certificate.serial_text().to_lowercase().replace(':', "").parse().unwrap();
    let found = store.certificate(&typed, None).await.unwrap().unwrap();
    let expected = IssuedCertificate {
        ca: "root".into(),
        serial: number(&first),
        fingerprint: certificate.fingerprint(),
        subject: "CN=device-1,O=Example".into(),
        names: Some("DNS:device-1.example".into()),
        not_before: START,
        not_after: START + Seconds::from_days(90),
        label: Some("factory".into()),
        profile: "device".into(),
        principal: "otp:p1".into(),
        issued_at: START,
        password: Some("p1".into()),
        request: None,
        predecessor: None,
        revoked: None,
        der: certificate.as_der().to_vec(),
    };
    assert_eq!(found, expected);
    assert_eq!(store.certificate(&"01".parse().unwrap(), None).await.unwrap(), None);
    assert_eq!(store.certificate(&typed, Some("other")).await.unwrap(), None);
}

#[tokio::test]
async fn a_certificate_is_revoked_once() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    let issued = store.certificate(&number(&first), None).await.unwrap().unwrap();
    let issued = Certificate::parse(&issued.der).unwrap();
    assert!(!store.is_revoked(&issued).await.unwrap());
    let answer = store
        .revoke(&number(&first), None, RevocationReason::Superseded, after(9), &Actor::local("alice"))
        .await
        .unwrap();
    assert_eq!(answer, Revocation::Revoked);
    assert!(store.is_revoked(&issued).await.unwrap());
    let answer = store
        .revoke(&number(&first), None, RevocationReason::CessationOfOperation, after(10), &Actor::local("bob"))
        .await
        .unwrap();
    assert_eq!(answer, Revocation::AlreadyRevoked);
    let found = store.certificate(&number(&first), None).await.unwrap().unwrap();
    assert_eq!(found.revoked, Some(Revoked { at: after(9), reason: RevocationReason::Superseded }));
    assert_eq!(found.status(after(11)), CertificateStatus::Revoked);
}

#[tokio::test]
async fn a_key_that_turns_out_to_be_compromised_is_on_record_and_on_the_next_crl() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    let alice = Actor::local("alice");
    let revoke = async |reason, at| store.revoke(&number(&first), None, reason, after(at), &alice).await.unwrap();
    assert_eq!(revoke(RevocationReason::Superseded, 9).await, Revocation::Revoked);
    let before = store.revocations("root", after(0)).await.unwrap();
    assert_eq!(revoke(RevocationReason::KeyCompromise, 10).await, Revocation::NowCompromised);
    let revocations = store.revocations("root", after(0)).await.unwrap();
    assert_eq!(revocations.revoked[0].reason, RevocationReason::KeyCompromise);
    assert_eq!(revocations.revoked[0].revocation_date, after(9));
    assert!(revocations.count > before.count, "another CRL is due");
    let filter = AuditFilter { event: Some("cert.revoked".into()), ..Default::default() };
    let records = store.audit(filter.clone(), 10, None).await.unwrap().items;
    let reasons: Vec<_> = records.iter().filter_map(|record| record.reason.as_deref()).collect();
    assert_eq!(reasons, ["keyCompromise", "superseded"]);
    // It is news once, and no other reason takes its place.
    for reason in [RevocationReason::KeyCompromise, RevocationReason::Superseded] {
        assert_eq!(revoke(reason, 11).await, Revocation::AlreadyRevoked);
    }
    assert_eq!(store.audit(filter, 10, None).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn revoking_what_was_not_issued_changes_nothing() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    let reason = RevocationReason::Unspecified;
    let unknown = store.revoke(&"0a1b".parse().unwrap(), None, reason, after(1), &Actor::local("alice")).await.unwrap();
    assert_eq!(unknown, Revocation::Unknown);
    let elsewhere =
        store.revoke(&number(&first), Some("other"), reason, after(1), &Actor::local("alice")).await.unwrap();
    assert_eq!(elsewhere, Revocation::Unknown);
    assert_eq!(store.certificate(&number(&first), None).await.unwrap().unwrap().revoked, None);
}

#[tokio::test]
async fn a_revocation_is_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    store
        .revoke(&number(&first), None, RevocationReason::KeyCompromise, after(1), &Actor::local("alice"))
        .await
        .unwrap();
    store
        .revoke(&number(&first), None, RevocationReason::KeyCompromise, after(2), &Actor::local("alice"))
        .await
        .unwrap();
    let filter = AuditFilter { event: Some("cert.revoked".into()), ..Default::default() };
    let [record] = store.audit(filter, 10, None).await.unwrap().items.try_into().unwrap();
    assert_eq!(record.actor.as_deref(), Some("alice"));
    assert_eq!(record.method, Some(Method::Local));
    assert_eq!(record.reason.as_deref(), Some("keyCompromise"));
    assert_eq!(record.ca.as_deref(), Some("root"));
    assert_eq!(record.serial, Some(number(&first)));
    assert!(record.fingerprint.is_some());
}

#[tokio::test]
async fn two_cas_may_use_the_same_serial_number() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    let second =
        Intent { ca: "other".into(), serial: first.serial, ..intent(certificate_holder("d"), &csr("device-2")) };
    record(store, &second).await;
    let Err(StoreError::SeveralCertificates { mut cas }) = store.certificate(&number(&first), None).await else {
        panic!("it cannot know which")
    };
    cas.sort();
    assert_eq!(cas, ["other", "root"]);
    let found = store.certificate(&number(&first), Some("other")).await.unwrap().unwrap();
    assert_eq!(found.subject, "CN=device-2,O=Example");
    let answer = store
        .revoke(&number(&first), Some("other"), RevocationReason::Unspecified, after(1), &Actor::local("alice"))
        .await;
    assert_eq!(answer.unwrap(), Revocation::Revoked);
    assert_eq!(store.certificate(&number(&first), Some("root")).await.unwrap().unwrap().revoked, None);
}

#[tokio::test]
async fn one_ca_may_not_use_a_serial_number_twice() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll(store, "device-1").await;
    let second = Intent { serial: first.serial, ..intent(certificate_holder("device-2"), &csr("device-2")) };
    store.claim(&second).await.unwrap();
    assert!(store.record(&issued(&second, &sign_certificate(&second))).await.is_err());
    assert_eq!(subjects(store, CertificateFilter::default()).await, ["CN=device-1,O=Example"]);
}

#[tokio::test]
async fn the_list_goes_page_by_page_the_latest_first() {
    let Subject { store, .. } = &Subject::fresh();
    for number in 0..5 {
        enroll(store, &format!("device-{number}")).await;
    }
    let (mut next, mut seen) = (None, Vec::new());
    loop {
        let page = store.certificates(CertificateFilter::default(), 2, next).await.unwrap();
        seen.extend(page.items.into_iter().map(|certificate| certificate.subject));
        next = page.next;
        if seen.len() == 4 {
            // What comes meanwhile is before the first page, and moves nothing.
            enroll(store, "device-9").await;
        }
        if next.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|number| format!("CN=device-{number},O=Example")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_list_is_filtered_by_status() {
    let Subject { store, .. } = &Subject::fresh();
    let old = enroll(store, "old").await;
    let fresh = intent_at(certificate_holder("fresh"), &csr("fresh"), START + Seconds::from_days(60));
    record(store, &fresh).await;
    let bad = again(&intent(certificate_holder("bad"), &csr("bad")), START);
    record(store, &bad).await;
    store.revoke(&number(&bad), None, RevocationReason::KeyCompromise, after(1), &Actor::local("alice")).await.unwrap();
    let now = START + Seconds::from_days(91);
    let of = |status| CertificateFilter { status: Some((status, now)), ..Default::default() };
    assert_eq!(subjects(store, of(CertificateStatus::Valid)).await, ["CN=fresh,O=Example"]);
    assert_eq!(subjects(store, of(CertificateStatus::Expired)).await, ["CN=old,O=Example"]);
    assert_eq!(subjects(store, of(CertificateStatus::Revoked)).await, ["CN=bad,O=Example"]);
    let end = store.certificate(&number(&old), None).await.unwrap().unwrap();
    assert_eq!(end.status(end.not_after), CertificateStatus::Valid, "the last second counts");
}

#[tokio::test]
async fn the_list_is_searched_for_names() {
    let Subject { store, .. } = &Subject::fresh();
    for name in ["pump-1", "pump-2", "valve-1"] {
        enroll(store, name).await;
    }
    let containing = |text: &str| CertificateFilter { containing: Some(text.into()), ..Default::default() };
    assert_eq!(subjects(store, containing("PUMP")).await, ["CN=pump-2,O=Example", "CN=pump-1,O=Example"]);
    assert_eq!(subjects(store, containing("dns:valve")).await, ["CN=valve-1,O=Example"]);
    assert!(subjects(store, containing("%")).await.is_empty());
}

#[tokio::test]
async fn a_certificate_stays_revoked_under_another_signature() {
    let Subject { store, .. } = &Subject::fresh();
    let intent = intent(certificate_holder("device-1"), &csr("device-1"));
    record(store, &intent).await;
    // The same contents, signed anew: as whoever turns an ECDSA signature's s into n − s has them.
    let twin = sign_certificate(&intent);
    let other = sign_certificate(&again(&intent, START));
    assert_ne!(twin.fingerprint(), store.certificate(&number(&intent), None).await.unwrap().unwrap().fingerprint);
    store
        .revoke(&number(&intent), None, RevocationReason::Superseded, after(9), &Actor::local("alice"))
        .await
        .unwrap();
    assert!(store.is_revoked(&twin).await.unwrap());
    assert!(!store.is_revoked(&other).await.unwrap());
}

#[tokio::test]
async fn a_certificate_is_known_as_issued_here_under_another_signature_too() {
    let Subject { store, .. } = &Subject::fresh();
    let intent = intent(certificate_holder("device-1"), &csr("device-1"));
    let (twin, other) = (sign_certificate(&intent), sign_certificate(&again(&intent, START)));
    assert!(!store.was_issued(&twin).await.unwrap());
    record(store, &intent).await;
    assert!(store.was_issued(&twin).await.unwrap());
    assert!(!store.was_issued(&other).await.unwrap());
}
