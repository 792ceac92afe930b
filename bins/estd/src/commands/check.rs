//! `estd check`.

use std::path::Path;

use anyhow::{Result, bail};
use host::{config, shell};

use super::{count, print};
use crate::output;

/// Reports every mistake; succeeds when there is none.
pub(crate) fn run(path: &Path) -> Result<()> {
    let (settings, warnings) = match config::load(path, |name| std::env::var(name).ok(), shell::now()) {
        Ok(read) => read,
        Err(mistakes) => {
            print("error", &mistakes);
            bail!("{} has {}", path.display(), count(mistakes.len(), "mistake"));
        }
    };
    print("warning", &warnings);
    // What the file alone cannot tell: whether the keys are those of the certificates.
    let wrong = super::run::prepare(&settings).err();
    if let Some(error) = wrong {
        bail!("{}: {error:#}", path.display());
    }
    let warned = if warnings.is_empty() { String::new() } else { format!(", {}", count(warnings.len(), "warning")) };
    output::line(format!("{}: no mistakes{warned}", path.display()))?;
    Ok(())
}
