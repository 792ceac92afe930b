//! The reference page, from the same table that the file is read by.

use super::keys::{Absent, SECTIONS};

pub(super) const NOTATION: &str = "\
`${NAME}` in any string is the environment variable NAME; `$${` is a plain `${`. A *path* that is not absolute begins
at the folder of the configuration file. A *duration* is a number with `ms`, `s`, `m`, `h` or `d`, or whole seconds. A
*size* is a number with `B`, `KB`, `MB` or `GB`, each 1024 times the one before, or octets.

A *secret* need not be in the file: `env:NAME` is an environment variable, `file:PATH` a file (one newline at its end
is not part of it), `credential:NAME` what systemd hands over with `LoadCredential=`, and `prompt` is asked for on the
terminal, once. Anything else is the secret itself, of which `estd` warns where others can read the file.
";

/// Every section and key as Markdown: how values are written, then a heading for each section and below it a table of
/// keys with their type, default and meaning.
#[must_use]
pub fn reference() -> String {
    format!("{NOTATION}\n{}", SECTIONS.map(section).join("\n"))
}

fn section(section: &super::keys::Section) -> String {
    let mut page = format!(
        "## `{}`\n\n{}\n\n| Key | Type | Default | Description |\n| --- | --- | --- | --- |\n",
        section.header(),
        section.about
    );
    for key in section.keys {
        let default = match key.absent {
            Absent::Mistake => "required".to_owned(),
            Absent::Default(text) => format!("`{text}`"),
            Absent::Means(words) => words.to_owned(),
        };
        page.push_str(&format!("| `{}` | {} | {default} | {} |\n", key.name, key.kind, key.about));
    }
    page
}
