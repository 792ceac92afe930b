//! Where a secret is: in the file itself, or better elsewhere.

mod terminal;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use est_core::Secret;
use zeroize::Zeroizing;

use super::diagnostic::Fault;
use super::files;
use super::value::{self, Given};

/// The longest secret, in octets.
const MAX_BYTES: u64 = 64 << 10;

/// Where a secret is. It is read when it is needed: commands that need none of it run without.
#[derive(Clone, Debug)]
pub struct SecretSource {
    /// The key that names it: `ca.key_passphrase`.
    key: String,
    place: Place,
}

/// A place that a secret can be in.
#[derive(Clone, Debug)]
enum Place {
    /// The configuration, or a variable that is part of it.
    Here(Secret),
    /// The environment: `env:NAME`.
    Variable { name: String, value: Option<Secret> },
    /// A file: `file:PATH`.
    File(PathBuf),
    /// What systemd hands over: `credential:NAME`.
    Credential { name: String, folder: Option<PathBuf> },
    /// Whoever starts the program: `prompt`.
    Prompt(Question),
}

/// What is asked on the terminal.
#[derive(Clone, Debug)]
struct Question {
    /// For people.
    text: String,
    /// The same one after the file was read again, also where lines have moved.
    nth: usize,
}

/// Why a secret could not be read. Its text names the key, never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretError {
    key: String,
    why: String,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

impl std::error::Error for SecretError {}

impl SecretSource {
    /// Reads the secret, or asks for it. One final newline of a file is not part of it.
    ///
    /// # Errors
    /// [`SecretError`] when it is not there, is empty, or is not text; and when there is no terminal to ask on.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.find().map_err(|why| SecretError { key: self.key.clone(), why })
    }

    /// As [`read`](Self::read); the error does not name the key.
    pub(super) fn find(&self) -> Result<Secret, String> {
        let secret = match &self.place {
            Place::Here(secret) => Ok(secret.clone()),
            Place::Variable { name, value } => {
                value.clone().ok_or_else(|| format!("the environment variable {name} is not set"))
            }
            Place::File(path) => in_file(path),
            Place::Credential { name, folder: Some(folder) } => in_file(&folder.join(name)),
            Place::Credential { name, folder: None } => {
                Err(format!("there is no credential {name}: CREDENTIALS_DIRECTORY is not set"))
            }
            Place::Prompt(question) => terminal::ask_once(&self.key, question),
        }?;
        if secret.reveal().is_empty() { Err("the secret is empty".to_owned()) } else { Ok(secret) }
    }

    /// Whether reading it asks somebody.
    pub(super) fn asks(&self) -> bool {
        matches!(self.place, Place::Prompt(_))
    }
}

/// Reads where a secret is: `env:NAME`, `file:PATH`, `credential:NAME`, `prompt`, or the secret itself.
pub(super) fn source(given: &Given<'_>) -> Result<SecretSource, Fault> {
    if let Some(source) = place(given)? {
        return Ok(source);
    }
    if given.written()?.is_empty() {
        return Err(Fault::new("must not be empty"));
    }
    warn_if_exposed(given)?;
    Ok(SecretSource { key: given.key().to_owned(), place: Place::Here(Secret::new(given.text()?)) })
}

/// Reads a URL, which is a secret if there is a password in it, and may be where secrets may be.
///
/// # Errors
/// Also when it cannot be had: nothing can be done without it.
pub(super) fn url(given: &Given<'_>) -> Result<Secret, Fault> {
    if let Some(source) = place(given)? {
        return source.find().map_err(Fault::new);
    }
    let user = given.written()?.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    if user.is_some_and(|(user, _)| user.contains(':')) {
        warn_if_exposed(given)?;
    }
    given.text().map(Secret::new)
}

/// A place that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere<'a> {
    /// `env:NAME`.
    Variable(&'a str),
    /// `file:PATH`, in which variables may stand.
    File,
    /// `credential:NAME`.
    Credential(&'a str),
    /// `prompt`.
    Prompt,
}

/// The place that a text names as it is written; `None` where it is the secret itself. The environment tells no places:
/// what a variable holds is the secret, whatever it begins with.
pub(super) fn elsewhere(written: &str) -> Option<Elsewhere<'_>> {
    match written.split_once(':') {
        _ if written == "prompt" => Some(Elsewhere::Prompt),
        Some(("env", name)) => Some(Elsewhere::Variable(name)),
        Some(("file", _)) => Some(Elsewhere::File),
        Some(("credential", name)) => Some(Elsewhere::Credential(name)),
        _ => None,
    }
}

/// The place that a value names; `None` where it is the secret itself.
fn place(given: &Given<'_>) -> Result<Option<SecretSource>, Fault> {
    let place = match elsewhere(given.written()?) {
        Some(Elsewhere::Prompt) => Place::Prompt(question(given)),
        Some(Elsewhere::Variable(name)) => {
            let name = value::variable_name(name).ok_or_else(|| Fault::new("does not name an environment variable"))?;
            let value = (given.context.env)(name).map(Secret::new);
            Place::Variable { name: name.to_owned(), value }
        }
        Some(Elsewhere::File) => {
            let path = given.context.base_dir.join(given.text()?.split_off("file:".len()));
            files::warn_if_exposed(given, &path);
            Place::File(path)
        }
        Some(Elsewhere::Credential(name)) => {
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                return Err(Fault::new("does not name a credential").help("write \"credential:NAME\""));
            }
            let folder = (given.context.env)("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            Place::Credential { name: name.to_owned(), folder }
        }
        None => return Ok(None),
    };
    Ok(Some(SecretSource { key: given.key().to_owned(), place }))
}

/// Tells of a secret that others can read where it is written.
fn warn_if_exposed(given: &Given<'_>) -> Result<(), Fault> {
    if given.context.is_exposed && !given.written()?.contains("${") {
        let fault = Fault::new("a secret is in a file that others can read");
        given.warn(fault.help("write \"env:NAME\", \"file:PATH\" or \"credential:NAME\", or chmod 600"));
    }
    Ok(())
}

/// A secret in the environment variable that a value names.
pub(super) fn in_variable(given: &Given<'_>) -> Result<SecretSource, Fault> {
    let written = given.written()?;
    let name = value::variable_name(written).ok_or_else(|| Fault::new("does not name an environment variable"))?;
    let place = Place::Variable { name: name.to_owned(), value: (given.context.env)(name).map(Secret::new) };
    Ok(SecretSource { key: given.key().to_owned(), place })
}

fn question(given: &Given<'_>) -> Question {
    let nth = given.context.count_prompt(given.key());
    let line = given.position().map_or(String::new(), |position| format!("line {}, ", position.line));
    Question { text: format!("{line}{}: ", given.key()), nth }
}

fn in_file(path: &Path) -> Result<Secret, String> {
    let cannot = |why: &dyn fmt::Display| format!("cannot read {}: {why}", path.display());
    let size_bytes = fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if size_bytes > MAX_BYTES {
        return Err(cannot(&format!("it is longer than {MAX_BYTES} octets")));
    }
    let octets = Zeroizing::new(fs::read(path).map_err(|error| cannot(&error))?);
    let text = std::str::from_utf8(&octets).map_err(|_| cannot(&"it is not text"))?;
    Ok(Secret::new(without_newline(text).to_owned()))
}

fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_newline_off_the_end() {
        for (text, secret) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a \n", " a "), ("", "")] {
            assert_eq!(without_newline(text), secret, "{text:?}");
        }
    }
}
