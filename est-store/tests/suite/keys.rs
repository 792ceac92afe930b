//! What a key brings along: a compromised one every certificate for it, that of a CA everything that it signed.

use std::sync::Arc;

use est_core::pkix::{Certificate, Csr};
use est_core::{Intent, Principal, Store as _};
use est_store::{
    Actor, AuditFilter, CertificateFilter, ConfiguredCa, NewCrl, Publication, Renamed, Revocation, RevocationReason,
    Revoked, SerialNumber, Withdrawal,
};

use super::subject::{Store, Subject};
use crate::support::{
    START, after, again, certificate_holder, csr, intent, issued, new_password, password_holder, sign_certificate,
};

fn of(certificate: &Arc<Certificate>) -> Principal {
    Principal::Certificate(certificate.clone().into())
}

fn number(certificate: &Certificate) -> SerialNumber {
    SerialNumber::from_contents(certificate.serial())
}

async fn record(store: &Store, intent: &Intent) -> Arc<Certificate> {
    store.claim(intent).await.unwrap();
    let certificate = sign_certificate(intent);
    let entry = est_core::Entry { ca: intent.ca.clone(), ..issued(intent, &certificate) };
    store.record(&entry).await.unwrap();
    certificate
}

/// What somebody gets for a key at the CA `root`.
async fn enroll(store: &Store, principal: Principal, csr: &Arc<Csr>) -> Arc<Certificate> {
    record(store, &intent(principal, csr)).await
}

/// The records of revocations, the earliest first: who did it, why, and the serial number.
async fn revocations(store: &Store) -> Vec<(Option<String>, String, SerialNumber)> {
    let filter = AuditFilter { event: Some("cert.revoked".into()), ..Default::default() };
    let mut records = store.audit(filter, 100, None).await.unwrap().items;
    records.reverse();
    records.into_iter().map(|one| (one.actor, one.reason.unwrap(), one.serial.unwrap())).collect()
}

async fn revoke(store: &Store, certificate: &Certificate, reason: RevocationReason) -> Revocation {
    store.revoke(&number(certificate), None, reason, after(9), &Actor::local("alice")).await.unwrap()
}

#[tokio::test]
async fn a_compromised_key_authenticates_nobody_whatever_certificate_is_shown() {
    let Subject { store, .. } = &Subject::fresh();
    let key = csr("device-1");
    let first = enroll(store, certificate_holder("a"), &key).await;
    let second = enroll(store, of(&first), &key).await;
    // Another CA's, which this store has never heard of.
    let foreign = sign_certificate(&intent(certificate_holder("b"), &key));
    let other = sign_certificate(&intent(certificate_holder("b"), &csr("device-1")));
    assert_eq!(revoke(store, &first, RevocationReason::Superseded).await, Revocation::Revoked);
    assert!(!store.is_revoked(&second).await.unwrap(), "only that certificate is superseded");
    assert_eq!(revoke(store, &first, RevocationReason::KeyCompromise).await, Revocation::NowCompromised);
    for certificate in [&first, &second, &foreign] {
        assert!(store.is_revoked(certificate).await.unwrap());
    }
    assert!(!store.is_revoked(&other).await.unwrap());
}

