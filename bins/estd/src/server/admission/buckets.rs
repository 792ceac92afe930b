//! How often somebody may ask: token buckets, in a table that never grows.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many requests each second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How long one request takes to be forgotten.
    interval_nanos: u64,
    /// How much time may be owed.
    burst_nanos: u64,
}

impl Rate {
    /// Both at least 1.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self::every(1_000_000_000 / u64::from(per_second.max(1)), burst)
    }

    /// So many a minute, at least 1; all of them at once, too.
    pub(crate) fn per_minute(requests: u32) -> Self {
        Self::every(60_000_000_000 / u64::from(requests.max(1)), requests)
    }

    fn every(interval_nanos: u64, burst: u32) -> Self {
        Self { interval_nanos, burst_nanos: interval_nanos * u64::from(burst.max(1)) }
    }
}

/// Slots that one lock guards, and in which a key may lie.
const WAYS: usize = 8;

/// A table of token buckets: one for each client that has asked lately.
///
/// A bucket is the time at which it will be full again (the generic cell rate algorithm), so one that is full says
/// nothing and gives its slot away. Where a new key finds none, it takes that of the fullest bucket: a client
/// over its rate has the emptiest, and stays; a client that is forgotten is let in. A flood from more sources than there are
/// slots is not held off here, because none of them asks often.
pub(crate) struct Buckets {
    hashing: RandomState,
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// The key's hash, by a secret that nobody can aim at: two keys with the same one share a bucket.
    key: u64,
    full_at_nanos: u64,
}

impl Buckets {
    /// A table for so many keys, rounded up to a power of two: 16 octets each.
    pub(crate) fn new(keys: usize) -> Self {
        let sets = (keys / WAYS).next_power_of_two();
        Self { hashing: RandomState::new(), sets: (0..sets).map(|_| Mutex::default()).collect() }
    }

    /// Takes a token of `key` out of its bucket at `now`, a time since whenever; or tells after how long there is one.
    pub(crate) fn take(&self, key: &(impl Hash + ?Sized), rate: Rate, now: Duration) -> Result<(), Duration> {
        self.weigh(key, rate, now, |bucket, fuller| *bucket = fuller)
    }

    /// Whether there is a token of `key` at `now`; takes none.
    pub(crate) fn look(&self, key: &(impl Hash + ?Sized), rate: Rate, now: Duration) -> Result<(), Duration> {
        self.weigh(key, rate, now, |_, _| ())
    }

    fn weigh(
        &self,
        key: &(impl Hash + ?Sized),
        rate: Rate,
        now: Duration,
        take: impl FnOnce(&mut Bucket, Bucket),
    ) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2);
        let key = self.hashing.hash_one(key);
        // The length is a power of two, far below what a usize holds.
        let set = &self.sets[(key as usize) & (self.sets.len() - 1)];
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let known = set.iter().position(|bucket| bucket.key == key);
        let place =
            known.unwrap_or_else(|| (0..WAYS).min_by_key(|place| set[*place].full_at_nanos).expect("a set has slots"));
        let owed_until = if known.is_some() { set[place].full_at_nanos.max(now) } else { now };
        let full_at_nanos = owed_until + rate.interval_nanos;
        match full_at_nanos.checked_sub(now + rate.burst_nanos) {
            None | Some(0) => {
                take(&mut set[place], Bucket { key, full_at_nanos });
                Ok(())
            }
            Some(too_early) => Err(Duration::from_nanos(too_early)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn millis(millis: u64) -> Duration {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn lets_a_burst_through_and_then_the_rate() {
        let buckets = Buckets::new(64);
        let rate = Rate::new(10, 5);
        (0..5).for_each(|_| buckets.take("a", rate, START).unwrap());
        assert_eq!(buckets.take("a", rate, START), Err(Duration::from_millis(100)));
        assert_eq!(buckets.take("a", rate, millis(60)), Err(Duration::from_millis(40)));
        buckets.take("a", rate, millis(100)).unwrap();
        assert!(buckets.take("a", rate, millis(100)).is_err());
        // Full again after a while, and not fuller.
        assert_eq!((0..9).filter(|_| buckets.take("a", rate, millis(60_000)).is_ok()).count(), 5);
        buckets.take("b", rate, millis(60_000)).unwrap();
    }

    #[test]
    fn a_look_takes_nothing_and_a_minute_brings_all_of_them_back() {
        let buckets = Buckets::new(64);
        let rate = Rate::per_minute(2);
        for _ in 0..2 {
            assert_eq!(buckets.look("a", rate, START), Ok(()));
            buckets.take("a", rate, START).unwrap();
        }
        assert_eq!(buckets.look("a", rate, START), Err(Duration::from_secs(30)));
        assert_eq!(buckets.look("a", rate, millis(30_000)), Ok(()));
        assert_eq!((0..9).filter(|_| buckets.take("a", rate, millis(60_000)).is_ok()).count(), 2);
    }

    #[test]
    fn whatever_the_times_nobody_gets_more_than_the_rate_and_the_burst() {
        for seed in 1..100_u64 {
            let rate = Rate::new(u32::try_from(1 + seed % 50).unwrap(), u32::try_from(1 + seed % 7).unwrap());
            let (per_second, burst) = (1 + seed % 50, 1 + seed % 7);
            let buckets = Buckets::new(8);
            let (mut state, mut at, mut granted) = (seed, 0, 0);
            for _ in 0..500 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                at += (state >> 33) % 40;
                match buckets.take(&seed, rate, millis(at)) {
                    Ok(()) => granted += 1,
                    Err(wait) => {
                        let soon = millis(at) + wait;
                        assert!(buckets.take(&seed, rate, soon - Duration::from_nanos(1)).is_err());
                    }
                }
            }
            assert!(granted <= burst + 1 + at * per_second / 1_000, "{granted} in {at} ms at {per_second}/s");
            assert!(granted >= at * per_second / 1_000 / 3, "{granted} in {at} ms at {per_second}/s");
        }
    }

    #[test]
    fn a_flood_from_many_addresses_does_not_free_one_who_asks_too_often() {
        let buckets = Buckets::new(64);
        let rate = Rate::new(10, 5);
        (0..5).for_each(|_| buckets.take("greedy", rate, START).unwrap());
        for number in 0..100_000 {
            // Each of the flood asks once: its bucket is fuller than the one that it might push out.
            buckets.take(&number, rate, START).unwrap();
        }
        assert!(buckets.take("greedy", rate, START).is_err());
    }

    #[test]
    fn a_flood_harms_nobody_who_asks_seldom() {
        let buckets = Buckets::new(64);
        let rate = Rate::new(10, 5);
        for number in 0..10_000 {
            buckets.take(&number, rate, millis(number / 10)).unwrap();
            if number % 1_000 == 0 {
                buckets.take("honest", rate, millis(number / 10)).unwrap();
            }
        }
    }
}
