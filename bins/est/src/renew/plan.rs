//! When what is to be done. Knows no clock and draws nothing: both are arguments.

use std::time::Duration;

use est_core::pkix::Certificate;
use est_core::{Seconds, UnixTime};

use crate::output::{Again, Failure};
use crate::retry::jitter;

/// How long CA certificates count as fresh: servers let them be kept for a day.
const REFRESH: Duration = Duration::from_secs(86_400);

/// The first pause after a trouble that passes, and after a hook that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(120);

/// The longest pause after a trouble that passes.
const HOUR: Duration = Duration::from_secs(3600);

/// The longest pause at all.
const DAY: Duration = Duration::from_secs(86_400);

/// The shortest time between two renewals, whatever the certificates say.
const SHORTEST_LIFE: Seconds = Seconds(60);

/// When a certificate is to be renewed: at the beginning of the last third of its validity, plus a random part of the
/// time until a ninth is left. What remains is for trying again.
///
/// The certificate's fingerprint is the randomness, so that a restart does not draw again, and two certificates do not
/// come together, although they were issued together.
pub(super) fn due(certificate: &Certificate) -> UnixTime {
    let [first, second, third, fourth, ..] = certificate.fingerprint().0;
    let draw = u32::from_be_bytes([first, second, third, fourth]);
    moment(certificate.not_before(), certificate.not_after(), draw)
}

fn moment(not_before: UnixTime, not_after: UnixTime, draw: u32) -> UnixTime {
    let third = not_after.0.saturating_sub(not_before.0) / 3;
    let part = u128::from(third * 2 / 3) * u128::from(draw) / u128::from(u32::MAX);
    UnixTime(not_after.0 - third + u64::try_from(part).unwrap_or(0))
}

/// What is not to be done before when.
#[derive(Debug)]
pub(super) struct Plan {
    renew: Wait,
    refresh: Wait,
    hook: Wait,
}

/// Not before this, after so many failures in a row.
#[derive(Clone, Copy, Debug)]
struct Wait {
    until: UnixTime,
    failures: u32,
}

impl Default for Plan {
    /// All at once.
    fn default() -> Self {
        let at_once = Wait { until: UnixTime(0), failures: 0 };
        Self { renew: at_once, refresh: at_once, hook: at_once }
    }
}

impl Plan {
    pub(super) fn renews(&self, due: UnixTime, now: UnixTime) -> bool {
        now >= due && now >= self.renew.until
    }

    pub(super) fn refreshes(&self, now: UnixTime) -> bool {
        now >= self.refresh.until
    }

    pub(super) fn runs_hook(&self, now: UnixTime) -> bool {
        now >= self.hook.until
    }

    /// When there may be something to do next.
    pub(super) fn wake_at(&self, due: UnixTime) -> UnixTime {
        let hook = (self.hook.failures > 0).then_some(self.hook.until);
        [Some(due.max(self.renew.until)), Some(self.refresh.until), hook].into_iter().flatten().min().unwrap_or(due)
    }

    pub(super) fn renewed(&mut self, now: UnixTime) {
        self.renew = Wait { until: now + SHORTEST_LIFE, failures: 0 };
        // Its command does not wait for what one before it left undone.
        self.hook.until = UnixTime(0);
    }

    pub(super) fn renewal_failed(&mut self, failure: &Failure, now: UnixTime, not_after: UnixTime, draw: u32) {
        let left = Duration::from_secs(not_after.0.saturating_sub(now.0));
        self.renew.fail(failure, Some(left), now, draw);
    }

    pub(super) fn refreshed(&mut self, failure: Option<&Failure>, now: UnixTime, draw: u32) {
        match failure {
            None => self.refresh = Wait { until: after(now, jitter(REFRESH, draw)), failures: 0 },
            Some(failure) => self.refresh.fail(failure, None, now, draw),
        }
    }

    pub(super) fn hook_ran(&mut self, failure: Option<&Failure>, now: UnixTime, draw: u32) {
        match failure {
            None => self.hook = Wait { until: UnixTime(0), failures: 0 },
            Some(failure) => self.hook.fail(failure, None, now, draw),
        }
    }
}

impl Wait {
    /// Waits as the server says; else in growing pauses where the trouble passes; else for hours, since only somebody can
    /// help. `left` is for how long the certificate is good: a quarter of it is not let pass in one pause.
    fn fail(&mut self, failure: &Failure, left: Option<Duration>, now: UnixTime, draw: u32) {
        self.failures += 1;
        let quarter = left.filter(|left| !left.is_zero()).map_or(DAY, |left| left / 4);
        let pause = match failure.again {
            Again::After(pause) => pause.min(DAY) + jitter(FIRST_PAUSE, draw),
            Again::Soon => {
                let grown = FIRST_PAUSE.saturating_mul(1 << (self.failures - 1).min(8)).min(HOUR);
                jitter(grown.min(quarter), draw).max(FIRST_PAUSE / 4)
            }
            Again::Later | Again::Unreadable => jitter(quarter.clamp(HOUR, DAY), draw),
        };
        self.until = after(now, pause);
    }
}

