//! Which names a rule allows: one answer for profiles, registration authorities, identities, passwords and operators.

use alloc::format;
use alloc::string::String;

use super::name::is_well_formed;
use super::uri::is_read_alike;
use super::{NameKind, Pattern};
use crate::is_hidden;
use crate::pkix::{GeneralName, Name, oid};

/// A kind of name that is allowed, and which of them.
///
/// Without a pattern, every name of the kind is allowed. With one, a name is allowed if its text matches, and if
/// everybody reads it as that text: it has the syntax of its kind and no hidden characters, a URI leads nowhere else
/// once it is resolved, and a mailbox has one `@`. A wildcard needs a pattern that writes its `*`.
#[derive(Clone, Debug)]
pub struct NameRule {
    /// The kind.
    pub kind: NameKind,
    /// What the name's text must match, without a prefix; anything if `None`.
    pub pattern: Option<Pattern>,
}

impl NameRule {
    /// Whether it allows this name.
    #[must_use]
    pub fn allows(&self, name: &GeneralName) -> bool {
        self.allows_read(&ReadName::of(name))
    }

    /// As [`allows`](Self::allows), for a name that several rules look at.
    pub(super) fn allows_read(&self, name: &ReadName<'_>) -> bool {
        name.kind.as_ref() == Some(&self.kind) && self.pattern.as_ref().is_none_or(|pattern| name.matches(pattern))
    }
}

/// A name as rules look at it.
pub(super) struct ReadName<'a> {
    pub(super) name: &'a GeneralName,
    pub(super) kind: Option<NameKind>,
    /// The name without the prefix of its kind: what patterns match.
    pub(super) text: String,
    /// Whether everybody reads it as this text.
    is_clear: bool,
}

impl<'a> ReadName<'a> {
    pub(super) fn of(name: &'a GeneralName) -> Self {
        let text = text(name);
        let is_clear = is_well_formed(name) && is_clear(name, &text);
        Self { name, kind: NameKind::of(name), text, is_clear }
    }

    fn matches(&self, pattern: &Pattern) -> bool {
        self.is_clear && pattern.matches(&self.text) && !(self.is_wildcard() && self.is_taken_for_a_label(pattern))
    }

    fn is_wildcard(&self) -> bool {
        matches!(self.name, GeneralName::Dns(text) if text.starts_with('*'))
    }

    /// Whether the pattern takes the `*` of a wildcard for a label like any other, `.*` for example: it would take a
    /// character that no label has.
    fn is_taken_for_a_label(&self, pattern: &Pattern) -> bool {
        pattern.matches(&self.text.replacen('*', "!", 1))
    }
}

/// Whether a subject's text matches. A comma or plus sign within a value is escaped, so that no value passes for another
/// attribute.
pub(super) fn subject_matches(pattern: &Pattern, subject: &Name) -> bool {
    pattern.matches(&format!("{subject:#}"))
}

pub(super) fn text(name: &GeneralName) -> String {
    match name {
        GeneralName::Dns(text) | GeneralName::Rfc822(text) | GeneralName::Uri(text) => text.clone(),
        GeneralName::Ip(address) => format!("{address}"),
        GeneralName::Directory(name) => format!("{name:#}"),
        GeneralName::Other(_) => name.other_text().unwrap_or_else(|| format!("{name}")),
    }
}

/// Whether all readers of the text take it for the same name.
fn is_clear(name: &GeneralName, text: &str) -> bool {
    let has_one_host = || text.matches('@').count() <= 1 && !text.contains('"');
    match name {
        GeneralName::Uri(text) => is_read_alike(text),
        GeneralName::Rfc822(_) => has_one_host(),
        GeneralName::Other(_) => {
            let id = name.other_name().map(|(id, _)| id);
            let is_mailbox = id.is_some_and(|id| id == oid::UPN || id == oid::SMTP_UTF8_MAILBOX);
            !text.chars().any(is_hidden) && (!is_mailbox || has_one_host())
        }
        GeneralName::Dns(_) | GeneralName::Ip(_) | GeneralName::Directory(_) => true,
    }
}
