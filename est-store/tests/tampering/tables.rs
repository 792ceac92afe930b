//! Rows of the tables that somebody changed are named, though the trail is whole.

use std::path::Path;

use est_core::Store as _;
use est_store::{Actor, NewCrl, Publication};
use rusqlite::Connection;

use super::open;
use super::support::{
    self, Folder, TestClock, certificate_holder, csr, intent, issued, listed, new_password, password_holder,
    sign_certificate,
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
    let request = intent(password_holder("good"), &csr("device-4"));
    store.claim(&request).await.unwrap();
    store.record(&issued(&request, &sign_certificate(&request))).await.unwrap();
    let elsewhere = sign_certificate(&intent(certificate_holder("device"), &csr("elsewhere")));
    let entry = listed(&elsewhere, RevocationReason::Superseded);
    store.import_crl(&support::crl(7, &elsewhere, &[entry]), &alice).await.unwrap();
    let next = store.next_crl("root", &["root".to_owned()], support::START).await.unwrap();
    let crl = NewCrl {
        ca: "root".into(),
        authority: "root".into(),
        number: next.number,
        follows: next.last.map(|last| last.number),
        this_update: support::after(3),
        next_update: support::after(1_003),
        entries: next.revocations.revoked.len(),
        revocations: next.revocations.count,
        der: vec![0x30, 0],
    };
    assert_eq!(store.publish_crl(crl, None).await.unwrap(), Publication::Published);
    store.revoke_password("bad", support::after(1), &alice).await.unwrap();
    for number in 0..3 {
        let request = intent(certificate_holder("device"), &csr(&format!("waiting-{number}")));
        store.claim(&support::manual(request)).await.unwrap();
    }
    let waiting = store.requests(None, 10, None).await.unwrap().items;
    for (request, decision) in waiting.iter().zip([Decision::Approve, Decision::Deny]) {
        store.decide_request(&request.id, decision, &alice, support::after(2)).await.unwrap();
    }
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
    store.close().await;
    serials.iter().map(ToString::to_string).collect()
}

/// What an entry of an imported CRL is called.
const IMPORTED: &str = "the imported revocation of certificate ";

