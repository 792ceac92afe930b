//! The connections that read.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::StoreError;

/// A few read-only connections, used from blocking threads.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let free = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), free }
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

    /// Closes the connections that are idle, and the others when they are done.
    pub(crate) fn close(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
