//! Keys whose private halves are known: those of Debian's weak generator, published ones, and an operator's own list.

use alloc::vec::Vec;
use core::fmt;

use super::{KeyError, SubjectPublicKeyInfo};

/// The first octets of a SHA-256: with half a million of them, one innocent key in 500 million is mistaken for another.
type Prefix = [u8; 6];

/// What `blocklist/README.md` describes.
static DEBIAN_WEAK: &[Prefix] = include_bytes!("blocklist/debian-weak.bin").as_chunks().0;
static PUBLISHED: &[Prefix] = include_bytes!("blocklist/published.bin").as_chunks().0;

/// A list of keys that nobody may have certified.
#[derive(Clone, Debug)]
pub struct KeyBlocklist(Hashes);

/// Sorted hashes of SubjectPublicKeyInfos.
#[derive(Clone, Debug)]
enum Hashes {
    Prefixes(&'static [Prefix]),
    Whole(Vec<[u8; 32]>),
}

/// A line of a blocklist that is not the SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlocklistError {
    /// Which line, counted from 1.
    pub line: usize,
}

impl KeyBlocklist {
    /// The keys that Debian's OpenSSL of 2006 to 2008 could make (CVE-2008-0166), as far as the list goes: RSA-2048 with
    /// the exponent 65537, P-256 and P-384.
    #[must_use]
    pub const fn debian_weak() -> Self {
        Self(Hashes::Prefixes(DEBIAN_WEAK))
    }

    /// Keys whose private halves stand in RFCs, NIST's test vectors and well-known test suites.
    #[must_use]
    pub const fn published() -> Self {
        Self(Hashes::Prefixes(PUBLISHED))
    }

    /// Refuses the keys of the two lists that are built in. [`decide`](crate::policy::decide) does so; call it for
    /// a key from elsewhere.
    ///
    /// # Errors
    /// [`KeyError::DebianWeak`], [`KeyError::Published`].
    pub fn refuse_known(key: &SubjectPublicKeyInfo) -> Result<(), KeyError> {
        let hash = key.digest();
        if Self::debian_weak().holds(&hash) {
            return Err(KeyError::DebianWeak);
        }
        if Self::published().holds(&hash) {
            return Err(KeyError::Published);
        }
        Ok(())
    }

    /// Reads an operator's own list: on each line the SHA-256 of a SubjectPublicKeyInfo in DER, in hexadecimal; what
    /// follows a `#` is a comment.
    ///
    /// # Errors
    /// [`BlocklistError`], the first line that is something else.
    pub fn parse(text: &[u8]) -> Result<Self, BlocklistError> {
        let mut hashes = Vec::new();
        for (index, line) in text.split(|octet| *octet == b'\n').enumerate() {
            let line = line.split(|octet| *octet == b'#').next().unwrap_or_default().trim_ascii();
            if !line.is_empty() {
                hashes.push(read_hash(line).ok_or(BlocklistError { line: index + 1 })?);
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Self(Hashes::Whole(hashes)))
    }

    /// Whether a key is on the list.
    #[must_use]
    pub fn contains(&self, key: &SubjectPublicKeyInfo) -> bool {
        self.holds(&key.digest())
    }

    fn holds(&self, hash: &[u8; 32]) -> bool {
        match &self.0 {
            Hashes::Prefixes(hashes) => hash.first_chunk().is_some_and(|prefix| hashes.binary_search(prefix).is_ok()),
            Hashes::Whole(hashes) => hashes.binary_search(hash).is_ok(),
        }
    }

    /// How many keys are on the list.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Hashes::Prefixes(hashes) => hashes.len(),
            Hashes::Whole(hashes) => hashes.len(),
        }
    }

    /// Whether no key is on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn read_hash(line: &[u8]) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = line.as_chunks() else { return None };
    if pairs.len() != hash.len() {
        return None;
    }
    for (octet, [high, low]) in hash.iter_mut().zip(pairs) {
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

impl fmt::Display for BlocklistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not a SHA-256 in hexadecimal", self.line)
    }
}

impl core::error::Error for BlocklistError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_whole() {
        for (list, octets) in [
            (DEBIAN_WEAK, include_bytes!("blocklist/debian-weak.bin").len()),
            (PUBLISHED, include_bytes!("blocklist/published.bin").len()),
        ] {
            assert!(list.is_sorted_by(|a, b| a < b));
            assert_eq!(list.len() * 6, octets);
        }
    }
}
