//! What commands print, for people and for programs.

use std::io::{self, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use est_core::Seconds;
use serde_json::Value;

/// How long the last line of a process may take to be written.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// Prints a line. A reader that has gone away is no error.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// Prints a line to standard error.
pub(crate) fn error(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Prints the last line to standard error. A reader that does not read does not keep the process.
pub(crate) fn last_words(text: String) {
    let (sender, written) = mpsc::channel();
    thread::spawn(move || {
        error(text);
        // Nobody waits for it any more only when the process ends.
        let _ = sender.send(());
    });
    let _ = written.recv_timeout(LAST_WORDS_WITHIN);
}

/// Prints JSON.
pub(crate) fn json(value: &Value) {
    line(format!("{value:#}"));
}

/// Prints rows under a heading, in columns.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|cell| cell.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(padded.join("  ").trim_end());
    };
    print(&mut heading.iter().copied());
    rows.iter().for_each(|row| print(&mut row.iter().map(String::as_str)));
}

/// Reads `30m`, `24h`, `7d`, or whole seconds.
pub(crate) fn parse_span(text: &str) -> Result<Seconds, String> {
    let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("write 30m, 24h, 7d, or whole seconds".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "write 30m, 24h, 7d, or whole seconds")?;
    match number.checked_mul(factor) {
        Some(seconds) if seconds > 0 => Ok(Seconds(seconds)),
        Some(_) => Err("it must be longer than nothing".into()),
        None => Err("it is longer than time itself".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_with_and_without_a_unit() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(parse_span(text), Ok(Seconds(seconds)), "{text}");
        }
        for text in ["", "h", "1y", "-1", "0", "0h", "99999999999999999999d", "1 h"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
