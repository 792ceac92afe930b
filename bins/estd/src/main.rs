//! The EST server.

mod admin;
mod cli;
mod commands;
mod explanation;
mod file;
mod lock;
mod notify;
mod output;
mod process;
mod reload;
mod server;
mod serving;
mod tls;
mod trail;
mod view;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser as _;
use host::config::Settings;
use host::telemetry;
use tokio::runtime::{Builder, Runtime};

use cli::{Audit, Cli, Command, ConfigFile};
use commands::audit::verify;
use commands::{
    audit, ca, certs, check, crl, dev, health, init, manual, migrate, otp, prune, requests, run, tls as own_tls,
};

/// Gives memory back to the system after a password's 19 MiB of hashing, where glibc keeps it; and a little quicker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(Cli { command }) => command,
        Err(told) => return output::tell(&told),
    };
    start(command).unwrap_or_else(|error| output::failed(&error, 1))
}

fn start(command: Command) -> Result<ExitCode> {
    match command {
        Command::Audit { command: Audit::Verify(options) } => {
            return Ok(runtime(None)?.block_on(verify::run(&options)));
        }
        Command::Dev(options) => {
            let settings = runtime(None)?.block_on(dev::prepare(&options))?;
            process::find_room_for_threads(settings.server.workers)?;
            let _log = start_logging(&settings)?;
            serve(settings.server.workers, dev::serve(settings, &options))
        }
        Command::Run(options) => {
            let settings = commands::settings_to_serve(&options.config.config)?;
            process::find_room_for_threads(settings.server.workers)?;
            let _log = start_logging(&settings)?;
            serve(settings.server.workers, run::run(settings, &options))
        }
        Command::Init(options) => runtime(None)?.block_on(init::run(&options)),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Health(options) => runtime(None)?.block_on(health::run(&options.config.config, options.address)),
        Command::Config { command: ConfigFile::Schema } => Ok(output::line(host::config::schema().trim_end())?),
        Command::Check(options) => check::run(&options.config.config),
        Command::Ca { command } => runtime(None)?.block_on(ca::run(command)),
        Command::Tls { command } => runtime(None)?.block_on(own_tls::run(command)),
        Command::Migrate(options) => runtime(None)?.block_on(migrate::run(&options.config.config, options.status)),
        Command::Prune(options) => runtime(None)?.block_on(prune::run(&options)),
        Command::Otp { command } => runtime(None)?.block_on(otp::run(command)),
        Command::Certs { command } => runtime(None)?.block_on(certs::run(command)),
        Command::Crl(options) => runtime(None)?.block_on(crl::run(&options)),
        Command::Requests { command } => runtime(None)?.block_on(requests::run(command)),
        Command::Man(options) => manual::pages(&options),
        Command::Completions(options) => manual::completions(options.shell),
        Command::Audit { command } => runtime(None)?.block_on(audit::run(command)),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Starts to log, and to send spans where they are wanted: for as long as what it returns is kept.
fn start_logging(settings: &Settings) -> Result<impl Sized + use<>> {
    let (level, format) = (settings.log.level.as_str(), settings.log.format);
    #[cfg(feature = "otel")]
    if let Some(endpoint) = &settings.log.otlp_endpoint {
        let spans = telemetry::start_with_spans(level, format, endpoint, &settings.server.node);
        return spans.map(|(spans, log)| (Some(spans), log)).map_err(anyhow::Error::msg);
    }
    let log = telemetry::start(level, format).map_err(anyhow::Error::msg)?;
    #[cfg(feature = "otel")]
    return Ok((None, log));
    #[cfg(not(feature = "otel"))]
    Ok(log)
}

/// Runs a server. Whatever hangs when it has stopped, for example a write to an unreachable file system, does not keep the
/// process.
fn serve(workers: Option<NonZeroUsize>, server: impl Future<Output = Result<()>>) -> Result<()> {
    process::protect();
    let runtime = runtime(workers)?;
    let outcome = runtime.block_on(server);
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// A runtime with so many workers; one per core if `None`.
fn runtime(workers: Option<NonZeroUsize>) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers.get());
    }
    Ok(builder.enable_all().build()?)
}