#[tokio::test]
async fn a_compromised_key_takes_all_its_certificates_along_each_on_record_and_on_its_crl() {
    let Subject { store, .. } = &Subject::fresh();
    let key = csr("device-1");
    let first = enroll(store, certificate_holder("a"), &key).await;
    let second = enroll(store, of(&first), &key).await;
    let elsewhere = Intent { ca: "other".into(), ..intent(certificate_holder("c"), &key) };
    let elsewhere = record(store, &elsewhere).await;
    let another = enroll(store, of(&first), &csr("device-2")).await;
    let counts = [store.revocations("root", START).await.unwrap(), store.revocations("other", START).await.unwrap()];
    assert_eq!(revoke(store, &second, RevocationReason::KeyCompromise).await, Revocation::Revoked);
    let because = |one| (Some("alice".to_owned()), "keyCompromise".to_owned(), number(one));
    assert_eq!(revocations(store).await, [because(&second), because(&first), because(&elsewhere)]);
    for (ca, count, certificates) in [("root", 0, vec![&first, &second]), ("other", 1, vec![&elsewhere])] {
        let listed = store.revocations(ca, START).await.unwrap();
        let serials: Vec<_> = listed.revoked.iter().map(|one| one.serial.as_slice()).collect();
        assert_eq!(serials, certificates.iter().map(|one| one.serial()).collect::<Vec<_>>(), "{ca}");
        assert!(listed.count > counts[count].count, "{ca}: another CRL is due");
    }
    let found = store.certificate(&number(&another), None).await.unwrap().unwrap();
    assert_eq!(found.revoked, None, "the key is another");
}

#[tokio::test]
async fn what_has_ended_is_not_revoked_for_its_key() {
    let Subject { store, .. } = &Subject::fresh();
    let key = csr("device-1");
    let first = enroll(store, certificate_holder("a"), &key).await;
    let second = enroll(store, of(&first), &key).await;
    let end = first.not_after() + est_core::Seconds(1);
    let reason = RevocationReason::KeyCompromise;
    store.revoke(&number(&second), None, reason, end, &Actor::local("alice")).await.unwrap();
    assert_eq!(store.certificate(&number(&first), None).await.unwrap().unwrap().revoked, None);
    assert!(store.is_revoked(&first).await.unwrap(), "its key is refused all the same");
}

#[tokio::test]
async fn what_somebody_got_with_a_certificate_is_shown_and_can_be_revoked_along() {
    let Subject { store, .. } = &Subject::fresh();
    let key = csr("device-1");
    let first = enroll(store, certificate_holder("a"), &key).await;
    let second = enroll(store, of(&first), &key).await;
    let third = enroll(store, of(&second), &csr("device-1")).await;
    let thief = enroll(store, of(&first), &csr("device-9")).await;
    let stranger = enroll(store, certificate_holder("s"), &csr("device-2")).await;
    let shown = store.certificate(&number(&first), None).await.unwrap().unwrap();
    let successors = store.successors(&shown).await.unwrap();
    let serials: Vec<_> = successors.into_iter().map(|one| one.serial).collect();
    assert_eq!(serials, [number(&second), number(&third), number(&thief)]);
    let withdrawal = Withdrawal {
        serial: number(&first),
        ca: None,
        reason: RevocationReason::KeyCompromise,
        with_successors: true,
    };
    let withdrawn = store.withdraw(withdrawal, after(9), &Actor::local("alice")).await.unwrap();
    assert_eq!(withdrawn.revocation, Revocation::Revoked);
    let others: Vec<_> = withdrawn.others.iter().map(|one| (one.serial.clone(), one.revoked)).collect();
    let (key, privilege) = (RevocationReason::KeyCompromise, RevocationReason::PrivilegeWithdrawn);
    let revoked = |one, reason| (number(one), Some(Revoked { at: after(9), reason }));
    assert_eq!(others, [revoked(&second, key), revoked(&third, privilege), revoked(&thief, privilege)]);
    for certificate in [&first, &second, &third, &thief] {
        assert!(store.is_revoked(certificate).await.unwrap());
    }
    assert!(!store.is_revoked(&stranger).await.unwrap());
}

