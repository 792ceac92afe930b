//! The certificate of a CA below another one.

use est_core::pkix::{Certificate, Extension, KeyUsage, Name, SubjectPublicKeyInfo};
use est_core::{PortError, Serial};

use super::{Issued, Validity};
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
    if wanted.subject == issuer.subject() || wanted.public_key == signer.public_key() {
        return Err(PortError("a CA below another one has a name and a key of its own".into()));
    }
    let extensions = vec![
        Extension::certificate_authority_above(wanted.path_length),
        Extension::key_usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)),
    ];
    let issued = Issued {
        subject: wanted.subject,
        public_key: wanted.public_key,
        validity: wanted.validity,
        serial: wanted.serial,
        crl_urls: wanted.crl_urls,
    };
    issued.by(issuer, signer, extensions).await
}
