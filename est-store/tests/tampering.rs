//! Whoever has the database file and changes something in it is found out, at the first record that they touched.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use est_core::{Seconds, Store as _};
use est_store::{
    Actor, AuditFilter, Chain, Database, Extent, Report, ServerEvent, Tampering, UNREADABLE, UnixMicros, Verdict,
    Verifier,
};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use support::{Folder, TestClock, certificate_holder, csr, intent, issued, new_password, sign_certificate};

#[path = "tampering/chains.rs"]
mod chains;
#[path = "suite/support.rs"]
mod support;
#[path = "tampering/tables.rs"]
mod tables;

const NODES: [&str; 2] = ["node-1", "node-2"];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number from 1 to `most`.
    fn roll(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most + 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap() - 1]
    }
}

/// A database that two nodes have written to, and how their chains ended at some time.
struct Original {
    folder: Folder,
    checkpoints: Vec<Chain>,
    ends: BTreeMap<&'static str, u64>,
}

impl Original {
    async fn write() -> Self {
        let folder = Folder::new();
        let mut checkpoints = Vec::new();
        let mut ends = BTreeMap::new();
        let clock = TestClock::new();
        for round in 0..3 {
            for node in NODES {
                let store = open(&folder.path().join("original.db"), node, &clock);
                for number in 0..4 {
                    clock.advance(Seconds(1));
                    store.note(ServerEvent::Startup, Some(format!("round {round}"))).await.unwrap();
                    let name = format!("p{round}{number}{node}");
                    store.create_password(new_password(&name, 1), &Actor::local("admin")).await.unwrap();
                    let request = intent(certificate_holder("device"), &csr(&name));
                    store.claim(&request).await.unwrap();
                    store.record(&issued(&request, &sign_certificate(&request))).await.unwrap();
                }
                let end = store.chain_end(node).await.unwrap().unwrap();
                ends.insert(node, end.sequence);
                checkpoints.push(end);
                store.close().await;
            }
        }
        // The last round comes after the last checkpoint.
        checkpoints.truncate(2 * NODES.len());
        let db = Connection::open(folder.path().join("original.db")).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        Self { folder, checkpoints, ends }
    }

    /// A copy whose triggers, indexes and rules somebody has got rid of.
    fn copy(&self) -> (PathBuf, Connection) {
        let path = self.folder.path().join("copy.db");
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
        std::fs::copy(self.folder.path().join("original.db"), &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "PRAGMA synchronous = OFF; DROP TRIGGER audit_keeps_its_rows; DROP TRIGGER audit_keeps_every_row; DROP INDEX audit_by_chain;
             PRAGMA ignore_check_constraints = ON;",
        )
        .unwrap();
        (path, db)
    }
}

fn open(path: &Path, node: &str, clock: &TestClock) -> Database {
    let mut options = clock.to_options();
    options.node = node.to_owned();
    options.max_connections = 1;
    Database::open(path, options).unwrap()
}

async fn verify(path: &Path, checkpoints: &[Chain]) -> (Vec<Report>, u64) {
    let store = open(path, "auditor", &TestClock::new());
    let mut verifier = Verifier::new(Extent::Whole);
    checkpoints.iter().for_each(|checkpoint| verifier.expect(checkpoint));
    let strays = store.verify(&mut verifier, |_, _| {}).await.unwrap();
    store.close().await;
    (verifier.finish(), strays)
}

/// A row of the table as far as hashes cover it.
struct Record {
    sequence: i64,
    fields: Vec<Option<Vec<u8>>>,
}

/// The columns after node and sequence, in the order in which they are hashed.
const FIELDS: [&str; 11] =
    ["at_micros", "event", "outcome", "actor", "source", "label", "ca", "method", "reason", "serial", "fingerprint"];

fn rows(db: &Connection, node: &str) -> Vec<Record> {
    let columns = FIELDS.map(|name| format!("CAST({name} AS BLOB)")).join(", ");
    let sql = format!("SELECT sequence, at_micros, {columns} FROM audit WHERE node = ?1 ORDER BY sequence");
    let mut statement = db.prepare(&sql).unwrap();
    let read = statement.query_map([node], |row| {
        let mut fields: Vec<Option<Vec<u8>>> = (0..FIELDS.len()).map(|index| row.get(index + 2).unwrap()).collect();
        fields[0] = Some(row.get::<_, i64>(1)?.to_be_bytes().to_vec());
        Ok(Record { sequence: row.get(0)?, fields })
    });
    read.unwrap().collect::<Result<_, _>>().unwrap()
}

