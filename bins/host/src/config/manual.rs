//! The manual page of the configuration file, from the same table that the file is read by.

use std::fmt::Write as _;

use super::keys::{Absent, SECTIONS, Section};
use super::reference::NOTATION;

const HEAD: &str = r#".SH NAME
estd.toml \- the configuration of the EST server estd
.SH SYNOPSIS
\fI/etc/ohia/estd.toml\fR
.SH DESCRIPTION
One TOML file. \fBestd init\fR \fIDIR\fR writes one that works; \fBestd check\fR reports every mistake in it, each with file, line, key
and what to write instead. An unknown key is a mistake. A section in double brackets is written once for each thing.
.PP
\fBestd run\fR reads the file, and every file that it names, at its start and on SIGHUP. A file with mistakes changes nothing.
.SH VALUES
"#;

const TAIL: &str = r#".SH "SEE ALSO"
\fBestd\fR(1), \fBestd\-check\fR(1), \fBestd\-init\fR(1)
"#;

/// Every section and key as a manual page, in the macros of man(7): how values are written, then a part for each section
/// with its keys, their type, default and meaning.
#[must_use]
pub fn manual() -> String {
    let mut page = format!(".TH estd.toml 5 \"\" \"estd {}\"\n{HEAD}", env!("CARGO_PKG_VERSION"));
    page.push_str(&NOTATION.split("\n\n").map(text).collect::<Vec<_>>().join(".PP\n"));
    page.push_str(".SH SECTIONS\n");
    for one in SECTIONS {
        section(&mut page, one);
    }
    page.push_str(TAIL);
    page
}

fn section(page: &mut String, section: &Section) {
    let _ = write!(page, ".SS \"{}\"\n{}", escaped(&section.header()), text(section.about));
    for key in section.keys {
        let absent = match key.absent {
            Absent::Mistake => "required".to_owned(),
            Absent::Default(default) => format!("default: \\fB{}\\fR", escaped(default)),
            Absent::Means(words) => format!("default: {}", inline(words)),
        };
        let (name, kind) = (escaped(key.name), inline(key.kind));
        let _ = write!(page, ".TP\n\\fB{name}\\fR ({kind}; {absent})\n{}", text(key.about));
    }
}

/// Lines of text, with their Markdown as fonts.
fn text(markdown: &str) -> String {
    let words = markdown.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}\n", inline(&words))
}

/// A line of Markdown: code is bold, and what is stressed is in italics.
fn inline(markdown: &str) -> String {
    let mut line = String::new();
    for (index, part) in markdown.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(line, "\\fB{}\\fR", escaped(part));
            continue;
        }
        for (index, part) in part.split('*').enumerate() {
            let font = if index % 2 == 1 { ("\\fI", "\\fR") } else { ("", "") };
            let _ = write!(line, "{}{}{}", font.0, escaped(part), font.1);
        }
    }
    // A line that begins like this would be a macro.
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

/// Text as roff reads it: backslashes and hyphens as themselves.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\(rs").replace('-', "\\-").replace('"', "\\(dq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_text_that_is_no_macro_and_keeps_what_it_says() {
        for (markdown, roff) in [
            ("plain", "plain"),
            ("`a-b` and *c*", "\\fBa\\-b\\fR and \\fIc\\fR"),
            (".TH", "\\&.TH"),
            ("'x", "\\&'x"),
            ("`\\d`", "\\fB\\(rsd\\fR"),
            ("say \"x\"", "say \\(dqx\\(dq"),
            ("`*` is all", "\\fB*\\fR is all"),
        ] {
            assert_eq!(inline(markdown), roff, "{markdown}");
        }
    }

    #[test]
    fn lists_every_section_and_key() {
        let page = manual();
        for section in SECTIONS {
            assert!(page.contains(&format!(".SS \"{}\"\n", escaped(&section.header()))), "{}", section.header());
            for key in section.keys {
                assert!(page.contains(&format!(".TP\n\\fB{}\\fR (", escaped(key.name))), "{}", key.name);
            }
        }
    }
}
