//! Rows of the tables that somebody changed are named, though the trail is whole.

use std::path::Path;

use est_core::Store as _;
use est_store::Actor;
use rusqlite::Connection;

use super::open;
use super::support::{
    self, Folder, TestClock, certificate_holder, csr, intent, issued, new_password, sign_certificate,
};

/// A database with some of everything, in every state.
async fn inhabited(path: &Path) -> Vec<String> {
    use est_store::{Decision, RevocationReason, SerialNumber};
    let clock = TestClock::new();
    let store = open(path, "node-1", &clock);
    let alice = Actor::local("alice");
    let mut serials = Vec::new();
    for number in 0..4 {
        let request = intent(certificate_holder("device"), &csr(&format!("device-{number}")));
        store.claim(&request).await.unwrap();
        store.record(&issued(&request, &sign_certificate(&request))).await.unwrap();
        serials.push(SerialNumber::from_contents(request.serial.as_bytes()));
    }
    for (serial, reason) in [(0, RevocationReason::Superseded), (1, RevocationReason::KeyCompromise)] {
        store.revoke(&serials[serial], None, reason, support::after(1), &alice).await.unwrap();
    }
    for id in ["good", "bad"] {
        store.create_password(new_password(id, 3), &alice).await.unwrap();
    }
    store.revoke_password("bad", support::after(1), &alice).await.unwrap();
    for number in 0..3 {
        let request = intent(certificate_holder("device"), &csr(&format!("waiting-{number}")));
        store.claim(&support::manual(request)).await.unwrap();
    }
    let waiting = store.requests(None, 10, None).await.unwrap().items;
    for (request, decision) in waiting.iter().zip([Decision::Approve, Decision::Deny]) {
        store.decide_request(&request.id, decision, &alice, support::after(2)).await.unwrap();
    }
    assert_eq!(store.compare_with_trail().await.unwrap(), []);
    store.close().await;
    serials.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn rows_that_somebody_changed_are_named_though_the_trail_is_whole() {
    let folder = Folder::new();
    let serials = inhabited(&folder.path().join("original.db")).await;
    let [superseded, stolen, good, other] = <[String; 4]>::try_from(serials).unwrap();
    let (superseded, stolen) = (format!("certificate {superseded}"), format!("certificate {stolen}"));
    let (good, other) = (format!("certificate {good}"), format!("certificate {other}"));
    let changes: [(&str, &[(&str, &str)]); 14] = [
        ("DELETE FROM revocations WHERE certificate = 1", &[(&superseded, "not revoked in the database")]),
        ("UPDATE revocations SET reason = 6 WHERE certificate = 1", &[(&superseded, "revoked (superseded) on record")]),
        (
            "INSERT INTO revocations VALUES (3, randomblob(32), 1, 4)",
            &[(&good, "revoked (superseded) in the database")],
        ),
        ("DELETE FROM compromised_keys", &[(&stolen, "not among the keys that are refused")]),
        (
            "DELETE FROM claims WHERE certificate = 4; DELETE FROM certificates WHERE number = 4",
            &[(&other, "not in the database")],
        ),
        (
            "INSERT INTO certificates (serial, ca, fingerprint, subject, not_before, not_after, profile, principal, issued_at, der) \
             VALUES (x'77', 'root', zeroblob(32), 'CN=ceo', 0, 9, 'p', 'otp:p', 0, x'00')",
            &[("certificate 77", "no record says how it came there")],
        ),
        ("UPDATE certificates SET fingerprint = zeroblob(32) WHERE number = 3", &[(&good, "")]),
        (
            "UPDATE passwords SET revoked_at = NULL WHERE id = 'bad'",
            &[("password bad", "and not revoked in the database")],
        ),
        ("UPDATE passwords SET entity = 'ceo' WHERE id = 'good'", &[("password good", "for ceo")]),
        ("DELETE FROM passwords WHERE id = 'good'", &[("password good", "not in the database")]),
        (
            "INSERT INTO passwords (id, hash, created, expires, max_uses) VALUES ('mine', 'h', 0, 9, 1)",
            &[("password mine", "no record says how it came there")],
        ),
        (
            "UPDATE requests SET state = 2 WHERE state = 1",
            &[("request ", "is waiting on record, and approved in the database")],
        ),
        (
            "UPDATE requests SET state = 1 WHERE state = 3",
            &[("request ", "is denied on record, and waiting in the database")],
        ),
        ("DELETE FROM requests WHERE state = 2", &[("request ", "not in the database")]),
    ];
    for (sql, expected) in changes {
        let path = folder.path().join("changed.db");
        std::fs::copy(folder.path().join("original.db"), &path).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let store = open(&path, "node-2", &TestClock::new());
        let found = store.compare_with_trail().await.unwrap();
        store.close().await;
        assert!(!found.is_empty(), "{sql}");
        for (object, text) in expected {
            let is_it = |one: &est_store::Mismatch| one.object.starts_with(object) && one.to_string().contains(text);
            assert!(found.iter().any(is_it), "{sql}: {object} {text}: {found:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
