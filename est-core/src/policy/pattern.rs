//! Regular expressions that names must match.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;

use regex::{Error, Regex, RegexBuilder};

/// How much memory a small pattern may take, in octets.
const SMALL: usize = 256 * 1024;

/// A regular expression that a name's text must match. Matching takes linear time.
///
/// A subject is matched as RFC 4514 text in which a comma or plus sign within a value is written as `\2C` and `\2B`: a
/// value cannot pass for another attribute.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Regex::new(pattern).map(Self).map_err(|error| error.to_string())
    }

    /// As [`new`](Self::new), for a pattern that may take little memory and time to compile: it is not compiled once, when the
    /// server starts, but for each client that it applies to.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub(super) fn small(pattern: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(pattern).size_limit(SMALL).build();
        built.map(Self).map_err(|error| {
            let what = if matches!(error, Error::CompiledTooBig(_)) {
                "is too large once it is compiled: write [a-z0-9-] instead of \\w, and smaller numbers in braces"
            } else {
                "is not a regular expression"
            };
            what.to_owned()
        })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it matches `text`, or a part of it where it is not anchored.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.as_str())
    }
}
