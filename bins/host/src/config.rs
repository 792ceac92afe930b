//! The configuration file: TOML in, [`Settings`] out, or every mistake in it.
//!
//! One table ([`reference()`] prints it) lists every key with its default and meaning. The file is read by that table:
//! a default is read like a written value, and a key that the table lacks is a mistake. A mistake never hides another
//! one, TOML's own syntax excepted.

mod diagnostic;
mod files;
mod footprint;
mod keys;
mod locate;
mod manual;
mod names;
mod network;
mod reader;
mod reference;
mod schema;
mod secret;
mod sections;
mod settings;
mod shown;
mod spelling;
mod value;

use std::fs;
use std::path::Path;

use est_core::UnixTime;
use toml_edit::Document;

pub use est_auth::HashAlgorithm;

pub use diagnostic::{Diagnostic, Position};
pub use footprint::Footprint;
pub use locate::{Place, locate};
pub use manual::manual;
pub use names::purpose;
pub use network::Network;
pub use reference::reference;
pub use schema::schema;
pub use secret::{SecretError, SecretSource};
pub use settings::{
    AddressHeader, Admin, AdminAuth, AdminCertificate, AdminSecret, AdminToken, Audit, Ca, ClientAddress,
    ClientAnchors, ClientAuth, ClientAuthMode, ClientPurpose, ClientRevocation, CrlRules, Db, Est, EventFilter,
    Frequency, KeyFile, Label, Limits, Log, LogFormat, Otp, Proxy, Ra, Role, RsaPadding, Server, Settings, SharedKey,
    Syslog, SyslogTls, SyslogTransport, Tls, TlsCertificate, TlsVersion,
};
pub use shown::shown;

use diagnostic::Fault;
use reader::Context;

/// Reads a configuration file and the files that it names.
///
/// `env` is the environment that `${NAME}` is looked up in; `now` tells which certificates have expired. Besides the
/// settings it gives what is worth a second look.
///
/// # Errors
/// Every mistake, in the order of the file.
pub fn load(
    path: &Path,
    env: impl Fn(&str) -> Option<String>,
    now: UnixTime,
) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    load_text(path, &text_of(path)?, env, now)
}

/// Reads the file alone.
///
/// # Errors
/// That it cannot be read.
pub fn text_of(path: &Path) -> Result<String, Vec<Diagnostic>> {
    fs::read_to_string(path).map_err(|error| vec![Diagnostic { file: Some(path.to_owned()), ..unreadable(&error) }])
}

/// As [`load`], of what [`text_of`] has read.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    path: &Path,
    text: &str,
    env: impl Fn(&str) -> Option<String>,
    now: UnixTime,
) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let in_file = |mut diagnostics: Vec<Diagnostic>| {
        for diagnostic in &mut diagnostics {
            diagnostic.file = Some(path.to_owned());
        }
        diagnostics
    };
    let base_dir = path.parent().unwrap_or(Path::new(""));
    match read(text, base_dir, files::readers(path).is_some(), env, now) {
        Ok((settings, warnings)) => Ok((settings, in_file(warnings))),
        Err(errors) => Err(in_file(errors)),
    }
}

fn unreadable(error: &std::io::Error) -> Diagnostic {
    let message = format!("cannot be read: {error}");
    Diagnostic { file: None, position: None, key: String::new(), message, help: None }
}

/// Reads the text of a configuration file. Relative paths in it begin at `base_dir`.
///
/// # Errors
/// Every mistake, in the order of the text.
pub fn parse(
    text: &str,
    base_dir: &Path,
    env: impl Fn(&str) -> Option<String>,
    now: UnixTime,
) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    read(text, base_dir, false, env, now)
}

/// `is_exposed` tells whether others than the owner can read the file.
fn read(
    text: &str,
    base_dir: &Path,
    is_exposed: bool,
    env: impl Fn(&str) -> Option<String>,
    now: UnixTime,
) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let context = Context::new(text, base_dir, is_exposed, &env, now);
    let settings = match Document::parse(text) {
        Ok(document) => sections::read(&context, document.as_table()),
        Err(error) => {
            // Its own Display shows the line, which may hold a password.
            context.error(error.span().map(|span| span.start), "", Fault::new(error.message().trim_end()));
            None
        }
    };
    let (errors, warnings) = context.into_diagnostics();
    match settings {
        Some(settings) if errors.is_empty() => Ok((settings, warnings)),
        _ => Err(errors),
    }
}
