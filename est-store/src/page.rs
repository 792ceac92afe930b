//! Long listings, piece by piece.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A piece of a listing.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What it holds; may be fewer than asked for, and even nothing, while there is a next page.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// A place in a listing, between two items. It stays where it is when items are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl<T> Page<T> {
    /// Makes a page of rows that were read with one more than `limit`, to see whether there are more.
    pub(crate) fn of(mut rows: Vec<(i64, T)>, limit: u32) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(number, _)| Cursor(*number));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next }
    }
}
