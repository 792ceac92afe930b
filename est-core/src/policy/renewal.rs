//! Whose names a certificate's holder may ask for.

use alloc::format;
use alloc::string::ToString;

use crate::Refusal;
use crate::pkix::{Certificate, Csr, GeneralNames, Name};

/// Subject and subjectAltName must be those of the current certificate (RFC 7030 §4.2.2).
pub(super) fn check(certificate: &Certificate, csr: &Csr) -> Result<(), Refusal> {
    if are_names_of(certificate, csr.subject(), csr.subject_alt_name()) {
        return Ok(());
    }
    let names = match certificate.subject_alt_name() {
        Some(names) => names.to_string(),
        None => "no subjectAltName".to_string(),
    };
    Err(Refusal::NamesDiffer { expected: format!("{}; {names}", certificate.subject()) })
}

/// Whether these are the certificate's names: the subject octet for octet, but for the order within an RDN, the
/// subjectAltName as a set of names, since clients reorder them.
pub(super) fn are_names_of(certificate: &Certificate, subject: &Name, names: Option<&GeneralNames>) -> bool {
    let same_names = match (certificate.subject_alt_name(), names) {
        (Some(current), Some(requested)) => current.same_names(requested),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_names && certificate.subject().is_same_as(subject)
}
