//! Requests that a person has to look at.

use est_core::{Claimed, Operation, Outcome, Refusal, Seconds, Store as _};
use est_store::{Actor, AuditFilter, Decided, Decision, Method, RequestState, Ruling};

use super::subject::{Store, Subject};
use crate::support::{
    START, WINDOW, after, again, certificate_holder, csr, csr_changing, entry, intent, issued, manual, new_password,
    password_holder, sign_certificate,
};

async fn only_request(store: &Store) -> est_store::ApprovalRequest {
    let page = store.requests(Some(RequestState::Awaiting), 10, None).await.unwrap();
    let [request] = page.items.try_into().unwrap();
    request
}

#[tokio::test]
async fn an_operator_sees_what_is_asked_for() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    assert_eq!(store.claim(&first).await.unwrap(), Claimed::AwaitingApproval);
    let request = only_request(store).await;
    assert_eq!(request.id.len(), 9);
    assert_eq!(request.state, RequestState::Awaiting);
    assert_eq!(request.created, START);
    assert_eq!(request.subject, "CN=device-1,O=Example");
    assert_eq!(request.names.as_deref(), Some("DNS:device-1.example"));
    assert_eq!(request.principal, first.principal.to_string());
    assert_eq!(request.label.as_deref(), Some("factory"));
    assert_eq!(request.ca, "root");
    assert_eq!(request.operation, Operation::SimpleEnroll);
    assert_eq!(request.csr, None, "a listing can be long");
    let request = store.request(&request.id).await.unwrap().unwrap();
    assert_eq!(request.csr.as_deref(), Some(first.csr.as_der()));
    assert_eq!((request.decided_at, request.decided_by), (None, None));
}

#[tokio::test]
async fn an_operator_sees_the_names_that_a_certificate_would_have() {
    let Subject { store, .. } = &Subject::fresh();
    let changing = csr_changing("device-1", "root");
    store.claim(&manual(intent(certificate_holder("device-1"), &changing))).await.unwrap();
    let request = only_request(store).await;
    assert_eq!((request.subject.as_str(), request.names), ("CN=root", None));
}

#[tokio::test]
async fn asking_again_makes_no_second_request() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    for seconds in [60, 120, WINDOW.0 * 3] {
        assert_eq!(store.claim(&again(&first, after(seconds))).await.unwrap(), Claimed::AwaitingApproval);
    }
    only_request(store).await;
}

#[tokio::test]
async fn a_principal_has_eight_requests_that_wait_and_no_ninth() {
    let Subject { store, .. } = &Subject::fresh();
    let (greedy, other) = (certificate_holder("greedy"), certificate_holder("other"));
    let requests: Vec<_> = (0..9).map(|_| manual(intent(greedy.clone(), &csr("device")))).collect();
    for request in &requests[..8] {
        assert_eq!(store.claim(request).await.unwrap(), Claimed::AwaitingApproval);
    }
    assert_eq!(store.claim(&requests[8]).await.unwrap(), Claimed::TooManyWaiting);
    assert_eq!(store.claim(&again(&requests[0], after(1))).await.unwrap(), Claimed::AwaitingApproval, "that one waits");
    assert_eq!(store.claim(&manual(intent(other, &csr("device")))).await.unwrap(), Claimed::AwaitingApproval);
    assert_eq!(store.count_requests(RequestState::Awaiting).await.unwrap(), 9);
    let page = store.requests(Some(RequestState::Awaiting), 1, None).await.unwrap();
    let decided = store.decide_request(&page.items[0].id, Decision::Deny, &Actor::local("alice"), after(2)).await;
    assert_eq!(decided.unwrap(), Decided::Done);
    assert_eq!(store.claim(&requests[8]).await.unwrap(), Claimed::TooManyWaiting, "the other one was denied");
    let page = store.requests(Some(RequestState::Awaiting), 1, None).await.unwrap();
    store.decide_request(&page.items[0].id, Decision::Deny, &Actor::local("alice"), after(2)).await.unwrap();
    assert_eq!(store.claim(&requests[8]).await.unwrap(), Claimed::AwaitingApproval);
}

