//! Hands out the values of one section and reports what is wrong with them.

use std::cell::RefCell;
use std::path::Path;

use est_core::UnixTime;
use toml_edit::{Item, TableLike, Value};

use super::diagnostic::{Diagnostic, Fault, Position};
use super::keys::{Absent, ROOT, SECTIONS, Section};
use super::spelling;
use super::value::Given;

/// What a file is read against, and everything that was found wrong so far.
pub(super) struct Context<'a> {
    pub(super) text: &'a str,
    pub(super) base_dir: &'a Path,
    /// Whether others than its owner can read the file.
    pub(super) is_exposed: bool,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) now: UnixTime,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    /// The keys whose secrets are asked for.
    prompts: RefCell<Vec<String>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        text: &'a str,
        base_dir: &'a Path,
        is_exposed: bool,
        env: &'a dyn Fn(&str) -> Option<String>,
        now: UnixTime,
    ) -> Self {
        let (errors, warnings, prompts) = Default::default();
        Self { text, base_dir, is_exposed, env, now, errors, warnings, prompts }
    }

    /// The errors and the warnings, in the order of the file; what it lacks comes last.
    pub(super) fn into_diagnostics(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let sorted = |diagnostics: RefCell<Vec<Diagnostic>>| {
            let mut diagnostics = diagnostics.into_inner();
            diagnostics.sort_by_key(|diagnostic| (diagnostic.position.is_none(), diagnostic.position));
            diagnostics
        };
        (sorted(self.errors), sorted(self.warnings))
    }

    pub(super) fn error(&self, at: Option<usize>, key: &str, fault: Fault) {
        let diagnostic = self.diagnostic(at, key, fault);
        self.errors.borrow_mut().push(diagnostic);
    }

    pub(super) fn warning(&self, at: Option<usize>, key: &str, fault: Fault) {
        let diagnostic = self.diagnostic(at, key, fault);
        self.warnings.borrow_mut().push(diagnostic);
    }

    /// How many prompts there were for this key before this one.
    pub(super) fn count_prompt(&self, key: &str) -> usize {
        let mut prompts = self.prompts.borrow_mut();
        let before = prompts.iter().filter(|other| *other == key).count();
        prompts.push(key.to_owned());
        before
    }

    fn diagnostic(&self, at: Option<usize>, key: &str, fault: Fault) -> Diagnostic {
        Diagnostic {
            file: None,
            position: at.map(|offset| Position::of(self.text, offset)),
            key: key.to_owned(),
            message: fault.message,
            help: fault.help,
        }
    }
}

/// One section of the file, there or not.
///
/// A method that reads answers `None` when it has reported a mistake.
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    section: &'static Section,
    found: Found<'a>,
    /// Where the section begins.
    at: Option<usize>,
}

/// The type of a CA that does not sign here: its other keys mean something else than those of one that does.
fn kind_elsewhere<'t>(section: &Section, table: &'t dyn TableLike) -> Option<&'t str> {
    let kind = table.get("type").and_then(Item::as_str)?;
    (section.name == "ca" && !kind.eq_ignore_ascii_case("local")).then_some(kind)
}

enum Found<'a> {
    Table(&'a dyn TableLike),
    Nothing,
    /// Something else, which has been reported.
    NotATable,
}

impl<'a> Reader<'a> {
    /// Opens the whole file.
    pub(super) fn root(context: &'a Context<'a>, root: &'a dyn TableLike) -> Self {
        let reader = Self { context, section: &ROOT, found: Found::Table(root), at: None };
        for (name, item) in root.iter() {
            if let ("enrollment", Some(table)) = (name, item.as_table_like()) {
                reader.context.error(reader.key_at(name), name, spelling::enrollment(table.iter().map(|(key, _)| key)));
                continue;
            }
            if let Some(fault) = spelling::unknown_section(name, item.is_value()) {
                reader.context.error(reader.key_at(name), name, fault);
            }
        }
        reader
    }

    /// Opens `section`, which lies below this one.
    pub(super) fn open(&self, section: &'static Section) -> Self {
        let Self { context, at, .. } = *self;
        let parent = match self.found {
            Found::Table(parent) => parent,
            Found::Nothing => return Self { context, section, found: Found::Nothing, at },
            Found::NotATable => return Self { context, section, found: Found::NotATable, at },
        };
        let Some((key, item)) = parent.get_key_value(section.leaf()) else {
            return Self { context, section, found: Found::Nothing, at };
        };
        let key_at = key.span().map(|span| span.start);
        match item.as_table_like() {
            Some(table) => Self::over(context, section, table, start(item).or(key_at)),
            None => {
                let fault = Fault::new(format!("must be a table, not {}", article(item.type_name())));
                context.error(key_at, section.name, fault.help(format!("write {} once", section.header())));
                Self { context, section, found: Found::NotATable, at: key_at }
            }
        }
    }

    /// Opens each table of a repeated `section` below this one.
    pub(super) fn open_all(&self, section: &'static Section) -> Vec<Self> {
        let context = self.context;
        let Some((key, item)) = self.table().and_then(|parent| parent.get_key_value(section.leaf())) else {
            return Vec::new();
        };
        if let Some(tables) = item.as_array_of_tables() {
            let at = |table: &toml_edit::Table| table.span().map(|span| span.start);
            return tables.iter().map(|table| Self::over(context, section, table, at(table))).collect();
        }
        let inline = item.as_array().map(|array| array.iter().map(Value::as_inline_table).collect::<Option<Vec<_>>>());
        if let Some(Some(tables)) = inline {
            let at = |table: &toml_edit::InlineTable| table.span().map(|span| span.start);
            return tables.into_iter().map(|table| Self::over(context, section, table, at(table))).collect();
        }
        let fault = Fault::new(format!("must be an array of tables, not {}", article(item.type_name())));
        let at = key.span().map(|span| span.start);
        context.error(at, section.name, fault.help(format!("write {}", section.header())));
        vec![Self { context, section, found: Found::NotATable, at }]
    }

