//! The name constraints of every CA above (RFC 5280 §4.2.1.10), looked at before anything is signed.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Wanted;
use super::host::is_dns_name;
use crate::pkix::{GeneralName, NameConstraints, oid};
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

/// All that a constraint may be about: the names, the subject, and what of the subject old software takes for a name:
/// its addresses where there is no rfc822Name (RFC 5280 §4.2.1.10), and a commonName that is a host's.
fn constrained(wanted: &Wanted<'_>) -> Vec<GeneralName> {
    let listed = wanted.names();
    let mut names = listed.to_vec();
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
        }
    }
    names
}
