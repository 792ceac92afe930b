//! Asks for a secret on the terminal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::{Mutex, PoisonError};

use est_core::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Question;

/// Everything that was answered: a server that reads its configuration again asks nobody.
static ANSWERS: Mutex<BTreeMap<(String, usize), Secret>> = Mutex::new(BTreeMap::new());

/// The answer to a question, which is asked when it was not asked before.
///
/// # Errors
/// When there is no terminal, as in a service, or nothing can be read from it.
pub(super) fn ask_once(key: &str, question: &Question) -> Result<Secret, String> {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    let id = (key.to_owned(), question.nth);
    if let Some(answer) = answers.get(&id) {
        return Ok(answer.clone());
    }
    let answer = ask(&question.text)?;
    answers.insert(id, answer.clone());
    Ok(answer)
}

fn ask(question: &str) -> Result<Secret, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the terminal: {error}");
    let terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| "there is no terminal to ask on: write \"env:NAME\", \"file:PATH\" or \"credential:NAME\"")?;
    // Before the question: what is typed at the sight of it must not be shown.
    let silence = Silence::over(&terminal).map_err(|error| failed(&error))?;
    let mut output = &terminal;
    output.write_all(question.as_bytes()).map_err(|error| failed(&error))?;
    // With room for any answer, so that none is copied while it grows.
    let mut line = Zeroizing::new(String::with_capacity(4096));
    let read = BufReader::new(&terminal).read_line(&mut line);
    drop(silence);
    output.write_all(b"\n").map_err(|error| failed(&error))?;
    read.map_err(|error| failed(&error))?;
    Ok(Secret::new(super::without_newline(&line).to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn over(terminal: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
