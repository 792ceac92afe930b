//! Certificate serial numbers, and the randomness they are made of.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroize;

/// 32 octets from the shell's CSPRNG, drawn once for the whole exchange.
#[derive(Clone)]
pub struct Entropy(pub [u8; 32]);

impl Drop for Entropy {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// A certificate serial number: 20 octets, positive (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Takes the first 20 octets of `entropy` and fixes the two highest bits to `01`.
    ///
    /// What is left are 158 random bits in a number that always fills 20 octets: positive, and short enough
    /// for RFC 5280's bound without a leading zero.
    #[must_use]
    pub fn from_entropy(entropy: &Entropy) -> Self {
        let mut octets = [0; 20];
        octets.copy_from_slice(&entropy.0[..20]);
        octets[0] = octets[0] & 0x3f | 0x40;
        Self(octets)
    }

    /// Reads back the octets of [`Serial::as_bytes`]; `None` unless they are those of a serial of ours.
    #[must_use]
    pub fn from_bytes(octets: &[u8]) -> Option<Self> {
        let octets: [u8; 20] = octets.try_into().ok()?;
        (octets[0] & 0xc0 == 0x40).then_some(Self(octets))
    }

    /// The contents octets of the serial's DER INTEGER.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Upper-case hexadecimal with colons, as operators see it everywhere.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&colon_hex(&self.0))
    }
}

/// Writes octets as `0A:1B:2C`.
pub(crate) fn colon_hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(octets.len() * 3);
    for (index, octet) in octets.iter().enumerate() {
        if index > 0 {
            text.push(':');
        }
        text.extend([octet >> 4, octet & 0x0f].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    text
}
