//! A line before every password, so that who floods one keeps nobody waiting who has another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use est_core::PortError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The lines before those passwords that somebody stands before.
pub(super) struct Lines {
    longest: usize,
    lines: Mutex<HashMap<String, Line>>,
}

struct Line {
    first: Arc<Semaphore>,
    length: usize,
}

/// Who has come first in the line before a password.
pub(super) struct First<'a> {
    _permit: OwnedSemaphorePermit,
    _standing: Standing<'a>,
}

/// A place in a line; given up when dropped.
struct Standing<'a> {
    lines: &'a Lines,
    id: &'a str,
}

impl Lines {
    /// Lets so many stand before one password at a time.
    pub(super) fn new(longest: usize) -> Self {
        Self { longest, lines: Mutex::default() }
    }

    /// Waits to be the first before the password `id`; an error when too many wait there already.
    pub(super) async fn first<'a>(&'a self, id: &'a str) -> Result<First<'a>, PortError> {
        let (first, standing) = self.join(id)?;
        let permit = first.acquire_owned().await.expect("nobody closes the semaphore");
        Ok(First { _permit: permit, _standing: standing })
    }

    fn join<'a>(&'a self, id: &'a str) -> Result<(Arc<Semaphore>, Standing<'a>), PortError> {
        let mut lines = self.lock();
        let line = lines.entry(id.to_owned()).or_insert_with(|| Line { first: Arc::new(Semaphore::new(1)), length: 0 });
        if line.length >= self.longest {
            return Err(PortError(format!("too many secrets are to be checked for the password {id}")));
        }
        line.length += 1;
        Ok((line.first.clone(), Standing { lines: self, id }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(self.id) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn lets_one_be_first_some_wait_and_nobody_wait_for_another_line() {
        let lines = Lines::new(2);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(first)) = pin!(lines.first("a")).poll(&mut context) else { panic!("first") };
        let mut second = pin!(lines.first("a"));
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(matches!(pin!(lines.first("a")).poll(&mut context), Poll::Ready(Err(_))));
        assert!(matches!(pin!(lines.first("b")).poll(&mut context), Poll::Ready(Ok(_))));
        drop(first);
        assert!(matches!(second.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    }

    #[test]
    fn keeps_nothing_of_a_line_that_is_over() {
        let lines = Lines::new(2);
        let mut context = Context::from_waker(Waker::noop());
        {
            let Poll::Ready(Ok(_first)) = pin!(lines.first("a")).poll(&mut context) else { panic!("first") };
            // Gives up while it waits.
            assert!(pin!(lines.first("a")).poll(&mut context).is_pending());
            assert_eq!(lines.lock().len(), 1);
        }
        assert!(lines.lock().is_empty());
    }
}
