//! `est man` and `est completions`: what an installation takes from the command line itself.

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output::{Failure, print};

/// Prints the manual page, or writes that of each command into a folder: `est.1`, `est-enroll.1`, ….
pub(crate) fn pages(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .map_err(|error| Failure::error(format!("cannot write into {}: {error}", folder.display()))),
        None => {
            let page = clap_mangen::Man::new(Cli::command().disable_help_subcommand(true));
            print(|out| page.render(out))
        }
    }
}

/// Prints what a shell completes commands with.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "est", &mut script);
    print(|out| out.write_all(&script))
}
