//! Public keys.

use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use est_testkit::der::{bit_string, sequence};

/// Reads a key. One that is taken has one encoding only and a type with a name; a reason not to take one is a line.
pub fn run(input: &[u8]) {
    match SubjectPublicKeyInfo::parse(input) {
        Ok(key) => {
            assert_eq!(key.as_der(), input);
            assert_eq!(sequence(&[&sequence(&[key.algorithm()]), &bit_string(key.key())]), input);
            assert_eq!(key.key_type().to_string().parse(), Ok::<KeyType, ()>(key.key_type()));
        }
        Err(reason) => {
            assert!(!reason.to_string().contains(char::is_control));
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|octet| octet.is_ascii_lowercase() || octet == b'-' || octet.is_ascii_digit())
            );
        }
    }
}