/// The hash of a record, as docs/audit.md tells to make it.
fn hash(node: &str, previous: &[u8; 32], record: &Record) -> [u8; 32] {
    let mut octets = [b"ohia audit record 1".as_slice(), previous].concat();
    let head = [Some(node.as_bytes().to_vec()), Some(record.sequence.to_be_bytes().to_vec())];
    for field in head.iter().chain(&record.fields) {
        octets.push(u8::from(field.is_some()));
        if let Some(field) = field {
            octets.extend((field.len() as u64).to_be_bytes());
            octets.extend(field);
        }
    }
    Sha256::digest(octets).into()
}

fn stored_hash(db: &Connection, node: &str, sequence: u64) -> [u8; 32] {
    if sequence == 0 {
        return Chain::genesis(node).hash;
    }
    let sql = "SELECT hash FROM audit WHERE node = ?1 AND sequence = ?2";
    db.query_row(sql, params![node, i64::try_from(sequence).unwrap()], |row| row.get(0)).unwrap()
}

/// Gives the records from `from` on the hashes that they need, and up to `to` only.
fn hash_anew(db: &Connection, node: &str, from: u64, to: u64) {
    let mut previous = stored_hash(db, node, from - 1);
    for record in rows(db, node) {
        let sequence = u64::try_from(record.sequence).unwrap();
        if (from..=to).contains(&sequence) {
            previous = hash(node, &previous, &record);
            let sql = "UPDATE audit SET hash = ?3 WHERE node = ?1 AND sequence = ?2";
            assert_eq!(db.execute(sql, params![node, record.sequence, previous]).unwrap(), 1);
        }
    }
}

/// Makes the table of ends agree with the last record.
fn end_anew(db: &Connection, node: &str) {
    db.execute(
        "UPDATE chains SET (sequence, hash) = \
         (SELECT sequence, hash FROM audit WHERE node = ?1 ORDER BY sequence DESC LIMIT 1) WHERE node = ?1",
        [node],
    )
    .unwrap();
}

/// Changes one field to something else.
fn change(db: &Connection, dice: &mut Dice, node: &str, sequence: u64) -> &'static str {
    let (column, value) = dice.pick(&[
        ("at_micros", "at_micros + 1"),
        ("at_micros", "-1"),
        ("event", "event || 'x'"),
        ("event", "'cert.revoked'"),
        ("event", "CAST(x'ff' AS TEXT)"),
        ("outcome", "iif(outcome = 'success', 'failure', 'success')"),
        ("outcome", "'Success'"),
        ("actor", "iif(actor IS NULL, '', NULL)"),
        ("actor", "ifnull(actor, '') || ' '"),
        ("source", "iif(source IS NULL, '', NULL)"),
        ("source", "'198.51.100.99'"),
        ("label", "iif(label IS NULL, '', NULL)"),
        ("label", "'factory2'"),
        ("ca", "iif(ca IS NULL, '', NULL)"),
        ("ca", "'root2'"),
        ("method", "iif(method IS NULL, 'otp', NULL)"),
        ("method", "'bearer'"),
        ("method", "'sorcery'"),
        ("reason", "iif(reason IS NULL, '', NULL)"),
        ("reason", "'round 9'"),
        ("serial", "iif(serial IS NULL, x'00', NULL)"),
        ("serial", "CAST(x'00' || ifnull(serial, x'') AS BLOB)"),
        ("fingerprint", "iif(fingerprint IS NULL, zeroblob(32), NULL)"),
        ("fingerprint", "zeroblob(31)"),
        ("hash", "zeroblob(32)"),
        ("hash", "zeroblob(31)"),
    ]);
    let sql = format!("UPDATE audit SET {column} = {value} WHERE node = ?1 AND sequence = ?2");
    assert_eq!(db.execute(&sql, params![node, i64::try_from(sequence).unwrap()]).unwrap(), 1);
    column
}

