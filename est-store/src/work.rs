//! What is done in a database: an operation as a value, so that it can be queued, and run again where a database undid it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::session::Session;
use crate::{StoreError, UnixMicros};

/// An operation on the database. It may run more than once; what every run but the last changed is undone.
pub(crate) trait Work: Send + Sync + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Whether it is there to find out whether the database answers: that it succeeds tells nothing of other work.
    const IS_PROBE: bool = false;

    /// Does it, in a transaction that stays if it succeeds. `at` is the time of the store's clock.
    fn run(&self, db: &mut Session, at: UnixMicros) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// Runs a future that waits for nothing, as those of an SQLite session do, on this thread.
pub(crate) fn at_once<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(StoreError::Database("work on SQLite waited for something else".into())),
    }
}

/// Work that panics fails like any other: the next piece runs after it.
pub(crate) async fn contained<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut work = pin!(work);
    let poll = |cx: &mut Context<'_>| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(StoreError::Database("the work panicked".into()))))
    };
    std::future::poll_fn(poll).await
}
