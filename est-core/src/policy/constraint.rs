//! The name constraints of every CA above (RFC 5280 §4.2.1.10), looked at before anything is signed.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Wanted;
use super::host::is_dns_name;
use crate::pkix::{GeneralName, NameConstraints, oid, text_of};
use crate::{Ca, Refusal};

pub(super) fn check(ca: &Ca, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let mut names = None;
    for issuer in core::iter::once(&ca.certificate).chain(&ca.chain) {
        let Some(value) = issuer.extension(&oid::NAME_CONSTRAINTS) else { continue };
        let forbidden =
            |name: &GeneralName| Refusal::NameConstraint { name: name.to_string(), ca: issuer.subject().to_string() };
        let names = names.get_or_insert_with(|| constrained(wanted));
        // What cannot be read is a constraint that nothing satisfies.
        let constraints = NameConstraints::parse(value);
        if let Some(name) = names.iter().find(|name| !constraints.as_ref().is_some_and(|all| all.allow(name))) {
            return Err(forbidden(name));
        }
    }
    Ok(())
}

/// All that a constraint may be about: the names, those mailboxes that are otherNames (RFC 9598 §6), the subject, whose
/// emailAddress is among the names, and a commonName that old software takes for a host's name or address.
fn constrained(wanted: &Wanted<'_>) -> Vec<GeneralName> {
    let listed = wanted.names();
    let mut names = listed.to_vec();
    let mailboxes = listed.iter().filter_map(GeneralName::other_name).filter(|(id, _)| *id == oid::SMTP_UTF8_MAILBOX);
    names.extend(mailboxes.filter_map(|(_, value)| text_of(&value)).map(GeneralName::Rfc822));
    if !wanted.subject.is_empty() {
        names.push(GeneralName::Directory(wanted.subject.clone()));
    }
    let common_names = wanted.subject.attributes().filter(|(id, _)| **id == oid::COMMON_NAME);
    for text in common_names.filter_map(|(_, text)| text) {
        if text.contains('.') && is_dns_name(text) {
            names.push(GeneralName::Dns(text.to_string()));
        } else {
            names.extend(text.parse().map(GeneralName::Ip));
        }
    }
    names
}
