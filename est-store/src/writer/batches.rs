//! What the thread does: batch after batch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, sleep};

use super::piece::{Failure, Piece};
use super::{Line, Message, Status};
use crate::clock::Watch;
use crate::connection::Log;
use crate::server::{BATCH, REQUEST, until};
use crate::session::Session;
use crate::work::{Work, contained};
use crate::{Clock, StoreError, UnixMicros, audit};

/// How many pieces of work share a transaction at most. Beyond it the commit is a small part of the cost already, and
/// the first in line would wait longer for the last.
const PIECES: usize = 256;

/// How often the store cleans up.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long a command waits for another process that has a file locked.
const COMMAND_WAITS: Duration = Duration::from_secs(10);

/// How long a server does: a request may come just after a batch began to wait, and has two of its own to go.
const SERVER_WAITS: Duration = Duration::from_secs(4);

/// How long the next batch waits where one has waited in vain.
const NEXT_WAITS: Duration = Duration::from_millis(250);

/// How soon a lock is tried again: a busy server lets go of the file for some microseconds between two transactions.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// How many pages of the log are copied at a time, at least. A checkpoint writes each page once, however often the log has
/// it: fewer of them write less.
const CHECKPOINT: u64 = 4_000;

/// A log of so many pages, 64 MiB, grows because somebody reads from the database for long.
const LONG: u64 = 4 * CHECKPOINT;

/// Takes work from the queue, as much as there is at once.
pub(super) struct Batches<S> {
    line: Line,
    node: String,
    clock: Clock,
    sweep: S,
    /// By the clock that nobody sets.
    sweep_due: Duration,
    watch: Watch,
    /// Whether it is known up to which time others have written.
    is_anchored: bool,
    status: Arc<Status>,
    /// Whether clients wait, and not somebody at a terminal.
    serves: bool,
    /// Whether the last batch has waited in vain for another process.
    is_locked: bool,
    /// Whether it was said that the log is long.
    is_long: bool,
    /// Why nothing is written any more.
    broken: Option<Arc<str>>,
}

