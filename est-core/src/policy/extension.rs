//! Which extensions a certificate gets: the profile's, and the names of the request.

use alloc::vec::Vec;

use super::{Profile, Wanted};
use crate::Refusal;
use crate::pkix::{Csr, CsrError, Extension, KeyUsage, Oid, der, oid};

pub(super) struct Decided {
    pub(super) extensions: Vec<Extension>,
    pub(super) dropped: Vec<Oid>,
}

/// The extensions of which the profile, the request's names and the CA decide themselves: nothing else adds them.
pub const DECIDED: [Oid; 6] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXT_KEY_USAGE,
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::SUBJECT_ALT_NAME,
    oid::AUTHORITY_KEY_IDENTIFIER,
];

/// The extensions that only a CA's certificate may have (RFC 5280 §4.2.1.5, §4.2.1.10, §4.2.1.11, §4.2.1.14).
pub const OF_CAS: [Oid; 4] =
    [oid::NAME_CONSTRAINTS, oid::POLICY_MAPPINGS, oid::POLICY_CONSTRAINTS, oid::INHIBIT_ANY_POLICY];

/// `held` are the purposes of the certificate that authenticates, where its holder gets no others.
pub(super) fn decide(profile: &Profile, wanted: &Wanted<'_>, held: Option<&[Oid]>) -> Result<Decided, Refusal> {
    let (mut dropped, mut passed) = (Vec::new(), Vec::new());
    let purposes = purposes(profile, wanted.csr, purposes_within(profile, held)?)?;
    for extension in wanted.csr.extensions() {
        match &extension.id {
            id if *id == oid::BASIC_CONSTRAINTS && !is_end_entity(&extension.value) => {
                // It asks to be a CA, or cannot be read.
                return Err(Refusal::CaCertificate);
            }
            id if [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::SUBJECT_ALT_NAME].contains(id) => {}
            id if *id == oid::EXT_KEY_USAGE => {
                if extension.value != Extension::ext_key_usage(&purposes).value {
                    dropped.push(id.clone());
                }
            }
            id if profile.extensions.iter().any(|constant| constant == extension && constant.id == *id) => {}
            id if profile.passes.contains(id) && !profile.extensions.iter().any(|constant| constant.id == *id) => {
                // The rest of it is the requester's business, but a certificate is DER to its last octet.
                der::check_distinguished(&extension.value)
                    .map_err(|error| Refusal::Csr(CsrError::ExtensionValue(id.clone(), error)))?;
                passed.push(extension.clone());
            }
            id => dropped.push(id.clone()),
        }
    }
    let usage = key_usage(profile, &purposes, wanted.csr)?;
    let mut extensions = Vec::from([Extension::end_entity(), Extension::key_usage(usage)]);
    if !purposes.is_empty() {
        extensions.push(Extension::ext_key_usage(&purposes));
    }
    if profile.subject_key_identifier {
        extensions.push(Extension::subject_key_identifier(&wanted.csr.public_key().key_identifier()));
    }
    if let Some(names) = wanted.subject_alt_name {
        // Critical exactly when nothing else names the subject (RFC 5280 §4.2.1.6).
        let critical = wanted.subject.is_empty();
        extensions.push(Extension { id: oid::SUBJECT_ALT_NAME, critical, value: names.as_der().to_vec() });
    }
    extensions.extend(profile.extensions.iter().cloned());
    extensions.extend(passed);
    Ok(Decided { extensions, dropped })
}

/// Whether a basicConstraints is one of an end entity: `cA` is FALSE, written out or not. A pathLenConstraint, which has
/// no meaning there, is as good as none: the extension is not copied.
fn is_end_entity(value: &[u8]) -> bool {
    const FALSE: &[u8] = b"\x01\x01\x00";
    if der::check(value).is_err() || value[0] != 0x30 {
        return false;
    }
    let mut parts = der::parts(der::contents(value)).peekable();
    parts.next_if(|part| *part == FALSE);
    parts.next_if(|part| part[0] == 0x02);
    parts.next().is_none()
}

/// The profile's purposes, as far as a certificate has them; all where `held` is `None`. One that was asked for fewer
/// purposes than its label gives is renewed with those.
pub(crate) fn purposes_within(profile: &Profile, held: Option<&[Oid]>) -> Result<Vec<Oid>, Refusal> {
    let given = &profile.ext_key_usage;
    let Some(held) = held.filter(|held| !held.contains(&oid::ANY_EXT_KEY_USAGE)) else { return Ok(given.clone()) };
    let within: Vec<Oid> = given.iter().filter(|purpose| held.contains(purpose)).cloned().collect();
    let is_lacking = |purpose: &&Oid| given.contains(purpose) && !within.contains(purpose);
    match profile.required_ext_key_usage.iter().find(is_lacking) {
        Some(required) => Err(Refusal::PurposeNotHeld(required.clone())),
        // A certificate without any purpose is for all of them.
        None if given.is_empty() => Err(Refusal::PurposeNotHeld(oid::ANY_EXT_KEY_USAGE)),
        None if within.is_empty() => Err(Refusal::PurposeNotHeld(given[0].clone())),
        None => Ok(within),
    }
}