#[tokio::test]
async fn a_request_whose_client_is_silent_ends_approved_or_not_and_gives_its_password_back() {
    let Subject { store, clock, .. } = &Subject::fresh();
    let month = Seconds::from_days(30);
    store.end_waiting_after(month);
    let mut requests = Vec::new();
    for id in ["p1", "p2", "p3"] {
        store.create_password(new_password(id, 1), &Actor::local("admin")).await.unwrap();
        let request = manual(intent(password_holder(id), &csr(id)));
        store.claim(&request).await.unwrap();
        requests.push(request);
    }
    // The first is approved, the second keeps asking.
    let all = store.requests(None, 10, None).await.unwrap().items;
    store.decide_request(&all[2].id, Decision::Approve, &Actor::local("alice"), after(1)).await.unwrap();
    clock.advance(month);
    store.claim(&again(&requests[1], after(month.0))).await.unwrap();
    clock.advance(Seconds(WINDOW.0 + 1));
    for _ in 0..3 {
        store.note(est_store::ServerEvent::Startup, None).await.unwrap();
    }
    let filter = AuditFilter { event: Some("request.expired".into()), ..Default::default() };
    let mut ended: Vec<_> =
        store.audit(filter, 10, None).await.unwrap().items.into_iter().filter_map(|one| one.reason).collect();
    ended.sort();
    let mut expected = [&all[2], &all[0]].map(|one| format!("request {} for {}", one.id, one.subject));
    expected.sort();
    assert_eq!(ended, expected);
    let left = store.requests(None, 10, None).await.unwrap().items;
    let left: Vec<_> = left.iter().map(|one| (one.id.as_str(), one.state)).collect();
    let (first, second) = (all[2].id.as_str(), all[1].id.as_str());
    assert_eq!(left, [(second, RequestState::Awaiting), (first, RequestState::Approved)]);
    let now = after(month.0 + WINDOW.0 + 1);
    let is_good = async |id| store.password(id, now).await.unwrap().is_some_and(|password| password.is_good());
    assert!(!is_good("p1").await, "it ended long ago, and nothing needs it");
    assert!(is_good("p2").await);
    assert_eq!(store.password_summary("p3").await.unwrap().unwrap().uses, 0);
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn an_approved_request_goes_on_once() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    let id = only_request(store).await.id;
    assert_eq!(
        store.decide_request(&id, Decision::Approve, &Actor::local("alice"), after(5)).await.unwrap(),
        Decided::Done
    );
    let second = again(&first, after(6));
    assert_eq!(store.claim(&second).await.unwrap(), Claimed::Fresh);
    let certificate = sign_certificate(&second);
    store.record(&issued(&second, &certificate)).await.unwrap();
    let replay = store.claim(&again(&first, after(7))).await.unwrap();
    assert_eq!(replay, Claimed::Finished(certificate.as_der().to_vec()));
}

