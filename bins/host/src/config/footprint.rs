//! Which sections of a configuration differ from those of another, without keeping either.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml_edit::{Document, Item, TableLike, Value};
use zeroize::Zeroizing;

use super::keys::{Key, SECTIONS};
use super::secret::{self, Elsewhere};
use super::value::expand;

/// What a configuration says, section by section, with the environment and the files that it names: hashes, by a key that
/// no other process knows, so that they tell nothing of the secrets among them.
#[derive(Clone, Debug)]
pub struct Footprint {
    hashing: RandomState,
    sections: BTreeMap<String, u64>,
}

/// Of a longer file, size and time are looked at instead of its contents.
const MAX_BYTES: u64 = 1 << 20;

/// The files that the server itself writes: what it appends changes no configuration.
const WRITTEN_BY_THE_SERVER: [(&str, &str); 2] = [("audit", "file"), ("audit", "checkpoints")];

impl Footprint {
    /// That of the text of the file at `path`; of text that is not TOML it is empty.
    #[must_use]
    pub fn of(path: &Path, text: &str, env: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(RandomState::new(), path, text, &env)
    }

    /// That of another file, or of the same one later on.
    #[must_use]
    pub fn again(&self, path: &Path, text: &str, env: impl Fn(&str) -> Option<String>) -> Self {
        Self::read(self.hashing.clone(), path, text, &env)
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

    fn read(hashing: RandomState, path: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let base_dir = path.parent().unwrap_or(Path::new(""));
        let sections = Document::parse(text).map(|document| {
            let section = |(name, item): (&str, &Item)| {
                let mut reading = Reading { hasher: hashing.build_hasher(), base_dir, env };
                reading.add_item(name, item);
                (name.to_owned(), reading.hasher.finish())
            };
            document.as_table().iter().map(section).collect()
        });
        Self { sections: sections.unwrap_or_default(), hashing }
    }
}

/// What a text of the configuration refers to.
#[derive(Clone, Copy)]
enum Meaning {
    /// Itself.
    Itself,
    /// A path: what lies there counts too.
    Path,
    /// A secret, or where it is.
    Secret,
    /// The name of an environment variable.
    Variable,
}

impl Meaning {
    fn of(section: &str, key: &Key) -> Self {
        match (section, key.name) {
            written if WRITTEN_BY_THE_SERVER.contains(&written) => Self::Itself,
            ("admin", "bearer_token_env") => Self::Variable,
            ("db", "url") => Self::Secret,
            _ if key.kind == "secret" => Self::Secret,
            _ if key.kind.split([' ', ',']).any(|word| word == "path") => Self::Path,
            _ => Self::Itself,
        }
    }
}

/// A section that is being read.
struct Reading<'a, H> {
    hasher: H,
    base_dir: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl<H: Hasher> Reading<'_, H> {
    /// Adds a section, or whatever is in its place.
    fn add_item(&mut self, section: &str, item: &Item) {
        match item {
            Item::None => {}
            Item::Value(value) => self.add_value(section, value, Meaning::Itself),
            Item::Table(table) => self.add_table(section, table),
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    "[[]]".hash(&mut self.hasher);
                    self.add_table(section, table);
                }
            }
        }
    }

    fn add_table(&mut self, section: &str, table: &dyn TableLike) {
        let keys = SECTIONS.iter().find(|known| known.name == section).map_or(&[][..], |known| known.keys);
        for (name, item) in table.iter() {
            name.hash(&mut self.hasher);
            let known = keys.iter().find(|key| key.name == name);
            match (known, item) {
                (Some(key), Item::Value(value)) => self.add_value(section, value, Meaning::of(section, key)),
                _ => self.add_item(&format!("{section}.{name}"), item),
            }
        }
    }

    fn add_value(&mut self, section: &str, value: &Value, meaning: Meaning) {
        match value {
            Value::String(text) => self.add_text(text.value(), meaning),
            Value::Array(values) => {
                values.len().hash(&mut self.hasher);
                values.iter().for_each(|value| self.add_value(section, value, meaning));
            }
            Value::InlineTable(table) => self.add_table(section, table),
            Value::Integer(number) => number.value().hash(&mut self.hasher),
            Value::Float(number) => number.value().to_bits().hash(&mut self.hasher),
            Value::Boolean(value) => value.value().hash(&mut self.hasher),
            Value::Datetime(time) => time.value().to_string().hash(&mut self.hasher),
        }
    }

    fn add_text(&mut self, written: &str, meaning: Meaning) {
        written.hash(&mut self.hasher);
        let text = Zeroizing::new(expand(written, self.env).unwrap_or_default());
        text.hash(&mut self.hasher);
        match meaning {
            Meaning::Itself => {}
            Meaning::Path => self.add_path(&self.base_dir.join(text.as_str())),
            Meaning::Variable => self.add_variable(written),
            Meaning::Secret => match secret::elsewhere(written) {
                Some(Elsewhere::Variable(name)) => self.add_variable(name),
                Some(Elsewhere::File) => {
                    self.add_path(&self.base_dir.join(text.strip_prefix("file:").unwrap_or_default()));
                }
                Some(Elsewhere::Credential(name)) => {
                    let folder = (self.env)("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                    self.add_path(&folder.unwrap_or_default().join(name));
                }
                Some(Elsewhere::Prompt) | None => {}
            },
        }
    }

    fn add_variable(&mut self, name: &str) {
        (self.env)(name).map(Zeroizing::new).as_deref().hash(&mut self.hasher);
    }

    /// Adds what lies at a path: a file's contents, the files of a folder.
    fn add_path(&mut self, path: &Path) {
        // That it cannot be read is a state, too.
        let read = self.try_to_add_path(path).map_err(|error| error.kind());
        read.is_ok().hash(&mut self.hasher);
    }

    fn try_to_add_path(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            let mut files = fs::read_dir(path)?
                .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), fs::metadata(entry.path())?))))
                .map(|file| file.and_then(|(name, metadata)| Ok((name, metadata.len(), metadata.modified()?))))
                .collect::<io::Result<Vec<_>>>()?;
            files.sort();
            files.hash(&mut self.hasher);
        } else if metadata.is_file() && metadata.len() <= MAX_BYTES {
            Zeroizing::new(fs::read(path)?).as_slice().hash(&mut self.hasher);
        } else {
            (metadata.len(), metadata.modified()?).hash(&mut self.hasher);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ohia-footprint-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn names_the_sections_in_which_something_differs() {
        let folder = folder("sections");
        let path = folder.join("estd.toml");
        fs::write(folder.join("key.pem"), "one").unwrap();
        let text = "[tls]\nkey = \"key.pem\"\n[otp]\npepper = \"${S}\"\n[log]\nlevel = \"info\"\n[[ca]]\nid = 'a'\n";
        let env = |value: &'static str| move |_: &str| Some(value.to_owned());
        let first = Footprint::of(&path, text, env("1"));
        assert_eq!(first.changes(&first.again(&path, text, env("1"))), [""; 0]);
        // Comments and spaces say nothing.
        let spaced = text.replace("level = ", "# why\nlevel =   ");
        assert_eq!(first.changes(&first.again(&path, &spaced, env("1"))), [""; 0]);
        assert_eq!(first.changes(&first.again(&path, text, env("2"))), ["otp"]);
        fs::write(folder.join("key.pem"), "two").unwrap();
        assert_eq!(first.changes(&first.again(&path, text, env("1"))), ["tls"]);
        let more = format!("{text}[[ca]]\nid = 'b'\n[limits]\n");
        assert_eq!(first.changes(&first.again(&path, &more, env("1"))), ["ca", "limits", "tls"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn counts_the_contents_of_every_place_that_a_secret_can_be_in() {
        let folder = folder("secrets");
        let path = folder.join("estd.toml");
        for (place, section, line) in [
            ("file", "admin", "[[admin.token]]\ntoken = \"file:secret\"\n"),
            ("file", "ca", "[[ca]]\nid = 'a'\nkey_passphrase = \"file:${HERE}secret\"\n"),
            ("file", "otp", "[otp]\npepper = \"credential:secret\"\n"),
            ("file", "est", "[[est.symmetric_key]]\nkey = \"file:secret\"\n"),
            ("variable", "ca", "[[ca]]\nid = 'a'\nkey_passphrase = \"env:SECRET\"\n"),
            ("variable", "tls", "tls = { key_passphrase = \"env:SECRET\" }\n"),
            ("variable", "tls", "[[tls.additional]]\nkey_passphrase = \"env:SECRET\"\n"),
            ("variable", "admin", "[admin]\nbearer_token_env = \"SECRET\"\n"),
            ("variable", "db", "[db]\nurl = \"env:SECRET\"\n"),
        ] {
            let env = |secret: &'static str| {
                let folder = folder.clone();
                move |name: &str| match name {
                    "SECRET" => Some(secret.to_owned()),
                    "CREDENTIALS_DIRECTORY" => Some(folder.display().to_string()),
                    _ => Some(String::new()),
                }
            };
            fs::write(folder.join("secret"), "one").unwrap();
            let first = Footprint::of(&path, line, env("one"));
            assert_eq!(first.changes(&first.again(&path, line, env("one"))), [""; 0], "{line}");
            fs::write(folder.join("secret"), "two").unwrap();
            let variable = if place == "variable" { "two" } else { "one" };
            assert_eq!(first.changes(&first.again(&path, line, env(variable))), [section], "{line}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn leaves_out_what_the_server_writes_and_texts_that_only_look_like_files() {
        let folder = folder("written");
        let path = folder.join("estd.toml");
        let text = "[audit]\nfile = 'written'\ncheckpoints = 'written'\n[db]\nurl = 'written'\n\
                    [server]\nnode = 'written'\n[[ca]]\nid = 'written'\n";
        let env = |_: &str| None;
        fs::write(folder.join("written"), "one").unwrap();
        let first = Footprint::of(&path, text, env);
        fs::write(folder.join("written"), "one and two").unwrap();
        assert_eq!(first.changes(&first.again(&path, text, env)), [""; 0]);
        assert_eq!(first.changes(&first.again(&path, &text.replace("file = 'w", "file = 'W"), env)), ["audit"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn sees_a_file_change_in_a_folder_and_a_file_that_goes() {
        let folder = folder("folder");
        let path = folder.join("estd.toml");
        let text = "[tls.client_auth]\ncrls = 'crls'\n[tls]\nkey = 'key.pem'\n";
        let env = |_: &str| None;
        fs::create_dir_all(folder.join("crls")).unwrap();
        fs::write(folder.join("key.pem"), "").unwrap();
        let first = Footprint::of(&path, text, env);
        fs::write(folder.join("crls/one.pem"), "one").unwrap();
        let second = first.again(&path, text, env);
        assert_eq!(first.changes(&second), ["tls"]);
        fs::remove_file(folder.join("key.pem")).unwrap();
        assert_eq!(second.changes(&second.again(&path, text, env)), ["tls"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
