//! The one thread that writes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::session::Session;
use crate::work::{Work, at_once, contained};
use crate::{Clock, StoreError, UnixMicros};

/// How many pieces of work share a transaction at most. Beyond it the commit is a small part of the cost already, and
/// the first in line would wait longer for the last.
const BATCH: usize = 256;

/// Sends work to the writing thread.
///
/// Dropping it waits until everything that was sent is committed.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Piece(Box<dyn Piece>),
    Close,
}

impl Writer {
    /// Starts the thread, which does `sweep` whenever it has a transaction open anyway, once a second and for as long
    /// as it tells that there is more of it to do. `db` is closed when it ends.
    pub(crate) fn start<S>(db: Session, node: String, clock: Clock, sweep: S) -> Result<Self, StoreError>
    where
        S: Work<Answer = bool>,
    {
        let (queue, jobs) = channel();
        let sweeper = Sweeper { sweep, due: UnixMicros(0) };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(db, &node, &clock, &jobs, sweeper))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Runs `work` in a savepoint of its own, and answers when it is durable.
    ///
    /// It is queued by the call, not by the first poll; dropping the future does not take it back.
    pub(crate) fn write<W: Work>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<W::Answer, StoreError>> + Send + use<W> {
        let (reply, answer) = oneshot::channel();
        let task = Task { work, outcome: Err(StoreError::Closed), reply };
        // A send that fails drops the task and with it `reply`, which `answer` tells below.
        let _ = self.queue.send(Message::Piece(Box::new(task)));
        async move { answer.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// Asks the thread to end after what is queued.
    pub(crate) fn close(&self) {
        let _ = self.queue.send(Message::Close);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread of the store panicked");
        }
    }
}

/// A piece of work whose type the queue does not know.
trait Piece: Send {
    /// Does it, and tells whether what it changed is to stay.
    fn run<'a>(&'a mut self, db: &'a mut Session, at: UnixMicros) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

    /// Tells whoever waits.
    fn settle(self: Box<Self>, committed: Result<(), Arc<str>>);
}

struct Task<W: Work> {
    work: W,
    outcome: Result<W::Answer, StoreError>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Work> Piece for Task<W> {
    fn run<'a>(&'a mut self, db: &'a mut Session, at: UnixMicros) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            self.outcome = contained(self.work.run(db, at)).await;
            self.outcome.is_ok()
        })
    }

    fn settle(self: Box<Self>, committed: Result<(), Arc<str>>) {
        let outcome = match committed {
            Ok(()) => self.outcome,
            Err(why) => self.outcome.and(Err(StoreError::NotCommitted(why))),
        };
        // Nobody waits any more when the client has hung up.
        let _ = self.reply.send(outcome);
    }
}

fn run<S: Work<Answer = bool>>(
    mut db: Session,
    node: &str,
    clock: &Clock,
    jobs: &Receiver<Message>,
    mut sweeper: Sweeper<S>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut closing = false;
    while !closing {
        let mut next = jobs.recv().map_err(|_| TryRecvError::Disconnected);
        closing = loop {
            match next {
                Ok(Message::Piece(piece)) => batch.push(piece),
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => break true,
                Err(TryRecvError::Empty) => break false,
            }
            if batch.len() == BATCH {
                break false;
            }
            next = jobs.try_recv();
        };
        if batch.is_empty() {
            continue;
        }
        let committed = at_once(commit(&mut db, node, clock, &mut batch, &mut sweeper));
        let committed = committed.map_err(|error| {
            tracing::error!(%error, pieces = batch.len(), "nothing of a batch was written");
            if let Err(error) = at_once(db.roll_back()) {
                tracing::error!(%error, "the failed batch was not rolled back");
            }
            Arc::from(error.to_string())
        });
        for piece in batch.drain(..) {
            piece.settle(committed.clone());
        }
    }
}

/// Runs a batch in one transaction.
async fn commit<S: Work<Answer = bool>>(
    db: &mut Session,
    node: &str,
    clock: &Clock,
    batch: &mut [Box<dyn Piece>],
    sweeper: &mut Sweeper<S>,
) -> Result<(), StoreError> {
    db.begin_audited(node).await?;
    for piece in batch {
        db.save().await?;
        let keep = piece.run(db, clock.now()).await;
        db.end_piece(keep).await?;
    }
    sweeper.sweep(db, clock.now()).await?;
    db.commit().await
}

/// Cleans up a little at a time: once a second, and with every batch while there is much to do.
struct Sweeper<S> {
    sweep: S,
    due: UnixMicros,
}

impl<S: Work<Answer = bool>> Sweeper<S> {
    async fn sweep(&mut self, db: &mut Session, now: UnixMicros) -> Result<(), StoreError> {
        if now < self.due {
            return Ok(());
        }
        db.save().await?;
        let swept = contained(self.sweep.run(db, now)).await;
        db.end_piece(swept.is_ok()).await?;
        let more = swept.unwrap_or_else(|error| {
            tracing::warn!(%error, "old claims were not deleted");
            false
        });
        self.due = if more { now } else { UnixMicros(now.0.saturating_add(1_000_000)) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

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

    /// Work that takes until it is told.
    struct Held(std::sync::Mutex<Receiver<()>>);

    impl Work for Held {
        type Answer = ();

        async fn run(&self, _: &mut Session, _: UnixMicros) -> Result<(), StoreError> {
            self.0.lock().unwrap().recv().map_err(|_| StoreError::Closed)
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
        db.execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE t (x INTEGER PRIMARY KEY);
             CREATE TABLE late (t INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE chains (node TEXT PRIMARY KEY, sequence INTEGER, hash BLOB)",
        )
        .unwrap();
        Writer::start(Session::new(db), "local".to_owned(), Clock::system(), NoSweep).unwrap()
    }

    /// Keeps the thread busy until told, so that what is sent meanwhile is one batch.
    fn hold(writer: &Writer) -> Sender<()> {
        let (release, held) = channel();
        drop(writer.write(Held(std::sync::Mutex::new(held))));
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

    #[tokio::test]
    async fn when_the_commit_fails_everybody_hears_of_it() {
        let writer = writer();
        let release = hold(&writer);
        let neighbour = insert(&writer, 1);
        let dangling = run(&writer, &["INSERT INTO late VALUES (7)"]);
        release.send(()).unwrap();
        assert!(matches!(neighbour.await, Err(StoreError::NotCommitted(_))));
        assert!(matches!(dangling.await, Err(StoreError::NotCommitted(_))));
        assert_eq!(rows(&writer).await, 0);
        insert(&writer, 1).await.unwrap();
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
}
