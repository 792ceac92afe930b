//! What a request may have: a pure decision.

mod extension;
mod key;
mod name;
mod renewal;
mod validity;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pkix::{Certificate, Csr, Extension, KeyType, KeyUsage, Name, Oid, SubjectPublicKeyInfo, TbsCertificate};
use crate::{Label, NameBinding, Principal, Refusal, Seconds, Serial, UnixTime};

pub use name::SubjectPattern;

/// What is issued.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: String,
    /// The key types it takes; every supported one if `None`.
    pub key_types: Option<Vec<KeyType>>,
    /// Whether a request must ask for a subjectAltName.
    pub require_san: bool,
    /// What the subject's RFC 4514 text must match.
    pub subject_pattern: Option<SubjectPattern>,
    /// The key usages it gives, as far as the key's type can have them.
    pub key_usage: KeyUsage,
    /// The extended key usages it gives; none if empty.
    pub ext_key_usage: Vec<Oid>,
    /// For how long.
    pub validity: Seconds,
    /// For how long at most.
    pub max_validity: Seconds,
}

/// What will be issued: everything but the serial number and what the CA itself puts in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the profile.
    pub profile: String,
    /// The subject, carried over from the request octet for octet.
    pub subject: Name,
    /// The key, carried over from the request octet for octet.
    pub public_key: SubjectPublicKeyInfo,
    /// The extensions, the authorityKeyIdentifier excepted.
    pub extensions: Vec<Extension>,
    /// The first second of validity.
    pub not_before: UnixTime,
    /// The last second of validity, inclusive.
    pub not_after: UnixTime,
    /// The end that the profile would have given, where the label, the CA or its certificate ends earlier.
    pub clamped_from: Option<UnixTime>,
    /// Requested extensions that the profile does not let through.
    pub dropped: Vec<Oid>,
}

/// Decides what `csr` gets from `label`.
///
/// `renewing` is the certificate that is to be renewed: then subject and subjectAltName must be its own
/// (RFC 7030 §4.2.2). Somebody who authenticates with a certificate without renewing it is held to its names too,
/// unless the label says otherwise.
///
/// # Errors
/// The first rule that forbids it. The order is: the key, the names, the extensions, the CA's own time.
pub fn decide(
    label: &Label,
    principal: &Principal,
    csr: &Csr,
    renewing: Option<&Certificate>,
    now: UnixTime,
) -> Result<Plan, Refusal> {
    let profile = &label.profile;
    key::check(profile, csr)?;
    name::check(profile, csr)?;
    let bound_to = renewing.or_else(|| match label.certificate_names {
        NameBinding::Own => principal.certificate(),
        NameBinding::Any => None,
    });
    if let Some(certificate) = bound_to {
        renewal::check(certificate, csr)?;
    }
    let extension::Decided { extensions, dropped } = extension::decide(profile, csr)?;
    let validity = validity::decide(profile, &label.ca.certificate, now)?;
    Ok(Plan {
        profile: profile.name.clone(),
        subject: csr.subject().clone(),
        public_key: csr.public_key().clone(),
        extensions,
        not_before: validity.not_before,
        not_after: validity.not_after,
        clamped_from: validity.clamped_from,
        dropped,
    })
}

impl Plan {
    /// The octets that `ca` is to sign.
    ///
    /// `signature_algorithm` is the AlgorithmIdentifier of the signature to come, DER.
    #[must_use]
    pub fn to_be_signed(&self, ca: &Certificate, serial: Serial, signature_algorithm: &[u8]) -> Vec<u8> {
        let mut extensions = self.extensions.clone();
        if let Some(identifier) = ca.subject_key_identifier() {
            extensions.push(Extension::authority_key_identifier(&identifier));
        }
        TbsCertificate {
            serial,
            signature_algorithm,
            issuer: ca.subject(),
            subject: &self.subject,
            not_before: self.not_before,
            not_after: self.not_after,
            public_key: self.public_key.as_der(),
            extensions: &extensions,
        }
        .to_der()
    }

    /// Whether `certificate` names whom the plan names, certifies the planned key, and ends no later.
    #[must_use]
    pub fn is_met_by(&self, certificate: &Certificate) -> bool {
        let planned_names = self.extensions.iter().find(|extension| extension.id == crate::pkix::oid::SUBJECT_ALT_NAME);
        certificate.subject() == &self.subject
            && certificate.public_key_der() == self.public_key.as_der()
            && certificate.subject_alt_name().map(|names| names.as_der())
                == planned_names.map(|extension| extension.value.as_slice())
            && certificate.not_after() <= self.not_after
            && !certificate.is_ca()
    }

    /// What an auditor wants to know beyond the certificate itself; `None` when there is nothing.
    #[must_use]
    pub fn remarks(&self) -> Option<String> {
        let mut remarks = Vec::new();
        if let Some(wanted) = self.clamped_from {
            remarks.push(format!("end clamped from {wanted} to {}", self.not_after));
        }
        if !self.dropped.is_empty() {
            let dropped: Vec<String> = self.dropped.iter().map(|id| format!("{id}")).collect();
            remarks.push(format!("requested extensions dropped: {}", dropped.join(" ")));
        }
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}
