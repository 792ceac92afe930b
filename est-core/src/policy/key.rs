//! Which keys a profile takes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Profile;
use crate::Refusal;
use crate::pkix::Csr;

pub(super) fn check(profile: &Profile, csr: &Csr) -> Result<(), Refusal> {
    let key_type = csr.public_key().key_type();
    match &profile.key_types {
        Some(allowed) if !allowed.contains(&key_type) => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            Err(Refusal::KeyTypeNotAllowed { key_type, allowed: allowed.join(", ") })
        }
        Some(_) | None => Ok(()),
    }
}
