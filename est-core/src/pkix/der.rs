//! The strict gate before every parser: is this one well-formed DER value, and a small one?

mod distinguished;

use alloc::vec::Vec;
use core::fmt;

pub use distinguished::check_distinguished;
pub(super) use distinguished::is_generalized_time;

/// Values nested deeper than this are refused.
pub const MAX_DEPTH: usize = 24;
/// More values than this in one input are refused.
pub const MAX_VALUES: usize = 4096;

/// What is wrong with an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerError {
    /// Ends before a value is complete.
    Truncated,
    /// Octets follow the value.
    TrailingData,
    /// A tag that DER does not allow, or one over 30, which no structure of ours has.
    Tag,
    /// An indefinite, over-long or non-minimal length.
    Length,
    /// A primitive value whose contents are not DER.
    Value,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More values than [`MAX_VALUES`].
    TooMany,
    /// A SET whose parts are not in order.
    SetOrder,
    /// A string or a time that is not one of its type.
    Text,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it ends too early",
            Self::TrailingData => "octets follow its end",
            Self::Tag => "it has a tag that does not belong there",
            Self::Length => "it has a length that is not in the shortest definite form",
            Self::Value => "it has a value that is not in its distinguished form",
            Self::TooDeep => "it is nested too deeply",
            Self::TooMany => "it has too many parts",
            Self::SetOrder => "it has a SET whose parts are not in order",
            Self::Text => "it has a string or a time that its type does not allow",
        })
    }
}

impl core::error::Error for DerError {}

/// Checks that `input` is exactly one DER value, down to the last nested one.
///
/// Minimal tags and lengths, the right form bit, minimal INTEGERs and OIDs, BOOLEAN 00 or FF, zeroed BIT STRING
/// padding. The order of a SET OF and the contents of strings are not checked, since clients get them wrong;
/// [`check_distinguished`] checks them, too, in what goes into a certificate.
/// Takes time linear in the input and a fixed amount of stack; allocates nothing.
///
/// # Errors
/// The first fault, in the order of the octets.
pub fn check(input: &[u8]) -> Result<(), DerError> {
    let mut ends = [0usize; MAX_DEPTH];
    let (mut depth, mut at, mut values) = (0, 0, 0);
    let mut limit = input.len();
    loop {
        let value = header(&input[at..limit])?;
        values += 1;
        if values > MAX_VALUES {
            return Err(DerError::TooMany);
        }
        at += value.header_len;
        let end = at + value.contents_len;
        if value.constructed {
            if depth == MAX_DEPTH {
                return Err(DerError::TooDeep);
            }
            ends[depth] = limit;
            depth += 1;
            limit = end;
        } else {
            primitive(value.tag, &input[at..end])?;
            at = end;
        }
        while at == limit {
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            limit = ends[depth];
            if depth == 0 {
                return if at == input.len() { Ok(()) } else { Err(DerError::TrailingData) };
            }
        }
        if depth == 0 {
            return Err(DerError::TrailingData);
        }
    }
}

/// The contents octets of a value that [`check`] accepted; empty for anything else.
#[must_use]
pub fn contents(value: &[u8]) -> &[u8] {
    header(value).ok().and_then(|h| value.get(h.header_len..h.header_len + h.contents_len)).unwrap_or_default()
}

/// The values in the contents of a constructed one that [`check`] accepted; ends early for anything else.
pub fn parts(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = contents;
    core::iter::from_fn(move || {
        let first = header(rest).ok()?;
        let (part, after) = rest.split_at_checked(first.header_len + first.contents_len)?;
        rest = after;
        Some(part)
    })
}

/// Appends a value made of `parts`, one after the other.
pub(super) fn push(der: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    der.push(tag);
    let octets = length.to_be_bytes();
    let used = octets.iter().skip_while(|octet| **octet == 0).count();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(used).expect("at most eight"));
            der.extend_from_slice(&octets[octets.len() - used..]);
        }
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
}

struct Header {
    tag: u8,
    constructed: bool,
    header_len: usize,
    contents_len: usize,
}

