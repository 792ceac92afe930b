//! Whose names the holder of a certificate may ask for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Refusal;
use crate::pkix::{Certificate, Csr, GeneralName, GeneralNames, Name};

/// How a certificate is used whose names a request must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is renewed.
    Renewing,
    /// It authenticates an enrollment, and a CA of this server issued it.
    IssuedHere,
    /// It authenticates an enrollment, and another CA issued it.
    IssuedElsewhere,
}

/// Subject and subjectAltName must be those of the current certificate (RFC 7030 §4.2.2).
pub(super) fn check(certificate: &Certificate, csr: &Csr, held: Held) -> Result<(), Refusal> {
    let (subject, names) = (csr.subject(), csr.subject_alt_name());
    if are_names_of(certificate, subject, names) {
        return Ok(());
    }
    let own_names = match certificate.subject_alt_name() {
        Some(names) => names.to_string(),
        None => "no subjectAltName".to_string(),
    };
    let difference = certificate.subject().difference(subject);
    Err(Refusal::NamesDiffer {
        expected: format!("{}; {own_names}", certificate.subject()),
        difference: difference.unwrap_or_else(|| difference_of_names(certificate.subject_alt_name(), names)),
        held,
    })
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

/// In what two sets of names differ that are not the same.
fn difference_of_names(own: Option<&GeneralNames>, requested: Option<&GeneralNames>) -> String {
    /// As many names are listed.
    const LISTED: usize = 3;

    let own = own.map(GeneralNames::names).unwrap_or_default();
    let requested = requested.map(GeneralNames::names).unwrap_or_default();
    let listed = |names: &[GeneralName], others: &[GeneralName]| {
        let left: Vec<&GeneralName> = names.iter().filter(|name| !others.contains(name)).take(LISTED + 1).collect();
        let mut texts: Vec<String> = left.iter().take(LISTED).map(|name| name.to_string()).collect();
        texts.extend((left.len() > LISTED).then(|| "…".to_string()));
        (!texts.is_empty()).then(|| texts.join(", "))
    };
    let alike = own.iter().find_map(|name| {
        let text = name.to_string();
        let is_alike = |other: &&GeneralName| *other != name && other.to_string().eq_ignore_ascii_case(&text);
        requested.iter().find(is_alike).map(|other| (other, name))
    });
    if let Some((requested, own)) = alike {
        return format!("{requested} is not {own}: upper and lower case count");
    }
    let missing = listed(own, requested).map(|names| format!("the subjectAltName lacks {names}"));
    let added = listed(requested, own).map(|names| format!("the subjectAltName has also {names}"));
    match (missing, added) {
        (Some(missing), Some(added)) => format!("{missing}; {added}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => "the subjectAltName lists a name more often, or encodes it differently".to_string(),
    }
}