/// What is done, where it begins, and where the first finding may be.
struct Deed {
    what: String,
    node: &'static str,
    first: u64,
    /// A record after the first, where what was done cannot be told from something done to that.
    or: u64,
}

fn tamper(db: &Connection, dice: &mut Dice, ends: &BTreeMap<&'static str, u64>, checkpoints: &[Chain]) -> Deed {
    let node = dice.pick(&NODES);
    let end = ends[node];
    let last_checkpoint = checkpoints.iter().filter(|one| one.node == node).map(|one| one.sequence).max().unwrap();
    let at = dice.roll(end);
    let one = |what: &str, first: u64| Deed { what: what.to_owned(), node, first, or: first };
    let stored = i64::try_from(at).unwrap();
    let shift = |by: i64, from: i64| {
        let sql = "UPDATE audit SET sequence = sequence + ?3 WHERE node = ?1 AND sequence >= ?2";
        db.execute(sql, params![node, from, by]).unwrap();
    };
    let copy_to = |from: i64, to: i64| {
        let columns = FIELDS.join(", ");
        let sql = format!(
            "INSERT INTO audit (node, sequence, hash, {columns}) \
             SELECT node, ?3, hash, {columns} FROM audit WHERE node = ?1 AND sequence = ?2"
        );
        assert_eq!(db.execute(&sql, params![node, from, to]).unwrap(), 1);
    };
    match dice.roll(12) {
        1..=3 => {
            let column = change(db, dice, node, at);
            one(&format!("change {column}"), at)
        }
        4 => {
            change(db, dice, node, at);
            db.execute(
                "UPDATE audit SET event = 'cert.issued', outcome = 'success', method = NULL, at_micros = 7, \
                        fingerprint = NULL WHERE node = ?1 AND sequence = ?2",
                params![node, stored],
            )
            .unwrap();
            hash_anew(db, node, at, at);
            Deed { or: (at + 1).min(end), ..one("change, with a hash to fit", at) }
        }
        5 => {
            db.execute("DELETE FROM audit WHERE node = ?1 AND sequence = ?2", params![node, stored]).unwrap();
            one("delete", at)
        }
        6 => {
            db.execute("DELETE FROM audit WHERE node = ?1 AND sequence = ?2", params![node, stored]).unwrap();
            shift(-1, stored + 1);
            one("delete and close the gap", at)
        }
        7 => {
            let other = dice.roll(end);
            let other = if other == at { at % end + 1 } else { other };
            for (from, to) in
                [(stored, -1), (i64::try_from(other).unwrap(), stored), (-1, i64::try_from(other).unwrap())]
            {
                let sql = "UPDATE audit SET sequence = ?3 WHERE node = ?1 AND sequence = ?2";
                assert_eq!(db.execute(sql, params![node, from, to]).unwrap(), 1);
            }
            one("swap", at.min(other))
        }
        8 => {
            // A copy of some other record is put in, and the rest moved on.
            let other = i64::try_from(dice.roll(end)).unwrap();
            copy_to(other, 1000);
            shift(1, stored);
            db.execute("UPDATE audit SET sequence = ?2 WHERE node = ?1 AND sequence = 1001", params![node, stored])
                .unwrap();
            if dice.roll(2) == 1 {
                hash_anew(db, node, at, at);
                // A copy of the record that was there is that record: the first that does not fit is the one pushed on.
                let or = if other == stored { at + 1 } else { at };
                return Deed { or, ..one("insert, with a hash to fit", at) };
            }
            // What is put before a record that it is a copy of cannot be told from one put after it.
            let or = if other == stored { at + 1 } else { at };
            Deed { or, ..one("insert", at) }
        }
        9 => {
            copy_to(stored, stored);
            one("insert a second with the same place", at)
        }
        10 => {
            let cut = dice.roll(last_checkpoint) - 1;
            db.execute(
                "DELETE FROM audit WHERE node = ?1 AND sequence > ?2",
                params![node, i64::try_from(cut).unwrap()],
            )
            .unwrap();
            if cut == 0 {
                db.execute("DELETE FROM chains WHERE node = ?1", [node]).unwrap();
            } else {
                end_anew(db, node);
            }
            one("truncate", cut + 1)
        }
        11 => {
            let cut = i64::try_from(at).unwrap() - 1;
            db.execute("DELETE FROM audit WHERE node = ?1 AND sequence > ?2", params![node, cut]).unwrap();
            one("truncate, and forget the table of ends", at)
        }
        _ => {
            let from = dice.roll(last_checkpoint);
            db.execute(
                "UPDATE audit SET reason = 'nothing to see here', at_micros = 7 WHERE node = ?1 AND sequence = ?2",
                params![node, i64::try_from(from).unwrap()],
            )
            .unwrap();
            hash_anew(db, node, from, end);
            end_anew(db, node);
            one("write the rest anew", from)
        }
    }
}

