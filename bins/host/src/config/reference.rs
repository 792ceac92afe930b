//! The reference page, from the same table that the file is read by.

use super::keys::{Absent, SECTIONS};

/// Every section and key as Markdown: a heading for each section, below it a table of keys with their type, default
/// and meaning.
#[must_use]
pub fn reference() -> String {
    SECTIONS.map(section).join("\n")
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
