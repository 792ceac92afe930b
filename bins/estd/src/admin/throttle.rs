//! How much somebody has asked for lately.

use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::server::{Buckets, KEYS, Rate};

/// Counts what each caller does within a minute.
pub(super) struct Throttle {
    buckets: Buckets,
    /// What times are counted from.
    epoch: Instant,
}

impl Throttle {
    pub(super) fn new(epoch: Instant) -> Self {
        Self { buckets: Buckets::new(KEYS), epoch }
    }

    /// Counts one more for `who`, which may have `limit` a minute.
    ///
    /// # Errors
    /// How many seconds until there is room again, when there is none.
    pub(super) fn take(&self, who: &(impl Hash + ?Sized), limit: u32, now: Instant) -> Result<(), u64> {
        let taken = self.buckets.take(who, Rate::per_minute(limit), now.saturating_duration_since(self.epoch));
        taken.map_err(seconds)
    }

    /// Whether there is room for `who`, without counting.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn look(&self, who: &(impl Hash + ?Sized), limit: u32, now: Instant) -> Result<(), u64> {
        let room = self.buckets.look(who, Rate::per_minute(limit), now.saturating_duration_since(self.epoch));
        room.map_err(seconds)
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::server::Source;

    #[test]
    fn lets_so_many_a_minute_through_and_says_when_there_is_room_again() {
        let start = Instant::now();
        let throttle = Throttle::new(start);
        assert_eq!(throttle.take("a", 2, start), Ok(()));
        assert_eq!(throttle.look("a", 2, start), Ok(()));
        assert_eq!(throttle.take("a", 2, start), Ok(()));
        let later = start + Duration::from_secs(20);
        assert_eq!(throttle.take("a", 2, later), Err(10));
        assert_eq!(throttle.look("a", 2, later), Err(10));
        assert_eq!(throttle.take("b", 2, later), Ok(()));
        assert_eq!(throttle.take("a", 2, start + Duration::from_secs(30)), Ok(()));
    }

    #[test]
    fn strangers_however_many_keep_out_nobody_who_comes_after_them() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        for number in 0..200_000 {
            assert_eq!(throttle.take(&Source::from(IpAddr::V4(Ipv4Addr::from_bits(number))), 2, now), Ok(()));
        }
        for number in 300_000..310_000 {
            assert_eq!(throttle.take(&Source::from(IpAddr::V4(Ipv4Addr::from_bits(number))), 2, now), Ok(()));
        }
    }

    #[test]
    fn one_network_of_many_addresses_is_one_source() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        let source = |number: u128| Source::from(IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + number)));
        let heard = (0..100).filter(|number| throttle.take(&source(*number), 10, now).is_ok());
        assert_eq!(heard.count(), 10);
    }
}
