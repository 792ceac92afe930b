//! Many cases in one file: each is a line `### NAME` and the text below it.
//!
//! An empty line before the next heading belongs to neither case. A folder holds one `GROUP.cases` for each group.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HEADING: &str = "### ";

/// The names and the texts of the cases of a file, in their order.
#[must_use]
pub fn cases(text: &str) -> Vec<(&str, &str)> {
    let text = text.strip_prefix(HEADING).expect("the first line is the name of a case");
    text.split("\n### ").map(|case| case.split_once('\n').expect("a case has a text")).collect()
}

/// The groups of a folder, each with the text of its file, by name.
#[must_use]
pub fn groups(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "cases"))
        .map(|file| {
            let group = file.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8").to_owned();
            (group, fs::read_to_string(&file).expect("cases are UTF-8"))
        })
        .collect()
}

/// Adds cases to the files of a folder. A case that is there already stays as it is.
#[derive(Debug)]
pub struct Packer {
    folder: PathBuf,
}

impl Packer {
    /// For the files of this folder, which is made where there is none.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("a folder for the cases");
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a case, unless there is one of this name: `text` ends with a line feed.
    pub fn add(&self, group: &str, name: &str, text: &str) {
        let file = self.folder.join(group).with_extension("cases");
        let there = if file.exists() { fs::read_to_string(&file).expect("cases are UTF-8") } else { String::new() };
        let mut all: BTreeMap<&str, &str> =
            if there.is_empty() { BTreeMap::new() } else { cases(&there).into_iter().collect() };
        if all.contains_key(name) {
            return;
        }
        assert!(text.ends_with('\n') && !text.contains("\n### "), "{group}/{name} cannot be packed");
        all.insert(name, text);
        let packed: Vec<_> = all.iter().map(|(name, text)| format!("{HEADING}{name}\n{text}")).collect();
        fs::write(&file, packed.join("\n")).expect("a file for the group");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_back_in_order_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let packer = Packer::new(folder.path().join("cases"));
        packer.add("one", "b", "second\n\nwith an empty line\n");
        packer.add("one", "a", "first\n");
        packer.add("one", "b", "other\n");
        let groups = groups(packer.folder());
        assert_eq!(groups.keys().collect::<Vec<_>>(), ["one"]);
        assert_eq!(cases(&groups["one"]), [("a", "first\n"), ("b", "second\n\nwith an empty line\n")]);
    }
}
