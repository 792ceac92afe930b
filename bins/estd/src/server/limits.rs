//! Bounds on what one client may take.

use std::time::Duration;

use host::config::Settings;
use tracing::info;

/// File descriptors that the server needs for everything but connections: the listeners, SQLite's files, logs, sinks.
const RESERVED_DESCRIPTORS: u64 = 56;

/// Bounds on what one client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Octets of a request's head.
    pub(crate) header_bytes: usize,
    /// From the connection to the end of the TLS handshake.
    pub(crate) handshake_timeout: Duration,
    /// From the first octet of a request to the last, and from its head to the answer.
    pub(crate) request_timeout: Duration,
    /// Between two requests.
    pub(crate) idle_timeout: Duration,
    /// Connections at once.
    pub(crate) max_connections: usize,
    /// Connections of one source at once.
    pub(crate) connections_per_source: usize,
    /// Requests of one connection.
    pub(crate) requests_per_connection: usize,
}

impl Limits {
    /// As `settings` say and the process may.
    pub(crate) fn of(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let wanted = limits.max_connections.get();
        let others = if settings.admin.enabled { settings.admin.max_connections.get() } else { 0 };
        // One more than the pool has writes the audit trail.
        let reserved = RESERVED_DESCRIPTORS + (others + settings.db.max_connections.get() + 1) as u64;
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let max_connections = capacity(wanted, reserved, descriptors.unwrap_or(u64::MAX));
        if max_connections < wanted {
            info!(capacity = max_connections, wanted, "the file-descriptor limit allows fewer connections");
        }
        Self {
            header_bytes: limits.header_bytes,
            handshake_timeout: limits.handshake_timeout,
            request_timeout: limits.request_timeout,
            idle_timeout: limits.idle_timeout,
            max_connections,
            connections_per_source: limits.connections_per_source.map_or(max_connections.div_ceil(4), usize::from),
            requests_per_connection: limits.requests_per_connection.map_or(usize::MAX, usize::from),
        }
    }
}

/// As many connections as wanted, and as so many descriptors have room for without the reserved ones.
fn capacity(wanted: usize, reserved: u64, descriptors: u64) -> usize {
    let room = descriptors.saturating_sub(reserved).max(8);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_the_descriptors_to_operators_and_the_database_that_they_may_take() {
        for (wanted, reserved, descriptors, expected) in
            [(10_000, 126, 256, 130), (100, 126, 256, 100), (10_000, 126, 100, 8), (10_000, 126, u64::MAX, 10_000)]
        {
            assert_eq!(capacity(wanted, reserved, descriptors), expected, "{descriptors}");
        }
    }
}
