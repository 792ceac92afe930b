//! Serial numbers of any CA, as people type them.

use std::fmt;
use std::str::FromStr;

/// The serial number of a certificate of any CA: the contents octets of its DER INTEGER.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SerialNumber(Vec<u8>);

/// The text is not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumberError;

impl fmt::Display for SerialNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a serial number: write it in hexadecimal, as 0A:1B:2C, 0a1b2c or 0x0a1b2c")
    }
}

impl std::error::Error for SerialNumberError {}

impl SerialNumber {
    /// Takes the contents octets of a DER INTEGER.
    #[must_use]
    pub fn from_contents(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }

    /// The contents octets of the DER INTEGER.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for SerialNumber {
    type Err = SerialNumberError;

    /// Reads a positive number in hexadecimal, with or without `0x`, colons or leading zeros, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let digits = text.chars().filter(|character| *character != ':');
        let digits: Vec<u8> = digits
            .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(SerialNumberError))
            .collect::<Result<_, _>>()?;
        // RFC 5280 has 20 octets at most; some CAs went beyond.
        if digits.is_empty() || digits.len() > 128 {
            return Err(SerialNumberError);
        }
        let mut octets: Vec<u8> = digits.rchunks(2).rev().map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
        octets.drain(..zeros);
        if octets[0] & 0x80 != 0 {
            octets.insert(0, 0);
        }
        Ok(Self(octets))
    }
}

/// Upper-case hexadecimal with colons.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{octet:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn reads_every_way_of_writing_the_same_number() {
        for text in ["0A:1B:2C", "0a1b2c", "0x0a1b2c", "A1B2C", "0XA1b2c", " 00:0A:1B:2C "] {
            assert_eq!(text.parse::<SerialNumber>().unwrap().as_bytes(), [0x0a, 0x1b, 0x2c], "{text}");
        }
    }

    #[test]
    fn keeps_a_number_positive() {
        assert_eq!("ff".parse::<SerialNumber>().unwrap().as_bytes(), [0, 0xff]);
        assert_eq!("00ff".parse::<SerialNumber>().unwrap().as_bytes(), [0, 0xff]);
        assert_eq!("0".parse::<SerialNumber>().unwrap().as_bytes(), [0]);
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "0x", ":", "-1", "12 34", "xyz", &"a".repeat(129)] {
            assert_eq!(text.parse::<SerialNumber>(), Err(SerialNumberError), "{text}");
        }
    }
}
