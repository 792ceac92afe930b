//! What `packaging/` and the pages about it promise, shown with the programs that it is for.

mod container;
mod debian;
mod monitoring;
mod pages;
mod radius;
mod rsyslog;

use std::fs;
use std::path::{Path, PathBuf};

const ESTD: &str = env!("CARGO_BIN_EXE_estd");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The blocks of a page that begin with this fence, `sh` or none.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let parts = page.split(&fence).skip(1);
    parts.map(|part| part.split_once("\n```").expect("the end of the block").0).collect()
}
