//! Secrets that stand elsewhere than in the configuration file.

use est_core::Secret;

use super::diagnostic::Fault;
use super::files;
use super::value::Given;

/// A secret by where it stands: `env:NAME` or `file:PATH`, whose final line feed is none of it. A message never says
/// what was written instead.
pub(super) fn secret(given: &Given<'_>) -> Result<Secret, Fault> {
    let help = "write \"env:NAME\" for an environment variable or \"file:PATH\" for a file";
    let text = given.text()?;
    let secret = match text.split_once(':') {
        Some(("env", name)) => {
            let value = (given.context.env)(name);
            value.ok_or_else(|| Fault::new(format!("the environment variable {name} is not set")))?
        }
        Some(("file", path)) => {
            let text = files::secret_at(given, &given.context.base_dir.join(path))?;
            text.strip_suffix('\n').unwrap_or(&text).to_owned()
        }
        _ => return Err(Fault::new("does not say where the secret stands, and none belongs in this file").help(help)),
    };
    if secret.is_empty() { Err(Fault::new("the secret is empty")) } else { Ok(Secret::new(secret)) }
}
