//! Which names a certificate may carry.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use super::host::is_dns_name;
use super::mailbox::{is_mailbox, is_utf8_mailbox, utf8};
use super::rule::{ReadName, subject_matches, text};
use super::uri::is_absolute_uri;
use super::{CommonName, NameKind, NameRules, Pattern, Profile, SubjectRules, Wanted};
use crate::pkix::{GeneralName, GeneralNames, Name, hardware_module, oid, text_of};
use crate::{Refusal, is_hidden};

/// How many octets a name may have. RFC 9110 §4.1 asks HTTP to support URIs of 8,000; no name of a device comes near.
const LONGEST_NAME: usize = 2_048;

/// Where the names come from that a request asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// From the request.
    New,
    /// From the certificate that authenticates, octet for octet, which is not renewed: another CA may have given them.
    Shown,
    /// From the certificate that is renewed, octet for octet.
    Renewed,
}

/// Checks the names. Those of the certificate that authenticates need not have the form of new names (RFC 5280
/// §4.1.2.4), nor what the label requires: their holder can ask for no others (RFC 7030 §4.2.2). Names that the label
/// does not give are refused all the same.
pub(super) fn check(profile: &Profile, wanted: &Wanted<'_>, standing: Standing) -> Result<(), Refusal> {
    match standing {
        Standing::New => form(profile, wanted)?,
        Standing::Shown => {
            wanted.subject.check_visible().map_err(Refusal::Subject)?;
            alternative_names(wanted)?;
        }
        Standing::Renewed => {}
    }
    subject(&profile.subject, wanted.subject)?;
    if let Some(names) = wanted.subject_alt_name {
        subject_alt_name(&profile.names, names)?;
    }
    common_name(profile.common_name, wanted)
}

/// What names must be and have that are asked for the first time.
fn form(profile: &Profile, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let subject = wanted.subject;
    subject.check_text().map_err(Refusal::Subject)?;
    let mut required = profile.subject.required.iter();
    if let Some(id) = required.find(|id| !subject.attributes().any(|(own, _)| own == *id)) {
        return Err(Refusal::SubjectAttributeRequired(id.clone()));
    }
    match wanted.subject_alt_name {
        None if profile.names.require_san => return Err(Refusal::SubjectAltNameRequired),
        None if subject.is_empty() => return Err(Refusal::NoName),
        None | Some(_) => {}
    }
    alternative_names(wanted)?;
    let names = wanted.names();
    let mut required = profile.names.required.iter();
    if let Some(kind) = required.find(|kind| !names.iter().any(|name| NameKind::of(name).as_ref() == Some(kind))) {
        return Err(Refusal::NameRequired(kind.clone()));
    }
    email_address(wanted)
}

/// Each name has the syntax of its kind.
fn alternative_names(wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let names = wanted.names();
    if names.iter().any(|name| text(name).len() > LONGEST_NAME) {
        return Err(Refusal::NameTooLong { limit: LONGEST_NAME });
    }
    match names.iter().find(|name| NameKind::of(name).is_none() || !is_well_formed(name)) {
        Some(name) => Err(malformed(name)),
        None => Ok(()),
    }
}

fn subject(rules: &SubjectRules, subject: &Name) -> Result<(), Refusal> {
    let mut attributes = subject.attributes();
    if let Some(allowed) = &rules.attributes
        && let Some((id, _)) = attributes.find(|(id, _)| !allowed.contains(id))
    {
        return Err(Refusal::SubjectAttributeNotAllowed(id.clone()));
    }
    match rules.patterns.iter().find(|pattern| !subject_matches(pattern, subject)) {
        Some(pattern) => Err(Refusal::SubjectPattern { pattern: pattern.as_str().to_string() }),
        None => Ok(()),
    }
}

fn subject_alt_name(rules: &NameRules, names: &GeneralNames) -> Result<(), Refusal> {
    for name in names.names() {
        if !rules.wildcards && matches!(name, GeneralName::Dns(text) if text.starts_with('*')) {
            return Err(Refusal::Wildcard(name.to_string()));
        }
        let Some(allowed) = &rules.allowed else { continue };
        let read = ReadName::of(name);
        if allowed.iter().any(|rule| rule.allows_read(&read)) {
            continue;
        }
        let fitting = allowed.iter().filter(|rule| Some(&rule.kind) == read.kind.as_ref());
        let patterns: Vec<&str> = fitting.filter_map(|rule| rule.pattern.as_ref()).map(Pattern::as_str).collect();
        return Err(match patterns.is_empty() {
            true => Refusal::NameKindNotAllowed { name: name.to_string(), allowed: kinds(rules) },
            false => Refusal::NamePattern { name: name.to_string(), pattern: patterns.join(" or ") },
        });
    }
    Ok(())
}

fn kinds(rules: &NameRules) -> String {
    let kinds = rules.allowed.iter().flatten().map(|rule| rule.kind.to_string());
    kinds.collect::<Vec<_>>().join(", ")
}

