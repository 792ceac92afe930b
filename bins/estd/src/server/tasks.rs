//! Exchanges that run on whether or not somebody still waits for their answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use est_core::tower::Task;
use tokio::sync::Notify;

/// Spawns tasks and knows how many are under way.
#[derive(Default)]
pub(crate) struct Tasks {
    running: AtomicUsize,
    finished: Notify,
}

impl Tasks {
    /// Runs `task` to its end.
    pub(crate) fn spawn(self: &Arc<Self>, task: Task) {
        self.running.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(self.clone());
        tokio::spawn(async move {
            task.await;
            drop(guard);
        });
    }

    /// Waits until none is under way.
    pub(crate) async fn drained(&self) {
        loop {
            let finished = self.finished.notified();
            tokio::pin!(finished);
            finished.as_mut().enable();
            if self.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            finished.await;
        }
    }
}

/// Counts down however the task ends.
struct Guard(Arc<Tasks>);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.finished.notify_waiters();
        }
    }
}
