//! Log lines as logfmt: `key=value` pairs, one event on each line.

use std::fmt::{self, Write};

use est_core::is_hidden;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// Writes `time`, `level`, `target`, `msg`, and the fields of the event in their order.
///
/// A value with a space, a quotation mark, an equals sign or a character that is not seen is quoted, and so is an empty one.
/// Within quotes `"` and `\` have a backslash before them; characters that are not seen are `\n`, `\r`, `\t` or `\uXXXX`, as
/// in JSON. So no value ends a line or begins another pair.
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        write!(writer, "time={time} level={} target=", metadata.level())?;
        value(&mut writer, metadata.target())?;
        let mut message = Message(None);
        event.record(&mut message);
        if let Some(message) = message.0 {
            writer.write_str(" msg=")?;
            value(&mut writer, &message)?;
        }
        let mut fields = Fields { writer: &mut writer, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        writer.write_char('\n')
    }
}

/// The field that holds what an event says.
const MESSAGE: &str = "message";

/// Finds the message.
struct Message(Option<String>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0 = Some(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0 = Some(value.to_owned());
        }
    }
}

/// Writes everything else.
struct Fields<'a, 'w> {
    writer: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() != MESSAGE && self.outcome.is_ok() {
            self.outcome = pair(self.writer, field.name(), text);
        }
    }
}

fn pair(writer: &mut impl Write, name: &str, text: &str) -> fmt::Result {
    writer.write_char(' ')?;
    for letter in name.chars() {
        writer.write_char(if needs_quotes(letter) { '_' } else { letter })?;
    }
    writer.write_char('=')?;
    value(writer, text)
}

fn needs_quotes(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '=') || is_hidden(letter)
}

fn value(writer: &mut impl Write, text: &str) -> fmt::Result {
    if !text.is_empty() && !text.contains(needs_quotes) {
        return writer.write_str(text);
    }
    writer.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(writer, "\\{letter}")?,
            '\n' => writer.write_str("\\n")?,
            '\r' => writer.write_str("\\r")?,
            '\t' => writer.write_str("\\t")?,
            _ if is_hidden(letter) || (letter.is_whitespace() && letter != ' ') => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            _ => writer.write_char(letter)?,
        }
    }
    writer.write_char('"')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{info, warn};

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Logfmt)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let octets = kept.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    /// The pairs of a line, of a grammar that is nobody's but this test's: names without anything special, values without
    /// anything special or quoted.
    fn parse(line: &str) -> Vec<(String, String)> {
        let mut rest = line;
        let mut pairs = Vec::new();
        loop {
            let (name, value) = rest.split_once('=').expect("a pair");
            assert!(
                !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'"'),
                "{name:?}"
            );
            let end = match value.strip_prefix('"') {
                None => value.find(' ').unwrap_or(value.len()),
                Some(quoted) => {
                    let mut is_escaped = false;
                    let closing = quoted.bytes().position(|octet| {
                        let closes = octet == b'"' && !is_escaped;
                        is_escaped = octet == b'\\' && !is_escaped;
                        closes
                    });
                    closing.expect("a closing quotation mark") + 2
                }
            };
            let (written, after) = value.split_at(end);
            assert!(!written.is_empty() && !written.contains(|letter: char| letter.is_control()), "{written:?}");
            let read = if written.starts_with('"') {
                serde_json::from_str(written).expect("quoted as in JSON")
            } else {
                assert!(!written.contains(['"', '=']), "{written}");
                written.to_owned()
            };
            pairs.push((name.to_owned(), read));
            match after.strip_prefix(' ') {
                Some(next) => rest = next,
                None => {
                    assert_eq!(after, "");
                    return pairs;
                }
            }
        }
    }

    #[test]
    fn every_line_reads_back_as_the_pairs_that_were_logged() {
        let values = [
            "password tf5e of www1.corp.example",
            "CN=www1,O=Corp",
            "a\"b\\c",
            "",
            "two\nlines\r\n\tand level=ERROR msg=forged",
            "\u{1b}[31mred\u{7}",
            "\u{202e}backwards\u{2028}\u{200b}",
            "\u{e0041}\u{a0}x",
            "plain",
            "ends with \\",
            "\\",
            "Zoë 名",
        ];
        for text in values {
            let log = logged(|| info!(principal = text, shown = %text, number = 7, yes = true, "said {text}"));
            let line = log.strip_suffix('\n').expect("a whole line");
            assert!(!line.contains('\n'), "{log:?}");
            let pairs = parse(line);
            for (name, value) in [
                ("level", "INFO"),
                ("target", module_path!()),
                ("msg", format!("said {text}").as_str()),
                ("principal", text),
                ("shown", text),
                ("number", "7"),
                ("yes", "true"),
            ] {
                let found: Vec<_> =
                    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
                assert_eq!(found, [value], "{name} in {line}");
            }
            let (first, time) = &pairs[0];
            assert!(first == "time" && time.ends_with('Z') && time.contains('T'), "{line}");
            assert_eq!(pairs.len(), 8);
        }
    }

    #[test]
    fn leaves_out_what_is_absent_and_quotes_what_was_formatted() {
        let absent: Option<&str> = None;
        let log = logged(|| warn!(absent, path = ?"/a b", "done"));
        assert!(log.ends_with(" msg=done path=\"\\\"/a b\\\"\"\n"), "{log}");
    }
}
