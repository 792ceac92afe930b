//! Which extensions a certificate gets: the profile's, and the names of the request.

use alloc::vec::Vec;

use super::Profile;
use crate::Refusal;
use crate::pkix::{Csr, Extension, KeyUsage, Oid, oid};

pub(super) struct Decided {
    pub(super) extensions: Vec<Extension>,
    pub(super) dropped: Vec<Oid>,
}

pub(super) fn decide(profile: &Profile, csr: &Csr) -> Result<Decided, Refusal> {
    let mut dropped = Vec::new();
    for extension in csr.extensions() {
        match &extension.id {
            id if *id == oid::BASIC_CONSTRAINTS && extension.value != Extension::end_entity().value => {
                // Whatever is not plainly an end entity's asks to be a CA, or cannot be read.
                return Err(Refusal::CaCertificate);
            }
            id if [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::SUBJECT_ALT_NAME].contains(id) => {}
            id if *id == oid::EXT_KEY_USAGE => {
                if extension.value != Extension::ext_key_usage(&profile.ext_key_usage).value {
                    dropped.push(id.clone());
                }
            }
            id => dropped.push(id.clone()),
        }
    }
    let mut extensions = Vec::from([Extension::end_entity(), Extension::key_usage(key_usage(profile, csr)?)]);
    if !profile.ext_key_usage.is_empty() {
        extensions.push(Extension::ext_key_usage(&profile.ext_key_usage));
    }
    extensions.push(Extension::subject_key_identifier(&csr.public_key().key_identifier()));
    if let Some(names) = csr.subject_alt_name() {
        // Critical exactly when nothing else names the subject (RFC 5280 §4.2.1.6).
        let critical = csr.subject().is_empty();
        extensions.push(Extension { id: oid::SUBJECT_ALT_NAME, critical, value: names.as_der().to_vec() });
    }
    Ok(Decided { extensions, dropped })
}

/// The profile's key usages that the key's type can have, narrowed to the requested ones.
///
/// A request that asks only for others is refused: an intent may be ignored but not reversed (RFC 10002 §3.1).
fn key_usage(profile: &Profile, csr: &Csr) -> Result<KeyUsage, Refusal> {
    let encipherment = KeyUsage::KEY_ENCIPHERMENT.with(KeyUsage::DATA_ENCIPHERMENT);
    let key_type = csr.public_key().key_type();
    let mut given = profile.key_usage;
    if !key_type.can_encipher() {
        given = given.without(encipherment);
    }
    if !key_type.can_agree() {
        given = given.without(KeyUsage::KEY_AGREEMENT);
    }
    let Some(requested) = csr.extensions().iter().find(|extension| extension.id == oid::KEY_USAGE) else {
        return if given.is_empty() { Err(Refusal::KeyUsage { allowed: given }) } else { Ok(given) };
    };
    let requested = KeyUsage::from_der(&requested.value).ok_or(Refusal::MalformedKeyUsage)?;
    if !requested.common(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)).is_empty() {
        return Err(Refusal::CaCertificate);
    }
    let granted = given.common(requested);
    if granted.is_empty() { Err(Refusal::KeyUsage { allowed: given }) } else { Ok(granted) }
}
