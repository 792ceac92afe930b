//! The committed inputs.

use std::fs;
use std::path::PathBuf;

/// Where the inputs of a target lie.
#[must_use]
pub fn directory(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs of a target with their file names, in the order of the names.
///
/// # Panics
/// When there are none: a target without corpus tests nothing.
#[must_use]
pub fn read(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = directory(target);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut inputs: Vec<_> = files
        .map(|file| file.expect("a readable directory"))
        .map(|file| {
            let contents = fs::read(file.path()).expect("a readable file");
            (file.file_name().to_string_lossy().into_owned(), contents)
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} holds nothing", directory.display());
    inputs
}
