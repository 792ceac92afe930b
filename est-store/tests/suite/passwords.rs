//! Who may authenticate with a one-time password, and for how long.

use est_core::{Claimed, Outcome, Refusal, Seconds, Store as _, UnixTime};
use est_store::{Actor, AuditFilter, Decision, Method, NewPassword, Page, PasswordSummary, Revocation, StoreError};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, again, csr, entry, intent, issued, manual, new_password, password_holder, sign_certificate,
};

async fn is_good(store: &Store, at: UnixTime) -> bool {
    store.password("p1", at).await.unwrap().unwrap().is_good()
}

#[tokio::test]
async fn a_password_is_known_until_it_ends() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let password = store.password("p1", after(599)).await.unwrap().unwrap();
    assert_eq!(password.hash.reveal(), "hash of p1");
    assert_eq!(password.entity.as_deref(), Some("device-1"));
    assert_eq!(password.label.as_deref(), Some("factory"));
    assert_eq!(password.expires, after(600));
    assert_eq!(password.names, new_password("p1", 1).names);
    assert_eq!(store.password_summary("p1").await.unwrap().unwrap().names, password.names);
    assert!(password.is_good());
    let password = store.password("p1", after(600)).await.unwrap().unwrap();
    assert!(password.has_expired && !password.is_revoked && !password.is_good());
    assert!(store.password("p2", START).await.unwrap().is_none());
}

#[tokio::test]
async fn a_spent_password_is_known_still() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    assert!(is_good(store, after(1)).await);
}

#[tokio::test]
async fn a_password_outlives_its_end_while_its_request_is_without_an_answer() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = manual(intent(password_holder("p1"), &csr("device-1")));
    assert_eq!(store.claim(&first).await.unwrap(), Claimed::AwaitingApproval);
    assert!(is_good(store, after(900)).await, "awaiting approval");
    let request = store.requests(None, 1, None).await.unwrap().items.remove(0);
    store.decide_request(&request.id, Decision::Approve, &Actor::local("admin"), after(901)).await.unwrap();
    assert!(is_good(store, after(902)).await, "approved");
    assert_eq!(store.claim(&first).await.unwrap(), Claimed::Fresh);
    assert!(is_good(store, after(903)).await, "leased");
    store.record(&entry(&first, Outcome::Interrupted(Refusal::CaUnavailable))).await.unwrap();
    assert!(is_good(store, after(904)).await, "interrupted");
    let late = again(&first, after(905));
    store.claim(&late).await.unwrap();
    store.record(&issued(&late, &sign_certificate(&late))).await.unwrap();
    let end = late.replay_until;
    assert!(is_good(store, end).await, "answered, and the answer can be fetched again");
    assert!(!is_good(store, end + Seconds(1)).await, "answered for good");
    assert!(is_good(store, after(599)).await, "answered, and not at its end");
}

#[tokio::test]
async fn a_revoked_password_is_not_known_whatever_it_began() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    store.claim(&manual(intent(password_holder("p1"), &csr("device-1")))).await.unwrap();
    assert_eq!(store.revoke_password("p1", after(1), &Actor::local("admin")).await.unwrap(), Revocation::Revoked);
    assert!(!is_good(store, after(2)).await);
    assert_eq!(
        store.revoke_password("p1", after(3), &Actor::local("admin")).await.unwrap(),
        Revocation::AlreadyRevoked
    );
    assert_eq!(store.revoke_password("p2", after(3), &Actor::local("admin")).await.unwrap(), Revocation::Unknown);
}

#[tokio::test]
async fn an_id_is_given_once() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let twice = NewPassword { expires: after(10_000), ..new_password("p1", 9) };
    assert!(matches!(store.create_password(twice, &Actor::local("admin")).await, Err(StoreError::PasswordExists)));
    assert_eq!(store.password("p1", START).await.unwrap().unwrap().expires, after(600));
}

#[tokio::test]
async fn the_list_tells_how_often_each_was_used_the_latest_first() {
    let Subject { store, .. } = &Subject::fresh();
    for id in ["p1", "p2", "p3"] {
        store.create_password(new_password(id, 2), &Actor::local("admin")).await.unwrap();
    }
    store.claim(&intent(password_holder("p2"), &csr("device-1"))).await.unwrap();
    store.revoke_password("p1", after(7), &Actor::local("admin")).await.unwrap();
    let page = store.list_passwords(None, 2, None).await.unwrap();
    let ids = |items: &[PasswordSummary]| items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&page.items), ["p3", "p2"]);
    assert_eq!((page.items[1].uses, page.items[1].max_uses), (1, 2));
    let page = store.list_passwords(None, 2, page.next).await.unwrap();
    assert_eq!(ids(&page.items), ["p1"]);
    assert_eq!(page.items[0].revoked_at, Some(after(7)));
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn the_good_ones_are_listed_alone_and_fill_their_pages() {
    let Subject { store, .. } = &Subject::fresh();
    let actor = &Actor::local("admin");
    for id in ["p1", "spent", "p2", "revoked", "over", "p3", "p4"] {
        let expires = if id == "over" { after(5) } else { after(3_600) };
        store.create_password(NewPassword { expires, ..new_password(id, 1) }, actor).await.unwrap();
    }
    store.claim(&intent(password_holder("spent"), &csr("device-1"))).await.unwrap();
    store.revoke_password("revoked", after(1), actor).await.unwrap();
    let ids = |page: &Page<PasswordSummary>| page.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
    let first = store.list_passwords(Some(after(5)), 2, None).await.unwrap();
    assert_eq!(ids(&first), ["p4", "p3"]);
    let second = store.list_passwords(Some(after(5)), 2, first.next).await.unwrap();
    assert_eq!((ids(&second), second.next), (vec!["p2".to_owned(), "p1".to_owned()], None));
    assert_eq!(store.list_passwords(Some(after(4)), 10, None).await.unwrap().items.len(), 5);
    assert_eq!(store.list_passwords(None, 10, None).await.unwrap().items.len(), 7);
}

#[tokio::test]
async fn what_operators_do_with_passwords_is_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("alice")).await.unwrap();
    store.revoke_password("p1", after(1), &Actor::local("bob")).await.unwrap();
    store.revoke_password("p1", after(2), &Actor::local("carol")).await.unwrap();
    let audit = store.audit(AuditFilter { event: Some("otp".into()), ..Default::default() }, 10, None).await.unwrap();
    let told: Vec<_> = audit.items.iter().map(|r| (r.event.as_str(), r.actor.as_deref())).collect();
    assert_eq!(told, [("otp.revoked", Some("bob")), ("otp.created", Some("alice"))]);
    let [revoked, created] = [0, 1].map(|index| audit.items[index].reason.as_deref().unwrap());
    assert_eq!(revoked, "password p1 of device-1");
    // What the password is, so that the tables can be compared with the records.
    assert!(created.starts_with("password p1 (sha-256:") && created.ends_with(") of device-1"), "{created}");
    assert!(audit.items.iter().all(|record| record.method == Some(Method::Local) && record.success));
}

#[test]
fn a_hash_is_not_in_the_debug_text() {
    assert!(!format!("{:?}", new_password("p1", 1)).contains("hash of"));
}
