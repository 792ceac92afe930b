//! The one thread that writes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock::Watch;
use crate::server::{BATCH, REQUEST, Server, until};
use crate::session::Session;
use crate::work::{Work, contained};
use crate::{Clock, StoreError, UnixMicros};

/// How many pieces of work share a transaction at most. Beyond it the commit is a small part of the cost already, and
/// the first in line would wait longer for the last.
const PIECES: usize = 256;

/// How often the store cleans up.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Sends work to the writing thread.
///
/// Dropping it waits until everything that was sent is committed.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: UnboundedSender<Message>,
    thread: Option<JoinHandle<()>>,
    runtime: Handle,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// A change that was not committed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// When it failed.
    pub at: Instant,
    /// Why.
    pub why: Arc<str>,
}

enum Message {
    Piece(Box<dyn Piece>),
    Close,
}

/// The connection that the thread writes with.
pub(crate) enum Line {
    /// One that lasts.
    Kept(Session),
    /// One to a server, which can break; then another one is made.
    Made(Server, Option<Session>),
}

impl Line {
    async fn session(&mut self) -> Result<&mut Session, StoreError> {
        match self {
            Self::Kept(session) => Ok(session),
            Self::Made(server, session) => {
                let usable = session.take().filter(Session::is_usable);
                Ok(session.insert(match usable {
                    Some(session) => session,
                    None => server.connect().await?,
                }))
            }
        }
    }

    /// Leaves nothing of a transaction that failed.
    async fn clear(&mut self, error: &StoreError) {
        let undone = match self {
            // Whatever else it was, it may have left a connection that does not answer, a ROLLBACK neither.
            Self::Made(_, session) if !matches!(error, StoreError::Contended(_)) => {
                *session = None;
                Ok(())
            }
            Self::Kept(session) | Self::Made(_, Some(session)) => {
                until(Instant::now() + REQUEST, session.roll_back()).await
            }
            Self::Made(_, None) => Ok(()),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "the failed batch was not rolled back");
        }
    }

    fn can_be_made_again(&self) -> bool {
        matches!(self, Self::Made(..))
    }
}

