//! The sessions that clients may resume, and the clients that cannot read a ticket.

use std::cell::Cell;
use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// How many sessions are kept.
const SESSIONS: usize = 1024;

tokio::task_local! {
    /// Whether the handshake that is under way may end with a ticket. The store of sessions, which knows no connection,
    /// looks here.
    static MAY_SEND: Cell<bool>;
}

/// Ends the handshake that is under way without a ticket.
pub(crate) fn spare_ticket() {
    let _ = MAY_SEND.try_with(|may_send| may_send.set(false));
}

/// Runs one handshake.
pub(super) async fn of_one<T>(handshake: impl Future<Output = T>) -> T {
    MAY_SEND.scope(Cell::new(true), handshake).await
}

/// Keeps sessions in memory. One that is not kept gets no ticket.
#[derive(Debug)]
pub(super) struct Sessions(Arc<ServerSessionMemoryCache>);

impl Sessions {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(ServerSessionMemoryCache::new(SESSIONS)))
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        MAY_SEND.try_with(Cell::get).unwrap_or(true) && self.0.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        self.0.can_cache()
    }
}