fn header(input: &[u8]) -> Result<Header, DerError> {
    let (&tag, rest) = input.split_first().ok_or(DerError::Truncated)?;
    if tag & 0x1f == 0x1f {
        return Err(DerError::Tag);
    }
    let constructed = tag & 0x20 != 0;
    if tag & 0xc0 == 0 && (tag & 0x1f == 0 || constructed != matches!(tag & 0x1f, 0x08 | 0x0b | 0x10 | 0x11)) {
        return Err(DerError::Tag);
    }
    let (&first, rest) = rest.split_first().ok_or(DerError::Truncated)?;
    let (length_len, contents_len) = if first < 0x80 {
        (1, usize::from(first))
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err(DerError::Length);
        }
        let octets = rest.get(..count).ok_or(DerError::Truncated)?;
        let length = octets.iter().fold(0u64, |length, octet| length << 8 | u64::from(*octet));
        if length < 0x80 || octets[0] == 0 {
            return Err(DerError::Length);
        }
        (1 + count, usize::try_from(length).map_err(|_| DerError::Length)?)
    };
    let header_len = 1 + length_len;
    if input.len() - header_len < contents_len {
        return Err(DerError::Truncated);
    }
    Ok(Header { tag, constructed, header_len, contents_len })
}

fn primitive(tag: u8, contents: &[u8]) -> Result<(), DerError> {
    let fine = match tag {
        0x01 => matches!(contents, [0x00 | 0xff]),
        0x02 | 0x0a => match contents {
            [] => false,
            [_] => true,
            [0x00, second, ..] => second & 0x80 != 0,
            [0xff, second, ..] => second & 0x80 == 0,
            [..] => true,
        },
        0x03 => match contents {
            [] => false,
            [unused] => *unused == 0,
            [unused, .., last] => *unused <= 7 && last.trailing_zeros() >= u32::from(*unused),
        },
        0x05 => contents.is_empty(),
        0x06 => is_object_identifier(contents),
        _ => true,
    };
    if fine { Ok(()) } else { Err(DerError::Value) }
}

/// Whether every arc is complete and in its shortest form.
fn is_object_identifier(contents: &[u8]) -> bool {
    let mut starts_arc = true;
    for octet in contents {
        if starts_arc && *octet == 0x80 {
            return false;
        }
        starts_arc = octet & 0x80 == 0;
    }
    starts_arc && !contents.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_nested_values_and_empty_constructions() {
        assert_eq!(check(b"\x30\x00"), Ok(()));
        assert_eq!(check(b"\x05\x00"), Ok(()));
        assert_eq!(check(b"\x30\x04\x30\x02\x05\x00"), Ok(()));
        assert_eq!(check(b"\x30\x05\x30\x00\x02\x01\x05"), Ok(()));
    }

    #[test]
    fn names_the_first_fault() {
        for (der, fault) in [
            (&b""[..], DerError::Truncated),
            (b"\x30", DerError::Truncated),
            (b"\x30\x01", DerError::Truncated),
            (b"\x30\x03\x02\x02\x01", DerError::Truncated),
            (b"\x30\x00\x00", DerError::TrailingData),
            (b"\x05\x00\x05\x00", DerError::TrailingData),
            (b"\x30\x04\x30\x02\x05\x00\x05\x00", DerError::TrailingData),
            (b"\x30\x80\x00\x00", DerError::Length),
            (b"\x30\x81\x02\x05\x00", DerError::Length),
            (b"\x30\xff", DerError::Length),
            (b"\x3f\x81\x00\x00", DerError::Tag),
            (b"\x10\x00", DerError::Tag),
            (b"\x22\x00", DerError::Tag),
            (b"\x00\x00", DerError::Tag),
            (b"\x01\x01\x01", DerError::Value),
            (b"\x02\x02\x00\x01", DerError::Value),
            (b"\x02\x02\xff\x80", DerError::Value),
            (b"\x02\x00", DerError::Value),
            (b"\x03\x02\x01\x01", DerError::Value),
            (b"\x03\x01\x01", DerError::Value),
            (b"\x05\x01\x00", DerError::Value),
            (b"\x06\x00", DerError::Value),
            (b"\x06\x02\x80\x01", DerError::Value),
            (b"\x06\x01\x81", DerError::Value),
        ] {
            assert_eq!(check(der), Err(fault), "{der:02x?}");
        }
    }

    #[test]
    fn stops_at_its_limits() {
        let mut deep = alloc::vec![];
        for _ in 0..60 {
            let mut outer = alloc::vec![0x30, u8::try_from(deep.len()).expect("short")];
            outer.extend_from_slice(&deep);
            deep = outer;
        }
        assert_eq!(check(&deep), Err(DerError::TooDeep));
        let mut wide = alloc::vec![0x30, 0x82, 0x40, 0x00];
        wide.resize(4 + 0x4000, 0);
        wide[4..].copy_from_slice(&[5, 0].repeat(0x2000));
        assert_eq!(check(&wide), Err(DerError::TooMany));
    }
}