/// The purposes of the profile that are within reach, narrowed to the requested ones and those that the profile insists on.
///
/// Where none of the requested ones is the profile's, the request is refused: an intent may be ignored but not reversed
/// (RFC 10002 §3.1). A profile without purposes has nothing to narrow.
fn purposes(profile: &Profile, csr: &Csr, given: Vec<Oid>) -> Result<Vec<Oid>, Refusal> {
    let wish = csr.extensions().iter().find(|extension| extension.id == oid::EXT_KEY_USAGE);
    let Some(wish) = wish.filter(|_| !given.is_empty()) else { return Ok(given) };
    let wished = Extension::read_ext_key_usage(&wish.value).ok_or(Refusal::MalformedExtKeyUsage)?;
    if wished.contains(&oid::ANY_EXT_KEY_USAGE) {
        return Ok(given);
    }
    if !given.iter().any(|purpose| wished.contains(purpose)) {
        return Err(match profile.ext_key_usage.iter().find(|purpose| wished.contains(purpose)) {
            Some(beyond) => Refusal::PurposeNotHeld(beyond.clone()),
            None => Refusal::ExtKeyUsage { wished, allowed: given },
        });
    }
    let is_kept = |purpose: &Oid| wished.contains(purpose) || profile.required_ext_key_usage.contains(purpose);
    Ok(given.into_iter().filter(is_kept).collect())
}

/// The profile's key usages that the key's type can have, narrowed to the requested ones.
///
/// A request that asks only for others is refused, as one for other purposes is. So is one whose usages fit none of the
/// purposes: nobody could use the certificate (RFC 5280 §4.2.1.12).
fn key_usage(profile: &Profile, purposes: &[Oid], csr: &Csr) -> Result<KeyUsage, Refusal> {
    let given = profile.key_usage_of(csr.public_key().key_type());
    let Some(requested) = csr.extensions().iter().find(|extension| extension.id == oid::KEY_USAGE) else {
        return if given.is_empty() { Err(Refusal::KeyUsage { allowed: given }) } else { Ok(given) };
    };
    let requested = KeyUsage::from_der(&requested.value).ok_or(Refusal::MalformedKeyUsage)?;
    if !requested.common(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)).is_empty() {
        return Err(Refusal::CaCertificate);
    }
    let granted = given.common(requested);
    if serves(purposes, granted) { Ok(granted) } else { Err(Refusal::KeyUsage { allowed: given }) }
}

/// Whether these key usages serve one of the profile's purposes.
pub(super) fn has_use(profile: &Profile, usage: KeyUsage) -> bool {
    serves(&profile.ext_key_usage, usage)
}

/// Whether these key usages serve one of the purposes; where there are none, any purpose.
fn serves(purposes: &[Oid], usage: KeyUsage) -> bool {
    let fits = |purpose: &Oid| usages_of(purpose).is_none_or(|usages| !usages.common(usage).is_empty());
    !usage.is_empty() && (purposes.is_empty() || purposes.iter().any(fits))
}

/// The key usages of which one must stand beside a purpose (RFC 5280 §4.2.1.12); `None` where none need.
fn usages_of(purpose: &Oid) -> Option<KeyUsage> {
    let signing = KeyUsage::DIGITAL_SIGNATURE;
    match purpose {
        id if *id == oid::SERVER_AUTH => Some(signing.with(KeyUsage::KEY_ENCIPHERMENT).with(KeyUsage::KEY_AGREEMENT)),
        id if *id == oid::CLIENT_AUTH => Some(signing.with(KeyUsage::KEY_AGREEMENT)),
        id if *id == oid::CODE_SIGNING => Some(signing),
        id if *id == oid::EMAIL_PROTECTION => {
            Some(signing.with(KeyUsage::NON_REPUDIATION).with(KeyUsage::KEY_ENCIPHERMENT).with(KeyUsage::KEY_AGREEMENT))
        }
        id if *id == oid::TIME_STAMPING || *id == oid::OCSP_SIGNING => Some(signing.with(KeyUsage::NON_REPUDIATION)),
        _ => None,
    }
}