#[tokio::test]
async fn an_approved_request_that_was_interrupted_needs_no_second_approval() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    let id = only_request(store).await.id;
    store.decide_request(&id, Decision::Approve, &Actor::local("alice"), after(5)).await.unwrap();
    store.claim(&first).await.unwrap();
    store.record(&entry(&first, Outcome::Interrupted(Refusal::CaUnavailable))).await.unwrap();
    assert_eq!(store.claim(&again(&first, after(9))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn a_denied_request_stays_denied_until_its_time_is_over() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    let id = only_request(store).await.id;
    assert_eq!(
        store.decide_request(&id, Decision::Deny, &Actor::local("alice"), after(5)).await.unwrap(),
        Decided::Done
    );
    assert_eq!(store.claim(&again(&first, after(WINDOW.0))).await.unwrap(), Claimed::Denied);
    assert_eq!(store.claim(&again(&first, after(WINDOW.0 + 1))).await.unwrap(), Claimed::AwaitingApproval);
    assert_ne!(only_request(store).await.id, id);
}

#[tokio::test]
async fn who_kept_asking_hears_of_a_late_no() {
    let Subject { store, .. } = &Subject::fresh();
    let first = manual(intent(certificate_holder("device-1"), &csr("device-1")));
    store.claim(&first).await.unwrap();
    store.claim(&again(&first, after(WINDOW.0))).await.unwrap();
    let id = only_request(store).await.id;
    store.decide_request(&id, Decision::Deny, &Actor::local("alice"), after(WINDOW.0 + 1)).await.unwrap();
    assert_eq!(store.claim(&again(&first, after(WINDOW.0 + 2))).await.unwrap(), Claimed::Denied);
}

#[tokio::test]
async fn a_request_that_waits_has_used_its_password() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    store.claim(&manual(intent(password_holder("p1"), &csr("device-1")))).await.unwrap();
    let other = manual(intent(password_holder("p1"), &csr("device-2")));
    assert_eq!(store.claim(&other).await.unwrap(), Claimed::PasswordSpent);
    only_request(store).await;
}

#[tokio::test]
async fn a_request_is_decided_once() {
    let Subject { store, .. } = &Subject::fresh();
    store.claim(&manual(intent(certificate_holder("device-1"), &csr("device-1")))).await.unwrap();
    let id = only_request(store).await.id;
    let upper = id.to_uppercase();
    assert_eq!(
        store.decide_request(&upper, Decision::Approve, &Actor::local("alice"), after(5)).await.unwrap(),
        Decided::Done
    );
    let second = store.decide_request(&id, Decision::Deny, &Actor::local("bob"), after(6)).await.unwrap();
    assert_eq!(second, Decided::Already(RequestState::Approved));
    let unknown = store.decide_request("0000-0000", Decision::Deny, &Actor::local("bob"), after(6)).await.unwrap();
    assert_eq!(unknown, Decided::Unknown);
    let decided = store.requests(Some(RequestState::Approved), 10, None).await.unwrap().items.remove(0);
    assert_eq!((decided.decided_at, decided.decided_by.as_deref()), (Some(after(5)), Some("alice")));
}

#[tokio::test]
async fn decisions_are_on_record() {
    let Subject { store, .. } = &Subject::fresh();
    for (name, decision) in [("device-1", Decision::Approve), ("device-2", Decision::Deny)] {
        store.claim(&manual(intent(certificate_holder(name), &csr(name)))).await.unwrap();
        let id = only_request(store).await.id;
        store.decide_request(&id, decision, &Actor::local("alice"), after(5)).await.unwrap();
    }
    let audit =
        store.audit(AuditFilter { event: Some("request".into()), ..Default::default() }, 10, None).await.unwrap();
    let told: Vec<_> = audit.items.iter().map(|record| (record.event.as_str(), record.method)).collect();
    let (by_operator, by_certificate) = (Some(Method::Local), Some(Method::Certificate));
    let expected = [
        ("request.denied", by_operator),
        ("request.created", by_certificate),
        ("request.approved", by_operator),
        ("request.created", by_certificate),
    ];
    assert_eq!(told, expected);
    assert_eq!(audit.items[2].actor.as_deref(), Some("alice"));
    assert!(audit.items[1].actor.as_deref().unwrap().contains("CN=device-2"));
    assert_eq!(audit.items[1].source.as_deref(), Some("192.0.2.7"));
    assert!(audit.items[3].reason.as_deref().unwrap().ends_with(": CN=device-1,O=Example, DNS:device-1.example"));
    assert!(audit.items[2].reason.as_deref().unwrap().ends_with("for CN=device-1,O=Example, DNS:device-1.example"));
}

