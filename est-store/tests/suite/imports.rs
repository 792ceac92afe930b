//! What another server of a CA has issued and revoked, and holds.

use std::sync::Arc;

use est_core::pkix::{Certificate, RevokedCertificate};
use est_core::{Principal, Store as _};
use est_store::{
    Actor, AuditFilter, ConfiguredCa, Import, Imported, ImportedCrl, Release, Revocation, RevocationReason,
    SerialNumber,
};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, certificate_holder, crl, csr, intent, issued, listed as entry, sign_certificate,
};

fn certificates() -> [Arc<Certificate>; 2] {
    ["a", "b"].map(|name| sign_certificate(&intent(certificate_holder(name), &csr(name))))
}

fn import(certificate: &Certificate) -> Import {
    Import { ca: "root".to_owned(), authority: "root".to_owned(), certificates: vec![certificate.clone()] }
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
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
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
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
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
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
}

/// A key of the CA `main`.
fn key_of_main() -> Certificate {
    let Principal::Certificate(certificate) = certificate_holder("main") else { panic!("a certificate") };
    (*certificate).clone()
}

#[tokio::test]
async fn an_imported_crl_of_one_key_is_about_the_certificates_of_every_key_of_the_ca() {
    let Subject { store, .. } = &Subject::fresh();
    let alice = &Actor::local("alice");
    let [first, second] = certificates();
    let [old, new] = [(); 2].map(|()| key_of_main());
    let main = ConfiguredCa { id: "main".to_owned(), certificate: new.clone(), others: vec![old.clone()] };
    store.know_cas(&[main], START).await.unwrap();
    let authorities = [&old, &new].map(|key| store.authority_of("main", &key.key_digest()));
    let all = store.keys_of_the_ca(&authorities[0]).await.unwrap();
    assert_eq!(all.len(), 2);
    // The old key has issued it, and the other server's CRL is of the new one.
    let import = |certificate: &Certificate| Import {
        ca: "main".to_owned(),
        authority: authorities[0].clone(),
        ..import(certificate)
    };
    let crl = |number, listed: &[RevokedCertificate]| ImportedCrl {
        ca: "main".to_owned(),
        authority: authorities[1].clone(),
        ..crl(number, &first, listed)
    };
    let on_crls = async || {
        let [one, other] = [&authorities[0], &authorities[1]].map(|key| store.next_crl(key, &all, START));
        let (one, other) = (one.await.unwrap().revocations.revoked, other.await.unwrap().revocations.revoked);
        assert_eq!(one.len(), other.len());
        one
    };
    store.import(&import(&first), alice).await.unwrap();
    let hold = [&first, &second].map(|one| entry(one, RevocationReason::CertificateHold));
    let imported = store.import_crl(&crl(31, &hold), alice).await.unwrap();
    assert_eq!((imported.revoked, imported.listed), (1, 1));
    assert_eq!(on_crls().await, hold);
    assert!(store.is_revoked(&first).await.unwrap() && store.is_revoked(&second).await.unwrap());

    // Holds are taken back, whether the inventory has the certificate or not.
    for certificate in [&first, &second] {
        let serial = SerialNumber::from_contents(certificate.serial());
        assert_eq!(store.release(&serial, Some("main"), alice).await.unwrap(), Release::Released);
        assert!(!store.is_revoked(certificate).await.unwrap());
    }
    assert_eq!(on_crls().await, []);
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);

    // A hold becomes a revocation for good, and nothing makes it one again.
    store.import_crl(&crl(32, &hold), alice).await.unwrap();
    let for_good = [&first, &second].map(|one| entry(one, RevocationReason::KeyCompromise));
    let imported = store.import_crl(&crl(33, &for_good), alice).await.unwrap();
    assert_eq!((imported.revoked, imported.listed), (1, 1));
    store.import_crl(&crl(34, &hold), alice).await.unwrap();
    assert_eq!(on_crls().await, for_good);
    let serial = SerialNumber::from_contents(second.serial());
    let for_good = Release::ForGood(RevocationReason::KeyCompromise);
    assert_eq!(store.release(&serial, None, alice).await.unwrap(), for_good);
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
    // What was listed is revoked with its record once the inventory has it, and listed no more.
    store.import(&import(&second), alice).await.unwrap();
    assert_eq!(on_crls().await.len(), 2);
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_certificate_that_a_crl_lists_while_the_ca_signs_gets_no_other() {
    let Subject { store, .. } = &Subject::fresh();
    let [shown, _] = certificates();
    let request = intent(Principal::Certificate(shown.clone().into()), &csr("a"));
    store.claim(&request).await.unwrap();
    let listed = [entry(&shown, RevocationReason::Superseded)];
    store.import_crl(&crl(31, &shown, &listed), &Actor::local("alice")).await.unwrap();
    let certificate = sign_certificate(&request);
    let told = store.record(&issued(&request, &certificate)).await.unwrap_err().to_string();
    assert!(told.contains("was revoked meanwhile"), "{told}");
}
