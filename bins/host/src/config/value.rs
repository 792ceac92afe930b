//! One value, and what it can be made into.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use est_core::Seconds;
use toml_edit::Value;

use super::diagnostic::{Fault, Position};
use super::reader::{Context, article};
use super::spelling;

/// A value as it is in the file.
pub(super) struct Given<'a> {
    pub(super) context: &'a Context<'a>,
    path: &'a str,
    at: Option<usize>,
    /// `None` for a table.
    value: Option<&'a Value>,
    item_type: &'static str,
}

impl<'a> Given<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        path: &'a str,
        at: Option<usize>,
        value: Option<&'a Value>,
        item_type: &'static str,
    ) -> Self {
        Self { context, path, at, value, item_type }
    }

    /// A string, with the environment's values in it.
    pub(super) fn text(&self) -> Result<String, Fault> {
        match self.value.and_then(Value::as_str) {
            Some(text) => expand(text, self.context.env),
            None => Err(self.not("a string")),
        }
    }

    /// A string as it is in the file, which may be part of a secret.
    pub(super) fn written(&self) -> Result<&str, Fault> {
        self.value.and_then(Value::as_str).ok_or_else(|| self.not("a string"))
    }

    /// The key, with its section.
    pub(super) fn key(&self) -> &str {
        self.path
    }

    /// Where it stands.
    pub(super) fn position(&self) -> Option<Position> {
        self.at.map(|offset| Position::of(self.context.text, offset))
    }

    /// A string or a number as it is in the file: a variable's value never gets into a message.
    pub(super) fn quoted(&self) -> String {
        match self.value {
            Some(Value::String(text)) => format!("{:?}", text.value()),
            Some(Value::Integer(number)) => number.value().to_string(),
            _ => article(self.type_name()),
        }
    }

    /// A whole number; one from the environment may be written as a string.
    pub(super) fn integer(&self, range: RangeInclusive<u32>) -> Result<u32, Fault> {
        let from_environment = || self.substituted().map(|text| text.and_then(|text| text.trim().parse().ok()));
        let number: i64 = match self.value.and_then(Value::as_integer) {
            Some(number) => number,
            None => from_environment()?.ok_or_else(|| self.not("an integer"))?,
        };
        let within = u32::try_from(number).ok().filter(|number| range.contains(number));
        within.ok_or_else(|| Fault::new(format!("must be between {} and {}", range.start(), range.end())))
    }

    /// How many of something; at least one.
    pub(super) fn count(&self, max: u32) -> Result<NonZeroUsize, Fault> {
        let number = self.integer(1..=max)?;
        Ok(NonZeroUsize::new(number as usize).expect("at least 1"))
    }

    /// A span of time: a number with a unit, or whole seconds.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, Fault> {
        let span = match self.value.and_then(Value::as_integer) {
            Some(secs) => u64::try_from(secs).ok().map(Duration::from_secs),
            None if self.value.and_then(Value::as_str).is_some() => parse_duration(&self.text()?),
            None => return Err(self.not("a duration")),
        };
        let help = "write \"500ms\", \"30s\", \"15m\", \"24h\", \"7d\" or whole seconds";
        let span = span.ok_or_else(|| Fault::new(format!("{} is not a duration", self.quoted())).help(help))?;
        if range.contains(&span) {
            return Ok(span);
        }
        Err(Fault::new(format!("must be between {} and {}", show(*range.start()), show(*range.end()))))
    }

    /// A span of whole seconds from one second on.
    pub(super) fn seconds(&self, max: Duration) -> Result<Seconds, Fault> {
        let span = self.duration(Duration::from_secs(1)..=max)?;
        if span.subsec_nanos() == 0 {
            return Ok(Seconds(span.as_secs()));
        }
        Err(Fault::new(format!("{} is not a whole number of seconds", self.quoted())))
    }

    /// A number of octets: a number with a unit, each 1024 times the one before, or plain octets.
    pub(super) fn size(&self, range: RangeInclusive<usize>) -> Result<usize, Fault> {
        let octets = match self.value.and_then(Value::as_integer) {
            Some(octets) => usize::try_from(octets).ok(),
            None if self.value.and_then(Value::as_str).is_some() => parse_size(&self.text()?),
            None => return Err(self.not("a size")),
        };
        let help = "write \"512B\", \"64KB\", \"1MB\" or octets";
        let octets = octets.ok_or_else(|| Fault::new(format!("{} is not a size", self.quoted())).help(help))?;
        if range.contains(&octets) {
            return Ok(octets);
        }
        Err(Fault::new(format!("must be between {} and {} octets", range.start(), range.end())))
    }

    /// A path; a relative one begins at the folder of the configuration file.
    pub(super) fn path(&self) -> Result<PathBuf, Fault> {
        let text = self.text()?;
        if text.is_empty() {
            return Err(Fault::new("must not be empty"));
        }
        Ok(self.context.base_dir.join(text))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Result<T, Fault> {
        let text = self.text()?;
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(*choice),
            None => Err(self.not_one_of(&text, choices.iter().map(|(word, _)| *word))),
        }
    }

    /// The fault of a word that is not on a list.
    pub(super) fn not_one_of(&self, text: &str, words: impl Iterator<Item = &'static str>) -> Fault {
        let words: Vec<&str> = words.collect();
        let fault = Fault::new(format!("{} is not one of {}", self.quoted(), words.join(", ")));
        match spelling::nearest(text, words) {
            Some(word) => fault.help(format!("did you mean {word:?}?")),
            None => fault,
        }
    }

    /// The elements of an array; `Ok(None)` when mistakes in them have been reported.
    pub(super) fn elements<T>(
        &self,
        convert: impl Fn(&Given<'_>) -> Result<T, Fault>,
    ) -> Result<Option<Vec<T>>, Fault> {
        let array = self.value.and_then(Value::as_array).ok_or_else(|| self.not("an array"))?;
        let outcomes: Vec<Option<T>> = array.iter().map(|value| self.element(value, &convert)).collect();
        Ok(outcomes.into_iter().collect())
    }

    /// As [`elements`](Self::elements), where a single one may stand without brackets.
    pub(super) fn one_or_more<T>(
        &self,
        convert: impl Fn(&Given<'_>) -> Result<T, Fault>,
    ) -> Result<Option<Vec<T>>, Fault> {
        match self.value {
            Some(value) if value.is_str() => convert(self).map(|one| Some(vec![one])),
            Some(value) if value.is_array() => self.elements(convert),
            _ => Err(self.not("a string or an array of strings")),
        }
    }

    fn element<T>(&self, value: &Value, convert: impl Fn(&Given<'_>) -> Result<T, Fault>) -> Option<T> {
        let at = value.span().map(|span| span.start).or(self.at);
        let outcome = convert(&Given { at, value: Some(value), ..*self });
        outcome.map_err(|fault| self.context.error(at, self.path, fault)).ok()
    }

    /// Reports something worth a second look about this value.
    pub(super) fn warn(&self, fault: Fault) {
        self.context.warning(self.at, self.path, fault);
    }

    fn not(&self, wanted: &str) -> Fault {
        Fault::new(format!("must be {wanted}, not {}", article(self.type_name())))
    }

    fn type_name(&self) -> &'static str {
        self.value.map_or(self.item_type, Value::type_name)
    }

    /// The text of a string that an environment variable is part of.
    fn substituted(&self) -> Result<Option<String>, Fault> {
        match self.value.and_then(Value::as_str) {
            Some(text) if text.contains("${") => expand(text, self.context.env).map(Some),
            _ => Ok(None),
        }
    }
}

/// A string, with the environment's values in it.
pub(super) fn text(given: &Given<'_>) -> Result<String, Fault> {
    given.text()
}

/// A truth value; one from the environment may be written as a string.
pub(super) fn boolean(given: &Given<'_>) -> Result<bool, Fault> {
    match (given.value.and_then(Value::as_bool), given.substituted()?.as_deref()) {
        (Some(truth), _) => Ok(truth),
        (None, Some("true")) => Ok(true),
        (None, Some("false")) => Ok(false),
        (None, _) => Err(given.not("true or false")),
    }
}

/// An IP address with a port.
pub(super) fn address(given: &Given<'_>) -> Result<SocketAddr, Fault> {
    let text = given.text()?;
    text.parse().map_err(|_| {
        let fault = Fault::new(format!("{} is not an IP address with a port", given.quoted()));
        match text.rsplit_once(':') {
            Some(("", port)) => fault.help(format!("write \"0.0.0.0:{port}\" to listen everywhere")),
            Some(("localhost", port)) => fault.help(format!("write \"127.0.0.1:{port}\"")),
            _ => fault.help("write \"0.0.0.0:8443\" or \"[::]:8443\""),
        }
    })
}

/// Puts the environment's values in the place of `${NAME}`; `$${` is `${`.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let help = "write `${NAME}` for an environment variable and `$${` for the characters themselves";
        let (name, after) = after.split_once('}').ok_or_else(|| Fault::new("`${` is never closed").help(help))?;
        if variable_name(name).is_none() {
            return Err(Fault::new(format!("`${{{name}}}` does not name an environment variable")).help(help));
        }
        let value = env(name).ok_or_else(|| Fault::new(format!("the environment variable {name} is not set")))?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The name of an environment variable, if it can be one.
pub(super) fn variable_name(name: &str) -> Option<&str> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then_some(name)
}

