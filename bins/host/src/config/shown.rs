//! The configuration as it may be shown: every section with its keys, written or by default, without secrets.

use serde_json::{Map, Value, json};
use toml_edit::{Document, Item, TableLike};

use super::keys::{Absent, SECTIONS, Section};

/// What is shown in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// The configuration in `text` as JSON: what it leaves out has its default, secrets are hidden, and `${NAME}` stands as
/// it was written. Empty where `text` is no TOML.
#[must_use]
pub fn shown(text: &str) -> Value {
    let Ok(document) = Document::parse(text) else { return json!({}) };
    let top = SECTIONS.iter().filter(|section| section.parent().is_empty());
    Value::Object(top.map(|section| (section.name.to_owned(), of_section(section, document.as_table()))).collect())
}

fn of_section(section: &'static Section, parent: &dyn TableLike) -> Value {
    let item = parent.get(section.leaf());
    if !section.repeated {
        return of_table(section, item.and_then(Item::as_table_like));
    }
    let tables = item.and_then(Item::as_array_of_tables).into_iter().flatten();
    let inline = item.and_then(Item::as_array).into_iter().flatten().filter_map(toml_edit::Value::as_inline_table);
    let tables = tables.map(|table| of_table(section, Some(table)));
    Value::Array(tables.chain(inline.map(|table| of_table(section, Some(table)))).collect())
}

fn of_table(section: &'static Section, table: Option<&dyn TableLike>) -> Value {
    let mut shown = Map::new();
    for key in section.keys {
        let written = table.and_then(|table| table.get(key.name)).and_then(Item::as_value);
        let value = match (written, &key.absent) {
            (Some(_), _) if key.kind == "secret" => json!(HIDDEN),
            (Some(value), _) if key.name == "url" => json!(without_password(value.as_str().unwrap_or_default())),
            (Some(value), _) => of_value(value),
            (None, Absent::Default(text)) => text.parse().map_or(Value::Null, |value| of_value(&value)),
            (None, Absent::Mistake | Absent::Means(_)) => continue,
        };
        shown.insert(key.name.to_owned(), value);
    }
    let children = SECTIONS.iter().filter(|child| !section.name.is_empty() && child.parent() == section.name);
    for child in children {
        let empty = toml_edit::Table::new();
        shown.insert(child.leaf().to_owned(), of_section(child, table.unwrap_or(&empty)));
    }
    Value::Object(shown)
}

/// The URL of a database without what comes between `//` and `@`, and without parameters.
fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{HIDDEN}@{rest}"),
        _ => url.to_owned(),
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => json!(text.value()),
        toml_edit::Value::Integer(number) => json!(number.value()),
        toml_edit::Value::Float(number) => json!(number.value()),
        toml_edit::Value::Boolean(truth) => json!(truth.value()),
        toml_edit::Value::Datetime(time) => json!(time.value().to_string()),
        toml_edit::Value::Array(array) => array.iter().map(of_value).collect(),
        // No key takes a table: whatever is there has not been looked at.
        toml_edit::Value::InlineTable(_) => json!(HIDDEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_written_and_what_is_not_but_no_secret() {
        let text = r#"
            [tls]
            cert = "server.pem"
            key_passphrase = "hunter2-hunter2"
            [db]
            url = "postgres://est:hunter2-hunter2@db.example/est?password=hunter2-hunter2"
            [[ca]]
            id = "main"
            key_passphrase = "hunter2-hunter2"
            [[est.symmetric_key]]
            key = "hunter2-hunter2"
            [[admin.token]]
            name = "alice"
            token = "sha256:hunter2-hunter2"
            [est]
            label = [{ name = "servers", ca_id = "main" }]
        "#;
        let shown = shown(text);
        assert!(!shown.to_string().contains("hunter2"), "{shown:#}");
        assert_eq!(shown["tls"]["cert"], "server.pem");
        assert_eq!(shown["tls"]["min_version"], "1.2");
        assert_eq!(shown["db"]["url"], "postgres://(hidden)@db.example/est");
        assert_eq!(shown["ca"][0]["id"], "main");
        assert_eq!(shown["admin"]["token"][0]["name"], "alice");
        assert_eq!(shown["admin"]["max_requests"], 600);
        assert_eq!(shown["est"]["label"][0]["name"], "servers");
    }
}
