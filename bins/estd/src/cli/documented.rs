//! Every command that the documentation tells is one that there is.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// The commands of a page: lines of code blocks, and what stands between backticks.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 1 {
            let lines = part.replace("\\\n", " ");
            commands.extend(lines.lines().flat_map(|line| line.split("&&")).filter_map(command));
        } else {
            commands.extend(part.split('`').skip(1).step_by(2).filter_map(command));
        }
    }
    commands
}

/// The part of a line that is a command of this program.
fn command(line: &str) -> Option<String> {
    // What is between brackets can be left out.
    let line = line.replace(['[', ']'], "");
    let line = line.trim().trim_start_matches("$ ").trim_start_matches("runuser -u ohia -- ");
    let command = line.strip_prefix("estd ")?.split(['>', '|', '\\', '#', '…']).next()?;
    (!command.trim().is_empty()).then(|| command.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn words(command: &str) -> Vec<String> {
    let mut words = vec!["estd".to_owned()];
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path());
    let pages = docs.chain([root.join("README.md")]);
    pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_command_in_the_documentation_exists() {
    let mut count = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for command in commands(&page) {
            count += 1;
            let Err(error) = Cli::try_parse_from(words(&command)) else { continue };
            let exists = match error.kind() {
                // A sentence may leave out arguments that a command needs, and name one without its own commands.
                ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                | ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion => true,
                // Or give no value, or the name of one: `ADDR`.
                ErrorKind::InvalidValue | ErrorKind::ValueValidation => match error.get(ContextKind::InvalidValue) {
                    Some(ContextValue::String(value)) => value.chars().all(|letter| letter.is_ascii_uppercase()),
                    _ => false,
                },
                _ => false,
            };
            assert!(exists, "{}: estd {command}: {error}", path.display());
        }
    }
    assert!(count > 60, "only {count} were found");
}

#[test]
fn a_command_that_there_is_not_is_noticed() {
    let page = "Run `estd certs burn`:\n\n```\n$ estd otp create --for ever   # no\nestd man && estd nothing\n```\n";
    let found = commands(page);
    assert_eq!(found, ["certs burn", "otp create --for ever", "man", "nothing"]);
    for command in ["certs burn", "otp create --for ever", "nothing"] {
        assert!(Cli::try_parse_from(words(command)).is_err(), "{command}");
    }
}
