//! What the admin API asks for: who used it, how many there are of what, one thing by its id.

use est_core::{Claimed, Seconds, Store as _};
use est_store::{
    Actor, AdminEvent, AuditFilter, AuditRecord, CertificateFilter, CertificateStatus, Method, RevocationReason, SerialNumber,
};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, certificate_holder, csr, intent, issued, manual, new_password, password_holder, sign_certificate,
};

/// Issues a certificate; its serial number.
async fn issue(store: &Store, name: &str) -> SerialNumber {
    let intent = intent(certificate_holder(name), &csr(name));
    assert_eq!(store.claim(&intent).await.unwrap(), Claimed::Fresh);
    let certificate = sign_certificate(&intent);
    store.record(&issued(&intent, &certificate)).await.unwrap();
    SerialNumber::from_contents(certificate.serial())
}

fn operator() -> Actor {
    Actor { name: "admin:alice".into(), method: Method::Bearer, source: Some("192.0.2.7".into()) }
}

#[tokio::test]
async fn who_used_the_admin_api_is_written_down_and_found() {
    let Subject { store, .. } = &Subject::fresh();
    for (event, what) in [
        (AdminEvent::Allowed, "GET /admin/certs"),
        (AdminEvent::Denied, "POST /admin/otp: not for a viewer"),
        (AdminEvent::Rejected, "no operator has this token"),
    ] {
        store.note_admin(event, what.to_owned(), &operator()).await.unwrap();
    }
    let read = async |filter: AuditFilter| store.audit(filter, 10, None).await.unwrap().items;
    let of_alice = AuditFilter { actor: Some("admin:alice".into()), ..AuditFilter::default() };
    let records = read(of_alice.clone()).await;
    let told: Vec<_> = records.iter().map(|record| (record.event.as_str(), record.success)).collect();
    assert_eq!(told, [("admin.auth.failure", false), ("admin.access", false), ("admin.access", true)]);
    assert_eq!(records[2].reason.as_deref(), Some("GET /admin/certs"));
    assert_eq!((records[2].method, records[2].source.as_deref()), (Some(Method::Bearer), Some("192.0.2.7")));
    let nobody = AuditFilter { actor: Some("admin:bob".into()), ..AuditFilter::default() };
    assert!(read(nobody).await.is_empty());
    let at = records[0].at;
    assert!(read(AuditFilter { before: Some(at), ..of_alice.clone() }).await.iter().all(|record| record.at < at));
    assert!(read(AuditFilter { ca: Some("root".into()), ..of_alice.clone() }).await.is_empty());
    let without = |event: &str| AuditFilter { without: Some(event.into()), ..AuditFilter::default() };
    let is_access = |record: &AuditRecord| record.event == "admin.access";
    assert!(read(AuditFilter::default()).await.iter().any(is_access));
    for (event, others) in [("admin.access", 1), ("admin", 0)] {
        let left = read(without(event)).await;
        assert!(!left.iter().any(is_access));
        assert_eq!(left.iter().filter(|record| record.event.starts_with("admin.")).count(), others, "{event}");
    }
}

#[tokio::test]
async fn certificates_are_counted_as_they_are_listed() {
    let Subject { store, .. } = &Subject::fresh();
    let first = issue(store, "device-1").await;
    issue(store, "device-2").await;
    store.revoke(&first, None, RevocationReason::Superseded, START, &operator()).await.unwrap();
    let status = |status| CertificateFilter { status: Some((status, START)), ..CertificateFilter::default() };
    let of_ca = |ca: &str| CertificateFilter { ca: Some(ca.into()), ..CertificateFilter::default() };
    for (filter, count) in [
        (CertificateFilter::default(), 2),
        (status(CertificateStatus::Valid), 1),
        (status(CertificateStatus::Expired), 0),
        (status(CertificateStatus::Revoked), 1),
        (of_ca("root"), 2),
        (of_ca("other"), 0),
        (CertificateFilter { label: Some("nowhere".into()), ..CertificateFilter::default() }, 0),
        (CertificateFilter { label: Some("factory".into()), ..CertificateFilter::default() }, 2),
        (CertificateFilter { containing: Some("DEVICE-2".into()), ..CertificateFilter::default() }, 1),
        (CertificateFilter { issued_since: Some(START), ..CertificateFilter::default() }, 2),
        (CertificateFilter { issued_since: Some(after(1)), ..CertificateFilter::default() }, 0),
        (CertificateFilter { issued_before: Some(START), ..CertificateFilter::default() }, 0),
        (CertificateFilter { issued_before: Some(after(1)), ..CertificateFilter::default() }, 2),
    ] {
        assert_eq!(store.count_certificates(filter.clone()).await.unwrap(), Some(count), "{filter:?}");
        let listed = store.certificates(filter.clone(), 10, None).await.unwrap();
        assert_eq!(listed.items.len() as u64, count, "{filter:?}");
    }
}

#[tokio::test]
async fn a_census_knows_what_is_good_and_what_is_recent() {
    let Subject { store, .. } = &Subject::fresh();
    assert_eq!(store.census(START, START).await.unwrap(), []);
    let first = issue(store, "device-1").await;
    issue(store, "device-2").await;
    issue(store, "device-3").await;
    store.revoke(&first, None, RevocationReason::Superseded, START, &operator()).await.unwrap();
    let counted = store.census(START, START).await.unwrap();
    let [census] = counted.as_slice() else { panic!("one CA: {counted:?}") };
    assert_eq!((census.ca.as_str(), census.issued, census.active(), census.recent), ("root", 3, 2, 3));
    let later = store.census(START + Seconds::from_days(100_000), after(1)).await.unwrap();
    assert_eq!((later[0].issued, later[0].active(), later[0].recent), (3, 0, 0));
}

#[tokio::test]
async fn one_password_and_one_request_are_found_by_their_ids() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 3), &operator()).await.unwrap();
    let waiting = manual(intent(password_holder("p1"), &csr("device-1")));
    assert_eq!(store.claim(&waiting).await.unwrap(), Claimed::AwaitingApproval);
    let found = store.password_summary("p1").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.max_uses, found.uses), ("p1", 3, 1));
    assert_eq!(store.password_summary("p2").await.unwrap(), None);
    let listed = store.requests(None, 1, None).await.unwrap().items.remove(0);
    let found = store.request(&listed.id.to_uppercase()).await.unwrap().unwrap();
    assert_eq!(est_store::ApprovalRequest { csr: None, ..found }, listed);
    assert_eq!(store.request("none").await.unwrap(), None);
}
