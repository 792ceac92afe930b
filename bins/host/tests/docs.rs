//! The documentation says what the code says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Every Markdown file that a reader may open.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders: Vec<_> =
        ["docs", "packaging", "fuzz", "bins/estd/tests/vectors"].map(|name| root().join(name)).into();
    let here = fs::read_dir(root()).expect("the workspace").map(|entry| entry.expect("an entry").path());
    pages.extend(here.filter(|path| path.is_file()));
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let (within, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        folders.extend(within.into_iter().filter(|path| !path.ends_with("target")));
        pages.extend(files);
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// `docs/configuration.md` ends with the reference that the program makes of its own table of keys.
/// `OHIA_UPDATE_DOCS=1` writes it.
#[test]
fn the_configuration_page_is_the_reference() {
    const MARK: &str = "<!-- What follows is made from the program's own table of keys. -->\n\n";
    let path = root().join("docs/configuration.md");
    let page = fs::read_to_string(&path).expect("docs/configuration.md");
    let (introduction, written) = page.split_once(MARK).expect("the mark above the reference");
    let reference = host::config::reference();
    if env::var_os("OHIA_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(path, format!("{introduction}{MARK}{reference}")).expect("the page can be written");
    } else {
        assert_eq!(written, reference, "run this test with OHIA_UPDATE_DOCS=1");
    }
}

/// Where the links of a page lead within this repository: the file, and the heading in it.
fn links(page: &Path) -> Vec<(PathBuf, Option<String>)> {
    let text = without_code(&fs::read_to_string(page).expect("a page"));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    let absolute = |target: &str| {
        let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
        let path = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
        (path, heading.map(str::to_owned))
    };
    inside.map(absolute).collect()
}

/// The page without its blocks of code, where brackets are no links and hashes are no headings.
fn without_code(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// What the headings of a page are called in addresses.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = without_code(&fs::read_to_string(page).expect("a page"));
    let titles = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let is_kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    titles.map(|title| title.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")).collect()
}

/// Every link to a file of this repository leads to one, and to a heading in it.
#[test]
fn every_link_leads_somewhere() {
    let mut broken = BTreeSet::new();
    let mut count = 0;
    for page in pages() {
        for (file, heading) in links(&page) {
            count += 1;
            let is_there = file.exists() && heading.as_ref().is_none_or(|heading| headings(&file).contains(heading));
            if !is_there {
                broken.insert(format!("{} → {} {}", page.display(), file.display(), heading.unwrap_or_default()));
            }
        }
    }
    assert!(broken.is_empty() && count > 150, "{count} links, of which broken are {broken:#?}");
}

/// mdBook makes a site of `docs/` alone: a link that leaves it would lead nowhere there.
#[test]
fn no_link_of_the_book_leaves_it() {
    let book = root().join("docs");
    for page in pages().into_iter().filter(|page| page.starts_with(&book)) {
        for (file, _) in links(&page) {
            let file = file.canonicalize().unwrap_or(file);
            assert!(file.starts_with(&book), "{} → {}", page.display(), file.display());
        }
    }
}

/// Every page of the book is in its table of contents.
#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("docs/SUMMARY.md");
    for page in pages() {
        let Ok(name) = page.strip_prefix(root().join("docs")).map(|name| name.display().to_string()) else { continue };
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in docs/SUMMARY.md");
    }
}

/// Every reason for which a server refuses is explained to operators, with its status.
#[test]
fn the_operators_page_lists_every_refusal() {
    let page = fs::read_to_string(root().join("docs/operate.md")).expect("docs/operate.md");
    let source = fs::read_to_string(root().join("est-core/src/refusal.rs")).expect("the table");
    let table =
        source.split("pub fn row").nth(1).and_then(|rest| rest.split("impl fmt::Display").next()).expect("the table");
    let codes: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| line.split_once("=> (\"")?.1.split_once("\", "))
        .filter_map(|(code, rest)| Some((code, rest.split(',').next()?)))
        .collect();
    assert!(codes.len() > 35, "{codes:?}");
    for (code, status) in codes {
        assert!(page.contains(&format!("| `{code}` | {status} |")), "docs/operate.md lacks | `{code}` | {status} |");
    }
}

/// So is what is wrong with a request, its key, and its names on the public web.
#[test]
fn the_operators_page_lists_every_fault_of_a_request() {
    let page = fs::read_to_string(root().join("docs/operate.md")).expect("docs/operate.md");
    let listed = |file: &str, from: &str| -> Vec<String> {
        let source = fs::read_to_string(root().join(file)).expect("a source");
        let function = source.split(from).nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("the function");
        let codes = function.lines().filter_map(|line| line.split_once("=> \"")?.1.split_once('"'));
        codes.map(|(code, _)| code.to_owned()).collect()
    };
    let of_requests = listed("est-core/src/refusal.rs", "fn csr_code");
    assert!(of_requests.len() > 10, "{of_requests:?}");
    for code in of_requests {
        assert!(page.contains(&format!("| `{code}` | 400 |")), "docs/operate.md lacks | `{code}` | 400 |");
    }
    let of_keys = listed("est-core/src/pkix/key/error.rs", "fn code");
    let of_names = listed("est-core/src/policy/baseline.rs", "fn code");
    assert!(of_keys.len() > 20 && of_names.len() > 8, "{of_keys:?} {of_names:?}");
    for code in of_keys.iter().chain(&of_names) {
        assert!(page.contains(&format!("`{code}`")), "docs/operate.md lacks {code}");
    }
}

/// Every audit event is explained, with its outcome, in the words of the one table of them.
#[test]
fn the_audit_page_lists_every_event() {
    let page = fs::read_to_string(root().join("docs/audit.md")).expect("docs/audit.md");
    let outcome = |success| match success {
        Some(true) => "success",
        Some(false) => "failure",
        None => "either",
    };
    let rows: Vec<String> = est_store::EVENTS
        .iter()
        .map(|event| format!("| `{}` | {} | {} |", event.name, event.about, outcome(event.success)))
        .collect();
    let table = rows.join("\n");
    assert!(page.contains(&table), "docs/audit.md should have this table:\n{table}");
}

/// What the audit page says of other lists names events that there are, or says that there is none.
#[test]
fn the_audit_page_sends_nobody_to_an_event_that_there_is_not() {
    let page = fs::read_to_string(root().join("docs/audit.md")).expect("docs/audit.md");
    let (_, section) = page.split_once("### Other lists").expect("a section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Elsewhere") && !line.starts_with("| ---"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 15, "{rows:?}");
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let exists = |name: &str| est_store::EVENTS.iter().any(|event| event.name == name);
    for row in rows {
        let (theirs, ours) = (quoted(row[1]), quoted(row[2]));
        let is_none = row[2].starts_with("None");
        for name in theirs {
            assert_eq!(exists(&name), !is_none, "{name}");
        }
        let events = ours.iter().filter(|name| !name.contains([' ', '-']) && name.contains('.'));
        for name in events {
            assert!(exists(name), "{name}");
        }
    }
}
