//! Where in a configuration file a rule is written.

use toml_edit::{Document, Table};

use super::diagnostic::Position;

/// A place in a configuration file that states a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The section and its name: `[[profile]] "plc"`.
    pub section: String,
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
}

/// Finds where one of `keys` is written for the label of this name: for all labels, in its own section, or in its profile
/// and the profiles that this one begins with. `None` when none is written: then the rule is a default or built in.
#[must_use]
pub fn locate(text: &str, label: Option<&str>, keys: &[&str]) -> Option<Place> {
    let document = Document::parse(text).ok()?;
    let root = document.as_table();
    let named = |tables: Option<&toml_edit::Item>, name: &str| -> Option<Table> {
        let tables = tables?.as_array_of_tables()?;
        tables.iter().find(|table| table.get("name").and_then(toml_edit::Item::as_str) == Some(name)).cloned()
    };
    let place = |table: &Table, section: String| {
        let (key, span) = keys.iter().find_map(|key| Some((*key, table.key(key)?.span()?)))?;
        Some(Place { section, key: key.to_owned(), position: Position::of(text, span.start) })
    };
    let est = root.get("est")?.as_table()?;
    if let Some(found) = place(est, "[est]".to_owned()) {
        return Some(found);
    }
    let section = named(est.get("label"), label?)?;
    if let Some(found) = place(&section, format!("[[est.label]] {:?}", label?)) {
        return Some(found);
    }
    let mut profile = section.get("profile").and_then(toml_edit::Item::as_str).map(str::to_owned);
    // A base stands above: each step leads upwards, and so to an end.
    while let Some(name) = profile {
        let table = named(root.get("profile"), &name)?;
        if let Some(found) = place(&table, format!("[[profile]] {name:?}")) {
            return Some(found);
        }
        profile = table.get("base").and_then(toml_edit::Item::as_str).filter(|base| **base != name).map(str::to_owned);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_place() {
        let text = "[[profile]]\nname = \"base\"\nkey_types = [\"p256\"]\n[[profile]]\nname = \"plc\"\nbase = \"base\"\n\
                    wildcards = false\n[[est.label]]\nname = \"devices\"\nprofile = \"plc\"\nsubject_pattern = \"^a$\"\n";
        let find =
            |keys: &[&str]| locate(text, Some("devices"), keys).map(|place| (place.section, place.position.line));
        assert_eq!(find(&["subject_pattern"]), Some(("[[est.label]] \"devices\"".into(), 11)));
        assert_eq!(find(&["wildcards"]), Some(("[[profile]] \"plc\"".into(), 7)));
        assert_eq!(find(&["allowed_key_types", "key_types"]), Some(("[[profile]] \"base\"".into(), 3)));
        assert_eq!(find(&["names"]), None);
        assert_eq!(locate(text, None, &["wildcards"]), None);
    }
}
