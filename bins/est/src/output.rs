//! What the user sees: results on standard output, everything else on standard error, and how it ends.

use std::io::{self, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;
use std::time::Duration;

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
    /// The files are in place, but the command of --exec failed.
    Hook = 5,
    /// Nobody reads standard output any more: what a shell reports of a program that a closed pipe ended (128 + SIGPIPE).
    Closed = 141,
}

/// Whether asking again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Soon: the server, or the way to it, has a trouble that passes.
    Soon,
    /// After this span, says the server.
    After(Duration),
    /// Not before somebody has changed something.
    Later,
    /// Not while the server answers with something that cannot be read.
    Unreadable,
}

/// Why a command ended, for the user.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
    pub(crate) again: Again,
}

impl Failure {
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into(), again: Again::Later }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into(), again: Again::Later }
    }

    /// Standard output did not take what was to be printed.
    fn unwritten(error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Closed } else { Exit::Failed };
        Self { exit, ..Self::error(format!("cannot write to standard output: {error}")) }
    }

    /// Tells why, unless nobody reads any more, which ends a program quietly; and makes the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        if self.exit != Exit::Closed {
            note(&format!("est: {}", self.text));
        }
        ExitCode::from(self.exit as u8)
    }
}

/// Writes results with `write`, down to the file or pipe that standard output is.
///
/// # Errors
/// A command whose results are lost has failed.
pub(crate) fn print(write: impl FnOnce(&mut StdoutLock<'static>) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::unwritten(&error))
}

/// Writes a line of results.
///
/// # Errors
/// As [`print`](fn@print).
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    print(|out| writeln!(out, "{line}"))
}

/// Prints what the parser of the command line has to tell: help, the version, or a mistake.
pub(crate) fn tell(told: &clap::Error) -> ExitCode {
    let code = u8::try_from(told.exit_code()).unwrap_or(2);
    match told.print() {
        Err(error) if !told.use_stderr() => Failure::unwritten(&error).tell(),
        Ok(()) | Err(_) => code.into(),
    }
}

/// Writes a line to standard error.
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