#[tokio::test]
async fn the_list_goes_page_by_page_the_latest_first() {
    let Subject { store, .. } = &Subject::fresh();
    for number in 0..5 {
        let name = format!("device-{number}");
        store.claim(&manual(intent(certificate_holder(&name), &csr(&name)))).await.unwrap();
    }
    let (mut next, mut subjects) = (None, Vec::new());
    loop {
        let page = store.requests(None, 2, next).await.unwrap();
        subjects.extend(page.items.into_iter().map(|request| request.subject));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|number| format!("CN=device-{number},O=Example")).collect();
    assert_eq!(subjects, expected);
}

#[tokio::test]
async fn a_comment_stays_with_the_request_and_in_the_trail() {
    let Subject { store, .. } = &Subject::fresh();
    store.claim(&manual(intent(certificate_holder("device-1"), &csr("device-1")))).await.unwrap();
    let id = only_request(store).await.id;
    let ruling =
        Ruling { decision: Decision::Deny, comment: Some("not one of our meters".into()), dual_control: false };
    store.decide_request(&id, ruling, &Actor::local("alice"), after(5)).await.unwrap();
    assert_eq!(store.request(&id).await.unwrap().unwrap().comment.as_deref(), Some("not one of our meters"));
    let filter = AuditFilter { event: Some("request.denied".into()), ..Default::default() };
    let told = store.audit(filter, 1, None).await.unwrap().items.remove(0);
    assert!(told.reason.as_deref().unwrap().ends_with(": not one of our meters"), "{told:?}");
}

#[tokio::test]
async fn under_dual_control_another_person_approves_than_the_one_who_made_the_password() {
    let Subject { store, .. } = &Subject::fresh();
    let approve = || Ruling { decision: Decision::Approve, comment: None, dual_control: true };
    let login = |user: &str| Actor::local(format!("local:{user}, logged in as alice (uid 1000)"));
    for (index, (maker, same, other)) in [
        ("admin:alice", "admin:alice", "admin:bob"),
        ("local:ohia (uid 995), logged in as alice (uid 1000)", "local:alice (uid 1000)", "local:bob (uid 1001)"),
        ("local:alice (uid 1000)", "local:alice (uid 1000), sudo by bob (uid 1001) as claimed", "admin:bob"),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, name) = (format!("p{index}"), format!("device-{index}"));
        store.create_password(new_password(&id, 1), &Actor::local(maker)).await.unwrap();
        store.claim(&manual(intent(password_holder(&id), &csr(&name)))).await.unwrap();
        let request = only_request(store).await.id;
        let mut own = vec![Actor::local(same)];
        own.extend(maker.contains("alice (uid 1000)").then(|| login("root (uid 0)")));
        for actor in own {
            let decided = store.decide_request(&request, approve(), &actor, after(5)).await.unwrap();
            assert_eq!(decided, Decided::NeedsAnother, "{maker}, {actor:?}");
        }
        assert_eq!(only_request(store).await.state, RequestState::Awaiting);
        let decided = store.decide_request(&request, approve(), &Actor::local(other), after(5)).await.unwrap();
        assert_eq!(decided, Decided::Done, "{maker}, {other}");
    }
    // A request that came with a certificate has no password that somebody made; and everybody may say no.
    store.claim(&manual(intent(certificate_holder("device-8"), &csr("device-8")))).await.unwrap();
    let request = only_request(store).await.id;
    let decided = store.decide_request(&request, approve(), &Actor::local("admin:alice"), after(5)).await.unwrap();
    assert_eq!(decided, Decided::Done);
    store.create_password(new_password("p9", 1), &Actor::local("admin:alice")).await.unwrap();
    store.claim(&manual(intent(password_holder("p9"), &csr("device-9")))).await.unwrap();
    let request = only_request(store).await.id;
    let deny = Ruling { decision: Decision::Deny, ..approve() };
    let decided = store.decide_request(&request, deny, &Actor::local("admin:alice"), after(5)).await.unwrap();
    assert_eq!(decided, Decided::Done);
}
