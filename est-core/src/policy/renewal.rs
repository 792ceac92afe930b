//! Whose names a certificate's holder may ask for.

use alloc::format;
use alloc::string::ToString;

use crate::Refusal;
use crate::pkix::{Certificate, Csr};

/// Subject and subjectAltName must be those of the current certificate (RFC 7030 §4.2.2): the subject octet for
/// octet, the subjectAltName as a set of names, since clients reorder them.
pub(super) fn check(certificate: &Certificate, csr: &Csr) -> Result<(), Refusal> {
    let same_names = match (certificate.subject_alt_name(), csr.subject_alt_name()) {
        (Some(current), Some(requested)) => current.same_names(requested),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if same_names && certificate.subject() == csr.subject() {
        return Ok(());
    }
    let names = match certificate.subject_alt_name() {
        Some(names) => names.to_string(),
        None => "no subjectAltName".to_string(),
    };
    Err(Refusal::NamesDiffer { expected: format!("{}; {names}", certificate.subject()) })
}
