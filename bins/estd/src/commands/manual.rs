//! `estd man` and `estd completions`: what an installation takes from the command line itself.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Man, Page};
use crate::output;

/// What the page of `estd` says beside its commands.
const MORE: &str = include_str!("manual.roff");

/// Prints a manual page, or writes all of them into a folder: `estd.1`, `estd-run.1`, … and `estd.toml.5`.
pub(crate) fn pages(options: &Man) -> Result<()> {
    match &options.out {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .and_then(|()| File::options().append(true).open(folder.join("estd.1"))?.write_all(MORE.as_bytes()))
            .and_then(|()| std::fs::write(folder.join("estd.toml.5"), host::config::manual()))
            .with_context(|| format!("cannot write into {}", folder.display())),
        None if options.page == Page::Configuration => Ok(output::octets(host::config::manual().as_bytes())?),
        None => {
            let page = clap_mangen::Man::new(Cli::command().disable_help_subcommand(true));
            Ok(output::print(|out| page.render(out).and_then(|()| out.write_all(MORE.as_bytes())))?)
        }
    }
}

/// Prints what a shell completes commands with.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "estd", &mut script);
    Ok(output::octets(&script)?)
}
