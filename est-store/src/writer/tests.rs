//! Batches, and what becomes of those in them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use super::*;
use crate::session::Session;

/// Statements, one after the other.
struct Statements(Vec<String>);

impl Work for Statements {
    type Answer = ();

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        for statement in &self.0 {
            db.execute(statement, &[]).await?;
        }
        Ok(())
    }
}

/// A statement before a defect.
struct Defect;

impl Work for Defect {
    type Answer = ();

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        db.execute("INSERT INTO t VALUES (2)", &[]).await?;
        panic!("a defect")
    }
}

/// Work that takes until it is told, the first time.
struct Held(Mutex<Option<std::sync::mpsc::Receiver<()>>>);

impl Work for Held {
    type Answer = ();

    async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        let held = self.0.lock().unwrap().take();
        held.map_or(Ok(()), |held| held.recv().map_err(|_| StoreError::Closed))
    }
}

struct Count;

impl Work for Count {
    type Answer = i64;

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<i64, StoreError> {
        db.query_one("SELECT count(*) FROM t", &[]).await?.unwrap().take(0)
    }
}

struct NoSweep;

impl Work for NoSweep {
    type Answer = bool;

    async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<bool, StoreError> {
        Ok(false)
    }
}

fn writer() -> Writer {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    tables(&db);
    Writer::start(Line::Kept(Session::new(db), None), "local".to_owned(), Clock::system(), |_| NoSweep).unwrap()
}

fn tables(db: &rusqlite::Connection) {
    db.execute_batch(
        "PRAGMA foreign_keys = ON; CREATE TABLE t (x INTEGER PRIMARY KEY);
         CREATE TABLE late (t INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE chains (node TEXT PRIMARY KEY, sequence INTEGER, hash BLOB)",
    )
    .unwrap();
}

/// Keeps the thread busy until told, so that what is sent meanwhile is one batch.
fn hold(writer: &Writer) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel();
    drop(writer.write(Held(Mutex::new(Some(held)))));
    release
}

fn run(writer: &Writer, statements: &[&str]) -> impl Future<Output = Result<(), StoreError>> + use<> {
    writer.write(Statements(statements.iter().map(|&statement| statement.to_owned()).collect()))
}

fn insert(writer: &Writer, x: i64) -> impl Future<Output = Result<(), StoreError>> + use<> {
    run(writer, &[&format!("INSERT INTO t VALUES ({x})")])
}

async fn rows(writer: &Writer) -> i64 {
    writer.write(Count).await.unwrap()
}

#[tokio::test]
async fn a_piece_that_fails_takes_only_itself_back() {
    let writer = writer();
    let release = hold(&writer);
    let before = insert(&writer, 1);
    let failing = run(&writer, &["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (1)"]);
    let after = insert(&writer, 3);
    release.send(()).unwrap();
    before.await.unwrap();
    assert!(matches!(failing.await, Err(StoreError::Database(_))));
    after.await.unwrap();
    assert_eq!(rows(&writer).await, 2);
}

/// Counts how often it is run.
struct Counted(Arc<std::sync::atomic::AtomicUsize>, i64);

impl Work for Counted {
    type Answer = ();

    async fn run(&self, db: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        db.execute("INSERT INTO t VALUES (?1)", &[self.1.into()]).await.map(drop)
    }
}

#[tokio::test]
async fn pieces_are_run_once_and_once_more_where_one_of_them_fails() {
    for (numbers, runs) in [([1, 2, 3], [1, 1, 1]), ([4, 4, 5], [2, 2, 1])] {
        let writer = writer();
        let release = hold(&writer);
        let counts = numbers.map(|_| Arc::default());
        let sent: Vec<_> = std::iter::zip(numbers, &counts)
            .map(|(number, count)| writer.write(Counted(Arc::clone(count), number)))
            .collect();
        release.send(()).unwrap();
        let mut kept = 0;
        for answer in sent {
            kept += i64::from(answer.await.is_ok());
        }
        assert_eq!(counts.map(|count| count.load(std::sync::atomic::Ordering::SeqCst)), runs);
        assert_eq!(rows(&writer).await, kept);
    }
}

