//! Who asks.
//!
//! [`CertificateAuthenticator`] knows the holders of certificates that chain to a trust anchor and are not revoked;
//! [`PasswordAuthenticator`] knows the holders of one-time passwords; [`AnyOf`] asks several.
//!
//! What must be looked up is behind two small traits that the host implements over its store: [`Inventory`] and
//! [`Passwords`]. What only so many can have at a time is given fairly by [`Turns`].

#![warn(missing_debug_implementations)]

mod any_of;
mod certificate;
mod one_time;
mod recent;
mod turns;

pub use any_of::AnyOf;
pub use certificate::crl::{Crl, UnusableCrl};
pub use certificate::path::{
    PathValidator, Purpose, RevocationPolicy, RevocationStatus, UnreadableCertificate, Validated,
};
pub use certificate::{CertificateAuthenticator, Inventory};
pub use one_time::hash::{HashAlgorithm, PepperMissing, SecretHasher};
pub use one_time::hashing::Hashing;
pub use one_time::password::OneTimePassword;
pub use one_time::{PasswordAuthenticator, PasswordState, Passwords, StoredPassword};
pub use turns::{Line, Turn, Turns};
