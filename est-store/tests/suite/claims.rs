//! One request, one certificate.

use est_core::{Claimed, Outcome, Refusal, Seconds, Store as _, Ticket};
use est_store::{Actor, AuditFilter, Decision, Revocation, RevocationReason, SerialNumber};

use super::subject::Subject;
use crate::support::{
    WINDOW, after, again, certificate_holder, csr, entry, intent, intent_at, issued, manual, new_password,
    password_holder, sign_certificate,
};

#[tokio::test]
async fn a_request_that_nobody_knows_is_fresh() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    assert_eq!(store.claim(&first).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn a_finished_request_gets_the_same_certificate_again() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    store.record(&issued(&first, &certificate)).await.unwrap();
    let finished = Claimed::Finished(certificate.as_der().to_vec());
    assert_eq!(store.claim(&again(&first, after(1))).await.unwrap(), finished);
    assert_eq!(store.claim(&again(&first, after(WINDOW.0))).await.unwrap(), finished);
}

#[tokio::test]
async fn another_request_of_the_same_principal_is_fresh() {
    let Subject { store, .. } = &Subject::fresh();
    let holder = certificate_holder("device-1");
    store.claim(&intent(holder.clone(), &csr("device-1"))).await.unwrap();
    assert_eq!(store.claim(&intent(holder, &csr("device-1"))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn after_its_replay_window_a_request_starts_anew() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let second = again(&first, after(WINDOW.0 + 1));
    assert_eq!(store.claim(&second).await.unwrap(), Claimed::Fresh);
    let certificate = sign_certificate(&second);
    store.record(&issued(&second, &certificate)).await.unwrap();
    let replay = store.claim(&again(&second, second.now)).await.unwrap();
    assert_eq!(replay, Claimed::Finished(certificate.as_der().to_vec()));
}

#[tokio::test]
async fn a_certificate_that_was_revoked_is_not_handed_out_again() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let serial = SerialNumber::from_contents(first.serial.as_bytes());
    let revoked =
        store.revoke(&serial, None, RevocationReason::KeyCompromise, after(1), &Actor::local("admin")).await.unwrap();
    assert_eq!(revoked, Revocation::Revoked);
    assert_eq!(store.claim(&again(&first, after(2))).await.unwrap(), Claimed::Revoked);
}

#[tokio::test]
async fn a_compromised_key_gets_no_certificate_again() {
    let Subject { store, .. } = &Subject::fresh();
    let (stolen, other) = (csr("device-1"), csr("device-2"));
    for (request, reason) in [(&stolen, RevocationReason::KeyCompromise), (&other, RevocationReason::Superseded)] {
        let first = intent(certificate_holder("device-1"), request);
        store.claim(&first).await.unwrap();
        store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
        let serial = SerialNumber::from_contents(first.serial.as_bytes());
        store.revoke(&serial, None, reason, after(1), &Actor::local("admin")).await.unwrap();
    }
    let somebody_else = intent(certificate_holder("device-3"), &stolen);
    assert_eq!(store.claim(&somebody_else).await.unwrap(), Claimed::KeyCompromised);
    assert_eq!(store.claim(&intent(certificate_holder("device-3"), &other)).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn a_key_found_compromised_while_its_request_waits_gets_no_certificate() {
    let Subject { store, .. } = &Subject::fresh();
    let stolen = csr("device-1");
    let first = intent(certificate_holder("device-1"), &stolen);
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let ticketed = intent(certificate_holder("device-2"), &stolen);
    store.claim(&ticketed).await.unwrap();
    store.record(&entry(&ticketed, Outcome::Pending(Ticket(b"42".to_vec()), Seconds(60)))).await.unwrap();
    let approved = manual(intent(certificate_holder("device-3"), &stolen));
    store.claim(&approved).await.unwrap();
    let id = store.requests(None, 1, None).await.unwrap().items.remove(0).id;
    store.decide_request(&id, Decision::Approve, &Actor::local("alice"), after(1)).await.unwrap();

    let serial = SerialNumber::from_contents(first.serial.as_bytes());
    store.revoke(&serial, None, RevocationReason::KeyCompromise, after(2), &Actor::local("admin")).await.unwrap();
    for waiting in [&ticketed, &approved] {
        assert_eq!(store.claim(&again(waiting, after(3))).await.unwrap(), Claimed::KeyCompromised);
    }
}

#[tokio::test]
async fn a_key_found_compromised_while_the_ca_signs_gets_no_certificate() {
    let Subject { store, .. } = &Subject::fresh();
    let stolen = csr("device-1");
    let first = intent(certificate_holder("device-1"), &stolen);
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let signing = intent(certificate_holder("device-2"), &stolen);
    assert_eq!(store.claim(&signing).await.unwrap(), Claimed::Fresh);

    let serial = SerialNumber::from_contents(first.serial.as_bytes());
    store.revoke(&serial, None, RevocationReason::KeyCompromise, after(2), &Actor::local("admin")).await.unwrap();
    let certificate = sign_certificate(&signing);
    assert!(store.record(&issued(&signing, &certificate)).await.is_err(), "what is not recorded is not handed out");

    let serial = SerialNumber::from_contents(signing.serial.as_bytes());
    let recorded = store.certificate(&serial, None).await.unwrap().expect("what was signed is in the inventory");
    assert_eq!(recorded.revoked.map(|revoked| revoked.reason), Some(RevocationReason::KeyCompromise));
    assert!(store.is_revoked(&certificate).await.unwrap());
    assert_eq!(store.claim(&again(&signing, after(3))).await.unwrap(), Claimed::Revoked);
    let filter = AuditFilter { event: Some("cert.revoked".into()), ..AuditFilter::default() };
    assert_eq!(store.audit(filter, 10, None).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_key_found_compromised_after_its_certificate_was_revoked_is_known_too() {
    let Subject { store, .. } = &Subject::fresh();
    let stolen = csr("device-1");
    let first = intent(certificate_holder("device-1"), &stolen);
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let serial = SerialNumber::from_contents(first.serial.as_bytes());
    for reason in [RevocationReason::Superseded, RevocationReason::KeyCompromise] {
        store.revoke(&serial, None, reason, after(1), &Actor::local("admin")).await.unwrap();
    }
    let somebody_else = intent(certificate_holder("device-3"), &stolen);
    assert_eq!(store.claim(&somebody_else).await.unwrap(), Claimed::KeyCompromised);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_for_somebody_else_is_told_busy() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    assert_eq!(store.claim(&again(&first, after(1))).await.unwrap(), Claimed::Busy);
}

#[tokio::test]
async fn who_waits_for_somebody_else_gets_the_certificate_when_it_is_recorded() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let (second, certificate) = (again(&first, after(1)), sign_certificate(&first));
    let recorded = issued(&first, &certificate);
    // Polled in this order: the second has looked, and waits, before the first records.
    let (waited, recorded) = tokio::join!(biased; store.claim(&second), store.record(&recorded));
    recorded.unwrap();
    assert_eq!(waited.unwrap(), Claimed::Finished(certificate.as_der().to_vec()));
}

#[tokio::test]
async fn who_waits_sees_what_another_process_records() {
    let subject = Subject::fresh();
    let neighbour = subject.neighbour();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    neighbour.claim(&first).await.unwrap();
    let (second, certificate) = (again(&first, after(1)), sign_certificate(&first));
    let recorded = issued(&first, &certificate);
    let (waited, recorded) = tokio::join!(biased; subject.store.claim(&second), neighbour.record(&recorded));
    recorded.unwrap();
    assert_eq!(waited.unwrap(), Claimed::Finished(certificate.as_der().to_vec()));
}

#[tokio::test]
async fn a_server_that_is_alone_goes_on_at_once_with_what_it_was_killed_at() {
    let subject = Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    subject.store.claim(&first).await.unwrap();
    let Subject { store, .. } = &subject.reopened();
    store.serve_alone();
    let second = again(&first, after(1));
    assert_eq!(store.claim(&second).await.unwrap(), Claimed::Fresh);
    store.record(&issued(&second, &sign_certificate(&second))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_goes_on_at_once_with_its_own_claims_and_not_with_those_of_others() {
    let subject = Subject::fresh();
    let (own, foreign) = (csr("device-1"), csr("device-2"));
    let [own, foreign] = [own, foreign].map(|csr| intent(certificate_holder("device"), &csr));
    subject.node("est-1").claim(&own).await.unwrap();
    subject.node("est-2").claim(&foreign).await.unwrap();
    let restarted = subject.node("est-1");
    restarted.serve_as_node();
    assert_eq!(restarted.claim(&again(&own, after(1))).await.unwrap(), Claimed::Fresh);
    assert_eq!(restarted.claim(&again(&foreign, after(1))).await.unwrap(), Claimed::Busy);
}

#[tokio::test]
async fn a_record_that_fails_leaves_the_claim_to_the_next_who_asks_here_and_elsewhere() {
    let subject = Subject::fresh();
    let store = &subject.store;
    store.serve_alone();
    let taken = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&taken).await.unwrap();
    store.record(&issued(&taken, &sign_certificate(&taken))).await.unwrap();
    for asks_elsewhere in [false, true] {
        let serial = taken.serial;
        let failing = est_core::Intent { serial, ..intent(certificate_holder("device-2"), &csr("device-2")) };
        store.claim(&failing).await.unwrap();
        assert!(store.record(&issued(&failing, &sign_certificate(&failing))).await.is_err());
        // What was queued before this is done.
        store.note(est_store::ServerEvent::Startup, None).await.unwrap();
        let next = if asks_elsewhere { subject.neighbour() } else { store.clone() };
        assert_eq!(next.claim(&again(&failing, after(1))).await.unwrap(), Claimed::Fresh, "{asks_elsewhere}");
    }
}

#[tokio::test]
async fn a_lease_from_a_clock_that_was_ahead_keeps_nobody_waiting() {
    let subject = &Subject::fresh();
    let Subject { store, clock, .. } = subject;
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let ahead = Seconds(12 * 3_600);
    clock.advance(ahead);
    subject.neighbour().claim(&first).await.unwrap();
    clock.set_back(ahead);
    assert_eq!(store.claim(&again(&first, after(1))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_lease_from_a_clock_that_is_a_little_fast_counts() {
    let subject = Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    subject.clock.advance(Seconds(20));
    subject.neighbour().claim(&first).await.unwrap();
    subject.clock.set_back(Seconds(20));
    assert_eq!(subject.store.claim(&again(&first, after(1))).await.unwrap(), Claimed::Busy);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_by_another_process() {
    let subject = &Subject::fresh();
    let Subject { store, clock, .. } = subject;
    let neighbour = subject.neighbour();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    neighbour.claim(&first).await.unwrap();
    clock.advance(first.lease);
    let second = again(&first, after(30));
    assert_eq!(store.claim(&second).await.unwrap(), Claimed::Fresh);
    assert!(neighbour.record(&issued(&first, &sign_certificate(&first))).await.is_err());
    store.record(&issued(&second, &sign_certificate(&second))).await.unwrap();
    let lost = store.certificate(&SerialNumber::from_contents(first.serial.as_bytes()), None).await.unwrap();
    assert_eq!(lost, None);
}

#[tokio::test(start_paused = true)]
async fn a_process_does_not_begin_again_what_it_works_on_whatever_its_lease_says() {
    let Subject { store, clock, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    clock.advance(Seconds(first.lease.0 * 2));
    assert_eq!(store.claim(&again(&first, after(60))).await.unwrap(), Claimed::Busy);
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
}

#[tokio::test]
async fn whoever_came_to_grief_over_a_claim_holds_it_for_minutes_and_not_for_ever() {
    let Subject { store, clock, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    clock.advance(Seconds(600));
    assert_eq!(store.claim(&again(&first, after(600))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_measured_by_the_stores_clock() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let much_later = again(&first, after(first.lease.0 * 2));
    assert_eq!(store.claim(&much_later).await.unwrap(), Claimed::Busy);
}

#[tokio::test]
async fn who_holds_a_lease_that_ran_out_may_record_while_nobody_took_over() {
    let Subject { store, clock, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    clock.advance(Seconds(first.lease.0 * 2));
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_request_goes_on_at_once() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&entry(&first, Outcome::Interrupted(Refusal::CaUnavailable))).await.unwrap();
    let stranger = intent(password_holder("p1"), &csr("device-2"));
    assert_eq!(store.claim(&stranger).await.unwrap(), Claimed::PasswordSpent);
    assert_eq!(store.claim(&again(&first, after(1))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn a_refused_request_gives_the_password_back() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&entry(&first, Outcome::Refused(Refusal::RefusedByCa))).await.unwrap();
    let other = intent(password_holder("p1"), &csr("device-2"));
    assert_eq!(store.claim(&other).await.unwrap(), Claimed::Fresh);
    assert_eq!(store.claim(&again(&first, after(1))).await.unwrap(), Claimed::PasswordSpent);
}

#[tokio::test]
async fn a_pending_request_goes_on_with_its_ticket() {
    let Subject { store, .. } = &Subject::fresh();
    let ticket = Ticket(b"41".to_vec());
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&entry(&first, Outcome::Pending(ticket.clone(), Seconds(60)))).await.unwrap();
    let second = again(&first, after(60));
    assert_eq!(store.claim(&second).await.unwrap(), Claimed::Open(ticket));
    let certificate = sign_certificate(&second);
    store.record(&issued(&second, &certificate)).await.unwrap();
    let replay = store.claim(&again(&first, after(61))).await.unwrap();
    assert_eq!(replay, Claimed::Finished(certificate.as_der().to_vec()));
}

#[tokio::test]
async fn a_claim_is_recorded_once() {
    let Subject { store, .. } = &Subject::fresh();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&entry(&first, Outcome::Refused(Refusal::RefusedByCa))).await.unwrap();
    assert!(store.record(&issued(&first, &sign_certificate(&first))).await.is_err());
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart() {
    let subject = Subject::fresh();
    subject.store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    subject.store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    subject.store.record(&issued(&first, &certificate)).await.unwrap();
    let Subject { store, .. } = &subject.reopened();
    let replay = store.claim(&again(&first, after(1))).await.unwrap();
    assert_eq!(replay, Claimed::Finished(certificate.as_der().to_vec()));
    let other = intent(password_holder("p1"), &csr("device-2"));
    assert_eq!(store.claim(&other).await.unwrap(), Claimed::PasswordSpent);
}

#[tokio::test]
async fn what_a_crash_left_open_goes_on_when_its_lease_has_run_out() {
    let subject = Subject::fresh();
    subject.store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let first = intent(password_holder("p1"), &csr("device-1"));
    subject.store.claim(&first).await.unwrap();
    let Subject { store, clock, .. } = &subject.reopened();
    clock.advance(first.lease);
    assert_eq!(store.claim(&again(&first, after(30))).await.unwrap(), Claimed::Fresh);
}

#[tokio::test]
async fn a_password_that_has_ended_buys_nothing_more() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 5), &Actor::local("admin")).await.unwrap();
    let in_time = intent_at(password_holder("p1"), &csr("device-1"), after(599));
    assert_eq!(store.claim(&in_time).await.unwrap(), Claimed::Fresh);
    let late = intent_at(password_holder("p1"), &csr("device-2"), after(600));
    assert_eq!(store.claim(&late).await.unwrap(), Claimed::PasswordSpent);
}

#[tokio::test]
async fn a_password_that_was_revoked_buys_nothing_more() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 5), &Actor::local("admin")).await.unwrap();
    store.revoke_password("p1", after(1), &Actor::local("admin")).await.unwrap();
    let late = intent_at(password_holder("p1"), &csr("device-1"), after(2));
    assert_eq!(store.claim(&late).await.unwrap(), Claimed::PasswordSpent);
}
