//! What [`check`] leaves open, and what must also hold for everything that is copied into a certificate.

use super::{DerError, check, contents, parts};
use crate::pkix::string::StringType;

use alloc::vec::Vec;

/// Checks that `input` is one DER value to its last octet: as [`check`] does, and also that the parts of each SET are
/// in order (X.690 §10.3, §11.6), that every string is one of its type, and that times are written as X.690 §11.7 and
/// §11.8 say.
///
/// What stands in an OCTET STRING, or below a tag that hides its type, cannot be told and is not looked at.
///
/// # Errors
/// The first fault.
pub fn check_distinguished(input: &[u8]) -> Result<(), DerError> {
    check(input)?;
    look_into(input)
}

/// As deep as [`check`] lets values be nested.
fn look_into(value: &[u8]) -> Result<(), DerError> {
    /// A constructed SET or SET OF.
    const SET: u8 = 0x31;
    let (Some(tag), contents) = (value.first(), contents(value)) else { return Ok(()) };
    if tag & 0x20 == 0 {
        return if is_of_its_type(*tag, contents) { Ok(()) } else { Err(DerError::Text) };
    }
    if *tag == SET && !is_in_order(contents) {
        return Err(DerError::SetOrder);
    }
    parts(contents).try_for_each(look_into)
}

/// A SET OF is sorted by the octets of its parts, a SET by their tags; nothing tells which of the two it is.
fn is_in_order(contents: &[u8]) -> bool {
    let parts: Vec<&[u8]> = parts(contents).collect();
    let tag = |part: &[u8]| (part[0] & 0xc0, part[0] & 0x1f);
    parts.is_sorted() || parts.is_sorted_by(|one, next| tag(one) < tag(next))
}

fn is_of_its_type(tag: u8, contents: &[u8]) -> bool {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    match tag {
        UTC_TIME => contents.strip_suffix(b"Z").is_some_and(|time| are_digits(time) && time.len() == 12),
        GENERALIZED_TIME => is_generalized_time(contents),
        _ => StringType::of(tag).is_none_or(|string_type| string_type.text(contents).is_some()),
    }
}

/// `YYYYMMDDhhmmssZ`, with a fraction that does not end in zero.
pub(in crate::pkix) fn is_generalized_time(contents: &[u8]) -> bool {
    let Some(time) = contents.strip_suffix(b"Z") else { return false };
    let Some((whole, rest)) = time.split_at_checked(14) else { return false };
    let has_fraction = || {
        rest.strip_prefix(b".")
            .is_some_and(|digits| are_digits(digits) && !digits.ends_with(b"0") && !digits.is_empty())
    };
    are_digits(whole) && (rest.is_empty() || has_fraction())
}

fn are_digits(octets: &[u8]) -> bool {
    octets.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_is_in_order() {
        for der in [
            &b"\x31\x00"[..],
            b"\x31\x06\x02\x01\x01\x02\x01\x02",
            // The same twice is a SET OF, too.
            b"\x31\x06\x02\x01\x01\x02\x01\x01",
            // By tag, but not by octets: [0] constructed before [1] primitive.
            b"\x31\x08\xa0\x03\x02\x01\x05\x81\x01\x05",
            b"\x0c\x02\xc3\xab",
            b"\x17\x0d261121093000Z",
            b"\x18\x0f20261121093000Z",
            b"\x18\x1120261121093000.5Z",
        ] {
            assert_eq!(check_distinguished(der), Ok(()), "{der:02x?}");
        }
    }

    #[test]
    fn finds_what_is_not_deep_inside() {
        for (value, fault) in [
            (&b"\x31\x06\x02\x01\x02\x02\x01\x01"[..], DerError::SetOrder),
            (b"\x31\x07\x0c\x01a\x02\x02\x01\x00", DerError::SetOrder),
            (b"\x0c\x01\xff", DerError::Text),
            (b"\x0c\x02\xc0\xaf", DerError::Text),
            (b"\x13\x01_", DerError::Text),
            (b"\x12\x01a", DerError::Text),
            (b"\x16\x01\x80", DerError::Text),
            (b"\x1a\x01\n", DerError::Text),
            (b"\x1e\x01a", DerError::Text),
            (b"\x1e\x02\xdc\x00", DerError::Text),
            (b"\x1c\x03abc", DerError::Text),
            (b"\x17\x0b2611210930Z", DerError::Text),
            (b"\x17\x11261121093000+0100", DerError::Text),
            (b"\x18\x0e20261121093000", DerError::Text),
            (b"\x18\x1220261121093000.50Z", DerError::Text),
            (b"\x18\x1020261121093000.Z", DerError::Text),
            (b"\x01\x01\x01", DerError::Value),
        ] {
            let length = u8::try_from(value.len()).expect("short");
            let inside = [&[0xa0, length + 2, 0x30, length], value].concat();
            assert_eq!(check_distinguished(&inside), Err(fault), "{value:02x?}");
            assert_eq!(check_distinguished(value), Err(fault), "{value:02x?}");
        }
    }
}
