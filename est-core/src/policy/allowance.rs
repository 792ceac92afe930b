//! The names that a client may ask for: its own, and those that it was allowed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::rule::{ReadName, subject_matches};
use super::{NameKind, NameRule, Pattern, Wanted};
use crate::Refusal;
use crate::pkix::{Certificate, GeneralName};

/// Names that a client may ask for in addition to its own.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    subjects: Vec<Pattern>,
    names: Vec<NameRule>,
    written: Vec<String>,
}

/// Whose names are a principal's own.
#[derive(Clone, Copy)]
pub(super) enum Own<'a> {
    /// Those of the entity that a password was created for.
    Entity(Option<&'a str>),
    /// Those of a certificate.
    Certificate(&'a Certificate),
}

impl Allowance {
    /// Reads what is allowed: `subject:` or the name of a kind ([`NameKind::from_text`]) and a colon, and then what the
    /// subject or a name of this kind must be; a kind alone allows every name of it.
    ///
    /// What begins with `^` is a regular expression and ends with `$`. In anything else `*` stands for one or more
    /// characters: within one label of a dNSName, or one value of a subject or directoryName, or before or after the
    /// `@` of a mailbox or another name, or within one segment of a URI, without encoded octets. No pattern allows a
    /// name that others may read as another one: see [`NameRule`].
    ///
    /// ```
    /// use est_core::policy::Allowance;
    ///
    /// let allowance = Allowance::parse(&["dns:*.plant.example", "uri:^spiffe://plant\\.example/line-[0-9]+$"]).unwrap();
    /// assert!(!allowance.is_empty());
    /// assert_eq!(
    ///     Allowance::parse(&["host:a.example"]).unwrap_err(),
    ///     "\"host:a.example\" begins with no kind of name: write subject:, dns:, ip:, email:, uri: or another kind \
    ///      of a profile's `names`",
    /// );
    /// ```
    ///
    /// # Errors
    /// What is wrong with which of them, for the operator.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        let mut allowance = Self::default();
        for written in texts.iter().map(AsRef::as_ref) {
            let wrong = |what: &str| format!("{written:?} {what}");
            let (kind, given) = match written.split_once(':') {
                Some((kind, given)) => (kind, Some(given)),
                None => (written, None),
            };
            let pattern =
                |kind| given.map(|given| pattern(kind, given)).transpose().map_err(|what: String| wrong(&what));
            if kind == "subject" {
                let subject =
                    pattern(None)?.ok_or_else(|| wrong("says no subject: write for example subject:CN=NAME"))?;
                allowance.subjects.push(subject);
            } else {
                let kind = NameKind::from_text(kind).ok_or_else(|| {
                    wrong("begins with no kind of name: write subject:, dns:, ip:, email:, uri: or another kind of a profile's `names`")
                })?;
                allowance.names.push(NameRule { pattern: pattern(Some(&kind))?, kind });
            }
            allowance.written.push(written.to_owned());
        }
        Ok(allowance)
    }

    /// Allows names by patterns that were read already; `written` is how people know them.
    #[must_use]
    pub fn new(subjects: Vec<Pattern>, names: Vec<NameRule>, written: Vec<String>) -> Self {
        Self { subjects, names, written }
    }

    /// As they were written.
    #[must_use]
    pub fn written(&self) -> &[String] {
        &self.written
    }

    /// Whether it allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.names.is_empty()
    }
}

/// Reads a pattern for names of a kind; for subjects without one.
fn pattern(kind: Option<&NameKind>, given: &str) -> Result<Pattern, String> {
    if given.is_empty() {
        return Err("says nothing after the colon".to_owned());
    }
    if given.starts_with('^') {
        if !given.ends_with('$') {
            return Err("is a regular expression that does not end with `$`".to_owned());
        }
        // In parentheses, so that an alternative does not escape the anchors.
        let inside = &given[1..given.len() - 1];
        Pattern::small(inside)?;
        return Pattern::small(&format!("^(?:{inside})$"));
    }
    let any = match kind {
        None | Some(NameKind::Directory) => "[^,+]+",
        Some(NameKind::Dns) => "[^.*]+",
        Some(NameKind::Email | NameKind::Other(_)) => "[^@]+",
        Some(NameKind::Uri) => "[^/?#@%]+",
        Some(NameKind::Ip | NameKind::RegisteredId) => ".+",
    };
    let parts: Vec<String> = given.split('*').map(regex::escape).collect();
    let case = if kind == Some(&NameKind::Dns) { "(?i)" } else { "" };
    Pattern::small(&format!("^{case}{}$", parts.join(any)))
}

