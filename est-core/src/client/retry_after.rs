//! Retry-After: seconds, or a date (RFC 9110 §10.2.3).

use chrono::{DateTime, NaiveDateTime};

use crate::{Seconds, UnixTime};

/// Reads the header's value; a date that has passed means at once. `None` when it is neither form.
pub(super) fn read(value: &[u8], now: UnixTime) -> Option<Seconds> {
    let value = core::str::from_utf8(value).ok()?.trim();
    if !value.is_empty() && value.bytes().all(|octet| octet.is_ascii_digit()) {
        return Some(Seconds(value.parse().unwrap_or(u64::MAX)));
    }
    let at = u64::try_from(timestamp(value)?).ok()?;
    Some(Seconds(at.saturating_sub(now.0)))
}

/// An HTTP-date in any of the three forms that a recipient accepts (RFC 9110 §5.6.7).
fn timestamp(value: &str) -> Option<i64> {
    let obsolete = |format| NaiveDateTime::parse_from_str(value, format).ok();
    DateTime::parse_from_rfc2822(value)
        .map(|at| at.timestamp())
        .ok()
        .or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT").map(|at| at.and_utc().timestamp()))
        .or_else(|| obsolete("%a %b %e %H:%M:%S %Y").map(|at| at.and_utc().timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const INSTANT: u64 = 784_111_777;

    #[test]
    fn reads_seconds() {
        let read = |value: &str| read(value.as_bytes(), UnixTime(INSTANT));
        assert_eq!(read("120"), Some(Seconds(120)));
        assert_eq!(read(" 0 "), Some(Seconds(0)));
        assert_eq!(read("99999999999999999999999"), Some(Seconds(u64::MAX)));
    }

    #[test]
    fn reads_every_form_of_a_date() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(read(date.as_bytes(), UnixTime(INSTANT - 90)), Some(Seconds(90)), "{date}");
            assert_eq!(read(date.as_bytes(), UnixTime(INSTANT + 90)), Some(Seconds(0)), "{date}");
        }
    }

    #[test]
    fn refuses_anything_else() {
        for value in ["", "soon", "-5", "+5", "1.5", "Sun, 06 Nov 1994", "Fri, 31 Dec 1900 23:59:59 GMT"] {
            assert_eq!(read(value.as_bytes(), UnixTime(INSTANT)), None, "{value}");
        }
    }
}
