//! The EST server.

mod cli;
mod commands;
mod file;
mod lock;
mod output;
mod reload;
mod server;
mod serving;
mod tls;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use host::config::Settings;
use host::telemetry;
use tokio::runtime::{Builder, Runtime};

use cli::{Cli, Command};
use commands::{audit, ca, certs, check, dev, init, migrate, otp, requests, run};

/// Gives memory back to the system after a password's 19 MiB of hashing, where glibc keeps it; and a little quicker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match start(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(format!("estd: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> Result<()> {
    match command {
        Command::Dev(options) => {
            let settings = runtime(None)?.block_on(dev::prepare(&options.dir))?;
            start_logging(&settings)?;
            runtime(settings.server.workers)?.block_on(dev::serve(settings, &options.dir, options.listen))
        }
        Command::Run(options) => {
            let settings = commands::settings(&options.config.config)?;
            start_logging(&settings)?;
            runtime(settings.server.workers)?.block_on(run::run(settings, &options.config.config, options.listen))
        }
        Command::Init(options) => runtime(None)?.block_on(async {
            let first = init::FirstRun { dir: &options.dir, names: &options.names, subject: &options.subject };
            first.make(host::shell::now()).await?;
            let config = options.dir.join(init::CONFIG);
            output::line(format!("made {}; next: estd run --config {}", options.dir.display(), config.display()));
            Ok(())
        }),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Check(options) => check::run(&options.config.config),
        Command::Ca { command } => runtime(None)?.block_on(ca::run(command)),
        Command::Migrate(options) => migrate::run(&options.config.config, options.status),
        Command::Otp { command } => runtime(None)?.block_on(otp::run(command)),
        Command::Certs { command } => runtime(None)?.block_on(certs::run(command)),
        Command::Requests { command } => runtime(None)?.block_on(requests::run(command)),
        Command::Audit { command } => runtime(None)?.block_on(audit::run(command)),
    }
}

fn start_logging(settings: &Settings) -> Result<()> {
    telemetry::start(settings.log.level.as_str(), settings.log.format).map_err(anyhow::Error::msg)
}

/// A runtime with so many workers; one per core if `None`.
fn runtime(workers: Option<NonZeroUsize>) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers.get());
    }
    Ok(builder.enable_all().build()?)
}
