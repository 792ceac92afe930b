//! The file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use est_testkit::peers::Directory;
use host::config::Audit;
use host::sinks::Pace;

use crate::chain::Chain;
use crate::{Log, PATIENCE, nothing, pace, run, spawn};

fn to_file(path: PathBuf) -> Audit {
    Audit { file: Some(path), ..nothing() }
}

fn sequences(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    objects.map(|object| object["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn has_every_record_once_and_in_order_however_often_it_is_rotated_while_it_is_written() {
    run(async {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        let chain = Chain::with(0);
        let sinks = spawn(&chain, &to_file(path.clone()), pace());
        let mut rotated = Vec::new();
        for round in 0..50 {
            chain.add(100);
            tokio::task::yield_now().await;
            let to = folder.path().join(format!("audit.jsonl.{round}"));
            if fs::rename(&path, &to).is_ok() {
                rotated.push(to);
            }
        }
        sinks.close(PATIENCE).await;
        let files = rotated.iter().chain([&path]).filter(|path| path.exists());
        let all: Vec<u64> = files.flat_map(|path| sequences(path)).collect();
        assert_eq!(all, (1..=5_000).collect::<Vec<_>>());
        assert_eq!(chain.position_of("file"), 5_000);
    });
}

#[test]
fn repeats_records_and_loses_none_after_a_crash_between_taking_and_remembering() {
    run(async {
        let folder = Directory::new();
        let path = folder.path().join("audit.jsonl");
        let chain = Chain::with(500);
        for _ in 0..3 {
            chain.is_forgetful.store(true, Ordering::SeqCst);
            let sinks = spawn(&chain, &to_file(path.clone()), pace());
            chain.forgot.notified().await;
            drop(sinks);
        }
        assert_eq!(chain.position_of("file"), 0);
        chain.is_forgetful.store(false, Ordering::SeqCst);
        spawn(&chain, &to_file(path.clone()), pace()).close(PATIENCE).await;

        let mut all = sequences(&path);
        assert!(all.len() > 500, "nothing was repeated");
        assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1 || pair[1] == 1), "{all:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, (1..=500).collect::<Vec<_>>());
    });
}

#[test]
fn waits_for_a_folder_that_is_away_and_goes_on_where_it_was() {
    run(async {
        let log = Log::begin();
        let folder = Directory::new();
        let (inner, aside) = (folder.path().join("log"), folder.path().join("aside"));
        fs::create_dir(&inner).unwrap();
        let chain = Chain::with(10);
        let audit = to_file(inner.join("audit.jsonl"));
        spawn(&chain, &audit, pace()).close(PATIENCE).await;

        fs::rename(&inner, &aside).unwrap();
        let sinks = spawn(&chain, &audit, pace());
        chain.add(1_000);
        log.says("audit records wait").await;
        let lag = sinks.watch().lag().await.unwrap();
        assert_eq!((lag[0].sink, lag[0].records), ("file", 1_000));
        assert!(lag[0].problem.as_ref().is_some_and(|problem| problem.contains("No such file")), "{lag:?}");

        fs::rename(&aside, &inner).unwrap();
        log.says("takes audit records again").await;
        sinks.close(PATIENCE).await;
        assert_eq!(sequences(&inner.join("audit.jsonl")), (1..=1_010).collect::<Vec<_>>());
        assert_eq!(*chain.outages.lock().unwrap(), [""; 0], "it was a short one");
    });
}

#[test]
fn an_outage_that_lasts_is_written_down_once_and_its_end_too() {
    run(async {
        let log = Log::begin();
        let folder = Directory::new();
        let (inner, aside) = (folder.path().join("log"), folder.path().join("aside"));
        fs::create_dir(&inner).unwrap();
        let chain = Chain::with(10);
        let audit = to_file(inner.join("audit.jsonl"));
        fs::rename(&inner, &aside).unwrap();
        let sinks = spawn(&chain, &audit, Pace { note_after: Duration::from_millis(100), ..pace() });
        log.says("audit records wait").await;
        let noted = || chain.outages.lock().unwrap().clone();
        let wait = async {
            while noted().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();

        fs::rename(&aside, &inner).unwrap();
        log.says("takes audit records again").await;
        sinks.close(PATIENCE).await;
        let [failed, again] = &noted()[..] else { panic!("{:?}", noted()) };
        assert!(failed.starts_with("file: ") && failed.contains("No such file"), "{failed}");
        assert_eq!(again, "file: again");
    });
}
