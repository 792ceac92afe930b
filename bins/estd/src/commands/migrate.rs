//! `estd migrate`.

use std::path::Path;

use anyhow::Result;
use est_store::migrations;

use super::{count, settings};
use crate::output;

pub(crate) fn run(config: &Path, only_status: bool) -> Result<()> {
    let settings = settings(config)?;
    let path = &settings.db.path;
    if only_status {
        let status = migrations::status(path)?;
        for applied in &status.applied {
            output::line(format!("applied  {}  {}", applied.at, applied.name));
        }
        for pending in &status.pending {
            output::line(format!("pending  {:20}  {pending}", ""));
        }
        output::line(format!("{}: {}", path.display(), count(status.pending.len(), "pending migration")));
        return Ok(());
    }
    let applied = migrations::apply(path)?;
    applied.iter().for_each(|name| output::line(format!("applied  {name}")));
    output::line(format!("{}: {} applied", path.display(), count(applied.len(), "migration")));
    Ok(())
}