/// The commonName is one of the names, or is not asked to be: but a wildcard for hosts is only one among the names,
/// where name constraints and clients look for it.
fn common_name(rule: CommonName, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let names = wanted.names();
    let is_among_names = |common_name: &str| {
        // Not every spelling of an address is that of a name's text; and texts are made once, not for each of many names.
        let address = common_name.parse::<IpAddr>().ok().filter(|address| address.to_string() == common_name);
        names.iter().any(|name| match name {
            GeneralName::Dns(text) => text == common_name,
            GeneralName::Ip(own) => address == Some(*own),
            GeneralName::Rfc822(_) | GeneralName::Directory(_) | GeneralName::Uri(_) | GeneralName::Other(_) => false,
        })
    };
    let common_names = wanted.subject.attributes().filter(|(id, _)| **id == oid::COMMON_NAME);
    for (index, (_, common_name)) in common_names.enumerate() {
        let common_name = common_name.unwrap_or_default();
        let bound = rule == CommonName::AmongNames || common_name.starts_with("*.");
        if bound && !is_among_names(common_name) {
            return Err(Refusal::CommonNameNotInSan(common_name.escape_default().to_string()));
        }
        if rule == CommonName::AmongNames && index > 0 {
            return Err(Refusal::SeveralCommonNames);
        }
    }
    Ok(())
}

/// A mailbox in the subject stands among the names too (RFC 5280 §4.1.2.6): that is where name constraints and others
/// look for it.
fn email_address(wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let is_listed = |address: &str| {
        wanted.names().iter().any(|name| matches!(name, GeneralName::Rfc822(mailbox) if mailbox == address))
    };
    let mut addresses = wanted.subject.attributes().filter(|(id, _)| **id == oid::EMAIL_ADDRESS);
    match addresses.find(|(_, address)| !address.is_some_and(is_listed)) {
        Some((_, address)) => {
            Err(Refusal::EmailAddressNotInSan(address.unwrap_or_default().escape_default().to_string()))
        }
        None => Ok(()),
    }
}

/// Says what a name must be, where the prefix of its kind alone does not.
fn malformed(name: &GeneralName) -> Refusal {
    let fault = match name.other_name() {
        Some((id, _)) if id == oid::UPN => "a UPN is a UTF8String with text in it",
        Some((id, _)) if id == oid::HARDWARE_MODULE_NAME => {
            "a hardwareModuleName is a SEQUENCE of an OBJECT IDENTIFIER, the hwType, and an OCTET STRING, the hwSerialNum (RFC 4108 §5)"
        }
        Some((id, _)) if id == oid::SMTP_UTF8_MAILBOX => {
            "an SmtpUTF8Mailbox is a UTF8String with letters beyond ASCII before its @, and a host's name in A-labels after it (RFC 9598 §3)"
        }
        Some(_) | None => return Refusal::MalformedName(name.to_string()),
    };
    Refusal::NameForm { name: name.to_string(), fault: fault.to_string() }
}

/// Whether a name has the syntax of its kind (RFC 5280 §4.2.1.6).
pub(super) fn is_well_formed(name: &GeneralName) -> bool {
    match name {
        GeneralName::Dns(text) => is_dns_name(text),
        GeneralName::Rfc822(text) => is_mailbox(text),
        GeneralName::Uri(text) => is_absolute_uri(text),
        GeneralName::Directory(name) => !name.is_empty() && name.check_text().is_ok(),
        GeneralName::Ip(_) => true,
        GeneralName::Other(_) => match name.other_name() {
            Some((id, value)) if id == oid::SMTP_UTF8_MAILBOX => is_utf8_mailbox(&value),
            Some((id, value)) if id == oid::UPN => utf8(&value).is_some_and(|text| !text.is_empty()),
            Some((id, value)) if id == oid::HARDWARE_MODULE_NAME => hardware_module(&value).is_some(),
            Some((_, value)) => !text_of(&value).is_some_and(|text| text.contains(is_hidden)),
            None => true,
        },
    }
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
            "email:\"a b\"@example.org",
            "email:\"a@b, \\\"c\\\\\"@example.org",
            "email:a@[192.0.2.1]",
            "email:a@[IPv6:2001:db8::1]",
            "URI:urn:uuid:1",
            "URI:ldap:///CN=CA,DC=example?cACertificate?base",
            "URI:file:///var/lib/x",
            "URI:https://a.example/x",
            "URI:coaps://[2001:db8::1]:5684",
            "URI:spiffe://plant.example/line/4",
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
            "DNS:*.*.example.org",
            "DNS:-a",
            "DNS:a b",
            "DNS:a\0.example",
            "DNS:192.0.2.1",
            "email:a",
            "email:@a",
            "email:a@b@c",
            "email:a@*.example.org",
            "email:a..b@example.org",
            "email:<a@example.org>",
            "email:\"a@example.org",
            "email:\"a\"b\"@example.org",
            "email:\"a\\\"@example.org",
            "email:\"a\nb\"@example.org",
            "email:\"a\"@example.org",
            "email:\"a\\ b\"@example.org",
            "email:a@[192.0.2.256]",
            "email:a@[IPv6:192.0.2.1]",
            "email:a@[2001:db8::1]",
            "email:a@192.0.2.1",
            "URI:nothing",
            "URI:1x:y",
            "URI:x:",
            "URI:https://",
            "URI:https:///path",
            "URI:spiffe:///line/4",
            "URI:ldap://",
            "URI:ldap://:389/",
            "URI:ldap://a@/",
            "URI:https://a b/",
            "URI:https://[::1",
            "URI:https://a..b/",
            "URI:https://a.example:x/",
            "URI:https://a.example:65536/",
            "URI:https://a.example\\@b.example/",
            "URI:https://a.example/%",
            "URI:https://192.0.2.256/",
        ] {
            let name = GeneralName::from_text(text).expect("a name");
            assert!(!is_well_formed(&name), "{text}");
        }
    }
}
