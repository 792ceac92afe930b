//! `estd audit`.

mod checkpoint;
mod export;
mod line;
mod list;
pub(crate) mod verify;

use anyhow::Result;

use crate::cli::Audit;

pub(crate) async fn run(command: Audit) -> Result<()> {
    match command {
        Audit::List(options) => list::run(options).await,
        Audit::Export(options) => export::run(options).await,
        Audit::Checkpoint(options) => checkpoint::run(&options).await,
        Audit::Verify(_) => unreachable!("it has exit codes of its own, so main runs it"),
    }
}
