//! The one thread that writes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

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
    Work(Box<dyn Work>),
    Close,
}

/// What the thread does whenever it has a transaction open anyway; it tells whether there is more of it to do.
pub(crate) type Sweep = fn(&Connection, UnixMicros) -> Result<bool, StoreError>;

impl Writer {
    /// Starts the thread. `db` is closed when it ends.
    pub(crate) fn start(db: Connection, clock: Clock, sweep: Sweep) -> Result<Self, StoreError> {
        let (queue, jobs) = channel();
        let sweeper = Sweeper { sweep, due: UnixMicros(0) };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&db, &clock, &jobs, sweeper))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    /// Runs `work` in a savepoint of its own, and answers when it is durable.
    ///
    /// It is queued by the call, not by the first poll; dropping the future does not take it back.
    pub(crate) fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, UnixMicros) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), outcome: Err(StoreError::Closed), reply };
        // A send that fails drops the task and with it `reply`, which `answer` tells below.
        let _ = self.queue.send(Message::Work(Box::new(task)));
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
trait Work: Send {
    /// Does it, and tells whether what it changed is to stay.
    fn run(&mut self, db: &Connection, at: UnixMicros) -> bool;

    /// Tells whoever waits.
    fn settle(self: Box<Self>, committed: Result<(), Arc<str>>);
}

struct Task<T, F> {
    work: Option<F>,
    outcome: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection, UnixMicros) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, db: &Connection, at: UnixMicros) -> bool {
        if let Some(work) = self.work.take() {
            self.outcome = work(db, at);
        }
        self.outcome.is_ok()
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

fn run(db: &Connection, clock: &Clock, jobs: &Receiver<Message>, mut sweeper: Sweeper) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut closing = false;
    while !closing {
        let mut next = jobs.recv().map_err(|_| TryRecvError::Disconnected);
        closing = loop {
            match next {
                Ok(Message::Work(work)) => batch.push(work),
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
        let committed = commit(db, clock, &mut batch, &mut sweeper).map_err(|error| {
            tracing::error!(%error, pieces = batch.len(), "nothing of a batch was written");
            if !db.is_autocommit()
                && let Err(error) = execute(db, "ROLLBACK")
            {
                tracing::error!(%error, "the failed batch was not rolled back");
            }
            Arc::from(error.to_string())
        });
        for work in batch.drain(..) {
            work.settle(committed.clone());
        }
    }
}

/// Runs a batch in one transaction.
fn commit(
    db: &Connection,
    clock: &Clock,
    batch: &mut [Box<dyn Work>],
    sweeper: &mut Sweeper,
) -> Result<(), StoreError> {
    execute(db, "BEGIN IMMEDIATE")?;
    for work in batch {
        in_savepoint(db, || work.run(db, clock.now()))?;
    }
    sweeper.sweep(db, clock.now())?;
    execute(db, "COMMIT")
}

/// Does `work`, and undoes what it changed unless it says that it shall stay.
fn in_savepoint(db: &Connection, work: impl FnOnce() -> bool) -> Result<(), StoreError> {
    execute(db, "SAVEPOINT piece")?;
    let keep = work();
    if db.is_autocommit() {
        // A full disk or an I/O error makes SQLite roll back everything, the neighbours' work included.
        return Err(StoreError::NotCommitted("the database rolled the transaction back".into()));
    }
    if !keep {
        execute(db, "ROLLBACK TO piece")?;
    }
    execute(db, "RELEASE piece")
}

fn execute(db: &Connection, statement: &'static str) -> Result<(), StoreError> {
    db.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Cleans up a little at a time: once a second, and with every batch while there is much to do.
struct Sweeper {
    sweep: Sweep,
    due: UnixMicros,
}

impl Sweeper {
    fn sweep(&mut self, db: &Connection, now: UnixMicros) -> Result<(), StoreError> {
        if now < self.due {
            return Ok(());
        }
        let mut more = false;
        in_savepoint(db, || match (self.sweep)(db, now) {
            Ok(there_is_more) => {
                more = there_is_more;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "old claims were not deleted");
                false
            }
        })?;
        self.due = if more { now } else { UnixMicros(now.0.saturating_add(1_000_000)) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn writer() -> Writer {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE t (x INTEGER PRIMARY KEY);
             CREATE TABLE late (t INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
        Writer::start(db, Clock::system(), |_, _| Ok(false)).unwrap()
    }

    /// Keeps the thread busy until told, so that what is sent meanwhile is one batch.
    fn hold(writer: &Writer) -> Sender<()> {
        let (release, held) = channel();
        drop(writer.write(move |_, _| held.recv().map_err(|_| StoreError::Closed)));
        release
    }

    fn insert(writer: &Writer, x: i64) -> impl Future<Output = Result<(), StoreError>> + use<> {
        writer.write(move |db, _| {
            db.execute("INSERT INTO t VALUES (?1)", [x])?;
            Ok(())
        })
    }

    async fn rows(writer: &Writer) -> i64 {
        let count = writer.write(|db, _| Ok(db.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?));
        count.await.unwrap()
    }

    #[tokio::test]
    async fn a_piece_that_fails_takes_only_itself_back() {
        let writer = writer();
        let release = hold(&writer);
        let before = insert(&writer, 1);
        let failing = writer.write(|db, _| {
            db.execute("INSERT INTO t VALUES (2)", [])?;
            db.execute("INSERT INTO t VALUES (1)", [])?;
            Ok(())
        });
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
        let dangling = writer.write(|db, _| {
            db.execute("INSERT INTO late VALUES (7)", [])?;
            Ok(())
        });
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
        let vanishing = writer.write(|db, _| {
            db.execute("INSERT OR ROLLBACK INTO t VALUES (1)", [])?;
            Ok(())
        });
        release.send(()).unwrap();
        let told = neighbour.await.unwrap_err().to_string();
        assert!(told.contains("rolled the transaction back"), "{told}");
        assert!(vanishing.await.is_err());
        assert_eq!(rows(&writer).await, 0);
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