#[tokio::test]
async fn what_is_recorded_after_its_holder_was_revoked_is_revoked_and_not_handed_out() {
    let Subject { store, .. } = &Subject::fresh();
    store.create_password(new_password("p1", 1), &Actor::local("admin")).await.unwrap();
    let (withdrawn, stolen) = (csr("withdrawn"), csr("stolen"));
    let withdrawn = enroll(store, certificate_holder("a"), &withdrawn).await;
    let twin = enroll(store, certificate_holder("b"), &stolen).await;
    let stolen = enroll(store, certificate_holder("c"), &stolen).await;
    let under_way = [of(&withdrawn), of(&stolen), password_holder("p1")].map(|who| intent(who, &csr("next")));
    for intent in &under_way {
        store.claim(intent).await.unwrap();
    }
    revoke(store, &withdrawn, RevocationReason::CessationOfOperation).await;
    revoke(store, &twin, RevocationReason::KeyCompromise).await;
    store.revoke_password("p1", after(9), &Actor::local("alice")).await.unwrap();
    for intent in &under_way {
        let certificate = sign_certificate(intent);
        let told = store.record(&issued(intent, &certificate)).await.unwrap_err().to_string();
        assert!(told.contains("was revoked meanwhile"), "{told}");
        let found = store.certificate(&number(&certificate), None).await.unwrap().unwrap();
        assert_eq!(found.revoked.map(|revoked| revoked.reason), Some(RevocationReason::PrivilegeWithdrawn));
        let (actor, reason, serial) = revocations(store).await.pop().unwrap();
        assert_eq!((actor, reason.as_str(), serial), (None, "privilegeWithdrawn", number(&certificate)));
        assert_eq!(store.claim(&again(intent, after(20))).await.unwrap(), est_core::Claimed::Revoked);
    }
}

/// A CA with a key of its own.
fn ca(id: &str) -> ConfiguredCa {
    let Principal::Certificate(certificate) = certificate_holder(id) else { panic!("a certificate") };
    ConfiguredCa { id: id.to_owned(), certificate: (*certificate).clone(), others: Vec::new() }
}

async fn know(store: &Store, cas: &[&ConfiguredCa]) -> Vec<Renamed> {
    let cas: Vec<_> = cas.iter().map(|&ca| ca.clone()).collect();
    store.know_cas(&cas, START).await.unwrap()
}

fn called(ca: &ConfiguredCa, id: &str) -> ConfiguredCa {
    ConfiguredCa { id: id.to_owned(), ..ca.clone() }
}

async fn enroll_at(store: &Store, ca: &str) -> Arc<Certificate> {
    record(store, &Intent { ca: ca.to_owned(), ..intent(certificate_holder("a"), &csr("device")) }).await
}

async fn publish(store: &Store, ca: &str, number: u64) -> Publication {
    let authority = store.authority(ca);
    let revocations = store.revocations(&authority, START).await.unwrap().count;
    let (this_update, next_update) = (after(number), after(1_000));
    let (follows, der) = ((number > 1).then(|| number - 1), vec![0x30, 0]);
    let ca = ca.into();
    let crl = NewCrl { ca, authority, number, follows, this_update, next_update, entries: 1, revocations, der };
    store.publish_crl(crl, None).await.unwrap()
}

async fn serials(store: &Store, ca: &str) -> Vec<SerialNumber> {
    let filter = CertificateFilter { ca: Some(ca.to_owned()), ..Default::default() };
    store.certificates(filter, 100, None).await.unwrap().items.into_iter().map(|one| one.serial).collect()
}

#[tokio::test]
async fn cas_that_are_registered_count_once_the_store_goes_by_them() {
    let Subject { store, .. } = &Subject::fresh();
    let (first, second) = (ca("main"), ca("other"));
    know(store, &[&first]).await;
    let name = store.authority("main");
    // Another key under the same id.
    let registered = store.register_cas(&[called(&second, "main")], START).await.unwrap();
    assert_eq!(store.authority("main"), name);
    store.go_by(registered);
    assert_ne!(store.authority("main"), name);
    know(store, &[&first]).await;
    assert_eq!(store.authority("main"), name);
}

