//! `Time` of RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.

use alloc::vec::Vec;

use chrono::{DateTime, Datelike, NaiveDate};

use super::der;
use crate::UnixTime;

/// Writes a `Time`. Instants past the year 9999 become its last second, the field's "no end".
pub(super) fn encode(at: UnixTime) -> Vec<u8> {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31)
        .and_then(|day| day.and_hms_opt(23, 59, 59))
        .expect("a date that exists")
        .and_utc();
    let at = i64::try_from(at.0).ok().and_then(|secs| DateTime::from_timestamp(secs, 0)).unwrap_or(last).min(last);
    let (tag, text) = if at.year() < 2050 {
        (0x17, alloc::format!("{}", at.format("%y%m%d%H%M%SZ")))
    } else {
        (0x18, alloc::format!("{}", at.format("%Y%m%d%H%M%SZ")))
    };
    let mut der = Vec::from([tag, u8::try_from(text.len()).expect("15 octets at most")]);
    der.extend_from_slice(text.as_bytes());
    der
}

/// Reads a `Time` in exactly the forms that RFC 5280 allows. Instants before 1970 become 1970.
pub(super) fn decode(value: &[u8]) -> Option<UnixTime> {
    let contents = der::contents(value);
    let (year, rest) = match (value.first()?, contents.len()) {
        (0x17, 13) => {
            let year = digits(&contents[..2])?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &contents[2..])
        }
        (0x18, 15) => (digits(&contents[..4])?, &contents[4..]),
        _ => return None,
    };
    if rest[10] != b'Z' {
        return None;
    }
    let part = |index: usize| digits(&rest[2 * index..2 * index + 2]);
    let at = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, part(0)?, part(1)?)?
        .and_hms_opt(part(2)?, part(3)?, part(4)?)?
        .and_utc()
        .timestamp();
    Some(UnixTime(u64::try_from(at).unwrap_or(0)))
}

fn digits(octets: &[u8]) -> Option<u32> {
    octets.iter().try_fold(0, |number, octet| octet.is_ascii_digit().then(|| number * 10 + u32::from(octet - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_form_at_the_end_of_2049() {
        let last = UnixTime(2_524_607_999);
        assert_eq!(encode(last), b"\x17\x0d491231235959Z");
        assert_eq!(encode(UnixTime(last.0 + 1)), b"\x18\x0f20500101000000Z");
        assert_eq!(encode(UnixTime(u64::MAX)), b"\x18\x0f99991231235959Z");
    }

    #[test]
    fn reads_what_it_writes() {
        for secs in [0, 1, 951_782_400, 1_763_700_000, 2_524_607_999, 2_524_608_000, 253_402_300_799] {
            assert_eq!(decode(&encode(UnixTime(secs))), Some(UnixTime(secs)));
        }
        assert_eq!(decode(b"\x17\x0d500101000000Z"), Some(UnixTime(0)));
    }

    #[test]
    fn refuses_other_forms() {
        for value in [
            &b"\x17\x0b4912312359Z"[..],
            b"\x17\x0d491231235959+",
            b"\x17\x0d491331235959Z",
            b"\x17\x0d490229235959Z",
            b"\x18\x11205001010000.5Z",
            b"\x17\x0d4912312359 9Z",
            b"\x04\x0d491231235959Z",
        ] {
            assert_eq!(decode(value), None);
        }
    }
}