/// Whether each of the wanted names is the principal's own or allowed. An attribute of the subject may also be what a
/// wanted dNSName, iPAddress or rfc822Name is: those identify it, where the text of another kind may say anything.
///
/// # Errors
/// [`Refusal::NameNotBound`], for the first that is not.
pub(super) fn check(own: Own<'_>, allowances: &[&Allowance], wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let refused = |name: String| {
        let allowed: Vec<&str> =
            allowances.iter().flat_map(|allowance| &allowance.written).map(String::as_str).collect();
        Refusal::NameNotBound { name, own: own.described(), allowed: allowed.join(", ") }
    };
    let names: Vec<ReadName<'_>> = wanted.names().iter().map(ReadName::of).collect();
    for name in &names {
        let mut rules = allowances.iter().flat_map(|allowance| &allowance.names);
        if !own.has_name(name) && !rules.any(|rule| rule.allows_read(name)) {
            return Err(refused(name.name.to_string()));
        }
    }
    let mut patterns = allowances.iter().flat_map(|allowance| &allowance.subjects);
    let is_allowed = patterns.any(|pattern| subject_matches(pattern, wanted.subject));
    if is_allowed || own.has_subject(wanted) {
        return Ok(());
    }
    let vouches = |name: &ReadName<'_>| match name.name {
        GeneralName::Dns(_) | GeneralName::Ip(_) | GeneralName::Rfc822(_) => true,
        GeneralName::Uri(_) | GeneralName::Directory(_) | GeneralName::Other(_) => false,
    };
    let is_name = |value: &str| own.is(value) || names.iter().any(|name| vouches(name) && name.text == value);
    match wanted.subject.attributes().all(|(_, value)| value.is_some_and(is_name)) {
        true => Ok(()),
        false => Err(refused(format!("the subject {}", wanted.subject))),
    }
}

impl Own<'_> {
    fn is(self, value: &str) -> bool {
        matches!(self, Self::Entity(Some(entity)) if entity == value)
    }

    fn has_name(self, name: &ReadName<'_>) -> bool {
        match (self, name.name) {
            (Self::Entity(Some(entity)), GeneralName::Dns(host)) => entity.eq_ignore_ascii_case(host),
            (Self::Entity(_), GeneralName::Ip(_) | GeneralName::Rfc822(_) | GeneralName::Uri(_)) => self.is(&name.text),
            (Self::Entity(_), GeneralName::Dns(_) | GeneralName::Directory(_) | GeneralName::Other(_)) => false,
            (Self::Certificate(own), name) => own.subject_alt_name().is_some_and(|names| names.contains(name)),
        }
    }

    fn has_subject(self, wanted: &Wanted<'_>) -> bool {
        matches!(self, Self::Certificate(own) if own.subject().is_same_as(wanted.subject))
    }

    /// The names, for a person to read; empty where there are none.
    fn described(self) -> String {
        match self {
            Self::Entity(entity) => entity.unwrap_or_default().to_owned(),
            Self::Certificate(own) => match own.subject_alt_name() {
                Some(names) => format!("{}, {names}", own.subject()),
                None => own.subject().to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn matches(written: &str, text: &str) -> bool {
        let allowance = Allowance::parse(&[written]).unwrap();
        let patterns = allowance.names.iter().filter_map(|rule| rule.pattern.as_ref()).chain(&allowance.subjects);
        patterns.into_iter().all(|pattern| pattern.matches(text))
    }

    #[test]
    fn lets_a_star_stand_for_one_label_value_or_part() {
        for (written, text) in [
            ("dns:*.lab.example", "a.lab.example"),
            ("dns:*.lab.example", "A.LAB.example"),
            ("dns:lab.example", "lab.example"),
            ("email:*@example.com", "a.b@example.com"),
            ("subject:CN=*,O=Lab", "CN=a.b,O=Lab"),
            ("uri:urn:x:*", "urn:x:1:2"),
            ("dns:^.*\\.lab\\.example$", "a.b.lab.example"),
            ("dns", "anything"),
        ] {
            assert!(matches(written, text), "{written} {text}");
        }
        for (written, text) in [
            ("dns:*.lab.example", "lab.example"),
            ("dns:*.lab.example", ".lab.example"),
            ("dns:*.lab.example", "a.b.lab.example"),
            ("dns:*.lab.example", "*.lab.example"),
            ("dns:*.lab.example", "a.labXexample"),
            ("dns:*.lab.example", "a.lab.example.evil"),
            ("email:*@example.com", "a@evil@example.com"),
            ("subject:CN=*,O=Lab", "CN=a,O=Evil,O=Lab"),
            ("dns:^a|b$", "ab"),
            ("dns:^a|b$", "xb"),
        ] {
            assert!(!matches(written, text), "{written} {text}");
        }
    }

    #[test]
    fn takes_no_pattern_that_is_large_once_it_is_compiled() {
        for text in [r"dns:^[\w-]{1,63}\.(lab|x)1\.example$", "dns:^(a{100}){100}$", "subject:^CN=\\w{200}$"] {
            let error = Allowance::parse(&[text]).unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is too large")), "{error}");
        }
        for text in ["dns:^[a-z0-9-]{1,63}\\.(lab|x)1\\.example$", "subject:^CN=\\w+,O=Lab$"] {
            assert!(Allowance::parse(&[text]).is_ok(), "{text}");
        }
        let long = format!("dns:{}", "*.".repeat(100));
        assert!(Allowance::parse(&[long]).is_ok());
    }

    #[test]
    fn says_what_is_wrong_with_what_it_cannot_read() {
        for text in ["", "host.example", "dns:", "subject", "subject:", "dns:^a", "dns:^($", "host:a", "dns:^a)|(b$"] {
            let error = Allowance::parse(&[text]).unwrap_err();
            assert!(error.starts_with(&format!("{text:?} ")), "{error}");
        }
    }
}