#[tokio::test]
async fn a_ca_with_another_id_keeps_its_inventory_its_revocations_and_its_crl() {
    let subject = Subject::fresh();
    let main = ca("main");
    assert_eq!(know(&subject.store, &[&main]).await, []);
    let certificate = enroll_at(&subject.store, "main").await;
    revoke(&subject.store, &certificate, RevocationReason::Superseded).await;
    assert_eq!(publish(&subject.store, "main", 1).await, Publication::Published);
    let Subject { store, .. } = &subject.reopened();
    let renamed = Renamed { from: "main".to_owned(), to: "devices".to_owned() };
    assert_eq!(know(store, &[&called(&main, "devices")]).await, std::slice::from_ref(&renamed));
    assert_eq!(store.former_ids().await.unwrap(), [renamed]);
    assert_eq!(know(store, &[&called(&main, "devices")]).await, [], "it is news once");
    let authority = store.authority("devices");
    let state = store.crl_state(&authority).await.unwrap().unwrap();
    assert_eq!((state.number, state.is_stale), (1, false));
    assert_eq!(store.revocations(&authority, START).await.unwrap().revoked.len(), 1);
    let found = store.certificate(&number(&certificate), Some("devices")).await.unwrap().unwrap();
    assert_eq!(found.ca, "devices");
    assert_eq!(store.certificate(&number(&certificate), Some("main")).await.unwrap(), None);
    let later = enroll_at(store, "devices").await;
    assert_eq!(serials(store, "devices").await, [number(&later), number(&certificate)]);
    assert_eq!(store.census(START, START).await.unwrap().iter().map(|one| (one.ca.as_str(), one.issued)).collect::<Vec<_>>(), [("devices", 2)]);
    let filter = AuditFilter { event: Some("ca.renamed".into()), ..Default::default() };
    let [record] = store.audit(filter, 10, None).await.unwrap().items.try_into().unwrap();
    assert_eq!(record.ca.as_deref(), Some("devices"));
    assert!(record.reason.unwrap().starts_with("main of before"));
}

#[tokio::test]
async fn cas_that_swap_their_ids_keep_what_is_theirs() {
    let Subject { store, .. } = &Subject::fresh();
    let (one, two) = (ca("one"), ca("two"));
    know(store, &[&one, &two]).await;
    let (first, second) = (enroll_at(store, "one").await, enroll_at(store, "two").await);
    know(store, &[&called(&one, "two"), &called(&two, "one")]).await;
    assert_eq!(serials(store, "one").await, [number(&second)]);
    assert_eq!(serials(store, "two").await, [number(&first)]);
    let third = enroll_at(store, "one").await;
    assert_eq!(serials(store, "one").await, [number(&third), number(&second)]);
}

#[tokio::test]
async fn each_key_of_a_ca_has_its_revocations_and_its_crl() {
    let Subject { store, .. } = &Subject::fresh();
    let (old, new) = (ca("main"), ca("main"));
    know(store, &[&old]).await;
    let first = enroll_at(store, "main").await;
    revoke(store, &first, RevocationReason::Superseded).await;
    let before = store.authority("main");
    publish(store, "main", 1).await;
    let new = ConfiguredCa { others: vec![old.certificate.clone()], ..new };
    assert_eq!(know(store, &[&new]).await, [], "a key was added, and nothing renamed");
    let since = store.authority("main");
    assert_ne!(before, since);
    let second = enroll_at(store, "main").await;
    assert_eq!(serials(store, "main").await, [number(&second), number(&first)], "it is one CA");
    assert_eq!(store.revocations(&before, START).await.unwrap().revoked.len(), 1);
    assert_eq!(store.revocations(&since, START).await.unwrap().revoked, []);
    assert_eq!(store.crl_state(&since).await.unwrap(), None);
    let keys = store.authorities().await.unwrap();
    let keys: Vec<_> = keys.into_iter().map(|one| (one.name, one.key, one.ca)).collect();
    let expected = |name: &String, ca: &ConfiguredCa| (name.clone(), Some(ca.certificate.key_digest()), "main".to_owned());
    assert_eq!(keys, [expected(&before, &old), expected(&since, &new)]);
    // With another id both go along.
    know(store, &[&called(&new, "devices")]).await;
    assert_eq!(serials(store, "devices").await, [number(&second), number(&first)]);
}

