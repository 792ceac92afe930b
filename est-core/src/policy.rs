//! What a request may have: a pure decision.

mod allowance;
mod attributes;
mod authority;
mod baseline;
mod binding;
mod constraint;
mod der;
mod explanation;
mod extension;
mod extent;
mod host;
mod identity;
mod key;
mod kind;
mod mailbox;
mod name;
mod pattern;
mod profile;
mod renewal;
mod rule;
mod uri;
mod validity;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::pkix::{
    Certificate, Csr, Extension, GeneralNames, KeyUsage, Name, Oid, SubjectPublicKeyInfo, TbsCertificate, oid,
};
use crate::{Label, Linking, Principal, PurposeBinding, Refusal, Serial, UnixTime};

use name::Standing;

pub use allowance::Allowance;
pub use attributes::{Role, csr_attributes};
pub use authority::RegistrationAuthority;
pub use baseline::BaselineRule;
pub(crate) use extension::purposes_within;
pub use extension::{DECIDED, OF_CAS};
pub use extent::MAX_CERTIFICATE_BYTES;
pub use identity::{IdentityRule, Who};
pub use kind::NameKind;
pub use pattern::Pattern;
pub use profile::{CommonName, KeyReuse, NameChange, NameRules, Profile, Requirements, SubjectRules};
pub use renewal::Held;
pub use rule::NameRule;

/// What will be issued: everything but the serial number and what the CA itself puts in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the profile.
    pub profile: String,
    /// The subject, carried over from the request; each RDN in the order of DER.
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
    /// The registration authority that asks on somebody else's behalf.
    pub ra: Option<String>,
}

/// The names that a certificate is to carry: those of the request, or those that it changes them to.
struct Wanted<'a> {
    csr: &'a Csr,
    subject: &'a Name,
    subject_alt_name: Option<&'a GeneralNames>,
}

impl<'a> Wanted<'a> {
    fn by(csr: &'a Csr) -> Self {
        Self { csr, subject: csr.wanted_subject(), subject_alt_name: csr.wanted_subject_alt_name() }
    }

    fn names_holder_of(&self, certificate: &Certificate) -> bool {
        renewal::are_names_of(certificate, self.subject, self.subject_alt_name)
    }

    fn names(&self) -> &'a [crate::pkix::GeneralName] {
        self.subject_alt_name.map(GeneralNames::names).unwrap_or_default()
    }
}

/// Decides what `csr` gets from `label`.
///
/// `renewing` is the certificate that is to be renewed: then subject and subjectAltName must be its own
/// (RFC 7030 §4.2.2). A client that authenticates with a certificate without renewing it can only get its names, too,
/// unless the label says otherwise; one with a password, those that the password is for. An [`IdentityRule`] may allow
/// others. A holder that may change its names asks for others with ChangeSubjectName (RFC 6402 §2.8).
///
/// # Errors
/// The first rule that forbids it. The order is: what links the request, the key, whose names they are, the names, the CAs' constraints, the
/// extensions, the CA's own time.
pub fn decide(
    label: &Label,
    principal: &Principal,
    csr: &Csr,
    renewing: Option<&Certificate>,
    now: UnixTime,
) -> Result<Plan, Refusal> {
    decide_for(label, principal, None, csr, renewing, now)
}

/// As [`decide`], for a principal that is the registration authority `ra`: it may ask for others, within its limits,
/// whatever the label lets holders ask for. In a renewal it is a holder like any other.
///
/// # Errors
/// As [`decide`], and that the names lie outside of the authority's limits.
pub fn decide_for(
    label: &Label,
    principal: &Principal,
    ra: Option<&RegistrationAuthority>,
    csr: &Csr,
    renewing: Option<&Certificate>,
    now: UnixTime,
) -> Result<Plan, Refusal> {
    let profile = &label.profile;
    if label.linking() != Linking::Off {
        csr.challenges().check().map_err(Refusal::Csr)?;
    }
    key::check(profile, &label.ca, csr, renewing)?;
    let wanted = Wanted::by(csr);
    let names_itself = principal.certificate().is_some_and(|own| wanted.names_holder_of(own));
    let for_others = if renewing.is_some() || names_itself { None } else { ra };
    match (for_others, renewing) {
        (Some(_), _) => {}
        (None, Some(certificate)) => renewal::check(certificate, csr, Held::Renewing)?,
        (None, None) => binding::check(label, principal, &wanted)?,
    }
    if csr.change_subject_name().is_some() {
        binding::check_change(label, principal, for_others, &wanted)?;
    }
    if let Some(ra) = for_others {
        ra.check(&wanted)?;
    }
    let standing = match (names_itself, renewing) {
        (true, Some(_)) => Standing::Renewed,
        (true, None) => Standing::Shown,
        (false, _) => Standing::New,
    };
    name::check(profile, &wanted, standing)?;
    if profile.requirements == Requirements::Baseline {
        baseline::check(&wanted).map_err(Refusal::Baseline)?;
    }
    constraint::check(&label.ca, &wanted)?;
    der::check(&wanted)?;
    let held = held_purposes(label, principal, ra);
    let extension::Decided { extensions, dropped } = extension::decide(profile, &wanted, held.as_deref())?;
    let validity = validity::decide(profile, &label.ca.certificate, now)?;
    extent::check(&label.ca, &wanted, csr.public_key(), &extensions)?;
    Ok(Plan {
        profile: profile.name.clone(),
        subject: wanted.subject.clone(),
        public_key: csr.public_key().clone(),
        extensions,
        not_before: validity.not_before,
        not_after: validity.not_after,
        clamped_from: validity.clamped_from,
        dropped,
        ra: for_others.map(|ra| ra.name.clone()),
    })
}

