//! The time that the store reads: for leases, and for when an event was written down.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// The text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixMicrosError;

impl fmt::Display for UnixMicrosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time: write it as 2026-11-21T09:30:00Z, or 2026-11-21 for the beginning of that day, UTC")
    }
}

impl std::error::Error for UnixMicrosError {}

impl FromStr for UnixMicros {
    type Err = UnixMicrosError;

    /// Reads what RFC 3339 writes in UTC, with at most six digits of a second, from 1970 to 9999; or a date alone, for
    /// its beginning.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
        let time = time.strip_suffix('Z').ok_or(UnixMicrosError)?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let [fraction] = numbers(&format!("{fraction:0<6}"), '.', [6])?;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in = |month: u64| match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let is_good = (1..=12).contains(&month) && (1..=days_in(month)).contains(&day);
        if year < 1970 || !is_good || hour > 23 || minute > 59 || second > 59 {
            return Err(UnixMicrosError);
        }
        let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
        let years = 365 * (year - 1970) + leap_days(year - 1) - leap_days(1969);
        let days = years + (1..month).map(days_in).sum::<u64>() + day - 1;
        Ok(Self((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction))
    }
}

/// Numbers with so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Result<[u64; N], UnixMicrosError> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|octet| octet.is_ascii_digit()));
        *number = part.and_then(|part| part.parse().ok()).ok_or(UnixMicrosError)?;
    }
    if parts.next().is_none() { Ok(numbers) } else { Err(UnixMicrosError) }
}

/// Where the store reads the time.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> UnixMicros + Send + Sync>,
    steady: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// Reads the time from `now`, which nobody sets.
    pub fn new(now: impl Fn() -> UnixMicros + Send + Sync + 'static) -> Self {
        let now = Arc::new(now);
        let same = now.clone();
        Self { now, steady: Arc::new(move || Duration::from_micros(same().0)) }
    }

    /// The same, which somebody may set: how much time has gone by is read from `steady`.
    #[must_use]
    pub fn with_steady(self, steady: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { steady: Arc::new(steady), ..self }
    }

    /// Reads the operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        let begun = Instant::now();
        let now = || {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMicros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
        };
        Self::new(now).with_steady(move || begun.elapsed())
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> UnixMicros {
        (self.now)()
    }

    /// How much time has gone by since some time, whatever becomes of the clock.
    pub(crate) fn steady(&self) -> Duration {
        (self.steady)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}

/// How far a clock may be from what it should show before it counts as set.
const SET: u64 = 10_000_000;

/// For how long nobody may have set a clock before something is deleted by it.
const SETTLED: Duration = Duration::from_mins(10);

/// For how long nobody may have set it before it is believed against the last audit record.
const BELIEVED: Duration = Duration::from_hours(24);

/// Watches a clock for being set, and asks whether it was right from the start: what is deleted by a wrong one does not come
/// back.
pub(crate) struct Watch {
    last: (UnixMicros, Duration),
    since: Duration,
    /// When something was last written before this process began, and how much time had gone by then.
    anchor: Option<(UnixMicros, Duration)>,
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn new(clock: &Clock) -> Self {
        let (now, steady) = (clock.now(), clock.steady());
        Self { last: (now, steady), since: steady, anchor: None }
    }

    /// Goes by the time of an audit record that was written before anything else was done: it was that time at least. More
    /// of it may have gone by, or the clock be ahead.
    pub(crate) fn anchor(&mut self, written: UnixMicros, clock: &Clock) {
        self.anchor = Some((written, clock.steady()));
    }