#[tokio::test]
async fn finds_a_thousand_tamperings_and_none_without_one() {
    let original = Original::write().await;
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    let mut kinds = BTreeMap::new();
    for round in 0..1000 {
        let (path, db) = original.copy();
        if round % 50 == 0 {
            drop(db);
            let (reports, inserted) = verify(&path, &original.checkpoints).await;
            assert!(reports.iter().all(|report| report.finding.is_none()) && inserted == 0, "{reports:?}");
            assert!(reports.iter().flat_map(|report| &report.checkpoints).all(|(_, one)| *one == Verdict::Holds));
            assert_eq!(reports.iter().map(|report| report.records).sum::<u64>(), original.ends.values().sum::<u64>());
            continue;
        }
        let deed = tamper(&db, &mut dice, &original.ends, &original.checkpoints);
        drop(db);
        let (reports, _) = verify(&path, &original.checkpoints).await;
        let Deed { what, node, first, or } = &deed;
        for report in &reports {
            let context = format!("round {round}: {what} at {first} of {node}: {:?}", report.finding);
            match (&report.finding, report.end.node == *node) {
                (None, false) => {}
                (Some(finding), true) => {
                    let is_right = match finding.kind {
                        Tampering::Rewritten { checkpoint } => (finding.sequence..=checkpoint).contains(first),
                        _ => (*first..=*or).contains(&finding.sequence),
                    };
                    assert!(is_right, "{context}");
                    *kinds.entry((what.clone(), finding.kind.name())).or_insert(0) += 1;
                }
                _ => panic!("{context}"),
            }
        }
        assert!(reports.iter().any(|report| report.end.node == *node), "round {round}: {what}");
    }
    let names: std::collections::BTreeSet<&str> = kinds.keys().map(|(_, name)| *name).collect();
    let expected =
        ["beyond-the-end", "changed", "inserted", "removed", "reordered", "rewritten", "truncated", "unreadable"];
    assert!(expected[1..].iter().all(|name| names.contains(name)), "{names:?}");
}

/// What was done is called by its name where it can be.
#[tokio::test]
async fn tells_what_was_done() {
    let original = Original::write().await;
    let deeds: [(&str, u64, &str); 6] = [
        ("UPDATE audit SET actor = 'somebody' WHERE node = 'node-1' AND sequence = 5", 5, "changed"),
        ("DELETE FROM audit WHERE node = 'node-1' AND sequence = 5", 5, "removed"),
        ("UPDATE audit SET sequence = 11 - sequence WHERE node = 'node-1' AND sequence IN (5, 6)", 5, "reordered"),
        ("UPDATE audit SET sequence = 14 - sequence WHERE node = 'node-1' AND sequence IN (5, 9)", 5, "reordered"),
        (
            "UPDATE audit SET sequence = sequence + 1 WHERE node = 'node-1' AND sequence >= 5;
             INSERT INTO audit (node, sequence, hash, at_micros, event, outcome)
             VALUES ('node-1', 5, zeroblob(32), 1, 'server.startup', 'success')",
            5,
            "inserted",
        ),
        ("DELETE FROM audit WHERE node = 'node-1' AND sequence >= 5", 5, "truncated"),
    ];
    for (sql, sequence, kind) in deeds {
        let (path, db) = original.copy();
        db.execute_batch(sql).unwrap();
        drop(db);
        let (reports, _) = verify(&path, &original.checkpoints).await;
        let finding = reports[0].finding.clone().unwrap();
        assert_eq!((finding.sequence, finding.kind.name()), (sequence, kind), "{sql}");
    }
}

