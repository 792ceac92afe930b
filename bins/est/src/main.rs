//! The command line of a person or a device that enrolls at an EST server (RFC 7030).

mod anchors;
mod bench;
mod cacerts;
mod cli;
mod csrattrs;
mod enroll;
mod file;
mod hook;
mod http;
mod issued;
mod key;
mod link;
mod manual;
mod output;
mod peer;
mod reenroll;
mod renew;
mod renewal;
mod retry;
mod server_url;
mod serverkeygen;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use output::Failure;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command }) => run(command).map_or_else(|failure| failure.tell(), |()| ExitCode::SUCCESS),
        Err(told) => output::tell(&told),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    // The load generator brings threads of its own.
    let command = match command {
        Command::Bench(bench) => return bench::run(bench),
        Command::Man { out } => return manual::pages(out.as_deref()),
        Command::Completions { shell } => return manual::completions(shell),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::error(format!("the runtime does not start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Cacerts(arguments) => cacerts::run(arguments).await,
            Command::Csrattrs(arguments) => csrattrs::run(arguments).await,
            Command::Enroll(arguments) => enroll::run(arguments).await,
            Command::Serverkeygen(arguments) => serverkeygen::run(arguments).await,
            Command::Reenroll(arguments) => reenroll::run(arguments).await,
            Command::Renew(arguments) => renew::run(arguments).await,
            Command::Bench(_) | Command::Man { .. } | Command::Completions { .. } => unreachable!("they have run"),
        }
    })
}
