//! The JSON Schema of the file, from the same table that it is read by: for editors, and for programs that write such files.

use serde_json::{Map, Value, json};
use toml_edit::Value as Toml;

use super::keys::{Absent, Key, ROOT, SECTIONS, Section};

/// What a string with an environment variable in it looks like.
const VARIABLE: &str = r"\$\{";

/// The JSON Schema (draft 2020-12) of a configuration file, pretty-printed.
///
/// It knows the sections, the keys, their types and words; that files exist and that keys go together `estd check`
/// alone can tell.
#[must_use]
pub fn schema() -> String {
    let mut schema = object(&ROOT);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "estd.toml",
        "description": "The configuration of estd, the Ohia EST server.",
    });
    if let (Value::Object(schema), Value::Object(head)) = (&mut schema, head) {
        schema.extend(head);
    }
    format!("{schema:#}\n")
}

fn object(section: &'static Section) -> Value {
    let mut properties: Map<String, Value> =
        section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut required: Vec<&str> = section.keys.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    for child in children(section) {
        let mut object = object(child);
        if child.repeated {
            let at_least = usize::from(child.name == "ca");
            object = json!({ "type": "array", "items": object, "minItems": at_least });
        }
        object["description"] = child.about.into();
        properties.insert(child.leaf().to_owned(), object);
        if needs_to_be_there(child) {
            required.push(child.leaf());
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn children(section: &'static Section) -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().copied().filter(|child| child.parent() == section.name)
}

fn is_required(key: &Key) -> bool {
    matches!(key.absent, Absent::Mistake)
}

fn needs_to_be_there(section: &'static Section) -> bool {
    let is_single =
        !section.repeated && (section.keys.iter().any(is_required) || children(section).any(needs_to_be_there));
    is_single || section.name == "ca"
}

fn property(key: &Key) -> Value {
    let mut property = shape(key.kind).unwrap_or_else(|| json!({}));
    property["description"] = match key.absent {
        Absent::Means(words) => format!("{} Without it: {words}.", key.about).into(),
        Absent::Mistake | Absent::Default(_) => key.about.into(),
    };
    if let Absent::Default(text) = key.absent {
        property["default"] = from_toml(&text.parse().expect("a listed default is TOML"));
    }
    property
}

/// What a kind of value looks like in JSON; `None` for one that is not known here.
fn shape(kind: &str) -> Option<Value> {
    let strings = || json!({ "type": "array", "items": { "type": "string" } });
    if kind.contains(" or array of ") {
        return Some(json!({ "anyOf": [{ "type": "string" }, strings()] }));
    }
    if kind.starts_with("array of ") {
        return Some(strings());
    }
    if kind.starts_with('`') {
        let words: Vec<&str> = kind.split('"').skip(1).step_by(2).collect();
        return Some(json!({ "anyOf": [{ "enum": words }, from_environment()] }));
    }
    if let Some(words) = kind.strip_prefix("boolean or ") {
        let words: Vec<&str> = words.split('"').skip(1).step_by(2).collect();
        return Some(json!({ "anyOf": [{ "type": "boolean" }, { "enum": words }, from_environment()] }));
    }
    let with_unit = |unit: &str| {
        let text = json!({ "type": "string", "pattern": format!(r"^\s*[0-9]+\s*({unit})?\s*$") });
        json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text, from_environment()] })
    };
    match kind {
        "boolean" => Some(json!({ "anyOf": [{ "type": "boolean" }, from_environment()] })),
        "integer" => Some(json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, from_environment()] })),
        "duration" => Some(with_unit("ms|s|m|h|d")),
        "size" => Some(with_unit("[KMGkmg]?[Bb]")),
        "string" | "secret" | "path" | "address" | "URL" | "OID" | "regular expression" | "kind" | "name"
        | "name of a profile" => Some(json!({ "type": "string" })),
        _ => None,
    }
}

fn from_environment() -> Value {
    json!({ "type": "string", "pattern": VARIABLE })
}

fn from_toml(value: &Toml) -> Value {
    match value {
        Toml::String(text) => text.value().as_str().into(),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Boolean(truth) => (*truth.value()).into(),
        Toml::Array(array) => array.iter().map(from_toml).collect(),
        Toml::Float(_) | Toml::Datetime(_) | Toml::InlineTable(_) => unreachable!("no default is one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_every_kind_of_value_looks_like() {
        for section in SECTIONS {
            for key in section.keys {
                assert!(shape(key.kind).is_some(), "{}.{}: {}", section.name, key.name, key.kind);
            }
        }
    }
}