#[tokio::test]
async fn finds_rows_that_are_in_no_chain() {
    let original = Original::write().await;
    for columns in [
        "at_micros) VALUES ('cert.issued', 'success', 1",
        "at_micros, number) VALUES ('cert.issued', 'success', 1, 0",
        "at_micros, node) VALUES ('cert.issued', 'success', 1, 'node-1'",
        "at_micros, node, sequence) VALUES ('cert.issued', 'success', 1, 'node-1', 99",
        "at_micros, node, hash) VALUES ('cert.issued', 'success', 1, '', zeroblob(32)",
    ] {
        let (path, db) = original.copy();
        db.execute(&format!("INSERT INTO audit (event, outcome, {columns})"), []).unwrap();
        drop(db);
        assert_eq!(verify(&path, &original.checkpoints).await.1, 1, "{columns}");
    }
}

/// Also one that is whole and in the table of ends: no server can have that name.
#[tokio::test]
async fn finds_a_chain_of_a_node_without_a_name() {
    let original = Original::write().await;
    for node in ["", "no de"] {
        let (path, db) = original.copy();
        let row = "INSERT INTO audit (at_micros, event, outcome, node, sequence, hash) VALUES (1, 'cert.issued', 'success', ?1, 1, zeroblob(32))";
        db.execute(row, [node]).unwrap();
        hash_anew(&db, node, 1, 1);
        db.execute("INSERT INTO chains SELECT node, sequence, hash FROM audit WHERE node = ?1", [node]).unwrap();
        drop(db);
        let (reports, _) = verify(&path, &original.checkpoints).await;
        let report = reports.iter().find(|report| report.end.node == node).unwrap();
        assert_eq!(report.finding.as_ref().map(|finding| &finding.kind), Some(&Tampering::Inserted));
    }
}

#[tokio::test]
async fn finds_a_record_that_listings_were_to_show_elsewhere_or_not_at_all() {
    let original = Original::write().await;
    for number in ["9223372036854775807", "1000", "-number"] {
        let (path, db) = original.copy();
        let sql = format!("UPDATE audit SET number = {number} WHERE node = 'node-1' AND sequence = 5");
        assert_eq!(db.execute(&sql, []).unwrap(), 1);
        drop(db);
        let (reports, _) = verify(&path, &original.checkpoints).await;
        let finding = reports[0].finding.clone().unwrap();
        assert!([5, 6].contains(&finding.sequence), "{number}: {finding}");
        if number.starts_with('9') {
            let store = open(&path, "auditor", &TestClock::new());
            let first = store.audit(AuditFilter::default(), 1, None).await.unwrap();
            assert_eq!(first.items[0].chain.as_ref().map(|chain| chain.sequence), Some(5));
            let rest = store.audit(AuditFilter::default(), 1000, first.next).await.unwrap().items.len() as u64;
            assert_eq!(rest + 1, original.ends.values().sum::<u64>());
            store.close().await;
        }
    }
}

/// Only where it was said, and only while nothing was written after it.
#[tokio::test]
async fn a_chain_that_ends_where_a_backup_was_restored_has_lost_what_came_after() {
    let original = Original::write().await;
    let (path, db) = original.copy();
    let checkpoint = original.checkpoints.iter().rfind(|one| one.node == "node-1").unwrap().clone();
    db.execute("DELETE FROM audit WHERE node = 'node-1' AND sequence > 5", []).unwrap();
    end_anew(&db, "node-1");
    drop(db);
    let verify = async |restored: Option<u64>| {
        let store = open(&path, "auditor", &TestClock::new());
        let mut verifier = Verifier::new(Extent::Whole);
        verifier.expect(&checkpoint);
        restored.into_iter().for_each(|sequence| verifier.restored("node-1", sequence));
        store.verify(&mut verifier, |_, _| {}).await.unwrap();
        store.close().await;
        let report = verifier.finish().into_iter().find(|report| report.end.node == "node-1").unwrap();
        (report.finding.map(|finding| finding.kind.name()), report.checkpoints[0].1)
    };
    assert_eq!(verify(None).await, (Some("truncated"), Verdict::Truncated));
    assert_eq!(verify(Some(4)).await, (Some("truncated"), Verdict::Truncated));
    assert_eq!(verify(Some(5)).await, (None, Verdict::Lost));
    let restored = open(&path, "node-1", &TestClock::new());
    restored.note(ServerEvent::Startup, None).await.unwrap();
    restored.close().await;
    assert_eq!(verify(Some(5)).await, (Some("truncated"), Verdict::Truncated));
}

