//! `docs/rfc-coverage.md` claims nothing that no test shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use est_testkit::packed;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A row of a table: number, source, requirement, tests, status.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| No.") && !line.starts_with("| ---");
    page.lines().filter(is_row).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The names of all test functions below `folder`.
fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let mut lines = text.lines().map(str::trim);
            while lines.any(|line| line == "#[test]" || line.starts_with("#[tokio::test")) {
                let function = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
                let function = function.strip_prefix("async ").unwrap_or(function).strip_prefix("fn ");
                names.extend(function.and_then(|rest| rest.split('(').next()).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = fs::read_to_string(root().join("docs/rfc-coverage.md")).expect("the page");
    let mut known = BTreeSet::new();
    tests(&root(), &mut known);
    assert!(known.len() > 200, "only {} tests found", known.len());
    let groups = packed::groups(&root().join("bins/estd/tests/vectors/bad_input"));
    let is_case = |path: &str| {
        let (group, name) = path.split_once('/').expect("GROUP/NAME");
        groups.get(group).is_some_and(|text| packed::cases(text).iter().any(|(case, _)| *case == name))
    };
    let rows = rows(&page);
    assert!(rows.len() > 80, "only {} rows", rows.len());
    let (mut numbers, mut faults) = (BTreeSet::new(), Vec::new());
    for row in rows {
        let [number, _, requirement, shown_by, status] = row[..] else { panic!("not five cells: {row:?}") };
        if !numbers.insert(number) {
            faults.push(format!("{number} stands there twice"));
        }
        let missing = quoted(shown_by).filter(|name| match name.strip_prefix("bad_input/") {
            Some(path) => !is_case(path),
            None => !known.contains(*name),
        });
        faults.extend(missing.map(|name| format!("{number}: there is no {name}")));
        if status.starts_with("kept") && quoted(shown_by).next().is_none() {
            faults.push(format!("{number} is kept, but no test shows it: {requirement}"));
        }
        if !["kept", "partly: ", "later", "not: ", "not yet: "].iter().any(|word| status.starts_with(word)) {
            faults.push(format!("{number}: {status}?"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
