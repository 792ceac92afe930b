//! How long a certificate may become.

use super::Wanted;
use crate::pkix::{Extension, SubjectPublicKeyInfo};
use crate::{Ca, Refusal};

/// The longest certificate that a client may show: one that cannot be shown cannot be renewed. One with an ML-DSA-87 key and
/// signature takes 7.5 KiB.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// Room for what else a certificate has in it: its serial number, its times and the heads of its values.
const REST: usize = 256;

pub(super) fn check(
    ca: &Ca,
    wanted: &Wanted<'_>,
    key: &SubjectPublicKeyInfo,
    extensions: &[Extension],
) -> Result<(), Refusal> {
    // The CA's own certificate has the CA's name, and a signature as long as its own or longer.
    let of_ca = ca.certificate.as_der().len();
    let extensions: usize = extensions.iter().map(|one| one.value.len() + one.id.as_der().len() + 16).sum();
    let length = wanted.subject.as_der().len() + key.as_der().len() + extensions + of_ca + REST;
    if length > MAX_CERTIFICATE_BYTES {
        return Err(Refusal::CertificateTooLong { limit: MAX_CERTIFICATE_BYTES });
    }
    Ok(())
}