#[tokio::test]
async fn verifies_while_others_write() {
    let folder = Folder::new();
    let path = folder.path().join("busy.db");
    let clock = TestClock::new();
    let (writer, reader) = (open(&path, "node-1", &clock), open(&path, "auditor", &clock));
    let writing = async {
        for number in 0..300 {
            writer.note(ServerEvent::Startup, Some(format!("number {number}"))).await.unwrap();
        }
    };
    let verifying = async {
        for _ in 0..30 {
            let mut verifier = Verifier::new(Extent::Whole);
            reader.verify(&mut verifier, |_, _| {}).await.unwrap();
            let reports = verifier.finish();
            assert!(reports.iter().all(|report| report.finding.is_none()), "{reports:?}");
        }
    };
    tokio::join!(writing, verifying);
}

#[tokio::test]
async fn texts_of_others_are_written_plain_and_short() {
    let folder = Folder::new();
    let store = open(&folder.path().join("texts.db"), "node-1", &TestClock::new());
    let hostile = format!("a\nb\u{1b}[2J\0{}", "x".repeat(70_000));
    store.note(ServerEvent::Startup, Some(hostile)).await.unwrap();
    let [record] = store.chain("node-1", 0, 9).await.unwrap().try_into().unwrap();
    let reason = record.reason.unwrap();
    assert!(reason.starts_with("a\\nb\\u{1b}[2J\\u{0}x") && reason.ends_with(" octets)"), "{reason}");
    assert!(reason.len() <= 2048, "{}", reason.len());
    assert_eq!(record.at, UnixMicros(support::START.0 * 1_000_000));
    let mut verifier = Verifier::new(Extent::Whole);
    store.verify(&mut verifier, |_, _| {}).await.unwrap();
    assert!(verifier.finish()[0].finding.is_none());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_listed_as_such_and_hides_no_other() {
    let folder = Folder::new();
    let path = folder.path().join("unreadable.db");
    let store = open(&path, "node-1", &TestClock::new());
    for _ in 0..4 {
        store.note(ServerEvent::Startup, None).await.unwrap();
    }
    let db = Connection::open(&path).unwrap();
    let damage = "DROP TRIGGER audit_keeps_its_rows; PRAGMA ignore_check_constraints = ON; \
                  UPDATE audit SET method = 'nfc' WHERE number = 2;";
    db.execute_batch(damage).unwrap();
    let whole = store.chain_with_stand_ins("node-1", 0, 9).await.unwrap();
    // Octets that are no text: SQLite does not hand such a row over.
    db.execute_batch("UPDATE audit SET actor = CAST(X'ff' AS TEXT) WHERE number = 3;").unwrap();
    let worse = store.chain_with_stand_ins("node-1", 0, 9).await.unwrap();
    let mut listed = store.audit(AuditFilter::default(), 9, None).await.unwrap().items;
    listed.reverse();
    assert_eq!(worse, listed);
    for (records, unreadable) in [
        (whole, &[(2, "unreadable: column method")][..]),
        (worse.clone(), &[(2, "unreadable: column method"), (3, "unreadable: column text")]),
    ] {
        let sequences: Vec<_> = records.iter().map(|record| record.chain.as_ref().unwrap().sequence).collect();
        assert_eq!(sequences, [1, 2, 3, 4]);
        let stand_ins: Vec<_> = records.iter().filter(|record| record.event == UNREADABLE).collect();
        let told: Vec<_> = stand_ins.iter().map(|record| (record.number, record.reason.as_deref().unwrap())).collect();
        assert_eq!(told, unreadable);
        assert!(stand_ins.iter().all(|record| !record.success && record.chain.as_ref().unwrap().hash != [0; 32]));
    }
}
