//! Which keys a profile takes, and what a key can be used for.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{KeyReuse, Profile};
use crate::pkix::{Certificate, Csr, CsrError, KeyBlocklist, KeyType, KeyUsage};
use crate::{Ca, Refusal};

pub(super) fn check(profile: &Profile, ca: &Ca, csr: &Csr, renewing: Option<&Certificate>) -> Result<(), Refusal> {
    KeyBlocklist::refuse_known(csr.public_key()).map_err(|error| Refusal::Csr(CsrError::Key(error)))?;
    let key_type = csr.public_key().key_type();
    match &profile.key_types {
        Some(allowed) if !allowed.contains(&key_type) => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            return Err(Refusal::KeyTypeNotAllowed { key_type, allowed: allowed.join(", ") });
        }
        Some(_) | None => {}
    }
    let is_key_of = |certificate: &Certificate| certificate.public_key_der() == csr.public_key().as_der();
    if core::iter::once(&ca.certificate).chain(&ca.chain).any(is_key_of) {
        return Err(Refusal::KeyOfCa);
    }
    if profile.key_reuse == KeyReuse::Refused && renewing.is_some_and(is_key_of) {
        return Err(Refusal::KeyReuse);
    }
    Ok(())
}

impl Profile {
    /// What it gives to keys of this type: none but RSA encipher, none but those on NIST curves agree on keys.
    #[must_use]
    pub fn key_usage_of(&self, key_type: KeyType) -> KeyUsage {
        let mut given = self.key_usage;
        if !key_type.can_encipher() {
            given = given.without(KeyUsage::KEY_ENCIPHERMENT.with(KeyUsage::DATA_ENCIPHERMENT));
        }
        if !key_type.can_agree() {
            given = given.without(KeyUsage::KEY_AGREEMENT);
        }
        given
    }
}