    fn over(context: &'a Context<'a>, section: &'static Section, table: &'a dyn TableLike, at: Option<usize>) -> Self {
        if let Some(kind) = kind_elsewhere(section, table) {
            let at = table.get_key_value("type").and_then(|(key, _)| key.span()).map_or(at, |span| Some(span.start));
            let fault = Fault::new(format!("{kind:?}: CAs elsewhere are not in this version yet"));
            context.error(at, "ca.type", fault.help("a CA here has `cert` and `key`"));
            return Self { context, section, found: Found::NotATable, at };
        }
        let reader = Self { context, section, found: Found::Table(table), at };
        for (name, _) in table.iter().filter(|(name, _)| section.key(name).is_none()) {
            let is_section = SECTIONS.iter().any(|known| known.parent() == section.name && known.leaf() == name);
            if !is_section {
                reader.fault(name, spelling::unknown_key(section, name));
            }
        }
        reader
    }

    /// The time that certificates are looked at.
    pub(super) fn now(&self) -> UnixTime {
        self.context.now
    }

    fn table(&self) -> Option<&'a dyn TableLike> {
        match self.found {
            Found::Table(table) => Some(table),
            Found::Nothing | Found::NotATable => None,
        }
    }

    /// Whether the file has the key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table().is_some_and(|table| table.contains_key(name))
    }

    /// The value of a key that must be there, or has a default.
    pub(super) fn get<T>(&self, name: &'static str, convert: impl FnOnce(&Given<'_>) -> Result<T, Fault>) -> Option<T> {
        let key = self.section.key(name).expect("every key that is read is listed");
        match (self.item(name), &key.absent) {
            (Some(item), _) => self.convert(name, item, convert),
            (None, Absent::Default(text)) => {
                let value: Value = text.parse().expect("a listed default is TOML");
                self.report(name, convert(&Given::new(self.context, &self.path(name), None, Some(&value), "")))
            }
            (None, Absent::Mistake | Absent::Means(_)) => {
                self.missing(name);
                None
            }
        }
    }

    /// The value of a key that may be absent; `Some(None)` when it is.
    pub(super) fn optional<T>(
        &self,
        name: &'static str,
        convert: impl FnOnce(&Given<'_>) -> Result<T, Fault>,
    ) -> Option<Option<T>> {
        self.section.key(name).expect("every key that is read is listed");
        match self.item(name) {
            Some(item) => self.convert(name, item, convert).map(Some),
            None => Some(None),
        }
    }

    /// The elements of an array, each mistake reported at its own place.
    pub(super) fn list<T>(
        &self,
        name: &'static str,
        convert: impl Fn(&Given<'_>) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        self.get(name, |given| given.elements(&convert))?
    }

    /// As [`list`](Self::list), for a key that may be absent.
    pub(super) fn optional_list<T>(
        &self,
        name: &'static str,
        convert: impl Fn(&Given<'_>) -> Result<T, Fault>,
    ) -> Option<Option<Vec<T>>> {
        match self.optional(name, |given| given.elements(&convert))? {
            Some(elements) => elements.map(Some),
            None => Some(None),
        }
    }

    /// Reports a mistake about a key.
    pub(super) fn fault(&self, name: &str, fault: Fault) {
        self.context.error(self.key_at(name), &self.path(name), fault);
    }

    /// Reports that a key has to be there, unless it is there under another name, which has been reported.
    pub(super) fn missing(&self, name: &str) {
        let key = self.section.key(name).expect("every key that is read is listed");
        if matches!(self.found, Found::NotATable) || key.other_names.iter().any(|other| self.has(other)) {
            return;
        }
        let help = spelling::as_clause(key.about);
        self.context.error(self.at, &self.path(name), Fault::new("missing").help(help));
    }

    /// Reports something worth a second look about a key.
    pub(super) fn warn(&self, name: &str, fault: Fault) {
        self.context.warning(self.key_at(name), &self.path(name), fault);
    }

    fn item(&self, name: &str) -> Option<&'a Item> {
        self.table().and_then(|table| table.get(name))
    }

    fn convert<T>(&self, name: &str, item: &Item, convert: impl FnOnce(&Given<'_>) -> Result<T, Fault>) -> Option<T> {
        let at = start(item).or_else(|| self.key_at(name));
        let path = self.path(name);
        match convert(&Given::new(self.context, &path, at, item.as_value(), item.type_name())) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.context.error(at, &path, fault);
                None
            }
        }
    }

    fn report<T>(&self, name: &str, outcome: Result<T, Fault>) -> Option<T> {
        outcome.map_err(|fault| self.fault(name, fault)).ok()
    }

    fn key_at(&self, name: &str) -> Option<usize> {
        let key = self.table().and_then(|table| table.key(name)).and_then(toml_edit::Key::span);
        key.map(|span| span.start).or(self.at)
    }

    fn path(&self, name: &str) -> String {
        if self.section.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.section.name) }
    }
}

fn start(item: &Item) -> Option<usize> {
    item.span().map(|span| span.start)
}

/// `string` becomes `a string`.
pub(super) fn article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}
