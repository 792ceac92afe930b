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

/// All that a constraint may be about: the names, those mailboxes that are otherNames (RFC 9598 §6), the subject, and
/// what of the subject old software takes for a name: its addresses where there is no rfc822Name (RFC 5280 §4.2.1.10),
/// and a commonName that is a host's name or address.
fn constrained(wanted: &Wanted<'_>) -> Vec<GeneralName> {
    let listed = wanted.names();
    let mut names = listed.to_vec();
    let mailboxes = listed.iter().filter_map(GeneralName::other_name).filter(|(id, _)| *id == oid::SMTP_UTF8_MAILBOX);
    names.extend(mailboxes.filter_map(|(_, value)| text_of(&value)).map(GeneralName::Rfc822));
    if !wanted.subject.is_empty() {
        names.push(GeneralName::Directory(wanted.subject.clone()));
    }
    let has_mailbox = listed.iter().any(|name| matches!(name, GeneralName::Rfc822(_)));
    for (id, text) in wanted.subject.attributes() {
        let Some(text) = text else { continue };
        if *id == oid::EMAIL_ADDRESS && !has_mailbox {
            names.push(GeneralName::Rfc822(text.to_string()));
        } else if *id == oid::COMMON_NAME && text.contains('.') && is_dns_name(text) {
            names.push(GeneralName::Dns(text.to_string()));
        } else if *id == oid::COMMON_NAME {
            names.extend(text.parse().map(GeneralName::Ip));
        }
    }
    names
}
