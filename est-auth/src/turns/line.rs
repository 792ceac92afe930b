//! Lines to wait in.

/// Where somebody waits: a line within lines, the outermost first. Lines within the same line take turns.
///
/// All that wait have lines of one shape: none ends where another goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub(super) rank: Rank,
    pub(super) path: Vec<String>,
}

/// What is called first, whatever the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    First,
    Second,
}

impl Line {
    /// The line with this path.
    #[must_use]
    pub fn new(path: Vec<String>) -> Self {
        Self { rank: Rank::First, path }
    }

    /// The same line behind everybody else: it is called when nobody waits in any other, and makes room for each of them.
    #[must_use]
    pub fn behind(self) -> Self {
        Self { rank: Rank::Second, ..self }
    }
}