fn after(now: UnixTime, pause: Duration) -> UnixTime {
    now + Seconds(pause.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::output::Exit;

    const BEGIN: UnixTime = UnixTime(1_700_000_000);
    const END: UnixTime = UnixTime(1_700_000_000 + 90 * 86_400);

    fn failure(again: Again) -> Failure {
        Failure { exit: Exit::Failed, text: String::new(), again }
    }

    fn days(from: UnixTime, to: UnixTime) -> u64 {
        (to.0 - from.0) / 86_400
    }

    #[test]
    fn renews_in_the_last_third_and_leaves_a_ninth_to_try_again() {
        for (draw, day) in [(0, 60), (u32::MAX / 2, 69), (u32::MAX, 80)] {
            assert_eq!(days(BEGIN, moment(BEGIN, END, draw)), day);
        }
        // Of short validity, and of none.
        assert_eq!(moment(BEGIN, BEGIN + Seconds(9), u32::MAX), BEGIN + Seconds(8));
        assert_eq!(moment(BEGIN, BEGIN, u32::MAX), BEGIN);
        let forever = UnixTime(253_402_300_799);
        assert!(moment(BEGIN, forever, u32::MAX) < forever);
    }

    #[test]
    fn another_certificate_has_another_moment_and_the_same_one_the_same() {
        use crate::issued::tests::certificate;
        let (signer, _) = est_backends::FileSigner::generate(est_core::pkix::KeyType::EcdsaP256).unwrap();
        let certificate = |subject: &str| Certificate::parse(&certificate(&signer, subject)).unwrap();
        let one = certificate("CN=a");
        assert_eq!(due(&one), due(&Certificate::parse(one.as_der()).unwrap()));
        let moments: std::collections::BTreeSet<_> = (0..8).map(|at| due(&certificate(&format!("CN={at}")))).collect();
        assert_eq!(moments.len(), 8);
    }

    #[test]
    fn tries_what_passes_again_in_growing_pauses() {
        let mut plan = Plan::default();
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                plan.renewal_failed(&failure(Again::Soon), BEGIN, END, u32::MAX);
                plan.renew.until.0 - BEGIN.0
            })
            .collect();
        assert_eq!(pauses, [120, 240, 480, 960, 1920, 3600, 3600]);
        assert!(!plan.renews(BEGIN, BEGIN + Seconds(3599)) && plan.renews(BEGIN, BEGIN + Seconds(3600)));
    }

    #[test]
    fn does_not_let_a_short_certificate_end_in_one_pause() {
        let mut plan = Plan::default();
        for _ in 0..6 {
            plan.renewal_failed(&failure(Again::Soon), BEGIN, BEGIN + Seconds(400), u32::MAX);
        }
        assert_eq!(plan.renew.until, BEGIN + Seconds(100));
    }

    #[test]
    fn waits_as_long_as_the_server_says_up_to_a_day() {
        for (said, waits) in [(600, 600 + 120), (10 * 86_400, 86_400 + 120)] {
            let mut plan = Plan::default();
            plan.renewal_failed(&failure(Again::After(Duration::from_secs(said))), BEGIN, END, u32::MAX);
            assert_eq!(plan.renew.until, BEGIN + Seconds(waits), "{said}");
        }
    }

    #[test]
    fn tries_what_was_refused_again_after_hours() {
        for (left, waits) in [(90 * 86_400, 86_400), (8 * 3600, 2 * 3600), (60, 3600), (0, 86_400)] {
            let mut plan = Plan::default();
            plan.renewal_failed(&failure(Again::Later), BEGIN, BEGIN + Seconds(left), u32::MAX);
            assert_eq!(plan.renew.until, BEGIN + Seconds(waits), "{left}");
        }
    }

    #[test]
    fn wakes_for_what_comes_first() {
        let mut plan = Plan::default();
        plan.refreshed(None, BEGIN, u32::MAX);
        assert_eq!(plan.wake_at(END), BEGIN + Seconds(86_400));
        assert_eq!(plan.wake_at(BEGIN + Seconds(5)), BEGIN + Seconds(5));
        plan.hook_ran(Some(&failure(Again::Soon)), BEGIN, u32::MAX);
        assert_eq!(plan.wake_at(END), BEGIN + Seconds(120));
        assert!(!plan.runs_hook(BEGIN));
        plan.renewed(BEGIN);
        assert!(plan.runs_hook(BEGIN), "a new certificate has its command run at once");
        assert!(!plan.renews(BEGIN, BEGIN), "never without a pause, whatever the certificate says");
    }
}
