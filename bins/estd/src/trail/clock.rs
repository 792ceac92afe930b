//! A clock that somebody sets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use est_store::{Database, ServerEvent, UnixMicros};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

/// How often to look.
const EVERY: Duration = Duration::from_secs(5);
/// A clock that is kept right is slewed, and the steady one with it: they stay closer than this. So does a leap second.
const DRIFT: Duration = Duration::from_secs(1);

/// What the two clocks of a machine tell at one moment: the one that somebody may set, and the one that nobody can.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Since 1970.
    time: Duration,
    /// Since the machine started, time asleep included.
    steady: Duration,
}

impl Moment {
    fn now() -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let steady = clock_gettime(ClockId::Boottime).try_into().unwrap_or_default();
        Self { time, steady }
    }

    /// What the clock would tell at `later` if it had not been set, where it was.
    fn misses(self, later: Self) -> Option<Duration> {
        let expected = self.time.saturating_add(later.steady.saturating_sub(self.steady));
        (expected.abs_diff(later.time) > DRIFT).then_some(expected)
    }
}

/// Writes down whenever the clock was set, for as long as the server runs.
pub(super) async fn watch(store: Database) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = Moment::now();
    loop {
        ticks.tick().await;
        let now = Moment::now();
        // Held against the last moment that is known of, so that many small steps are one that is noticed.
        let Some(expected) = known.misses(now) else { continue };
        let reason = format!("from {} to {}", text(expected), text(now.time));
        warn!("the system's clock was set {reason}: validity and schedules use the new time");
        match store.note(ServerEvent::TimeChanged, Some(reason)).await {
            Ok(()) => known = now,
            Err(error) => error!(%error, "the change of the clock could not be recorded"),
        }
    }
}

fn text(time: Duration) -> UnixMicros {
    UnixMicros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_its_way_is_no_news_and_one_that_was_set_is() {
        let first = Moment { time: Duration::from_secs(1_000), steady: Duration::from_secs(7) };
        let after = |time| Moment { time: Duration::from_millis(time), steady: first.steady + EVERY };
        for time in [1_005_000, 1_004_000, 1_006_000] {
            assert_eq!(first.misses(after(time)), None);
        }
        // In steps, too: it is held against the first moment.
        for time in [1_003_999, 1_006_001, 0, 9_000_000] {
            assert_eq!(first.misses(after(time)), Some(Duration::from_secs(1_005)));
        }
    }
}
