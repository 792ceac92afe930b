//! Regular expressions for names.

use est_core::policy::{NameKind, NameRule, Pattern};

use crate::config::diagnostic::Fault;
use crate::config::value::Given;

/// A pattern for subjects.
pub(super) fn subject(given: &Given<'_>) -> Result<Pattern, Fault> {
    anchored(given, &given.text()?)
}

/// A kind of name, with or without a pattern for the names: `dns:^[a-z]+\\.example$`.
pub(super) fn name_rule(given: &Given<'_>) -> Result<NameRule, Fault> {
    let text = given.text()?;
    let (kind, pattern) = match text.split_once(':') {
        Some((kind, pattern)) => (kind, Some(anchored(given, pattern)?)),
        None => (text.as_str(), None),
    };
    Ok(NameRule { kind: known_kind(given, kind)?, pattern })
}

/// A kind of name.
pub(super) fn kind(given: &Given<'_>) -> Result<NameKind, Fault> {
    known_kind(given, &given.text()?)
}

fn known_kind(given: &Given<'_>, text: &str) -> Result<NameKind, Fault> {
    const KINDS: [&str; 9] = ["dns", "ip", "email", "uri", "directory", "rid", "upn", "hardware", "smtp-utf8"];
    NameKind::from_text(text).ok_or_else(|| given.not_one_of(text, KINDS.into_iter()))
}

fn anchored(given: &Given<'_>, text: &str) -> Result<Pattern, Fault> {
    let pattern = Pattern::new(text).map_err(|error| {
        // The engine draws the pattern over several lines; its last one says what is wrong.
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Fault::new(format!("{} is not a regular expression: {reason}", given.quoted()))
    })?;
    if !is_anchored(text) {
        let fault = Fault::new(format!("{} matches what merely contains it", given.quoted()));
        given.warn(fault.help("begin it with `^` and end it with `$`; put alternatives into parentheses"));
    }
    Ok(pattern)
}

/// Whether a pattern visibly has to match from end to end.
fn is_anchored(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut escaped, mut alternatives) = (0_u32, false, false, false);
    for letter in pattern.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if !in_class => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            '|' if !in_class && depth == 0 => alternatives = true,
            _ => {}
        }
    }
    let backslashes = |text: &str| text.chars().rev().take_while(|letter| *letter == '\\').count();
    let begins = pattern.starts_with('^') || pattern.starts_with("\\A");
    let ends = pattern.strip_suffix('$').is_some_and(|rest| backslashes(rest).is_multiple_of(2))
        || pattern.strip_suffix('z').is_some_and(|rest| !backslashes(rest).is_multiple_of(2));
    begins && ends && !alternatives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_whether_a_pattern_is_anchored() {
        for pattern in ["^CN=a$", r"\ACN=a\z", "^(CN=a|CN=b)$", "^CN=[|]$", r"^CN=a\|b$", r"^CN=a\\$"] {
            assert!(is_anchored(pattern), "{pattern}");
        }
        for pattern in ["CN=a", "^CN=a", "CN=a$", r"^CN=a\$", "^CN=a|CN=b$", r"^CN=a\\z", ""] {
            assert!(!is_anchored(pattern), "{pattern}");
        }
    }
}
