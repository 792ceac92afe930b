//! How the CAs do, as their orders show.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use est_core::UnixTime;

/// How each CA does.
#[derive(Default)]
pub struct Vitals(Mutex<BTreeMap<String, Vital>>);

/// How a CA does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vital {
    /// When it was last asked to issue.
    pub last_check: Option<UnixTime>,
    /// When it last issued.
    pub last_sign_time: Option<UnixTime>,
    /// How long that took.
    pub latency: Option<Duration>,
    /// How many orders have failed since.
    pub consecutive_failures: u32,
}

impl Vitals {
    /// How the CA with this id does.
    #[must_use]
    pub fn of(&self, ca: &str) -> Vital {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(ca).cloned().unwrap_or_default()
    }

    /// Takes note of an order.
    pub fn note(&self, ca: &str, succeeded: bool, took: Duration, now: UnixTime) {
        let mut vitals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let vital = vitals.entry(ca.to_owned()).or_default();
        vital.last_check = Some(now);
        if succeeded {
            vital.last_sign_time = Some(now);
            vital.latency = Some(took);
            vital.consecutive_failures = 0;
        } else {
            vital.consecutive_failures = vital.consecutive_failures.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_failures_until_a_success() {
        let vitals = Vitals::default();
        let (quick, slow) = (Duration::from_millis(2), Duration::from_secs(9));
        vitals.note("main", true, quick, UnixTime(10));
        vitals.note("main", false, slow, UnixTime(20));
        vitals.note("main", false, slow, UnixTime(30));
        let vital = vitals.of("main");
        assert_eq!((vital.consecutive_failures, vital.last_check), (2, Some(UnixTime(30))));
        assert_eq!((vital.last_sign_time, vital.latency), (Some(UnixTime(10)), Some(quick)));
        vitals.note("main", true, quick, UnixTime(40));
        assert_eq!(vitals.of("main").consecutive_failures, 0);
        assert_eq!(vitals.of("other"), Vital::default());
    }
}
