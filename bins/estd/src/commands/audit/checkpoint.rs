//! `estd audit checkpoint`: sign where the chains end.

use anyhow::{Result, bail};
use est_core::pkix::pem;
use est_store::TrailUse;
use host::checkpoints::Checkpoints;

use crate::cli::AuditCheckpoint;
use crate::commands::{Opened, actor, settings};
use crate::output;

pub(super) async fn run(options: &AuditCheckpoint) -> Result<()> {
    const NONE: &str = "no checkpoints are configured: set audit.checkpoint_key";
    if options.public_key {
        let Some(checkpoints) = Checkpoints::open(&settings(&options.config.config)?.audit)? else { bail!(NONE) };
        let text = pem::encode("PUBLIC KEY", checkpoints.public_key().as_der());
        output::line(text.trim_end())?;
        return Ok(());
    }
    let Opened { settings, store } = Opened::open(&options.config.config)?;
    let Some(checkpoints) = Checkpoints::open(&settings.audit)? else { bail!(NONE) };
    let nodes = store.chain_nodes().await?;
    // First, so that the checkpoint of this node's chain holds it too.
    store.note_trail_use(TrailUse::Checkpointed(format!("of {}", nodes.join(", "))), &actor()).await?;
    checkpoints.vouch(&store).await?;
    let signed = checkpoints.sign_all(&settings.server.node, store.chain_ends().await?).await?;
    checkpoints.append(&signed)?;
    output::line(signed.to_string())?;
    store.close().await;
    Ok(())
}