impl Writer {
    /// Starts the thread, which does `sweep` after what it was sent, once a second and for as long as it tells that there
    /// is more of it to do. `line` is closed when it ends.
    pub(crate) fn start<S>(line: Line, node: String, clock: Clock, sweep: S) -> Result<Self, StoreError>
    where
        S: Work<Answer = bool>,
    {
        // What the thread waits for is all its own, so that it comes to its end whatever else has ended.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Database(Box::new(error)))?;
        let handle = runtime.handle().clone();
        let (queue, jobs) = unbounded_channel();
        let (watch, trouble) = (Watch::new(&clock), Arc::default());
        let batches =
            Batches { line, node, clock, sweep, sweep_due: Duration::ZERO, watch, trouble: Arc::clone(&trouble) };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || runtime.block_on(batches.run(jobs)))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { queue, thread: Some(thread), runtime: handle, trouble })
    }

    /// The last batch that was not committed, unless another one was since.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `work` in a savepoint of its own, and answers when it is durable.
    ///
    /// It is queued by the call, not by the first poll; dropping the future does not take it back.
    pub(crate) fn write<W: Work>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<W::Answer, StoreError>> + Send + use<W> {
        let (reply, answer) = oneshot::channel();
        let task = Task { work, outcome: None, reply };
        // A send that fails drops the task and with it `reply`, which `answer` tells below.
        let _ = self.queue.send(Message::Piece(Box::new(task)));
        async move { answer.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// Where else something that waits for the database can run: until the thread ends.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
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

/// An answer that a piece of work is still at.
type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A piece of work whose type the queue does not know.
trait Piece: Send {
    /// Does it, and tells whether what it changed is to stay.
    ///
    /// # Errors
    /// What went wrong with the transaction, where it was not the work.
    fn run<'a>(&'a mut self, db: &'a mut Session, at: UnixMicros) -> Pending<'a, Result<bool, StoreError>>;

    /// Whether its success tells nothing of others.
    fn is_probe(&self) -> bool;

    /// Tells whoever waits.
    fn settle(self: Box<Self>, committed: Result<(), Arc<str>>);
}

struct Task<W: Work> {
    work: W,
    outcome: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Work> Piece for Task<W> {
    fn run<'a>(&'a mut self, db: &'a mut Session, at: UnixMicros) -> Pending<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let outcome = contained(self.work.run(db, at)).await;
            let keep = outcome.is_ok();
            self.outcome = Some(blamed(outcome)?);
            Ok(keep)
        })
    }

    fn is_probe(&self) -> bool {
        W::IS_PROBE
    }

    fn settle(self: Box<Self>, committed: Result<(), Arc<str>>) {
        let outcome = match (self.outcome, committed) {
            (Some(outcome), Ok(())) => outcome,
            (Some(Err(error)), Err(_)) => Err(error),
            (Some(Ok(_)) | None, Err(why)) => Err(StoreError::NotCommitted(why)),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Nobody waits any more when the client has hung up.
        let _ = self.reply.send(outcome);
    }
}

/// What the work came to.
///
/// # Errors
/// What became of the transaction that it was part of.
fn blamed<T>(outcome: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match outcome {
        Err(error @ (StoreError::Contended(_) | StoreError::Unreachable(_))) => Err(error),
        outcome => Ok(outcome),
    }
}

/// Takes work from the queue, as much as there is at once.
struct Batches<S> {
    line: Line,
    node: String,
    clock: Clock,
    sweep: S,
    /// By the clock that nobody sets.
    sweep_due: Duration,
    watch: Watch,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

impl<S: Work<Answer = bool>> Batches<S> {
    async fn run(mut self, mut jobs: UnboundedReceiver<Message>) {
        let mut batch = Vec::with_capacity(PIECES);
        let mut closing = false;
        while !closing {
            let mut next = jobs.recv().await.ok_or(TryRecvError::Disconnected);
            closing = loop {
                match next {
                    Ok(Message::Piece(piece)) => batch.push(piece),
                    Ok(Message::Close) | Err(TryRecvError::Disconnected) => break true,
                    Err(TryRecvError::Empty) => break false,
                }
                if batch.len() == PIECES {
                    break false;
                }
                next = jobs.try_recv();
            };
            if batch.is_empty() {
                continue;
            }
            let committed = self.write(&mut batch).await.map_err(|error| {
                tracing::error!(%error, pieces = batch.len(), "nothing of a batch was written");
                Arc::from(error.to_string())
            });
            let is_well = committed.is_ok();
            self.note(&committed, &batch);
            for piece in batch.drain(..) {
                piece.settle(committed.clone());
            }
            if is_well && !closing {
                self.sweep().await;
            }
        }
    }

    /// Keeps in mind what did not go well, until something else did.
    fn note(&self, committed: &Result<(), Arc<str>>, batch: &[Box<dyn Piece>]) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match committed {
            Err(why) => *trouble = Some(Trouble { at: Instant::now(), why: why.clone() }),
            Ok(()) if trouble.is_some() && batch.iter().any(|piece| !piece.is_probe()) => *trouble = None,
            Ok(()) => {}
        }
    }

    /// Writes a batch; once more where the database undid it for the sake of others, or the connection had broken.
    async fn write(&mut self, batch: &mut [Box<dyn Piece>]) -> Result<(), StoreError> {
        let deadline = Instant::now() + BATCH;
        let mut reconnected = false;
        loop {
            let written = match until(deadline, self.line.session()).await {
                Ok(db) => commit(db, &self.node, &self.clock, batch, deadline).await,
                Err(error) => return Err(error),
            };
            let Err(error) = written else { return Ok(()) };
            self.line.clear(&error).await;
            match error {
                StoreError::Contended(_) if Instant::now() < deadline => {}
                StoreError::Unreachable(_) if self.line.can_be_made_again() && !reconnected => reconnected = true,
                error => return Err(error),
            }
        }
    }

    /// Cleans up a little at a time: once a second, and after every batch while there is much to do. In a transaction of
    /// its own, after everybody has an answer: what goes wrong with it harms nobody.
    async fn sweep(&mut self) {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        if steady < self.sweep_due {
            return;
        }
        self.sweep_due = steady + SWEEP_EVERY;
        if !self.watch.is_settled(&self.clock) {
            return;
        }
        let deadline = Instant::now() + REQUEST;
        let swept = match until(deadline, self.line.session()).await {
            Ok(db) => in_transaction(db, &self.node, &self.sweep, now, deadline).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &swept {
            tracing::warn!(%error, "old claims were not deleted");
            self.line.clear(error).await;
        }
        if swept.unwrap_or(false) {
            self.sweep_due = steady;
        }
    }
}

async fn in_transaction<W: Work>(
    db: &mut Session,
    node: &str,
    work: &W,
    at: UnixMicros,
    deadline: Instant,
) -> Result<W::Answer, StoreError> {
    let done = until(deadline, async {
        db.begin_audited(node).await?;
        let answer = contained(work.run(db, at)).await?;
        db.end_trail().await?;
        Ok(answer)
    });
    let answer = done.await?;
    db.commit().await?;
    Ok(answer)
}

/// Runs a batch in one transaction: as if nothing in it could fail, since savepoints cost more than some pieces do; and
/// once more, each piece in a savepoint, if something did.
async fn commit(
    db: &mut Session,
    node: &str,
    clock: &Clock,
    batch: &mut [Box<dyn Piece>],
    deadline: Instant,
) -> Result<(), StoreError> {
    until(deadline, async {
        if !run_together(db, node, clock, batch).await? {
            db.roll_back().await?;
            db.begin_audited(node).await?;
            for piece in batch {
                db.save().await?;
                let keep = piece.run(db, clock.now()).await?;
                db.end_piece(keep).await?;
            }
        }
        db.end_trail().await
    })
    .await?;
    // Not with the rest: what came of it is not known when it takes too long, and nothing may be done twice.
    db.commit().await
}

/// Begins a transaction and runs a batch in it; whether all of it may stay.
async fn run_together(
    db: &mut Session,
    node: &str,
    clock: &Clock,
    batch: &mut [Box<dyn Piece>],
) -> Result<bool, StoreError> {
    db.begin_audited(node).await?;
    for piece in batch {
        if !piece.run(db, clock.now()).await? || !db.is_whole() {
            return Ok(false);
        }
    }
    Ok(true)
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
        Writer::start(Line::Kept(Session::new(db)), "local".to_owned(), Clock::system(), NoSweep).unwrap()
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
        let trouble = writer.trouble().unwrap();
        assert!(trouble.why.contains("FOREIGN KEY"), "{trouble:?}");
        writer.write(Probe).await.unwrap();
        assert!(writer.trouble().is_some(), "a probe writes too little to tell");
        assert_eq!(rows(&writer).await, 0);
        insert(&writer, 1).await.unwrap();
        assert!(writer.trouble().is_none());
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
        let (sweep_due, watch, trouble) = (Duration::ZERO, Watch::new(&clock), Arc::default());
        let mut batches = Batches { line, node, clock, sweep: NoSweep, sweep_due, watch, trouble };
        let (reply, _answer) = oneshot::channel();
        let work = Statements(vec!["INSERT INTO t VALUES (1)".to_owned()]);
        let piece: Box<dyn Piece> = Box::new(Task { work, outcome: None, reply });
        let told = batches.write(&mut [piece]).await.unwrap_err();
        assert!(matches!(told, StoreError::NotCommitted(_)), "{told}");
        assert!(told.to_string().contains("may have after all"), "{told}");
        assert_eq!(beside.query_row("SELECT count(*) FROM t", [], |row| row.get(0)), Ok(1));
    }
}
