//! Whole chains that somebody made up, removed or cut back: checkpoints of all chains tell.

use est_core::Seconds;
use est_store::{Chain, Checkpoint, Extent, Report, ServerEvent, UnixMicros, Verifier};
use rusqlite::Connection;

use super::support::{Folder, TestClock};
use super::{end_anew, open};

/// A database in which three nodes have written, the third after the checkpoint of all chains by the first.
struct Seen {
    folder: Folder,
    clock: TestClock,
    checkpoint: Checkpoint,
}

impl Seen {
    async fn write() -> Self {
        let (folder, clock) = (Folder::new(), TestClock::new());
        let seen = Self { folder, clock, checkpoint: Checkpoint::of_all("node-1", Vec::new(), UnixMicros(0)) };
        seen.note("node-1").await;
        let ends = seen.note("node-2").await;
        seen.clock.advance(Seconds(7_200));
        seen.note("node-3").await;
        let checkpoint = Checkpoint::of_all("node-1", ends, UnixMicros((super::support::START.0 + 7_200) * 1_000_000));
        Self { checkpoint, ..seen }
    }

    /// Writes three records, and tells the ends of all chains.
    async fn note(&self, node: &str) -> Vec<Chain> {
        let store = open(&self.folder.path().join("seen.db"), node, &self.clock);
        for _ in 0..3 {
            store.note(ServerEvent::Startup, None).await.unwrap();
        }
        let ends = store.chain_ends().await.unwrap();
        store.close().await;
        ends
    }

    /// What is found out once somebody has done this.
    async fn after(&self, sql: &str, checkpoint: &Checkpoint) -> Vec<Report> {
        let path = self.folder.path().join("changed.db");
        let db = Connection::open(self.folder.path().join("seen.db")).unwrap();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        std::fs::copy(self.folder.path().join("seen.db"), &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.execute_batch("DROP TRIGGER audit_keeps_its_rows; DROP TRIGGER audit_keeps_every_row;").unwrap();
        db.execute_batch(sql).unwrap();
        end_anew(&db, "node-2");
        drop(db);
        let store = open(&path, "auditor", &self.clock);
        let mut verifier = Verifier::new(Extent::Whole);
        verifier.hold(checkpoint);
        assert_eq!(store.verify(&mut verifier, |_, _| {}).await.unwrap(), 0);
        store.close().await;
        std::fs::remove_file(&path).unwrap();
        verifier.finish()
    }
}

/// Which nodes' chains are found wanting, and how.
fn found(reports: &[Report]) -> Vec<(&str, &str)> {
    let finding = |report: &Report| report.finding.as_ref().map(|finding| finding.kind.name());
    reports.iter().filter_map(|one| Some((one.end.node.as_str(), finding(one)?))).collect()
}

#[tokio::test]
async fn a_checkpoint_of_all_chains_misses_one_that_is_gone_or_cut_back_and_knows_one_that_was_not_there() {
    let seen = Seen::write().await;
    let nothing = seen.after("", &seen.checkpoint).await;
    assert_eq!(found(&nothing), []);
    // It vouches for the chain of the node that made it, and for no other.
    let vouched: Vec<_> = nothing.iter().filter(|one| one.is_vouched_for).map(|one| one.end.node.as_str()).collect();
    assert_eq!(vouched, ["node-1"]);
    let gone = "DELETE FROM audit WHERE node = 'node-2'; DELETE FROM chains WHERE node = 'node-2';";
    assert_eq!(found(&seen.after(gone, &seen.checkpoint).await), [("node-2", "truncated")]);
    let cut = "DELETE FROM audit WHERE node = 'node-2' AND sequence > 1;";
    assert_eq!(found(&seen.after(cut, &seen.checkpoint).await), [("node-2", "truncated")]);
    // The third began when the checkpoint was made; had it been made later, the chain would have been in it.
    let later = |hours: u64| Checkpoint {
        at: UnixMicros(seen.checkpoint.at.0 + hours * 3_600_000_000),
        ..seen.checkpoint.clone()
    };
    assert_eq!(found(&seen.after("", &later(1)).await), [], "clocks differ");
    assert_eq!(found(&seen.after("", &later(2)).await), [("node-3", "backdated")]);
}

#[tokio::test]
async fn a_node_vouches_for_its_chain_as_it_is_and_for_no_other() {
    let (folder, clock) = (Folder::new(), TestClock::new());
    let store = open(&folder.path().join("vouched.db"), "node-1", &clock);
    let beginning = store.own_chain().await.unwrap();
    assert_eq!(beginning, Chain::genesis("node-1"));
    store.note(ServerEvent::Startup, None).await.unwrap();
    assert!(!store.note_vouched(beginning, "too late".into()).await.unwrap());
    let end = store.own_chain().await.unwrap();
    assert!(store.note_vouched(end.clone(), "in time".into()).await.unwrap());
    store.note(ServerEvent::Startup, None).await.unwrap();
    let vouched = async |say: Chain| {
        let mut verifier = Verifier::new(Extent::Whole);
        let look = |verifier: &mut Verifier, record: &est_store::AuditRecord| {
            if record.event == est_store::VOUCHED {
                verifier.vouch(&say);
            }
        };
        store.verify(&mut verifier, look).await.unwrap();
        let report = verifier.finish().into_iter().find(|one| one.records > 0).unwrap();
        (report.is_vouched_for, report.finding.map(|finding| finding.kind.name()))
    };
    assert_eq!(vouched(end.clone()).await, (true, None));
    assert_eq!(vouched(Chain { hash: [1; 32], ..end.clone() }).await, (false, Some("rewritten")));
    assert_eq!(vouched(Chain { sequence: 2, ..end.clone() }).await, (false, None), "not where it stands");
    assert_eq!(vouched(Chain { node: "node-2".into(), ..end }).await, (false, None));
    store.close().await;
}
