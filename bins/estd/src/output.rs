//! What commands print, for people and for programs.

use std::fmt;
use std::io::{self, StdoutLock, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use est_core::{Seconds, with_hidden_escaped};
use est_store::StoreError;
use serde_json::Value;

/// How long the last line of a process may take to be written.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// Standard output did not take what a command printed.
#[derive(Debug)]
pub(crate) struct Unwritten(io::Error);

impl Unwritten {
    /// Whether the reader of a pipe has closed it: `| head` does when it has seen enough.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl std::error::Error for Unwritten {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// Whether something was printed. A command whose output is lost has failed.
pub(crate) type Printed = Result<(), Unwritten>;

/// Prints with `write`, down to the file or pipe that standard output is.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) -> Printed {
    let mut out = io::stdout().lock();
    write(&mut out).and_then(|()| out.flush()).map_err(Unwritten)
}

/// Prints a line.
pub(crate) fn line(text: impl AsRef<str>) -> Printed {
    print(|out| writeln!(out, "{}", text.as_ref()))
}

/// Prints octets as they are.
pub(crate) fn octets(octets: &[u8]) -> Printed {
    print(|out| out.write_all(octets))
}

/// Prints a line that a server can do without: it serves whether or not anybody reads it.
pub(crate) fn notice(text: impl AsRef<str>) {
    let _ = line(text);
}

/// Prints a line to standard error.
pub(crate) fn error(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Prints the last line to standard error. A reader that does not read does not keep the process.
pub(crate) fn last_words(text: String) {
    let (sender, written) = mpsc::channel();
    let said = text.clone();
    let thread = thread::Builder::new().spawn(move || {
        error(said);
        // Nobody waits for it any more only when the process ends.
        let _ = sender.send(());
    });
    match thread {
        Ok(_) => drop(written.recv_timeout(LAST_WORDS_WITHIN)),
        Err(_) => error(text),
    }
}

/// Tells why a command failed, and makes its exit code: `code`, what a shell reports of a program that a closed pipe ended
/// (128 + SIGPIPE), or what says that the disk has failed (`EX_IOERR` of sysexits.h).
pub(crate) fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    const ENDED_BY_A_CLOSED_PIPE: u8 = 141;
    const DISK_FAILED: u8 = 74;
    if error.downcast_ref::<Unwritten>().is_some_and(Unwritten::is_closed) {
        return ENDED_BY_A_CLOSED_PIPE.into();
    }
    last_words(format!("estd: {error:#}"));
    match error.downcast_ref() {
        Some(StoreError::Broken(_)) => DISK_FAILED.into(),
        Some(_) | None => code.into(),
    }
}

/// Prints what the parser of the command line has to tell: help, the version, or a mistake.
pub(crate) fn tell(told: &clap::Error) -> ExitCode {
    let code = u8::try_from(told.exit_code()).unwrap_or(2);
    if told.use_stderr() {
        // There is nowhere else to tell it.
        let _ = told.print();
        return code.into();
    }
    match told.print().map_err(Unwritten) {
        Ok(()) => code.into(),
        Err(unwritten) => failed(&unwritten.into(), 1),
    }
}

/// A path as a shell reads it.
pub(crate) fn path(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Prints JSON.
pub(crate) fn json(value: &Value) -> Printed {
    line(format!("{value:#}"))
}

/// Prints rows under a heading, in columns; hidden characters as escapes.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> Printed {
    let visible = |cell: &String| with_hidden_escaped(cell).into_owned();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(visible).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|cell| cell.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let row = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(padded.join("  ").trim_end())
    };
    row(&mut heading.iter().copied())?;
    rows.iter().try_for_each(|cells| row(&mut cells.iter().map(String::as_str)))
}

/// Prints names and values in two columns.
pub(crate) fn fields(fields: &[(&str, String)]) -> Printed {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields.iter().try_for_each(|(name, value)| line(format!("{name:width$}  {value}")))
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