#[tokio::test]
async fn when_the_commit_fails_everybody_hears_of_it() {
    let writer = writer();
    let release = hold(&writer);
    let neighbour = insert(&writer, 1);
    let dangling = run(&writer, &["INSERT INTO late VALUES (7)"]);
    release.send(()).unwrap();
    assert!(matches!(neighbour.await, Err(StoreError::NotCommitted(_))));
    assert!(matches!(dangling.await, Err(StoreError::NotCommitted(_))));
    let trouble = writer.status().trouble().unwrap();
    assert!(trouble.why.contains("FOREIGN KEY"), "{trouble:?}");
    writer.write(Probe).await.unwrap();
    assert!(writer.status().trouble().is_some(), "a probe writes too little to tell");
    assert_eq!(rows(&writer).await, 0);
    insert(&writer, 1).await.unwrap();
    assert!(writer.status().trouble().is_none());
}

struct Probe;

impl Work for Probe {
    type Answer = ();

    const IS_PROBE: bool = true;

    async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_transaction_that_vanishes_fails_the_whole_batch() {
    let writer = writer();
    let release = hold(&writer);
    let neighbour = insert(&writer, 1);
    let vanishing = run(&writer, &["INSERT OR ROLLBACK INTO t VALUES (1)"]);
    release.send(()).unwrap();
    let told = neighbour.await.unwrap_err().to_string();
    assert!(told.contains("rolled the transaction back"), "{told}");
    assert!(vanishing.await.is_err());
    assert_eq!(rows(&writer).await, 0);
}

#[tokio::test]
async fn a_piece_that_panics_takes_only_itself_back() {
    let writer = writer();
    let release = hold(&writer);
    let panicking = writer.write(Defect);
    let after = insert(&writer, 3);
    release.send(()).unwrap();
    assert!(matches!(panicking.await, Err(StoreError::Database(_))));
    after.await.unwrap();
    assert_eq!(rows(&writer).await, 1);
}

#[tokio::test]
async fn dropping_it_commits_what_was_sent() {
    let writer = writer();
    let release = hold(&writer);
    let sent: Vec<_> = (0..1000).map(|x| insert(&writer, x)).collect();
    release.send(()).unwrap();
    drop(writer);
    for answer in sent {
        answer.await.unwrap();
    }
}

#[tokio::test]
async fn what_comes_after_closing_is_told_so() {
    let writer = writer();
    writer.close();
    assert!(matches!(insert(&writer, 1).await, Err(StoreError::Closed)));
}

#[cfg(feature = "postgres")]
#[tokio::test(start_paused = true)]
async fn a_commit_without_an_answer_is_not_done_again() {
    use crate::connection::silent::Silent;
    use crate::server::Server;
    use crate::{DatabaseUrl, Options, url::Place};

    let shared = "file:/a-commit-without-an-answer?vfs=memdb";
    let [connection, beside] = [(), ()].map(|()| rusqlite::Connection::open(shared).unwrap());
    tables(&beside);
    // Nothing listens there: another try would say so.
    let Place::Server(nowhere) =
        DatabaseUrl::parse("postgres://ohia@127.0.0.1:1/ohia", std::path::Path::new("/")).unwrap().0
    else {
        unreachable!("it is the URL of a server")
    };
    let server = Server::new(&nowhere, &Options::default());
    let line = Line::Made(server, Some(Session::new(Silent(connection))));
    let (node, clock) = ("local".to_owned(), Clock::system());
    let mut batches = Batches::new(line, node, clock, |_| NoSweep, Arc::default());
    let (reply, _answer) = oneshot::channel();
    let work = Statements(vec!["INSERT INTO t VALUES (1)".to_owned()]);
    let piece: Box<dyn Piece> = Box::new(Task::new(work, reply));
    let told = batches.write(&mut [piece]).await.unwrap_err();
    assert!(matches!(told, StoreError::NotCommitted(_)), "{told}");
    assert!(told.to_string().contains("may have after all"), "{told}");
    assert_eq!(beside.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(1));
}
