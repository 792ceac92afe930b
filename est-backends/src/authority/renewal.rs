//! The next certificate of a server: what the last one said, by the CA's key of now.

use est_core::pkix::{Certificate, Oid, SubjectPublicKeyInfo, oid};
use est_core::{PortError, Serial};

use super::{Issued, Validity};
use crate::signer::Signer;

/// A certificate to be made in the place of another.
#[derive(Clone, Debug)]
pub struct Successor<'a> {
    /// The one before.
    pub before: &'a Certificate,
    /// The key: that of the one before, or another.
    pub public_key: &'a SubjectPublicKeyInfo,
    /// When it is valid; it ends with the CA's own certificate if that ends earlier.
    pub validity: Validity,
    /// The serial number.
    pub serial: Serial,
    /// Where the CRLs of the CA are; empty for nowhere.
    pub crl_urls: &'a [String],
}

/// Makes a certificate with the names, the purposes and every other extension of the one before, except those that tell of
/// the issuer or of the keys. Returns its DER.
///
/// # Errors
/// [`PortError`] when the signer is not the CA's or made no signature that verifies.
pub async fn succeed(ca: &Certificate, signer: &dyn Signer, wanted: &Successor<'_>) -> Result<Vec<u8>, PortError> {
    let own = wanted.before.extensions().iter().filter(|extension| !is_made_again(&extension.id));
    let issued = Issued {
        subject: wanted.before.subject(),
        public_key: wanted.public_key,
        validity: wanted.validity,
        serial: wanted.serial,
        crl_urls: wanted.crl_urls,
    };
    issued.by(ca, signer, own.cloned().collect()).await
}

fn is_made_again(id: &Oid) -> bool {
    /// freshestCRL (RFC 5280 §4.2.1.15) and the list of SCTs (RFC 6962 §3.3).
    const OF_THE_ONE_BEFORE: [&[u8]; 2] =
        [b"\x06\x03\x55\x1d\x2e", b"\x06\x0a\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02"];
    let of_the_issuer = [
        oid::SUBJECT_KEY_IDENTIFIER,
        oid::AUTHORITY_KEY_IDENTIFIER,
        oid::CRL_DISTRIBUTION_POINTS,
        oid::AUTHORITY_INFO_ACCESS,
    ];
    of_the_issuer.contains(id) || OF_THE_ONE_BEFORE.contains(&id.as_der())
}
