//! Text that must not be seen.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroize;

/// A password or token: overwritten when dropped, absent from `Debug`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes over `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the code that checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
