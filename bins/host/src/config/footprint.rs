//! Which sections of a configuration differ from those of another, without keeping either.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::path::Path;

use toml_edit::{Document, Item, Value};
use zeroize::Zeroizing;

use super::value::expand;

/// What a configuration file says, section by section, with the environment and the files that it names: hashes, by a
/// key that no other process knows.
#[derive(Clone, Debug)]
pub struct Footprint {
    hashing: RandomState,
    sections: BTreeMap<String, u64>,
}

/// Of a longer file, size and time are looked at instead of its contents.
const MAX_BYTES: u64 = 1 << 20;

impl Footprint {
    /// That of a file which cannot be read, or is no TOML, is empty.
    #[must_use]
    pub fn of(path: &Path, env: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(RandomState::new(), path, &env)
    }

    /// That of another file, or of the same one later on.
    #[must_use]
    pub fn again(&self, path: &Path, env: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(self.hashing.clone(), path, &env)
    }

    /// The sections in which two differ, in the order of their names.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let names = self.sections.keys().chain(other.sections.keys().filter(|name| !self.sections.contains_key(*name)));
        let mut changed: Vec<String> =
            names.filter(|name| self.sections.get(*name) != other.sections.get(*name)).cloned().collect();
        changed.sort();
        changed
    }

    fn read(hashing: RandomState, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let base_dir = path.parent().unwrap_or(Path::new(""));
        let sections = Document::parse(text.as_str()).map(|document| {
            let section = |(name, item): (&str, &Item)| {
                let mut hasher = hashing.build_hasher();
                add_item(&mut hasher, item, base_dir, env);
                (name.to_owned(), hasher.finish())
            };
            document.as_table().iter().map(section).collect()
        });
        Self { sections: sections.unwrap_or_default(), hashing }
    }
}

fn add_item(hasher: &mut impl Hasher, item: &Item, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) {
    match item {
        Item::None => {}
        Item::Value(value) => add_value(hasher, value, base_dir, env),
        Item::Table(table) => {
            for (name, item) in table {
                name.hash(hasher);
                add_item(hasher, item, base_dir, env);
            }
        }
        Item::ArrayOfTables(tables) => {
            for table in tables {
                "[[]]".hash(hasher);
                for (name, item) in table {
                    name.hash(hasher);
                    add_item(hasher, item, base_dir, env);
                }
            }
        }
    }
}

fn add_value(hasher: &mut impl Hasher, value: &Value, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            let text = expand(text.value(), env).unwrap_or_default();
            text.hash(hasher);
            if !text.is_empty() {
                add_file(hasher, &base_dir.join(text));
            }
        }
        Value::Array(values) => {
            values.len().hash(hasher);
            values.iter().for_each(|value| add_value(hasher, value, base_dir, env));
        }
        Value::InlineTable(table) => {
            for (name, value) in table {
                name.hash(hasher);
                add_value(hasher, value, base_dir, env);
            }
        }
        Value::Integer(number) => number.value().hash(hasher),
        Value::Float(number) => number.value().to_bits().hash(hasher),
        Value::Boolean(value) => value.value().hash(hasher),
        Value::Datetime(time) => time.value().to_string().hash(hasher),
    }
}

/// A text that names a file counts with what lies there; one that names none, with the text alone.
fn add_file(hasher: &mut impl Hasher, path: &Path) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.is_file() && metadata.len() <= MAX_BYTES {
        let contents = Zeroizing::new(fs::read(path).unwrap_or_default());
        contents.as_slice().hash(hasher);
    } else {
        (metadata.len(), metadata.modified().ok()).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("ohia-footprint-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn names_the_sections_in_which_something_differs() {
        let folder = folder("sections");
        let path = folder.join("estd.toml");
        fs::write(folder.join("key.pem"), "one").unwrap();
        let text = "[tls]\nkey = \"key.pem\"\n[otp]\nsecret = \"${S}\"\n[log]\nlevel = \"info\"\n[[ca]]\nid = 'a'\n";
        fs::write(&path, text).unwrap();
        let env = |value: &'static str| move |_: &str| Some(value.to_owned());
        let first = Footprint::of(&path, env("1"));
        assert_eq!(first.changes(&first.again(&path, env("1"))), [""; 0]);
        // Comments and spaces say nothing.
        fs::write(&path, text.replace("level = ", "# why\nlevel =   ")).unwrap();
        assert_eq!(first.changes(&first.again(&path, env("1"))), [""; 0]);
        assert_eq!(first.changes(&first.again(&path, env("2"))), ["otp"]);
        fs::write(folder.join("key.pem"), "two").unwrap();
        assert_eq!(first.changes(&first.again(&path, env("1"))), ["tls"]);
        fs::write(&path, format!("{text}[[ca]]\nid = 'b'\n[limits]\n")).unwrap();
        assert_eq!(first.changes(&first.again(&path, env("1"))), ["ca", "limits", "tls"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
