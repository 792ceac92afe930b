//! The certificate of a CA below another one.

use est_core::pkix::{Certificate, Extension, KeyUsage, Name, SubjectPublicKeyInfo, TbsCertificate};
use est_core::{PortError, Serial};

use super::{Validity, sign};
use crate::signer::Signer;

/// The certificate of a CA to be made by the CA above it.
#[derive(Clone, Debug)]
pub struct SubordinateCa<'a> {
    /// The CA's name.
    pub subject: &'a Name,
    /// The CA's key.
    pub public_key: &'a SubjectPublicKeyInfo,
    /// When it is valid; it ends with the issuer's own certificate if that ends earlier.
    pub validity: Validity,
    /// The serial number.
    pub serial: Serial,
    /// How many further CAs there may be below it, one under the other; 0 if it issues to end entities alone.
    pub path_length: u8,
    /// Where the CRLs of the issuer are; empty for nowhere.
    pub crl_urls: &'a [String],
}

/// Makes the certificate of a CA below `issuer`: critical basicConstraints with a path length, critical keyUsage with
/// keyCertSign and cRLSign, both key identifiers, and cRLDistributionPoints where there are URLs. Returns its DER.
///
/// # Errors
/// [`PortError`] when the signer is not the issuer's, the name or the key is the issuer's own, or the signer made no
/// signature that verifies.
pub async fn subordinate_ca(
    issuer: &Certificate,
    signer: &dyn Signer,
    wanted: &SubordinateCa<'_>,
) -> Result<Vec<u8>, PortError> {
    if issuer.public_key_der() != signer.public_key().as_der() {
        return Err(PortError("the signer's key is not the CA certificate's".into()));
    }
    if wanted.subject == issuer.subject() || wanted.public_key == signer.public_key() {
        return Err(PortError("a CA below another one has a name and a key of its own".into()));
    }
    let mut extensions = vec![
        Extension::certificate_authority_above(wanted.path_length),
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)),
        Extension::subject_key_identifier(&wanted.public_key.key_identifier()),
    ];
    if let Some(identifier) = issuer.subject_key_identifier() {
        extensions.push(Extension::authority_key_identifier(&identifier));
    }
    if !wanted.crl_urls.is_empty() {
        extensions.push(Extension::crl_distribution_points(wanted.crl_urls));
    }
    let certificate = TbsCertificate {
        serial: wanted.serial,
        signature_algorithm: signer.signature_algorithm(),
        issuer: issuer.subject(),
        subject: wanted.subject,
        not_before: wanted.validity.not_before,
        not_after: wanted.validity.not_after().min(issuer.not_after()),
        public_key: wanted.public_key.as_der(),
        extensions: &extensions,
    };
    sign(signer, &certificate).await
}
