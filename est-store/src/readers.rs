//! The connections that read.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::StoreError;

/// A few read-only connections, used from blocking threads.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    /// For [`Readers::glance`]: they give up at once where the database is busy.
    impatient: Arc<Mutex<Vec<Connection>>>,
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(patient: Vec<Connection>, impatient: Vec<Connection>) -> Self {
        let free = Arc::new(Semaphore::new(patient.len()));
        Self { impatient: Arc::new(Mutex::new(impatient)), idle: Arc::new(Mutex::new(patient)), free }
    }

    /// Runs `query` on one of the connections, when there is one free.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = self.free.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle.clone();
        let work = move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(connection) = taken else { return Err(StoreError::Closed) };
            let answer = query(&connection);
            if !permit.semaphore().is_closed() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
            answer
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Database(Box::new(error)))?
    }

    /// Runs `query`, a look-up of one row in a small index, at once on this thread: some microseconds, where a blocking
    /// thread would cost ten times that. Where no connection is free, or the database is busy, it runs as by
    /// [`Readers::read`].
    pub(crate) async fn glance<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match self.glance_now(&query) {
            Some(answer) => Ok(answer),
            None => self.read(move |db| Ok(query(db)?)).await,
        }
    }

    fn glance_now<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let lock = || self.impatient.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = lock().pop()?;
        let answer = query(&connection);
        if !self.free.is_closed() {
            lock().push(connection);
        }
        // Whatever went wrong may go better with patience.
        answer.ok()
    }

    /// Closes the connections that are idle, and the others when they are done.
    pub(crate) fn close(&self) {
        self.free.close();
        for connections in [&self.idle, &self.impatient] {
            connections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}
