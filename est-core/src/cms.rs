//! CMS around a private key (RFC 5652): what RFC 7030 §4.4.2 wants where a key must not travel in TLS alone.
//!
//! ```text
//! EnvelopedData or AuthEnvelopedData   for one recipient: kekri, ktri, kari or ori (KEM)
//!   SignedData                         by the generator of the key
//!     AsymmetricKeyPackage             one OneAsymmetricKey (RFC 5958)
//! ```
//!
//! Structures alone: to encrypt, sign and derive keys takes a library. All but the outermost
//! layer holds the private key; so every layer is written and read here, in buffers that are overwritten afterwards,
//! and not by `rasn`, which leaves its own behind.

mod algorithm;
mod capabilities;
mod enveloped;
mod key_package;
mod recipient;
mod signed_data;
mod tlv;

pub use algorithm::{ContentEncryption, Digest, Kem, KeyDerivation, KeyTransport, KeyWrap};
pub use capabilities::{Capabilities, Capability};
pub use enveloped::Enveloped;
pub use key_package::{read_key_package, write_key_package};
pub use recipient::{Recipient, RecipientIdentifier};
pub use signed_data::{SignedData, signed_attributes};
