//! Many at once.

use est_store::Actor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use est_core::{Claimed, Store as _};
use tokio::task::JoinSet;

use super::subject::{Store, Subject};
use crate::support::{after, again, csr, intent, issued, new_password, password_holder, serial, sign_certificate};

/// Claims, signs if that is for it to do, records, and returns what the client would get.
async fn enroll(store: Store, intent: est_core::Intent) -> Result<Vec<u8>, Claimed> {
    match store.claim(&intent).await.unwrap() {
        Claimed::Fresh => {
            let certificate = sign_certificate(&intent);
            store.record(&issued(&intent, &certificate)).await.unwrap();
            Ok(certificate.as_der().to_vec())
        }
        Claimed::Finished(der) => Ok(der),
        other => Err(other),
    }
}

async fn all(mut crowd: JoinSet<Result<Vec<u8>, Claimed>>) -> Vec<Result<Vec<u8>, Claimed>> {
    let mut answers = Vec::new();
    while let Some(answer) = crowd.join_next().await {
        answers.push(answer.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn identical_requests_with_one_password_get_one_certificate() {
    let subject = Subject::fresh();
    subject.store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    let crowd: JoinSet<_> = (0..64).map(|_| enroll(subject.store.clone(), again(&first, after(1)))).collect();
    let answers = all(crowd).await;
    let certificate = answers[0].clone().unwrap();
    assert_eq!(answers.len(), 64);
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&certificate)));
    let page = subject.store.certificates(est_store::CertificateFilter::default(), 10, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn identical_requests_to_two_processes_get_one_certificate() {
    let subject = Subject::fresh();
    let neighbour = subject.neighbour();
    subject.store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    let stores = [subject.store.clone(), neighbour];
    let crowd: JoinSet<_> = (0..16).map(|number| enroll(stores[number % 2].clone(), again(&first, after(1)))).collect();
    let answers = all(crowd).await;
    let certificate = answers[0].clone().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&certificate)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_requests_with_one_password_get_one_certificate_and_refusals() {
    let subject = Subject::fresh();
    subject.store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let requests: Vec<_> = (0..64).map(|_| intent(password_holder("p1"), &csr("device-1"))).collect();
    let crowd: JoinSet<_> = requests.into_iter().map(|intent| enroll(subject.store.clone(), intent)).collect();
    let answers = all(crowd).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(Claimed::PasswordSpent)).count(), 63);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_operator_gets_a_word_in_beside_a_busy_server() {
    let subject = Subject::fresh();
    let operator = subject.neighbour();
    let done = Arc::new(AtomicBool::new(false));
    let server: JoinSet<_> = (0..32)
        .map(|_| {
            let (store, done) = (subject.store.clone(), done.clone());
            async move {
                while !done.load(Ordering::Relaxed) {
                    store.note(est_store::ServerEvent::Startup, None).await.unwrap();
                }
            }
        })
        .collect();
    for number in 0..10 {
        operator.create_password(new_password(&format!("p{number}"), 1), &Actor::local("admin")).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    server.join_all().await;
    assert_eq!(subject.store.list_passwords(None, 100, None).await.unwrap().items.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_fails_leaves_its_neighbours_alone() {
    let subject = Subject::fresh();
    let store = &subject.store;
    let requests: Vec<_> = (0..32).map(|_| intent(password_holder("p1"), &csr("device-1"))).collect();
    store.create_password(new_password("p1", 32), &Actor::local("admin")).await.unwrap();
    for request in &requests {
        assert_eq!(store.claim(request).await.unwrap(), Claimed::Fresh);
    }
    let records: JoinSet<_> = requests
        .into_iter()
        .enumerate()
        .map(|(number, mut intent)| {
            let store = store.clone();
            // Every other one holds another claim than the one that was made.
            let held = number % 2 == 0;
            if !held {
                intent.serial = serial();
            }
            let certificate = sign_certificate(&intent);
            let entry = Arc::new(issued(&intent, &certificate));
            async move { (held, store.record(&entry).await.is_ok()) }
        })
        .collect();
    assert!(records.join_all().await.into_iter().all(|(held, recorded)| held == recorded));
    let page = store.certificates(est_store::CertificateFilter::default(), 100, None).await.unwrap();
    assert_eq!(page.items.len(), 16);
    let audit = store.audit(est_store::AuditFilter { event: Some("cert".into()), ..Default::default() }, 100, None);
    assert_eq!(audit.await.unwrap().items.len(), 16);
}
