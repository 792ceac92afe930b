//! What is particular to SQLite: the file, its tables, and how long they get.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "suite/support.rs"]
mod support;

use std::path::PathBuf;

use est_core::{Claimed, Outcome, Principal, Refusal, Seconds, Store as _};
use est_store::{ConfiguredCa, Database, DatabaseUrl, Options, Pending, Renamed, ServerEvent, StoreError, migrations};
use rusqlite::Connection;

use support::{
    Folder, START, TestClock, WINDOW, after, again, certificate_holder, csr, entry, intent, issued, manual,
    sign_certificate,
};

fn database() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().join("store.db");
    (folder, path)
}

fn url(path: &PathBuf) -> DatabaseUrl {
    DatabaseUrl::of_file(path)
}

fn count(path: &PathBuf, table: &str) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    store.note(ServerEvent::Startup, None).await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert!(files >= 2, "the database and its log");
}

#[tokio::test]
async fn a_file_that_is_there_keeps_its_mode_and_its_rows() {
    let (_folder, path) = database();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let store = Database::open(&path, Options::default()).unwrap();
    store.claim(&first).await.unwrap();
    store.close().await;
    let store = Database::open(&path, refusing()).unwrap();
    store.note(ServerEvent::Startup, None).await.unwrap();
    assert_eq!(count(&path, "claims"), 1);
}

#[test]
fn migrations_are_applied_once() {
    let (_folder, path) = database();
    let before = migrations::status(&url(&path)).unwrap();
    assert!(before.applied.is_empty() && !path.exists());
    assert_eq!(migrations::apply(&url(&path)).unwrap(), before.pending);
    assert!(migrations::apply(&url(&path)).unwrap().is_empty());
    let after = migrations::status(&url(&path)).unwrap();
    assert!(after.pending.is_empty());
    assert_eq!(after.applied.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), before.pending);
}

#[test]
fn pending_migrations_are_refused_with_what_to_do() {
    let (_folder, path) = database();
    let refused = Database::open(&path, refusing()).unwrap_err();
    assert!(refused.to_string().contains("run estd migrate"), "{refused}");
    assert!(!path.exists());
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(Database::open(&path, refusing()), Err(StoreError::PendingMigrations { .. })));
}

/// What 0005 left empty, and what was renamed before names were kept.
#[tokio::test]
async fn an_upgrade_fills_in_what_certificates_of_before_lack() {
    let (_folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    let Principal::Certificate(ca) = certificate_holder("ca") else { panic!("a certificate") };
    let known = |id: &str| [ConfiguredCa { id: id.to_owned(), certificate: (*ca).clone(), others: Vec::new() }];
    store.know_cas(&known("root"), START).await.unwrap();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    let certificate = sign_certificate(&first);
    store.record(&issued(&first, &certificate)).await.unwrap();
    store.know_cas(&known("devices"), START).await.unwrap();
    store.close().await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "UPDATE certificates SET contents = NULL; DROP TABLE former_ids; ALTER TABLE authorities DROP COLUMN issuer;
         DELETE FROM migrations WHERE name LIKE '%_former_ids';",
    )
    .unwrap();
    let store = Database::open(&path, Options::default()).unwrap();
    let [migrated] = store.migrated() else { panic!("one migration") };
    assert!(migrated.ends_with("_former_ids"), "{migrated}");
    store.fill_in_keys().await.unwrap();
    let contents: Vec<u8> = db.query_row("SELECT contents FROM certificates", [], |row| row.get(0)).unwrap();
    assert_eq!(contents, certificate.contents_digest());
    let renamed = Renamed { from: "root".to_owned(), to: "devices".to_owned() };
    assert_eq!(store.former_ids().await.unwrap(), [renamed]);
    assert_eq!(store.compare_with_trail(&[]).await.unwrap(), []);
    store.close().await;
}

#[test]
fn a_newer_database_is_refused() {
    let (_folder, path) = database();
    migrations::apply(&url(&path)).unwrap();
    let db = Connection::open(&path).unwrap();
    db.execute("INSERT INTO migrations VALUES (9999, '9999_later', 0)", []).unwrap();
    for refused in [
        Database::open(&path, Options::default()).unwrap_err(),
        Database::open(&path, refusing()).unwrap_err(),
        migrations::status(&url(&path)).unwrap_err(),
        migrations::apply(&url(&path)).unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::NewerDatabase { found: 9999, .. }));
        assert!(refused.to_string().contains("at migration 9999"), "{refused}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let (_folder, path) = database();
    std::fs::write(&path, b"certainly not a database, but long enough to have a header of one".repeat(20)).unwrap();
    assert!(matches!(Database::open(&path, Options::default()), Err(StoreError::Database(_))));
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let (folder, _) = database();
    let path = folder.path().join("missing").join("store.db");
    let refused = Database::open(&path, Options::default()).unwrap_err();
    assert!(refused.to_string().contains("missing"), "{refused}");
}

