//! The time that the store reads: for leases, and for when an event was written down.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use est_core::{Seconds, UnixTime};

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(pub u64);

impl UnixMicros {
    /// The second that it falls in.
    #[must_use]
    pub fn seconds(self) -> UnixTime {
        UnixTime(self.0 / 1_000_000)
    }

    pub(crate) fn after(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0.saturating_mul(1_000_000)))
    }
}

/// As RFC 3339 writes it: `2026-11-21T09:30:00.000250Z`.
impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds().to_string();
        write!(f, "{}.{:06}Z", seconds.trim_end_matches('Z'), self.0 % 1_000_000)
    }
}

/// Where the store reads the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixMicros + Send + Sync>);

impl Clock {
    /// Reads the time from `now`.
    pub fn new(now: impl Fn() -> UnixMicros + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Reads the operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMicros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
        })
    }

    pub(crate) fn now(&self) -> UnixMicros {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_microseconds_with_six_digits() {
        assert_eq!(UnixMicros(1_795_253_400_000_250).to_string(), "2026-11-21T09:30:00.000250Z");
    }
}
