//! What comes in: bodies, queries, serial numbers, times.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use chrono::{DateTime, NaiveDate};
use est_core::{Seconds, UnixTime};
use est_store::{Cursor, Page, SerialNumber, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use super::problem::Problem;
pub(super) use crate::view::Time;

/// The longest body: what is sent here are a few words.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;
/// The highest page that can be asked for by number; beyond it cursors lead.
const MAX_PAGE: u32 = 100;
/// The longest page.
const MAX_PER_PAGE: u32 = 500;

/// A body: JSON. An empty one is `null`, which an `Option` takes.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
        let is_json = media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
        let octets = to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|_| Problem::TooLong)?;
        if octets.is_empty() {
            return serde_json::from_str("null").map(Self).map_err(|_| Problem::invalid("a JSON body is needed"));
        }
        if !is_json {
            return Err(Problem::NotJson);
        }
        if octets.trim_ascii() == b"null" {
            return Err(Problem::invalid("the body is null: send an object, or no body where none is needed"));
        }
        // Where it is wrong is said by name, and by line and column for what has no name.
        serde_json::from_slice(&octets).map(Self).map_err(Problem::invalid)
    }
}

/// The parameters of the query.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(found)| Self(found)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::invalid(format_args!("query: {text}"))
        })
    }
}

/// The one parameter of a path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let segment = Path::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|rejection| Problem::invalid(rejection.body_text()))
    }
}

/// Which part of a listing is wanted.
pub(super) struct Paging {
    /// Its number, from 1.
    pub(super) page: u32,
    /// How long it is at most.
    pub(super) per_page: u32,
    after: Option<Cursor>,
}

impl Paging {
    /// Takes what was asked for; a cursor goes before a number.
    ///
    /// # Errors
    /// [`Problem::Invalid`].
    pub(super) fn of(page: Option<u32>, per_page: Option<u32>, cursor: Option<&str>) -> Result<Self, Problem> {
        let within = |name: &str, value: Option<u32>, default: u32, max: u32| match value.unwrap_or(default) {
            value if (1..=max).contains(&value) => Ok(value),
            _ => Err(Problem::invalid(format_args!("{name} must be between 1 and {max}"))),
        };
        let after = match cursor {
            Some(text) => Some(text.parse().map_err(|_| Problem::invalid("cursor is not one that a listing gave"))?),
            None => None,
        };
        let per_page = within("per_page", per_page, 50, MAX_PER_PAGE)?;
        let page = within("page", page, 1, MAX_PAGE)?;
        Ok(Self { page, per_page, after })
    }

    /// Reads it, after what lies before it.
    pub(super) async fn read<T, F>(&self, read: impl Fn(u32, Option<Cursor>) -> F) -> Result<Page<T>, Problem>
    where
        F: Future<Output = Result<Page<T>, StoreError>>,
    {
        let mut after = self.after;
        let mut before = if after.is_some() { 0 } else { (self.page - 1) * self.per_page };
        while before > 0 {
            let passed = read(before.min(MAX_PER_PAGE), after).await?;
            let Some(next) = passed.next else { return Ok(Page { items: Vec::new(), next: None }) };
            before = before.saturating_sub(u32::try_from(passed.items.len()).unwrap_or(u32::MAX));
            after = Some(next);
        }
        Ok(read(self.per_page, after).await?)
    }
}

/// Text of a query or body that is looked up, and so never longer than what there is to find.
pub(super) fn at_most(max: usize, name: &str, text: &Option<String>) -> Result<(), Problem> {
    match text {
        Some(text) if text.chars().count() > max => {
            Err(Problem::invalid(format_args!("{name} must be at most {max} characters long")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A whole number: JSON knows one kind of number, in which 1 and 1.0 are the same.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "Number")]
#[schemars(with = "u64", inline)]
pub(super) struct Whole(pub(super) u64);

impl TryFrom<Number> for Whole {
    type Error = String;

    fn try_from(number: Number) -> Result<Self, Self::Error> {
        let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=9e15).contains(float));
        let whole = number.as_u64().or_else(|| float().map(|float| float as u64));
        whole.map(Self).ok_or_else(|| format!("{number} is not a whole number of at least 0"))
    }
}

/// A serial number as people write it.
pub(super) fn serial(text: &str) -> Result<SerialNumber, Problem> {
    text.parse().map_err(|error| Problem::invalid(format_args!("serial: {error}")))
}

/// A time as RFC 3339 writes it, or a day, which is its beginning. What was before 1970 is 1970.
pub(super) fn time(name: &str, text: &str) -> Result<UnixTime, Problem> {
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc().timestamp())
    };
    let seconds = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp()).or_else(day);
    let seconds = seconds.ok_or_else(|| Problem::invalid(format_args!("{name}: write 2026-11-21T09:30:00Z")))?;
    Ok(UnixTime(u64::try_from(seconds).unwrap_or(0)))
}

/// A span of time: `24h`, `7d`, `1h30m`.
pub(super) fn span(text: &str) -> Option<Seconds> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let seconds = match unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = &unit[1..];
    }
    (total > 0).then_some(Seconds(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_of_one_or_several_units() {
        for (text, seconds) in [("24h", 86_400), ("7d", 604_800), ("1h30m", 5_400), ("90s", 90)] {
            assert_eq!(span(text), Some(Seconds(seconds)), "{text}");
        }
        for text in ["", "0s", "h", "90", "1y", "-1s", "1h30", "99999999999999999999d"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn reads_times_and_days() {
        for (text, seconds) in [
            ("2026-11-21T09:30:00Z", 1_795_253_400),
            ("2026-11-21T10:30:00.5+01:00", 1_795_253_400),
            ("2026-11-21", 1_795_219_200),
            ("1900-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(time("start", text), Ok(UnixTime(seconds)), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-21T25:00:00Z"] {
            assert!(time("start", text).is_err(), "{text}");
        }
    }
}
