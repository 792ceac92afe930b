//! `estd migrate`.

use std::path::Path;

use anyhow::Result;
use est_store::migrations;

use super::{count, open_migrated, settings};
use crate::output;

pub(crate) async fn run(config: &Path, only_status: bool) -> Result<()> {
    let settings = settings(config)?;
    let url = &settings.db.url;
    if only_status {
        let status = migrations::status(url)?;
        for applied in &status.applied {
            output::line(format!("applied  {}  {}", applied.at, applied.name))?;
        }
        for pending in &status.pending {
            output::line(format!("pending  {:20}  {pending}", ""))?;
        }
        output::line(format!("{url}: {}", count(status.pending.len(), "pending migration")))?;
        return Ok(());
    }
    let store = open_migrated(&settings).await?;
    let applied = store.migrated().to_vec();
    store.close().await;
    applied.iter().try_for_each(|name| output::line(format!("applied  {name}")))?;
    output::line(format!("{url}: {} applied", count(applied.len(), "migration")))?;
    Ok(())
}
