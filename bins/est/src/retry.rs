//! When to try again: pauses that grow, and differ between clients that failed together.

use std::time::Duration;

/// Growing pauses, each between a half and the whole of twice the one before.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause; `draw` says which of its range.
    pub(crate) fn next(&mut self, draw: u32) -> Duration {
        let whole = self.next.min(self.longest);
        self.next = whole.saturating_mul(2);
        jitter(whole, draw)
    }
}

/// Between a half and the whole of `whole`.
pub(crate) fn jitter(whole: Duration, draw: u32) -> Duration {
    let half = whole / 2;
    half + half.mul_f64(f64::from(draw) / f64::from(u32::MAX))
}

/// A random number.
pub(crate) fn draw() -> u32 {
    let mut octets = [0; 4];
    // Without randomness pauses are merely shorter.
    let _ = aws_lc_rs::rand::fill(&mut octets);
    u32::from_ne_bytes(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_one() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(5));
        let drawn: Vec<u64> = (0..5).map(|_| pauses.next(u32::MAX).as_secs()).collect();
        assert_eq!(drawn, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn pauses_differ_by_what_is_drawn() {
        let whole = Duration::from_secs(8);
        assert_eq!([0, u32::MAX].map(|draw| jitter(whole, draw).as_secs()), [4, 8]);
        assert!((5..7).contains(&jitter(whole, u32::MAX / 2).as_secs()));
    }
}
