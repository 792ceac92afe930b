//! The connections that read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::session::Session;
use crate::work::{Work, at_once, contained};
use crate::{Clock, StoreError};

/// A few read-only connections, used from blocking threads.
#[derive(Clone)]
pub(crate) struct Readers {
    /// For [`Readers::glance`]: they give up at once where the database is busy.
    impatient: Arc<Mutex<Vec<Session>>>,
    idle: Arc<Mutex<Vec<Session>>>,
    free: Arc<Semaphore>,
    size: usize,
    clock: Clock,
}

impl Readers {
    pub(crate) fn new(patient: Vec<Session>, impatient: Vec<Session>, clock: Clock) -> Self {
        let size = patient.len();
        let free = Arc::new(Semaphore::new(size));
        Self { size, impatient: Arc::new(Mutex::new(impatient)), idle: Arc::new(Mutex::new(patient)), free, clock }
    }

    /// Runs `work` on one of the connections, when there is one free.
    pub(crate) async fn read<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let permit = self.free.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (idle, at) = (self.idle.clone(), self.clock.now());
        let read = move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut session) = taken else { return Err(StoreError::Closed) };
            let answer = at_once(contained(work.run(&mut session, at)));
            if !permit.semaphore().is_closed() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            }
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| StoreError::Database(Box::new(error)))?
    }

    /// Runs `work`, a look-up of one row in a small index, at once on this thread: some microseconds, where a blocking
    /// thread would cost ten times that. Where no connection is free, or the database is busy, it runs as by
    /// [`Readers::read`].
    pub(crate) async fn glance<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        match self.glance_now(&work) {
            Some(answer) => Ok(answer),
            None => self.read(work).await,
        }
    }

    fn glance_now<W: Work>(&self, work: &W) -> Option<W::Answer> {
        let lock = || self.impatient.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = lock().pop()?;
        let answer = at_once(contained(work.run(&mut session, self.clock.now())));
        if !self.free.is_closed() {
            lock().push(session);
        }
        // Whatever went wrong may go better with patience.
        answer.ok()
    }

    /// How many of the connections somebody uses.
    pub(crate) fn busy(&self) -> usize {
        self.size - self.free.available_permits()
    }

    /// Closes the connections that are idle, and the others when they are done.
    pub(crate) fn close(&self) {
        self.free.close();
        for connections in [&self.idle, &self.impatient] {
            connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("free", &self.free.available_permits()).finish_non_exhaustive()
    }
}