/// The purposes beyond which the holder of a certificate gets none; `None` where it may have any of the label.
fn held_purposes(label: &Label, principal: &Principal, ra: Option<&RegistrationAuthority>) -> Option<Vec<Oid>> {
    let is_listed = || label.identities.iter().any(|rule| rule.is(principal) && rule.lists(label.name.as_deref()));
    if label.certificate_purposes == PurposeBinding::Any || ra.is_some() || is_listed() {
        return None;
    }
    principal.certificate()?.extension(&oid::EXT_KEY_USAGE).and_then(Extension::read_ext_key_usage)
}

impl Plan {
    /// The octets that `ca` is to sign.
    ///
    /// `signature_algorithm` is the AlgorithmIdentifier of the signature to come, DER.
    #[must_use]
    pub fn to_be_signed(&self, ca: &Certificate, serial: Serial, signature_algorithm: &[u8]) -> Vec<u8> {
        let extensions = self.extensions_below(ca);
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

    /// Whether `certificate` has the names of the plan, certifies the planned key for nothing that was not planned, and
    /// ends no later: what any CA must keep to.
    #[must_use]
    pub fn is_met_by(&self, certificate: &Certificate) -> bool {
        let planned = |id: &Oid| self.extensions.iter().find(|extension| extension.id == *id);
        let names = planned(&oid::SUBJECT_ALT_NAME).map(|extension| extension.value.as_slice());
        let usage = |value: Option<&[u8]>| value.and_then(KeyUsage::from_der);
        let planned_usage = usage(planned(&oid::KEY_USAGE).map(|extension| extension.value.as_slice()));
        let usages_fit = match (usage(certificate.extension(&oid::KEY_USAGE)), planned_usage) {
            (Some(usage), Some(planned)) => usage.without(planned).is_empty(),
            (_, None) => true,
            (None, Some(_)) => false,
        };
        let purposes = |value: Option<&[u8]>| value.map(Extension::read_ext_key_usage);
        let planned_purposes = purposes(planned(&oid::EXT_KEY_USAGE).map(|extension| extension.value.as_slice()));
        let purposes_fit = match (purposes(certificate.extension(&oid::EXT_KEY_USAGE)), planned_purposes) {
            (Some(Some(purposes)), Some(Some(planned))) => purposes.iter().all(|purpose| planned.contains(purpose)),
            (_, None) => true,
            _ => false,
        };
        certificate.subject() == &self.subject
            && certificate.public_key_der() == self.public_key.as_der()
            && certificate.subject_alt_name().map(GeneralNames::as_der) == names
            && purposes_fit
            && usages_fit
            && certificate.not_after() <= self.not_after
            && !certificate.is_ca()
    }

    /// The first field in which `certificate` is not exactly what was planned for `ca` and `serial`; `None` when it is.
    #[must_use]
    pub fn difference(&self, certificate: &Certificate, ca: &Certificate, serial: Serial) -> Option<&'static str> {
        let extensions = self.extensions_below(ca);
        let fields = [
            ("serialNumber", certificate.serial() == serial.as_bytes()),
            ("issuer", certificate.issuer() == ca.subject()),
            ("notBefore", certificate.not_before() == self.not_before),
            ("notAfter", certificate.not_after() == self.not_after),
            ("subject", certificate.subject() == &self.subject),
            ("subjectPublicKeyInfo", certificate.public_key_der() == self.public_key.as_der()),
            ("extensions", certificate.extensions() == extensions),
        ];
        fields.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
    }

    /// The planned extensions, and the authorityKeyIdentifier that names the CA's key as the CA itself does.
    fn extensions_below(&self, ca: &Certificate) -> Vec<Extension> {
        let mut extensions = self.extensions.clone();
        extensions
            .extend(ca.subject_key_identifier().map(|identifier| Extension::authority_key_identifier(&identifier)));
        extensions
    }

    /// Whom the certificate is for: its subject, or where that is empty the names.
    fn holder(&self) -> String {
        let san = self.extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME);
        match san.and_then(|san| GeneralNames::parse(&san.value)) {
            Some(names) if self.subject.is_empty() => names.to_string(),
            Some(_) | None => self.subject.to_string(),
        }
    }

    /// What an auditor wants to know beyond the certificate itself; `None` when there is nothing.
    #[must_use]
    pub fn remarks(&self) -> Option<String> {
        let mut remarks = Vec::new();
        if let Some(ra) = &self.ra {
            remarks.push(format!("for {} by the registration authority {ra}", self.holder()));
        }
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
