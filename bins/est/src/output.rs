//! What the user sees: results on standard output, everything else on standard error, and how it ends.

use std::io::{self, IsTerminal, Write};

use est_core::pkix::Certificate;

/// How a command ended other than well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something went wrong here or on the way.
    Failed = 1,
    /// The command line asks for something that cannot be.
    Usage = 2,
    /// The server said no.
    Refused = 3,
    /// The server has not decided yet.
    Pending = 4,
}

/// Why a command ended, for the user.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }
}

/// Writes a line of results. Nobody reading them any more is not an error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line for the person who watches.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes over the last line where standard error is a terminal, and a line of its own where it is not.
pub(crate) fn live(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = if stderr.is_terminal() { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
    let _ = stderr.flush();
}

/// Ends a line that [`live`] began.
pub(crate) fn end_live() {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = writeln!(stderr);
    }
}

/// A certificate in a few aligned lines.
pub(crate) fn describe(certificate: &Certificate) -> String {
    let mut lines = vec![format!("subject      {}", or_none(&certificate.subject().to_string()))];
    if let Some(names) = certificate.subject_alt_name() {
        lines.push(format!("names        {names}"));
    }
    lines.push(format!("issuer       {}", certificate.issuer()));
    lines.push(format!("serial       {}", certificate.serial_text()));
    lines.push(format!("valid        {} to {}", certificate.not_before(), certificate.not_after()));
    lines.push(format!("SHA-256      {}", certificate.fingerprint()));
    lines.join("\n")
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}
