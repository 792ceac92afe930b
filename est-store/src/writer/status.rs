//! How it goes with what is written.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::connection::Log;

/// A change that was not committed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// When it failed.
    pub at: Instant,
    /// Why.
    pub why: Arc<str>,
}

/// How the write-ahead log of an SQLite file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogUse {
    /// How many pages it has, of 4 KiB each: not the size of its file, which is used again from the beginning.
    pub pages: u64,
    /// How often it was copied into the database.
    pub checkpoints: u64,
    /// How often that failed.
    pub failures: u64,
}

/// How it goes, as the thread tells the others.
#[derive(Debug, Default)]
pub(crate) struct Status {
    trouble: Mutex<Option<Trouble>>,
    broken: watch::Sender<bool>,
    pages: AtomicU64,
    checkpoints: AtomicU64,
    failures: AtomicU64,
}

impl Status {
    /// The last batch that was not committed, unless another one was since.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until nothing is written any more because the disk has failed.
    pub(crate) async fn broken(&self) {
        // The sender is here, as long as anybody waits.
        let _ = self.broken.subscribe().wait_for(|broken| *broken).await;
    }

    pub(crate) fn log(&self) -> LogUse {
        let [pages, checkpoints, failures] =
            [&self.pages, &self.checkpoints, &self.failures].map(|number| number.load(Ordering::Relaxed));
        LogUse { pages, checkpoints, failures }
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn went_wrong(&self, why: Arc<str>) {
        let trouble = Trouble { at: Instant::now(), why };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }

    pub(super) fn went_well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn broke(&self) {
        self.broken.send_replace(true);
    }

    pub(super) fn log_is(&self, log: Log) {
        self.pages.store(log.pages, Ordering::Relaxed);
    }

    pub(super) fn log_was_copied(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn log_was_not_copied(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