#[tokio::test]
async fn rows_that_somebody_changed_are_named_though_the_trail_is_whole() {
    let folder = Folder::new();
    let serials = inhabited(&folder.path().join("original.db")).await;
    let [superseded, stolen, good, other] = <[String; 4]>::try_from(serials).unwrap();
    let (superseded, stolen) = (format!("certificate {superseded}"), format!("certificate {stolen}"));
    let (good, other) = (format!("certificate {good}"), format!("certificate {other}"));
    let changes: &[(&str, &[(&str, &str)])] = &[
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
        ("UPDATE certificates SET fingerprint = zeroblob(32) WHERE number = 3", &[(&good, "certificates.fingerprint")]),
        ("UPDATE certificates SET serial = x'66' WHERE number = 3", &[("certificate 66", "certificates.serial")]),
        ("UPDATE certificates SET ca = 'other' WHERE number = 3", &[(&good, "of root on record, and of other")]),
        ("UPDATE certificates SET not_before = 1 WHERE number = 3", &[(&good, "certificates.not_before")]),
        ("UPDATE certificates SET not_after = 1 WHERE number = 3", &[(&good, "certificates.not_after")]),
        ("UPDATE certificates SET key_digest = zeroblob(32) WHERE number = 3", &[(&good, "certificates.key_digest")]),
        ("UPDATE certificates SET key_digest = NULL WHERE number = 3", &[(&good, "certificates.key_digest")]),
        ("UPDATE certificates SET contents = NULL WHERE number = 3", &[(&good, "certificates.contents")]),
        (
            "UPDATE certificates SET der = (SELECT der FROM certificates WHERE number = 4) WHERE number = 3",
            &[(&good, "certificates.der")],
        ),
        ("UPDATE certificates SET der = x'3000' WHERE number = 3", &[(&good, "certificates.der")]),
        (
            "UPDATE revocations SET contents = randomblob(32) WHERE certificate = 1",
            &[(&superseded, "revocations.contents")],
        ),
        ("UPDATE revocations SET revoked_at = 7 WHERE certificate = 1", &[(&superseded, "revocations.revoked_at")]),
        // Without its key, a certificate does not say which one is forgotten.
        (
            "DELETE FROM compromised_keys; UPDATE certificates SET key_digest = NULL WHERE number = 2",
            &[(&stolen, "not among the keys that are refused")],
        ),
        (
            "INSERT INTO compromised_keys VALUES (zeroblob(32))",
            &[("the key sha-256:0000", "no record says how it came there")],
        ),
        ("DELETE FROM listed_revocations", &[(IMPORTED, "not in the database")]),
        ("UPDATE listed_revocations SET reason = 6", &[(IMPORTED, "superseded on record, and certificateHold")]),
        ("UPDATE listed_revocations SET revoked_at = 1", &[(IMPORTED, "revoked_at")]),
        ("UPDATE listed_revocations SET issuer = zeroblob(32)", &[(IMPORTED, "issuer")]),
        (
            "INSERT INTO listed_revocations VALUES ('root', x'55', zeroblob(32), 1, 4)",
            &[("the imported revocation of certificate 55", "no record says how it came there")],
        ),
        ("DELETE FROM crls", &[("the CRL of root", "not in the database")]),
        ("UPDATE crls SET number = 7", &[("the CRL of root", "number")]),
        ("UPDATE crls SET next_update = next_update + 1", &[("the CRL of root", "next_update")]),
        ("UPDATE crls SET revocations = 99", &[("the CRL of root", "revocations")]),
        ("UPDATE crls SET der = x'3000'", &[]),
        ("UPDATE crls SET der = x'3001'", &[("the CRL of root", "der")]),
        ("UPDATE passwords SET hash = 'mine' WHERE id = 'good'", &[("password good", "hash")]),
        ("UPDATE passwords SET label = 'admins' WHERE id = 'good'", &[("password good", "label")]),
        ("UPDATE passwords SET names = '[\"dns:*\"]' WHERE id = 'good'", &[("password good", "names")]),
        ("UPDATE passwords SET expires = expires + 1 WHERE id = 'good'", &[("password good", "expires")]),
        ("UPDATE passwords SET max_uses = 99 WHERE id = 'good'", &[("password good", "max_uses")]),
        ("UPDATE passwords SET created_by = 'bob' WHERE id = 'good'", &[("password good", "created_by")]),
        ("UPDATE passwords SET uses = 0 WHERE id = 'good'", &[("password good", "used 1 times on record")]),
        ("UPDATE requests SET csr = x'00' WHERE state = 1", &[("request ", "csr")]),
        ("UPDATE requests SET identity = zeroblob(32) WHERE state = 1", &[("request ", "identity")]),
        ("UPDATE claims SET state = 2 WHERE state = 1", &[("request ", "waiting on record, and approved as a claim")]),
        ("UPDATE claims SET state = 0 WHERE state = 1", &[("request ", "waiting on record, and open as a claim")]),
        (
            "UPDATE passwords SET revoked_at = NULL WHERE id = 'bad'",
            &[("password bad", "and not revoked in the database")],
        ),
        ("UPDATE passwords SET entity = 'ceo' WHERE id = 'good'", &[("password good", "for ceo")]),
        (
            "DELETE FROM claims WHERE password = 'good'; DELETE FROM passwords WHERE id = 'good'",
            &[("password good", "not in the database")],
        ),
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
        let found = store.compare_with_trail(&[]).await.unwrap();
        store.close().await;
        // What changes nothing is not found: the others are found for what they change.
        assert_eq!(found.is_empty(), expected.is_empty(), "{sql}");
        for (object, text) in *expected {
            let is_it = |one: &est_store::Mismatch| one.object.starts_with(object) && one.to_string().contains(text);
            assert!(found.iter().any(is_it), "{sql}: {object} {text}: {found:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}

/// Records of earlier versions say less.
#[tokio::test]
async fn what_records_of_earlier_versions_do_not_say_names_nobody() {
    let folder = Folder::new();
    let path = folder.path().join("old.db");
    inhabited(&path).await;
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TRIGGER audit_keeps_its_rows; DROP TRIGGER audit_keeps_every_row;
             DELETE FROM audit WHERE event IN ('cert.listed', 'key.compromised');
             UPDATE audit SET reason = substr(reason, 1, instr(reason, '; issuer') - 1) WHERE event = 'crl.imported';
             UPDATE audit SET reason = substr(reason, 1, instr(reason, ', of ') - 1) WHERE event LIKE 'crl.%';
             UPDATE audit SET reason = substr(reason, 1, instr(reason, ' (sha-256:') - 1)
             || substr(reason, instr(reason, ')') + 1) WHERE instr(reason, ' (sha-256:') > 0;",
        )
        .unwrap();
    let store = open(&path, "node-2", &TestClock::new());
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
    store.close().await;
}
