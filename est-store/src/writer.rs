//! The one thread that writes.

mod batches;
mod line;
mod piece;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::work::Work;
use crate::{Clock, StoreError, UnixMicros};

use batches::Batches;
use piece::{Piece, Task};
use status::Status;

pub(crate) use line::Line;
pub use status::{LogUse, Trouble};

/// Sends work to the writing thread.
///
/// Dropping it waits until everything that was sent is committed.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: UnboundedSender<Message>,
    thread: Option<JoinHandle<()>>,
    runtime: Handle,
    status: Arc<Status>,
}

enum Message {
    Piece(Box<dyn Piece>),
    /// This process serves.
    Serve,
    Close,
}

impl Writer {
    /// Starts the thread, which does what `sweep` makes after what it was sent, once a second and for as long as that tells
    /// that there is more of it to do; `sweep` is told up to when things are over. `line` is closed when it ends.
    pub(crate) fn start<S, W>(line: Line, node: String, clock: Clock, sweep: S) -> Result<Self, StoreError>
    where
        S: Fn(UnixMicros) -> W + Send + 'static,
        W: Work<Answer = bool>,
    {
        // What the thread waits for is all its own, so that it comes to its end whatever else has ended.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Database(Box::new(error)))?;
        let handle = runtime.handle().clone();
        let (queue, jobs) = unbounded_channel();
        let status = Arc::<Status>::default();
        let batches = Batches::new(line, node, clock, sweep, status.clone());
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || runtime.block_on(batches.run(jobs)))
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        Ok(Self { queue, thread: Some(thread), runtime: handle, status })
    }

    /// How it goes.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Tells the thread that this process serves clients, who wait less long than a person at a terminal; and that what the
    /// last one left in the log is to be copied into the database, which writes it to the disk once more.
    pub(crate) fn serve(&self) {
        let _ = self.queue.send(Message::Serve);
    }

    /// Runs `work` in a savepoint of its own, and answers when it is durable.
    ///
    /// It is queued by the call, not by the first poll; dropping the future does not take it back.
    pub(crate) fn write<W: Work>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<W::Answer, StoreError>> + Send + use<W> {
        let (reply, answer) = oneshot::channel();
        let task = Task::new(work, reply);
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
