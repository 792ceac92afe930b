//! ChangeSubjectName (RFC 6402 §2.8).

use crate::pkix::{GeneralNames, Name, asn1};

/// The names that somebody wants instead of those of the certificate that authenticates (RFC 6402 §2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSubjectName {
    /// The subject: empty where none is asked for.
    pub subject: Name,
    /// The subjectAltName: none where none is asked for.
    pub subject_alt_name: Option<GeneralNames>,
}

impl ChangeSubjectName {
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let change: asn1::ChangeSubjectName = asn1::decode_checked(der).ok()?;
        if change.subject.is_none() && change.subject_alt_name.is_none() {
            return None;
        }
        let subject = Name::requested(&asn1::encode(&change.subject.unwrap_or_default())).ok()?;
        let subject_alt_name = match change.subject_alt_name {
            Some(names) => Some(GeneralNames::requested(&asn1::encode(&names)).ok()?),
            None => None,
        };
        Some(Self { subject, subject_alt_name })
    }
}