#[tokio::test]
async fn what_was_issued_before_keys_were_noted_belongs_to_the_ca_of_that_id() {
    let Subject { store, .. } = &Subject::fresh();
    let first = enroll_at(store, "main").await;
    let main = ca("main");
    know(store, &[&main]).await;
    know(store, &[&called(&main, "devices")]).await;
    assert_eq!(serials(store, "devices").await, [number(&first)]);
}

#[tokio::test]
async fn the_crls_of_all_keys_of_a_ca_list_what_any_of_them_revoked_in_one_row_of_numbers() {
    let Subject { store, .. } = &Subject::fresh();
    let old = ca("main");
    know(store, &[&old]).await;
    let first = enroll_at(store, "main").await;
    let new = ConfiguredCa { others: vec![old.certificate.clone()], ..ca("main") };
    know(store, &[&new]).await;
    let second = enroll_at(store, "main").await;
    let keys = [&old, &new].map(|ca| store.authority_of("main", &ca.certificate.key_digest()));
    assert_ne!(keys[0], keys[1]);
    let publish = async |authority: &String| {
        let next = store.next_crl(authority, &keys, START).await.unwrap();
        let (number, follows) = (next.number, next.last.map(|last| last.number));
        let crl = NewCrl {
            ca: "main".into(),
            authority: authority.clone(),
            number,
            follows,
            this_update: after(number),
            next_update: after(1_000),
            entries: next.revocations.revoked.len(),
            revocations: next.revocations.count,
            der: vec![0x30, 0],
        };
        assert_eq!(store.publish_crl(crl, None).await.unwrap(), Publication::Published);
        (number, next.revocations.revoked.len())
    };
    assert_eq!((publish(&keys[0]).await, publish(&keys[1]).await, publish(&keys[0]).await), ((1, 0), (2, 0), (3, 0)));
    for (revoked, count) in [(&first, 1), (&second, 2)] {
        revoke(store, revoked, RevocationReason::Superseded).await;
        for key in &keys {
            assert!(store.crl_state_among(key, &keys).await.unwrap().unwrap().is_stale, "{key}");
            assert_eq!(publish(key).await.1, count);
            assert!(!store.crl_state_among(key, &keys).await.unwrap().unwrap().is_stale, "{key}");
        }
    }
}

#[tokio::test]
async fn the_keys_of_a_ca_are_those_that_any_server_has_seen_of_its_name() {
    let Subject { store, .. } = &Subject::fresh();
    let (old, new) = (ca("main"), ca("main"));
    know(store, &[&ConfiguredCa { others: vec![old.certificate.clone()], ..new.clone() }]).await;
    let mut both = [&old, &new].map(|ca| store.authority_of("main", &ca.certificate.key_digest()));
    both.sort();
    // Another server's configuration does not list the old root.
    know(store, &[&new]).await;
    for key in &both {
        assert_eq!(store.keys_of_the_ca(key).await.unwrap(), both);
    }
    // A CA of another name that takes the id has no part in it.
    know(store, &[&called(&ca("other"), "main")]).await;
    let other = store.authority("main");
    assert_eq!(store.keys_of_the_ca(&other).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(store.keys_of_the_ca("unknown").await.unwrap(), ["unknown"]);
}

#[tokio::test]
async fn an_id_that_a_ca_gets_back_leads_nowhere_else() {
    let Subject { store, .. } = &Subject::fresh();
    let main = ca("main");
    for id in ["main", "devices", "factory", "main"] {
        know(store, &[&called(&main, id)]).await;
    }
    let former = store.former_ids().await.unwrap();
    let former: Vec<_> = former.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
    assert_eq!(former, [("devices", "factory"), ("factory", "main")]);
}
