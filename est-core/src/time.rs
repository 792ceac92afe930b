//! Instants and spans, as plain numbers that wear their unit.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

use chrono::DateTime;

/// Seconds since the Unix epoch, read once by the shell for the whole exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

/// A span of whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u64);

impl Seconds {
    /// `days` times 86,400 seconds.
    #[must_use]
    pub const fn from_days(days: u32) -> Self {
        Self(days as u64 * 86_400)
    }
}

/// Fractions of a second are left out.
impl From<Duration> for Seconds {
    fn from(span: Duration) -> Self {
        Self(span.as_secs())
    }
}

impl From<Seconds> for Duration {
    fn from(span: Seconds) -> Self {
        Self::from_secs(span.0)
    }
}

impl From<pki_types::UnixTime> for UnixTime {
    fn from(time: pki_types::UnixTime) -> Self {
        Self(time.as_secs())
    }
}

impl From<UnixTime> for pki_types::UnixTime {
    fn from(time: UnixTime) -> Self {
        Self::since_unix_epoch(Duration::from_secs(time.0))
    }
}

impl Add<Seconds> for UnixTime {
    type Output = Self;

    /// Saturates at the end of time.
    fn add(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// As RFC 3339 writes it: `2026-11-21T09:30:00Z`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|secs| DateTime::from_timestamp(secs, 0)) {
            Some(at) => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%SZ")),
            None => write!(f, "@{}", self.0),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}