impl<S, W> Batches<S>
where
    S: Fn(UnixMicros) -> W,
    W: Work<Answer = bool>,
{
    pub(super) fn new(line: Line, node: String, clock: Clock, sweep: S, status: Arc<Status>) -> Self {
        Self {
            line,
            node,
            watch: Watch::new(&clock),
            clock,
            sweep,
            sweep_due: Duration::ZERO,
            is_anchored: false,
            status,
            serves: false,
            is_locked: false,
            is_long: false,
            broken: None,
        }
    }

    pub(super) async fn run(mut self, mut jobs: UnboundedReceiver<Message>) {
        let mut batch = Vec::with_capacity(PIECES);
        let mut closing = false;
        while !closing {
            let mut next = jobs.recv().await.ok_or(TryRecvError::Disconnected);
            closing = loop {
                match next {
                    Ok(Message::Piece(piece)) => batch.push(piece),
                    Ok(Message::Serve) => {
                        self.serves = true;
                        self.checkpoint(1).await;
                    }
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
            let committed = self.write(&mut batch).await;
            if matches!(committed, Err(StoreError::Moved { .. })) {
                // What was written last is in the log, and whoever finds the file may not find that.
                self.checkpoint(1).await;
            }
            self.note(&committed, &batch);
            let committed = committed.map_err(|error| {
                tracing::error!(%error, pieces = batch.len(), "nothing of a batch was written");
                Failure::from(error)
            });
            for piece in batch.drain(..) {
                piece.settle(&committed);
            }
            if committed.is_ok() && !closing {
                self.checkpoint(CHECKPOINT).await;
                self.sweep().await;
            }
        }
    }

    /// Keeps in mind what did not go well, until something else did.
    fn note(&mut self, committed: &Result<(), StoreError>, batch: &[Box<dyn Piece>]) {
        self.is_locked = matches!(committed, Err(StoreError::Locked));
        match committed {
            Err(StoreError::Broken(why)) => self.break_off(why.clone()),
            Err(error) => self.status.went_wrong(error.to_string().into()),
            Ok(()) if self.status.is_troubled() && batch.iter().any(|piece| !piece.is_probe()) => {
                self.status.went_well();
            }
            Ok(()) => {}
        }
    }

    /// Writes nothing more. The system tells once that it could not write something, and then shows what was to be written
    /// as if it had been: whatever is built on that may not be there after the next start of the machine.
    fn break_off(&mut self, why: Arc<str>) {
        if self.broken.is_some() {
            return;
        }
        let error = StoreError::Broken(why.clone());
        tracing::error!(%error, "nothing more is written to the database");
        self.status.went_wrong(error.to_string().into());
        self.broken = Some(why);
        if let Some(db) = self.line.file() {
            db.leave_log();
        }
        self.status.broke();
    }

    /// Writes a batch; once more where the database undid it for the sake of others, or the connection had broken.
    pub(super) async fn write(&mut self, batch: &mut [Box<dyn Piece>]) -> Result<(), StoreError> {
        if let Some(why) = &self.broken {
            return Err(StoreError::Broken(why.clone()));
        }
        let deadline = Instant::now() + self.patience();
        let mut reconnected = false;
        loop {
            let written = match until(deadline, self.line.session()).await {
                Ok(db) => {
                    if !self.is_anchored {
                        self.is_anchored = anchor(db, &mut self.watch, &self.clock, deadline).await;
                    }
                    commit(db, &self.node, &self.clock, batch, deadline).await
                }
                Err(error) => return Err(error),
            };
            let Err(error) = written else { return Ok(()) };
            self.line.clear(&error).await;
            match error {
                StoreError::Locked if Instant::now() < deadline => sleep(TRY_AGAIN).await,
                StoreError::Contended(_) if Instant::now() < deadline => {}
                StoreError::Unreachable(_) if self.line.can_be_made_again() && !reconnected => reconnected = true,
                error => return Err(error),
            }
        }
    }

    /// How long a batch may take, but for its commit.
    fn patience(&self) -> Duration {
        match self.line {
            Line::Made(..) => BATCH,
            Line::Kept(..) if self.is_locked => NEXT_WAITS,
            Line::Kept(..) if self.serves => SERVER_WAITS,
            Line::Kept(..) => COMMAND_WAITS,
        }
    }

    /// Copies the log into the database where `least` pages of it are not in there. SQLite would do so by itself, and keep
    /// to itself what came of it.
    async fn checkpoint(&mut self, least: u64) {
        let Some(db) = self.line.file().filter(|_| self.broken.is_none()) else { return };
        let mut copied = db.log().await;
        if copied.as_ref().is_ok_and(|log| log.pages.saturating_sub(log.copied) >= least) {
            copied = db.copy_log().await;
            if copied.is_ok() {
                self.status.log_was_copied();
            }
        }
        match copied {
            Ok(log) => self.look_at(log),
            Err(error) => {
                self.status.log_was_not_copied();
                tracing::error!(%error, "the log of the database was not copied into it");
                if let StoreError::Broken(why) = error {
                    self.break_off(why);
                }
            }
        }
    }

    /// Says once that the log is long.
    fn look_at(&mut self, log: Log) {
        self.status.log_is(log);
        let is_long = log.pages >= LONG;
        if is_long && !self.is_long {
            tracing::warn!(
                pages = log.pages,
                "the database's log grows while somebody reads from the database for long"
            );
        }
        self.is_long = is_long;
    }

    /// Cleans up a little at a time: once a second, and after every batch while there is much to do. In a transaction of
    /// its own, after everybody has an answer: what goes wrong with it harms nobody.
    async fn sweep(&mut self) {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        if steady < self.sweep_due || self.broken.is_some() {
            return;
        }
        self.sweep_due = steady + SWEEP_EVERY;
        let Some(over) = self.watch.over(&self.clock) else { return };
        let deadline = Instant::now() + REQUEST;
        let swept = match until(deadline, self.line.session()).await {
            Ok(db) => in_transaction(db, &self.node, &(self.sweep)(over), now, deadline).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &swept {
            tracing::warn!(%error, "old claims were not deleted");
            self.line.clear(error).await;
        }
        match swept {
            Ok(true) => self.sweep_due = steady,
            Err(StoreError::Broken(why)) => self.break_off(why),
            Ok(false) | Err(_) => {}
        }
    }
}

/// Tells the watch what the last audit record says of the time, before this process writes one of its own; whether it was
/// told.
async fn anchor(db: &mut Session, watch: &mut Watch, clock: &Clock, deadline: Instant) -> bool {
    match until(deadline, audit::last_written(db)).await {
        Ok(last) => {
            if let Some(last) = last {
                watch.anchor(last, clock);
            }
            true
        }
        // What is wrong with the connection shows in what comes next.
        Err(_) => false,
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
