//! A piece of work in the queue.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::session::Session;
use crate::work::{Work, contained};
use crate::{StoreError, UnixMicros};

/// An answer that a piece of work is still at.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A piece of work whose type the queue does not know.
pub(super) trait Piece: Send {
    /// Does it, and tells whether what it changed is to stay.
    ///
    /// # Errors
    /// What went wrong with the transaction, where it was not the work.
    fn run<'a>(&'a mut self, db: &'a mut Session, at: UnixMicros) -> Pending<'a, Result<bool, StoreError>>;

    /// Whether its success tells nothing of others.
    fn is_probe(&self) -> bool;

    /// Tells whoever waits.
    fn settle(self: Box<Self>, committed: &Result<(), Failure>);
}

/// Work, and who waits for it.
pub(super) struct Task<W: Work> {
    work: W,
    outcome: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Work> Task<W> {
    pub(super) fn new(work: W, reply: oneshot::Sender<Result<W::Answer, StoreError>>) -> Self {
        Self { work, outcome: None, reply }
    }
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

    fn settle(self: Box<Self>, committed: &Result<(), Failure>) {
        let outcome = match (self.outcome, committed) {
            (Some(outcome), Ok(())) => outcome,
            (Some(Err(error)), Err(_)) => Err(error),
            (Some(Ok(_)) | None, Err(failure)) => Err(failure.into()),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Nobody waits any more when the client has hung up.
        let _ = self.reply.send(outcome);
    }
}

/// Why a batch was not committed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Another one may be.
    Passing(Arc<str>),
    /// None will be any more: [`StoreError::Broken`].
    Broken(Arc<str>),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Broken(why) => Self::Broken(why),
            error => Self::Passing(error.to_string().into()),
        }
    }
}

impl From<&Failure> for StoreError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Passing(why) => Self::NotCommitted(why.clone()),
            Failure::Broken(why) => Self::Broken(why.clone()),
        }
    }
}

/// What the work came to.
///
/// # Errors
/// What became of the transaction that it was part of.
fn blamed<T>(outcome: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match outcome {
        Err(error @ (StoreError::Contended(_) | StoreError::Unreachable(_) | StoreError::Broken(_))) => Err(error),
        outcome => Ok(outcome),
    }
}