    /// Up to which time things are over: `None` where somebody has set the clock a while ago, as far as was looked.
    pub(crate) fn over(&mut self, clock: &Clock) -> Option<UnixMicros> {
        let (before, now, steady) = (clock.steady(), clock.now(), clock.steady());
        // Who was stopped while it looked, has not seen one moment.
        if u64::try_from(steady.saturating_sub(before).as_micros()).unwrap_or(u64::MAX) > SET {
            return None;
        }
        let (then, steady_then) = self.last;
        let gone_by = u64::try_from(steady.saturating_sub(steady_then).as_micros()).unwrap_or(u64::MAX);
        if now.0.abs_diff(then.0.saturating_add(gone_by)) > SET {
            self.since = steady;
        }
        self.last = (now, steady);
        let settled = steady.saturating_sub(self.since);
        match self.anchor {
            _ if settled < SETTLED => None,
            Some((written, since)) if settled < BELIEVED => {
                let gone_by = u64::try_from(steady.saturating_sub(since).as_micros()).unwrap_or(u64::MAX);
                Some(now.min(UnixMicros(written.0.saturating_add(gone_by))))
            }
            _ => Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_microseconds_with_six_digits() {
        assert_eq!(UnixMicros(1_795_253_400_000_250).to_string(), "2026-11-21T09:30:00.000250Z");
    }

    #[test]
    fn a_clock_that_was_set_is_not_believed_for_a_while() {
        let clock = |now: u64, steady: u64| {
            Clock::new(move || UnixMicros(now * 1_000_000)).with_steady(move || Duration::from_secs(steady))
        };
        let mut watch = Watch::new(&clock(1_000, 0));
        let mut is_settled = |now, steady| watch.over(&clock(now, steady)).is_some();
        const YEAR: u64 = 400 * 86_400;
        assert!(!is_settled(1_000, 0), "it has just begun");
        assert!(!is_settled(1_599, 599));
        assert!(is_settled(1_600, 600));
        assert!(is_settled(90_003, 89_000), "a clock may be a little slow or fast");
        assert!(!is_settled(YEAR, 89_001), "set ahead");
        assert!(!is_settled(90_010, 89_005), "and back");
        assert!(!is_settled(90_604, 89_604));
        assert!(is_settled(90_606, 89_605));
    }

    #[test]
    fn a_clock_that_was_ahead_from_the_start_deletes_no_more_than_the_last_audit_record_supports() {
        const AHEAD: u64 = 400 * 86_400;
        let over = |written: Option<u64>, steady: u64| {
            let clock = |steady: u64| {
                let now = UnixMicros((AHEAD + steady) * 1_000_000);
                Clock::new(move || now).with_steady(move || Duration::from_secs(steady))
            };
            let mut watch = Watch::new(&clock(0));
            if let Some(written) = written {
                watch.anchor(UnixMicros(written * 1_000_000), &clock(0));
            }
            watch.over(&clock(steady)).map(|over| over.0 / 1_000_000)
        };
        assert_eq!(over(Some(1_000), 599), None);
        assert_eq!(over(Some(1_000), 600), Some(1_600));
        assert_eq!(over(Some(1_000), 86_399), Some(87_399));
        assert_eq!(over(Some(1_000), 86_400), Some(AHEAD + 86_400), "after a day somebody has seen it");
        assert_eq!(over(Some(AHEAD - 60), 600), Some(AHEAD + 540));
        assert_eq!(over(Some(AHEAD + 60), 600), Some(AHEAD + 600), "the record is from a clock that was ahead");
        assert_eq!(over(None, 600), Some(AHEAD + 600), "there is nothing to delete");
    }

    #[test]
    fn reads_what_it_writes() {
        for days in 0..60_000 {
            let at = UnixMicros(days * 86_399_987_654);
            assert_eq!(at.to_string().parse(), Ok(at), "{at}");
        }
        assert_eq!("2026-11-21".parse(), Ok(UnixMicros(1_795_219_200_000_000)));
        assert_eq!("2026-11-21T09:30:00.25Z".parse(), Ok(UnixMicros(1_795_253_400_250_000)));
    }

    #[test]
    fn reads_no_time_that_is_none() {
        let wrong = [
            "",
            "2026",
            "2026-11-31",
            "2027-02-29",
            "2026-13-01",
            "2026-00-01",
            "1969-12-31",
            "2026-11-21T24:00:00Z",
            "2026-11-21T09:30:00",
            "2026-11-21T09:30Z",
            "2026-11-21T09:30:00.0000001Z",
            "2026-11-21T09:30:60Z",
            "2026-11-21T09:30:00+01:00",
            "2026-1-2",
            "+026-11-21",
            "2026-11-21-01",
        ];
        for text in wrong {
            assert_eq!(text.parse::<UnixMicros>(), Err(UnixMicrosError), "{text}");
        }
    }
}
