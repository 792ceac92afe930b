//! Bounds on what one client may take.

use std::time::Duration;

use host::config::Settings;
use tracing::info;

/// File descriptors that the server needs for everything but connections: the database, the listener, logs.
const RESERVED_DESCRIPTORS: u64 = 56;

/// Bounds on what one client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Octets of a request's head.
    pub(crate) header_bytes: usize,
    /// From the connection to the end of the TLS handshake.
    pub(crate) handshake_timeout: Duration,
    /// From the first octet of a request to the last.
    pub(crate) request_timeout: Duration,
    /// Between two requests.
    pub(crate) idle_timeout: Duration,
    /// Connections at once.
    pub(crate) max_connections: usize,
    /// Requests of one connection.
    pub(crate) requests_per_connection: usize,
}

impl Limits {
    /// As `settings` say and the process may.
    pub(crate) fn of(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let wanted = limits.max_connections.get();
        let max_connections = capacity(wanted);
        if max_connections < wanted {
            info!(capacity = max_connections, wanted, "the file-descriptor limit allows fewer connections");
        }
        Self {
            header_bytes: limits.header_bytes,
            handshake_timeout: limits.handshake_timeout,
            request_timeout: limits.request_timeout,
            idle_timeout: limits.idle_timeout,
            max_connections,
            requests_per_connection: limits.requests_per_connection.map_or(usize::MAX, usize::from),
        }
    }
}

/// As many connections as wanted, and as the file-descriptor limit has room for.
fn capacity(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(RESERVED_DESCRIPTORS).max(8);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}
