//! `estd check`.

use std::path::Path;

use anyhow::{Result, bail};
use host::ends::{self, Urgency};
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
    let now = shell::now();
    // What has ended is among the warnings already.
    let ends = ends::of_settings(&settings);
    let soon: Vec<String> =
        ends.iter().filter(|end| end.urgency(now) == Urgency::Soon).filter_map(|end| end.told(now)).collect();
    soon.iter().for_each(|text| output::error(format!("warning: {text}")));
    let number = warnings.len() + soon.len();
    let warned = if number == 0 { String::new() } else { format!(", {}", count(number, "warning")) };
    output::line(format!("{}: no mistakes{warned}", path.display()))?;
    Ok(())
}