#[tokio::test]
async fn the_audit_table_takes_neither_update_nor_delete() {
    let (_folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    store.note(ServerEvent::Startup, None).await.unwrap();
    let db = Connection::open(&path).unwrap();
    for statement in
        ["UPDATE audit SET reason = 'nothing to see'", "DELETE FROM audit", "DELETE FROM audit WHERE number = 1"]
    {
        let refused = db.execute(statement, []).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    assert_eq!(count(&path, "audit"), 1);
}

#[tokio::test]
async fn claims_whose_time_is_over_are_deleted_little_by_little() {
    let (_folder, path) = database();
    let clock = TestClock::new();
    let store = Database::open(&path, clock.to_options()).unwrap();
    let (holder, request) = (certificate_holder("device-1"), csr("device-1"));
    let template = intent(holder, &request);
    let numbered = |number: u32| {
        let mut identity = template.identity;
        identity.0[..4].copy_from_slice(&number.to_be_bytes());
        est_core::Intent { identity, ..again(&template, template.now) }
    };
    for number in 0..300 {
        let intent = numbered(number);
        store.claim(&intent).await.unwrap();
        store.record(&entry(&intent, Outcome::Interrupted(Refusal::CaUnavailable))).await.unwrap();
    }
    let finished = numbered(300);
    store.claim(&finished).await.unwrap();
    store.record(&issued(&finished, &sign_certificate(&finished))).await.unwrap();
    store.claim(&manual(numbered(301))).await.unwrap();
    assert_eq!(count(&path, "claims"), 302);
    clock.advance(Seconds(WINDOW.0 + 1));
    for most in [302, 302 - 128, 302 - 256, 1] {
        store.note(ServerEvent::Startup, None).await.unwrap();
        // What follows this answer, and what followed the one before the clock went on, may have been done or not.
        let left = count(&path, "claims");
        assert!(left <= most && left + 256 >= most, "{left} of {most}");
    }
    store.note(ServerEvent::Startup, None).await.unwrap();
    assert_eq!(count(&path, "claims"), 1, "what awaits approval stays");
    assert_eq!(count(&path, "certificates"), 1);
}

#[tokio::test]
async fn nothing_is_deleted_by_a_clock_that_was_just_set() {
    let (_folder, path) = database();
    let (clock, steady) = (TestClock::new(), TestClock::new());
    let mut options = clock.to_options();
    let gone_by = steady.to_clock();
    options.clock = clock.to_clock().with_steady(move || std::time::Duration::from_micros(gone_by.now().0));
    let store = Database::open(&path, options).unwrap();
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    store.claim(&first).await.unwrap();
    store.record(&issued(&first, &sign_certificate(&first))).await.unwrap();
    let note = async || {
        for _ in 0..3 {
            store.note(ServerEvent::Startup, None).await.unwrap();
        }
    };
    note().await;
    for clock in [&clock, &steady] {
        clock.advance(Seconds(700));
    }
    note().await;
    let ahead = Seconds::from_days(400);
    clock.advance(ahead);
    for _ in 0..4 {
        [&clock, &steady].iter().for_each(|clock| clock.advance(Seconds(1)));
        note().await;
    }
    clock.set_back(ahead);
    [&clock, &steady].iter().for_each(|clock| clock.advance(Seconds(1)));
    note().await;
    assert_eq!(count(&path, "claims"), 1);
    for clock in [&clock, &steady] {
        clock.advance(Seconds(WINDOW.0 + 1));
    }
    note().await;
    note().await;
    assert_eq!(count(&path, "claims"), 0);
}

#[tokio::test(start_paused = true)]
async fn who_finds_another_process_at_work_waits_briefly_and_in_small_numbers() {
    let (_folder, path) = database();
    let clock = TestClock::new();
    let [store, neighbour] = [(), ()].map(|()| Database::open(&path, clock.to_options()).unwrap());
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    neighbour.claim(&first).await.unwrap();
    let begun = tokio::time::Instant::now();
    let crowd: tokio::task::JoinSet<_> = (0..20)
        .map(|_| {
            let (store, again) = (store.clone(), again(&first, after(1)));
            async move { (store.claim(&again).await.unwrap(), begun.elapsed()) }
        })
        .collect();
    let mut waited: Vec<_> = crowd.join_all().await;
    assert!(waited.iter().all(|(claimed, _)| *claimed == Claimed::Busy));
    waited.sort_by_key(|(_, waited)| *waited);
    assert!(waited[19].1.as_secs() < 5, "{:?}", waited[19]);
}

#[tokio::test]
async fn dropping_the_last_handle_keeps_what_was_begun() {
    let (_folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    let clones: Vec<_> = (0..100).map(|_| store.clone()).collect();
    // Polled once each, which queues them, and let go.
    for clone in &clones {
        let mut note = Box::pin(clone.note(ServerEvent::Startup, None));
        tokio::select! { biased; _ = &mut note => {} () = std::future::ready(()) => {} }
    }
    drop(clones);
    drop(store);
    assert_eq!(count(&path, "audit"), 100);
}

#[tokio::test]
async fn a_closed_store_says_so_to_every_handle() {
    let (folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    let other = store.clone();
    store.close().await;
    assert!(matches!(other.note(ServerEvent::Startup, None).await, Err(StoreError::Closed)));
    assert!(matches!(other.password("p1", after(0)).await, Err(StoreError::Closed)));
    drop(other);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the log is gone with the last connection");
}

#[tokio::test]
async fn a_store_in_memory_is_its_own() {
    let (one, two) =
        (Database::in_memory(Options::default()).unwrap(), Database::in_memory(Options::default()).unwrap());
    let first = intent(certificate_holder("device-1"), &csr("device-1"));
    let certificate = sign_certificate(&first);
    assert_eq!(one.claim(&first).await.unwrap(), Claimed::Fresh);
    one.record(&issued(&first, &certificate)).await.unwrap();
    assert_eq!(two.claim(&first).await.unwrap(), Claimed::Fresh);
    assert!(!one.is_revoked(&certificate).await.unwrap());
    let all = est_store::CertificateFilter::default();
    assert_eq!(one.certificates(all.clone(), 10, None).await.unwrap().items.len(), 1);
    assert_eq!(two.certificates(all, 10, None).await.unwrap().items.len(), 0);
}

/// Opens nothing that lacks a migration.
fn refusing() -> Options {
    let mut options = Options::default();
    options.pending = Pending::Refuse;
    options
}

/// Writes more than what the log holds before it is copied into the database: some 6,000 pages.
async fn write_much(store: &Database) {
    let reason = "x".repeat(8_000);
    for _ in 0..24 {
        let notes: Vec<_> = (0..256)
            .map(|_| {
                let (store, reason) = (store.clone(), reason.clone());
                tokio::spawn(async move { store.note(ServerEvent::Startup, Some(reason)).await })
            })
            .collect();
        for note in notes {
            note.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn the_log_is_copied_into_the_database_and_used_again_once_nobody_reads_what_was_before() {
    let (_folder, path) = database();
    let store = Database::open(&path, Options::default()).unwrap();
    write_much(&store).await;
    let log = store.log().unwrap();
    assert!(log.checkpoints > 0 && log.failures == 0 && log.pages < 6_000, "{log:?}");

    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM audit").unwrap();
    for _ in 0..2 {
        write_much(&store).await;
    }
    let log = store.log().unwrap();
    assert!(log.pages > 12_000, "{log:?}");
    reader.execute_batch("COMMIT").unwrap();
    write_much(&store).await;
    let log = store.log().unwrap();
    assert!(log.pages < 6_000, "{log:?}");
    let size = std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    assert!(size <= 64 << 20, "{size}");
    store.close().await;
}

/// SQLite deletes the log that lies beside an empty database.
#[cfg(unix)]
#[tokio::test]
async fn makes_no_database_beside_the_log_of_another_one() {
    let (folder, path) = database();
    let log = folder.path().join("store.db-wal");
    std::fs::write(&log, b"the only copy").unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink("store.db", &link).unwrap();
    for name in [&path, &link] {
        let refused = Database::open(name, Options::default()).unwrap_err().to_string();
        assert!(refused.contains("bring the file back") && refused.contains("store.db-wal"), "{refused}");
        assert!(!path.exists());
        assert_eq!(std::fs::read(&log).unwrap(), b"the only copy");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_gone_is_noticed_through_a_symbolic_link_too() {
    let (folder, path) = database();
    let link = folder.path().join("link.db");
    Database::open(&path, Options::default()).unwrap().close().await;
    std::os::unix::fs::symlink("store.db", &link).unwrap();
    let store = Database::open(&link, Options::default()).unwrap();
    store.note(ServerEvent::Startup, None).await.unwrap();
    std::fs::remove_file(folder.path().join("store.db-wal")).unwrap();
    let refused = store.note(ServerEvent::Startup, None).await.unwrap_err().to_string();
    assert!(refused.contains("store.db-wal is not there any more"), "{refused}");
}