/// Splits `30m` into the number and the unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let secs_per_unit = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(secs_per_unit).map(Duration::from_secs)
}

fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = number_and_unit(text)?;
    let factor: usize = match unit.to_ascii_uppercase().as_str() {
        "B" | "" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => return None,
    };
    usize::try_from(number).ok()?.checked_mul(factor)
}

/// In the largest unit that leaves no rest.
fn show(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0 => format!("{}ms", span.as_millis()),
        _ if secs.is_multiple_of(86_400) && secs > 86_400 => format!("{}d", secs / 86_400),
        _ if secs.is_multiple_of(3_600) => format!("{}h", secs / 3_600),
        _ if secs.is_multiple_of(60) => format!("{}m", secs / 60),
        _ => format!("{secs}s"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn reads_spans_of_time() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("15m", 900_000), ("24h", 86_400_000), ("7", 7_000)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
        for text in ["", "s", "1.5h", "-1s", "1h30m", "1y", "99999999999999999999s", "999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn reads_sizes_in_powers_of_1024() {
        for (text, octets) in [("512B", 512), ("64KB", 65_536), ("1MB", 1_048_576), ("2 GB", 2_147_483_648), ("9", 9)] {
            assert_eq!(parse_size(text), Some(octets), "{text}");
        }
        for text in ["", "MB", "1TB", "1.5MB", "-1", "99999999999999999999GB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn writes_spans_in_the_largest_unit() {
        for (millis, text) in
            [(100, "100ms"), (1_000, "1s"), (600_000, "10m"), (86_400_000, "24h"), (604_800_000, "7d")]
        {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn puts_the_environment_in_its_place() {
        let env = |name: &str| (name == "A_1").then(|| "x${A_1}".to_owned());
        assert_eq!(expand("a${A_1}b${A_1}", &env).unwrap(), "ax${A_1}bx${A_1}");
        assert_eq!(expand("$${A_1} $ $x", &env).unwrap(), "${A_1} $ $x");
        for text in ["${B}", "${A_1", "${}", "${1A}", "${A-1}"] {
            assert!(expand(text, &env).is_err(), "{text}");
        }
    }
}
