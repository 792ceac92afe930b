//! Signing.
//!
//! A *signer* makes signatures: [`FileSigner`] with a key from a file. A *backend* issues certificates: [`LocalCa`]
//! with a signer, [`Cas`] by asking the backend of the CA that an order is for. [`CrlSigner`] makes CRLs. A *key generator* makes keys for clients:
//! [`LocalKeyGenerator`], and [`open`] undoes its encryption. [`authority`] makes the certificates
//! that a server needs before it can issue its first one.
//!
//! Cryptography is aws-lc-rs throughout; [`algorithms`] lists what it can verify.

#![warn(missing_debug_implementations)]

pub mod authority;
mod aws_lc;
mod cas;
mod crl;
mod key_generation;
mod local;
mod signer;

pub use aws_lc::algorithms;
pub use cas::Cas;
pub use crl::{CertList, CrlSigner};
pub use key_generation::{
    LocalKeyGenerator, OpenError, Opened, RecipientKey, RecipientKeyError, SymmetricKey, SymmetricKeyLength, open,
};
pub use local::{LocalCa, LocalCaError};
pub use signer::file::{FileSigner, KeyFileError, RsaPadding, decrypt_pkcs8, encrypt_pkcs8};
pub use signer::{SignatureCheck, Signer};
