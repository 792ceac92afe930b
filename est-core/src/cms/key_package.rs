//! AsymmetricKeyPackage (RFC 5958 §2).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::tlv::{self, Parts};

/// Packs one OneAsymmetricKey, DER.
#[must_use]
pub fn write_key_package(key: &[u8]) -> Zeroizing<Vec<u8>> {
    tlv::write(tlv::SEQUENCE, &[key])
}

/// Takes the one OneAsymmetricKey, DER, out of a package; `None` when there is another number of them.
#[must_use]
pub fn read_key_package(package: &[u8]) -> Option<&[u8]> {
    let mut keys = Parts::of_sequence(package)?;
    let key = keys.whole(tlv::SEQUENCE)?;
    keys.end()?;
    Some(key)
}
