//! Rules of RFC 5280 that webpki leaves to its callers.
//!
//! What makes a certificate ambiguous or says that its issuer did not mean it is refused. Of a trust anchor less is
//! asked: it is there because an operator chose it, and RFC 5280 §6.1.1 (d) wants a name and a key of it.

use est_core::pkix::{Certificate, Extension, KeyUsage, Oid, der, oid};

/// What is wrong with a certificate, as the rest of a sentence that begins with it.
pub(super) type Fault = &'static str;

/// What the certificate of a client keeps to.
pub(super) fn of_a_client(certificate: &Certificate) -> Result<(), Fault> {
    of_any(certificate)?;
    let san = find(certificate, &oid::SUBJECT_ALT_NAME);
    if certificate.subject().is_empty() && !san.is_some_and(|san| san.critical) {
        return Err("has neither a subject nor a critical subjectAltName (RFC 5280 §4.1.2.6)");
    }
    if find(certificate, &oid::NAME_CONSTRAINTS).is_some() {
        return Err("has nameConstraints, which are for CAs (RFC 5280 §4.2.1.10)");
    }
    if certificate.is_ca() {
        return Ok(());
    }
    match usage(certificate) {
        Some(usage) if has(usage, KeyUsage::KEY_CERT_SIGN) => {
            Err("has the key usage keyCertSign and is not a CA's (RFC 5280 §4.2.1.3)")
        }
        Some(usage) if !has(usage, KeyUsage::DIGITAL_SIGNATURE) => {
            Err("has a keyUsage without digitalSignature, and authenticates by a signature (RFC 5280 §4.2.1.3)")
        }
        Some(_) | None => Ok(()),
    }
}

/// What a CA certificate between a client's and the anchor keeps to.
pub(super) fn of_a_ca(certificate: &Certificate) -> Result<(), Fault> {
    of_any(certificate)?;
    if certificate.subject().is_empty() {
        return Err("has no subject (RFC 5280 §4.1.2.6)");
    }
    if find(certificate, &oid::SUBJECT_KEY_IDENTIFIER).is_none() {
        return Err("has no subjectKeyIdentifier (RFC 5280 §4.2.1.2)");
    }
    if find(certificate, &oid::POLICY_CONSTRAINTS).is_some_and(|constraints| !constraints.critical) {
        return Err("has policyConstraints that are not critical (RFC 5280 §4.2.1.11)");
    }
    if find(certificate, &oid::NAME_CONSTRAINTS).is_some_and(|constraints| !constrains(&constraints.value)) {
        return Err("has nameConstraints that constrain nothing (RFC 5280 §4.2.1.10)");
    }
    of_a_signer(certificate)
}

/// What the certificate of a trust anchor keeps to.
pub(super) fn of_an_anchor(certificate: &Certificate) -> Result<(), Fault> {
    if !certificate.is_ca() {
        return Err("is no CA's (RFC 5280 §4.2.1.9)");
    }
    if certificate.extensions().iter().any(|extension| extension.critical && !KNOWN.contains(&extension.id)) {
        return Err("has a critical extension that is not known here (RFC 5280 §4.2)");
    }
    identifiers_are_not_critical(certificate)?;
    of_a_signer(certificate)
}

/// authorityKeyIdentifier is there if the issuer's certificate says what it should hold (RFC 5280 §4.2.1.1).
pub(super) fn names_the_key_of(issuer: &Certificate, certificate: &Certificate) -> Result<(), Fault> {
    if issuer.subject_key_identifier().is_some() && certificate.authority_key_identifier().is_none() {
        return Err("has no authorityKeyIdentifier (RFC 5280 §4.2.1.1)");
    }
    Ok(())
}

/// Whether its key may sign CRLs: keyUsage, where it stands, must have cRLSign (RFC 5280 §6.3.3 (f)).
pub(super) fn may_sign_crls(certificate: &Certificate) -> bool {
    usage(certificate).is_none_or(|usage| has(usage, KeyUsage::CRL_SIGN))
}

/// The extensions that webpki and the rules here look at.
const KNOWN: [Oid; 9] = [
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::POLICY_CONSTRAINTS,
    oid::EXT_KEY_USAGE,
];

fn of_any(certificate: &Certificate) -> Result<(), Fault> {
    let serial = certificate.serial();
    let magnitude = serial.strip_prefix(&[0]).unwrap_or(serial);
    if serial[0] & 0x80 != 0 || magnitude.is_empty() || magnitude.len() > 20 {
        return Err("has a serial number that is not positive, or longer than 20 octets (RFC 5280 §4.1.2.2)");
    }
    if certificate.issuer().is_empty() {
        return Err("has no issuer (RFC 5280 §4.1.2.4)");
    }
    identifiers_are_not_critical(certificate)
}

fn identifiers_are_not_critical(certificate: &Certificate) -> Result<(), Fault> {
    let critical = |id: Oid| find(certificate, &id).is_some_and(|extension| extension.critical);
    if critical(oid::AUTHORITY_KEY_IDENTIFIER) {
        return Err("has a critical authorityKeyIdentifier (RFC 5280 §4.2.1.1)");
    }
    if critical(oid::SUBJECT_KEY_IDENTIFIER) {
        return Err("has a critical subjectKeyIdentifier (RFC 5280 §4.2.1.2)");
    }
    Ok(())
}

/// keyUsage, where it stands, must have keyCertSign (RFC 5280 §6.1.4 (n)).
fn of_a_signer(certificate: &Certificate) -> Result<(), Fault> {
    match usage(certificate) {
        Some(usage) if !has(usage, KeyUsage::KEY_CERT_SIGN) => Err("may not sign certificates (RFC 5280 §4.2.1.3)"),
        Some(_) | None => Ok(()),
    }
}

/// Whether nameConstraints list something, and no list in it is empty or something else.
fn constrains(value: &[u8]) -> bool {
    let is_list = |part: &[u8]| {
        let mut subtrees = der::parts(der::contents(part)).peekable();
        matches!(part[0], 0xa0 | 0xa1) && subtrees.peek().is_some() && subtrees.all(|subtree| subtree[0] == 0x30)
    };
    let mut lists = der::parts(der::contents(value)).peekable();
    der::check(value).is_ok() && lists.peek().is_some() && lists.all(is_list)
}

/// keyUsage; no bit at all where it cannot be read.
fn usage(certificate: &Certificate) -> Option<KeyUsage> {
    find(certificate, &oid::KEY_USAGE).map(|usage| KeyUsage::from_der(&usage.value).unwrap_or_default())
}

fn has(usage: KeyUsage, bit: KeyUsage) -> bool {
    !usage.common(bit).is_empty()
}

fn find<'a>(certificate: &'a Certificate, id: &Oid) -> Option<&'a Extension> {
    certificate.extensions().iter().find(|extension| extension.id == *id)
}
