//! Which names a certificate may carry.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use regex::Regex;

use super::Profile;
use crate::Refusal;
use crate::pkix::{Csr, GeneralName};

/// A regular expression that a subject's RFC 4514 text must match. Matching takes linear time.
///
/// A comma or plus sign within a value is written as `\2C` and `\2B`: a value cannot pass for another attribute.
#[derive(Clone)]
pub struct SubjectPattern(Regex);

impl SubjectPattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Regex::new(pattern).map(Self).map_err(|error| error.to_string())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectPattern({})", self.as_str())
    }
}

pub(super) fn check(profile: &Profile, csr: &Csr) -> Result<(), Refusal> {
    let subject = csr.subject();
    subject.check_text().map_err(Refusal::Subject)?;
    match csr.subject_alt_name() {
        None if profile.require_san => return Err(Refusal::SubjectAltNameRequired),
        None if subject.is_empty() => return Err(Refusal::NoName),
        None => {}
        Some(names) if names.has_duplicates() => return Err(Refusal::DuplicateName),
        Some(names) => {
            if let Some(name) = names.names().iter().find(|name| !is_well_formed(name)) {
                return Err(Refusal::MalformedName(name.to_string()));
            }
        }
    }
    match &profile.subject_pattern {
        Some(pattern) if !pattern.0.is_match(&format!("{subject:#}")) => {
            Err(Refusal::SubjectPattern { pattern: pattern.as_str().to_string() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a name has the syntax of its kind (RFC 5280 §4.2.1.6).
fn is_well_formed(name: &GeneralName) -> bool {
    let is_graphic = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
    match name {
        GeneralName::Dns(text) => is_dns_name(text),
        GeneralName::Rfc822(text) => match text.rsplit_once('@') {
            Some((local, host)) => is_graphic(local) && !local.contains('@') && is_dns_name(host),
            None => false,
        },
        GeneralName::Uri(text) => match text.split_once(':') {
            Some((scheme, rest)) => {
                scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                    && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
                    && is_graphic(rest)
            }
            None => false,
        },
        GeneralName::Directory(name) => !name.is_empty() && name.check_text().is_ok(),
        GeneralName::Ip(_) => true,
        // x400Address and ediPartyName are certified for nobody: their contents are never looked at.
        GeneralName::Other(der) => matches!(der.first(), Some(0xa0 | 0x88)),
    }
}

/// Letters, digits, hyphens and underscores in labels of 1 to 63; `*` only as the whole first label of three or more.
fn is_dns_name(text: &str) -> bool {
    let host = match text.strip_prefix("*.") {
        Some(host) if host.contains('.') => host,
        Some(_) => return false,
        None => text,
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_from_what_only_looks_like_one() {
        for text in [
            "DNS:a",
            "DNS:a.example",
            "DNS:*.example.org",
            "DNS:_sip.example",
            "IP:::1",
            "email:a@example.org",
            "URI:urn:uuid:1",
        ] {
            let name = GeneralName::from_text(text).expect("a name");
            assert!(is_well_formed(&name), "{text}");
        }
        for text in [
            "DNS:",
            "DNS:a.",
            "DNS:.a",
            "DNS:a..b",
            "DNS:*",
            "DNS:*.com",
            "DNS:a.*.b",
            "DNS:a*.example.org",
            "DNS:-a",
            "DNS:a b",
            "DNS:a\0.example",
            "email:a",
            "email:@a",
            "email:a@b@c",
            "URI:nothing",
            "URI:1x:y",
            "URI:x:",
        ] {
            let name = GeneralName::from_text(text).expect("a name");
            assert!(!is_well_formed(&name), "{text}");
        }
    }
}
