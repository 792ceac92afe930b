//! Regular expressions that names must match.

use alloc::string::{String, ToString};
use core::fmt;

use regex::Regex;

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
