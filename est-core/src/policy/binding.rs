//! Whether a principal may have the names that it asks for on its own behalf.

use alloc::vec::Vec;

use super::allowance::{self, Own};
use super::renewal::{self, Held};
use super::{Allowance, NameChange, RegistrationAuthority, Wanted};
use crate::{CertificatePath, Label, NameBinding, Principal, Refusal};

/// Checks the names of a request that renews nothing.
pub(super) fn check(label: &Label, principal: &Principal, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let mut allowances = allowances(label, principal);
    match principal {
        Principal::Certificate(own) if takes_any_name(label, own) => Ok(()),
        // A client that changes its names is recognized by the old ones.
        Principal::Certificate(own) if allowances.is_empty() || wanted.csr.change_subject_name().is_some() => {
            let held = if label.is_issued_here(own) { Held::IssuedHere } else { Held::IssuedElsewhere };
            renewal::check(own, wanted.csr, held)
        }
        Principal::Certificate(own) => allowance::check(Own::Certificate(own), &allowances, wanted),
        Principal::OneTimePassword { entity, allowance, .. } => {
            allowances.extend((!allowance.is_empty()).then_some(&**allowance));
            if entity.is_none() && allowances.is_empty() {
                return Ok(());
            }
            allowance::check(Own::Entity(entity.as_deref()), &allowances, wanted)
        }
    }
}

/// Checks the names to which a request changes those that it was recognized by.
pub(super) fn check_change(
    label: &Label,
    principal: &Principal,
    for_others: Option<&RegistrationAuthority>,
    wanted: &Wanted<'_>,
) -> Result<(), Refusal> {
    let change = label.profile.change_subject_name;
    if change == NameChange::Refused {
        return Err(Refusal::ChangeSubjectName);
    }
    match principal {
        // The limits of an authority and the names of a password are checked for whatever they ask.
        _ if for_others.is_some() => Ok(()),
        Principal::OneTimePassword { .. } => Ok(()),
        Principal::Certificate(own) if takes_any_name(label, own) => Ok(()),
        Principal::Certificate(own) => {
            let allowances = allowances(label, principal);
            if allowances.is_empty() && change == NameChange::Any {
                return Ok(());
            }
            allowance::check(Own::Certificate(own), &allowances, wanted)
        }
    }
}

/// What the rules that are about the principal allow at this label.
fn allowances<'a>(label: &'a Label, principal: &Principal) -> Vec<&'a Allowance> {
    let here = label.name.as_deref();
    let rules = label.identities.iter().filter(|rule| rule.is(principal) && rule.is_good_at(here));
    rules.map(|rule| &rule.allowance).filter(|allowance| !allowance.is_empty()).collect()
}

/// Whether the names of this certificate say nothing of those that its holder is to get here: a manufacturer gave them.
fn takes_any_name(label: &Label, own: &CertificatePath) -> bool {
    label.certificate_names == NameBinding::Any && !label.is_issued_here(own)
}
