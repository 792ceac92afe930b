//! The JSON Schema of the configuration, held against configurations by a validator that others wrote.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use est_testkit::python::Python;
use serde_json::Value;

/// Validates each file; prints `NAME ok`, or `NAME` and where the first mistake is.
const VALIDATE: &str = r#"
import json, sys, tomllib
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        try:
            document = tomllib.load(file)
        except tomllib.TOMLDecodeError:
            continue
    mistakes = sorted(validator.iter_errors(json.loads(json.dumps(document, default=str))), key=lambda e: e.json_path)
    print(name, "refused" if mistakes else "ok", mistakes[0].json_path if mistakes else "")
"#;

/// Whether what the program says of a file is something that a schema can tell too.
fn is_structural(mistake: &str) -> bool {
    let says = |words: &str| mistake.contains(words);
    says(": unknown key")
        || says(": unknown section")
        || says(": this section is not in this version")
        || says(": this key is not in this version")
        || (says(": must be ") && says(", not a"))
        || says("tls.cert: missing")
        || says("ca.id: missing")
        || says("tls.min_version: \"1.1\" is not one of")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// `OHIA_UPDATE_DOCS=1` writes it.
#[test]
fn the_schema_in_docs_is_that_of_the_program() {
    let path = root().join("docs/ohia.schema.json");
    let schema = host::config::schema();
    if env::var_os("OHIA_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(path, schema).unwrap();
    } else {
        let value = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(value(&written) == value(&schema), "run this test with OHIA_UPDATE_DOCS=1");
    }
}

#[test]
fn a_validator_accepts_and_refuses_the_files_that_the_program_does() {
    let Some(python) = Python::with(&["jsonschema"]) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let scratch = est_testkit::peers::Directory::new();
    fs::write(scratch.path().join("schema.json"), host::config::schema()).unwrap();
    let mut arguments = vec![scratch.path().join("schema.json")];
    arguments.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
    let printed = python.run(VALIDATE, &folder, &arguments);

    let (mut accepted, mut refused) = (0, 0);
    for line in printed.lines() {
        let [path, outcome, place] = *line.splitn(3, ' ').collect::<Vec<_>>() else { panic!("{line}") };
        let text = fs::read_to_string(path).unwrap();
        let mut mistakes = text.lines().filter_map(|line| line.strip_prefix("# expect:")).peekable();
        let is_good = mistakes.peek().is_none();
        if is_good {
            assert_eq!(outcome, "ok", "{path}: {place}");
            accepted += 1;
        } else if mistakes.any(is_structural) {
            assert_eq!(outcome, "refused", "{path}");
            refused += 1;
        }
    }
    assert!(accepted > 20 && refused > 20, "{accepted} {refused}");
}

#[test]
fn a_validator_accepts_every_configuration_in_the_documentation() {
    let Some(python) = Python::with(&["jsonschema"]) else { return };
    let scratch = est_testkit::peers::Directory::new();
    fs::write(scratch.path().join("schema.json"), host::config::schema()).unwrap();
    let mut arguments = vec!["schema.json".to_owned()];
    for page in ["README.md", "docs/configuration.md", "docs/profiles.md", "docs/operate.md", "docs/walkthrough.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for block in text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            // A page that shows a part takes the rest as said.
            let rest = "[tls]\ncert = \"\"\nkey = \"\"\n[[ca]]\nid = \"\"\ncert = \"\"\nkey = \"\"\n";
            let missing =
                rest.split_inclusive("key = \"\"\n").filter(|part| !block.contains(part.lines().next().unwrap()));
            let name = format!("{}.toml", arguments.len());
            fs::write(scratch.path().join(&name), format!("{block}\n{}", missing.collect::<String>())).unwrap();
            arguments.push(name);
        }
    }
    assert!(arguments.len() > 3, "{arguments:?}");
    let printed = python.run(VALIDATE, scratch.path(), &arguments);
    assert!(printed.lines().all(|line| line.contains(" ok ")), "{printed}");
    assert_eq!(printed.lines().count(), arguments.len() - 1);
}
