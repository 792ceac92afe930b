//! What another server of a CA has issued and revoked, and holds.

use std::sync::Arc;

use est_core::pkix::{Certificate, CrlHead, IssuedCrl, RevokedCertificate, TbsCertList, assemble_cert_list};
use est_store::{
    Actor, AuditFilter, Import, Imported, ImportedCrl, Release, Revocation, RevocationReason, SerialNumber,
};
use est_testkit::pki::TestCa;

use super::subject::{Store, Subject};
use crate::support::{START, after, certificate_holder, csr, intent, sign_certificate};

fn certificates() -> [Arc<Certificate>; 2] {
    ["a", "b"].map(|name| sign_certificate(&intent(certificate_holder(name), &csr(name))))
}

fn import(certificate: &Certificate) -> Import {
    Import { ca: "root".to_owned(), authority: "root".to_owned(), certificates: vec![certificate.clone()] }
}

/// A CRL of the name that issued `one`.
fn crl(number: u64, one: &Certificate, revoked: &[RevokedCertificate]) -> ImportedCrl {
    let ca = TestCa::new();
    let list = TbsCertList {
        signature_algorithm: ca.key.signature_algorithm(),
        issuer: one.issuer(),
        authority_key_identifier: b"key",
        this_update: START,
        next_update: after(1_000),
        number,
        revoked,
    };
    let to_be_signed = list.to_der();
    let der = assemble_cert_list(&to_be_signed, ca.key.signature_algorithm(), &ca.key.sign(&to_be_signed));
    let crl = IssuedCrl { head: CrlHead::parse(&der).unwrap(), number, revoked: revoked.to_vec() };
    ImportedCrl { ca: "root".to_owned(), authority: "root".to_owned(), crl, der }
}

fn entry(certificate: &Certificate, reason: RevocationReason) -> RevokedCertificate {
    RevokedCertificate { serial: certificate.serial().to_vec(), revocation_date: after(7), reason }
}

async fn events(store: &Store, event: &str) -> usize {
    let filter = AuditFilter { event: Some(event.to_owned()), ..Default::default() };
    store.audit(filter, 100, None).await.unwrap().items.len()
}

#[tokio::test]
async fn an_import_adds_what_is_not_there_and_takes_over_what_was_revoked_and_the_number() {
    let Subject { store, .. } = &Subject::fresh();
    let alice = &Actor::local("alice");
    let [first, second] = certificates();
    let added = |added, known, revoked, listed| Imported { added, known, revoked, listed };
    assert_eq!(store.import(&import(&first), alice).await.unwrap(), added(1, 0, 0, 0));
    assert_eq!(store.import(&import(&first), alice).await.unwrap(), added(0, 1, 0, 0));
    let listed = [entry(&first, RevocationReason::Superseded), entry(&second, RevocationReason::KeyCompromise)];
    let old = crl(31, &first, &listed);
    assert_eq!(store.import_crl(&old, alice).await.unwrap(), added(0, 0, 1, 1));
    assert_eq!(store.import_crl(&old, alice).await.unwrap(), added(0, 0, 0, 0));
    // Both are revoked: the one that is in the inventory, and the one that is not.
    assert!(store.is_revoked(&first).await.unwrap() && store.is_revoked(&second).await.unwrap());
    let all = ["root".to_owned()];
    let next = store.next_crl("root", &all, START).await.unwrap();
    assert_eq!((next.number, next.last.map(|last| (last.number, last.is_stale))), (32, Some((31, true))));
    assert_eq!(next.revocations.revoked, listed);

    assert_eq!(store.import(&import(&second), alice).await.unwrap(), added(1, 0, 1, 0));
    let found = store.certificate(&SerialNumber::from_contents(second.serial()), None).await.unwrap().unwrap();
    let revoked = found.revoked.unwrap();
    assert_eq!((revoked.at, revoked.reason), (after(7), RevocationReason::KeyCompromise));
    assert_eq!(store.next_crl("root", &all, START).await.unwrap().revocations.revoked, listed, "once each");
    // An older CRL takes nothing back.
    store.import_crl(&crl(30, &first, &[]), alice).await.unwrap();
    assert_eq!(store.next_crl("root", &all, START).await.unwrap().number, 32);
    assert_eq!((events(store, "cert.imported").await, events(store, "crl.imported").await), (2, 1));
    assert_eq!(store.compare_with_trail().await.unwrap(), []);
}

#[tokio::test]
async fn a_hold_and_nothing_else_is_taken_back() {
    let Subject { store, .. } = &Subject::fresh();
    let alice = &Actor::local("alice");
    let [first, _] = certificates();
    let serial = SerialNumber::from_contents(first.serial());
    assert_eq!(store.release(&serial, None, alice).await.unwrap(), Release::Unknown);
    store.import(&import(&first), alice).await.unwrap();
    assert_eq!(store.release(&serial, None, alice).await.unwrap(), Release::NotRevoked);
    let revoke = async |reason| store.revoke(&serial, None, reason, after(3), alice).await.unwrap();
    assert_eq!(revoke(RevocationReason::CertificateHold).await, Revocation::Revoked);
    let count = store.revocations("root", START).await.unwrap().count;
    assert_eq!(store.release(&serial, None, alice).await.unwrap(), Release::Released);
    assert!(!store.is_revoked(&first).await.unwrap());
    let revocations = store.revocations("root", START).await.unwrap();
    assert!(revocations.revoked.is_empty() && revocations.count > count, "the last CRL is stale");
    assert_eq!(revoke(RevocationReason::CertificateHold).await, Revocation::Revoked);
    assert_eq!(revoke(RevocationReason::CertificateHold).await, Revocation::AlreadyRevoked);
    assert_eq!(revoke(RevocationReason::Superseded).await, Revocation::Revoked);
    assert_eq!(revoke(RevocationReason::CertificateHold).await, Revocation::AlreadyRevoked);
    let for_good = Release::ForGood(RevocationReason::Superseded);
    assert_eq!(store.release(&serial, None, alice).await.unwrap(), for_good);
    assert_eq!(events(store, "cert.released").await, 1);
    assert_eq!(store.compare_with_trail().await.unwrap(), []);
}

#[tokio::test]
async fn an_imported_compromise_is_of_the_key_and_takes_its_other_certificates_along() {
    let Subject { store, .. } = &Subject::fresh();
    let alice = &Actor::local("alice");
    let request = csr("a");
    let [first, second, third] =
        ["a", "b", "c"].map(|holder| sign_certificate(&intent(certificate_holder(holder), &request)));
    store.import(&import(&first), alice).await.unwrap();
    store.import(&import(&second), alice).await.unwrap();
    let listed = [entry(&first, RevocationReason::KeyCompromise)];
    store.import_crl(&crl(31, &first, &listed), alice).await.unwrap();
    // What comes later is revoked as it is taken over.
    assert_eq!(store.import(&import(&third), alice).await.unwrap().revoked, 1);
    for certificate in [&first, &second, &third] {
        let found = store.certificate(&SerialNumber::from_contents(certificate.serial()), None).await.unwrap().unwrap();
        assert_eq!(found.revoked.map(|revoked| revoked.reason), Some(RevocationReason::KeyCompromise));
    }
    assert_eq!(events(store, "cert.revoked").await, 3);
    assert_eq!(store.next_crl("root", &["root".to_owned()], START).await.unwrap().revocations.revoked.len(), 3);
    assert_eq!(store.compare_with_trail().await.unwrap(), []);
}
