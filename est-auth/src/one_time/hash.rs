//! How the secret halves of passwords are kept.

use argon2::password_hash::Error;
use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use est_core::{PortError, Secret};
use zeroize::Zeroizing;

/// How the secret of a password is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// Argon2id (RFC 9106): 19 MiB and some 20 ms for each try.
    Argon2id,
    /// bcrypt with a cost of 10, some 60 ms, over the SHA-256 of the secret: bcrypt itself looks at 72 octets alone.
    Bcrypt,
    /// HMAC-SHA-256 with a pepper and a salt. Costs next to nothing: what keeps guesses away is the pepper, which is not
    /// in the database.
    Sha256Hmac,
}

/// Hashes secrets, and checks them against stored hashes: a stored hash tells itself by which algorithm it was made, so
/// that passwords outlive a change of it.
#[derive(Clone, Debug)]
pub struct SecretHasher {
    algorithm: HashAlgorithm,
    pepper: Option<Secret>,
}

const BCRYPT_COST: u32 = 10;
const SHA256_HMAC: &str = "$sha256-hmac$";

impl SecretHasher {
    /// Hashes with this algorithm. The pepper is for [`HashAlgorithm::Sha256Hmac`], to hash and to check.
    ///
    /// # Errors
    /// [`PepperMissing`].
    pub fn new(algorithm: HashAlgorithm, pepper: Option<Secret>) -> Result<Self, PepperMissing> {
        if algorithm == HashAlgorithm::Sha256Hmac && pepper.is_none() {
            return Err(PepperMissing);
        }
        Ok(Self { algorithm, pepper })
    }

    /// Hashes with Argon2id.
    #[must_use]
    pub const fn argon2id() -> Self {
        Self { algorithm: HashAlgorithm::Argon2id, pepper: None }
    }

    /// What is stored of a secret. Takes as long as the algorithm makes every guess take.
    #[must_use]
    pub fn hash(&self, secret: &Secret, salt: &[u8; 16]) -> String {
        let octets = secret.reveal().as_bytes();
        match (self.algorithm, &self.pepper) {
            (HashAlgorithm::Sha256Hmac, Some(pepper)) => {
                let tag = hmac::sign(&key(pepper), &salted(salt, octets));
                format!("{SHA256_HMAC}{}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag))
            }
            (HashAlgorithm::Bcrypt, _) => bcrypt::hash_with_salt(shortened(octets), BCRYPT_COST, *salt)
                .expect("the cost is within bcrypt's bounds")
                .format_for_version(bcrypt::Version::TwoB),
            // The constructor keeps the third from coming here without its pepper.
            (HashAlgorithm::Argon2id | HashAlgorithm::Sha256Hmac, _) => Argon2::default()
                .hash_password_with_salt(octets, salt)
                .expect("the salt and a password are within Argon2's bounds")
                .to_string(),
        }
    }

    /// Whether the secret is the one that was hashed.
    ///
    /// # Errors
    /// [`PortError`] when the hash cannot be read, or wants a pepper and there is none.
    pub fn verifies(&self, secret: &Secret, hash: &str) -> Result<bool, PortError> {
        let octets = secret.reveal().as_bytes();
        let unreadable = || PortError("a stored password hash cannot be read".into());
        if let Some(rest) = hash.strip_prefix(SHA256_HMAC) {
            let pepper = self.pepper.as_ref();
            let pepper = pepper.ok_or_else(|| PortError("a stored password hash wants otp.pepper".into()))?;
            let (salt, tag) = rest.split_once('$').ok_or_else(unreadable)?;
            let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| unreadable())?;
            let tag = STANDARD_NO_PAD.decode(tag).map_err(|_| unreadable())?;
            return Ok(hmac::verify(&key(pepper), &salted(&salt, octets), &tag).is_ok());
        }
        if hash.starts_with("$2") {
            return bcrypt::verify(shortened(octets), hash).map_err(|_| unreadable());
        }
        let hash = PasswordHash::new(hash).map_err(|_| unreadable())?;
        match Argon2::default().verify_password(octets, &hash) {
            Ok(()) => Ok(true),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(unreadable()),
        }
    }
}

/// HMAC-SHA-256 was chosen without a pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PepperMissing;

impl std::fmt::Display for PepperMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256-hmac wants a pepper")
    }
}

impl std::error::Error for PepperMissing {}

fn key(pepper: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, pepper.reveal().as_bytes())
}

fn salted(salt: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([salt, secret].concat())
}

/// 43 octets in the place of the secret.
fn shortened(secret: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD_NO_PAD.encode(digest::digest(&digest::SHA256, secret)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn hasher(algorithm: HashAlgorithm) -> SecretHasher {
        SecretHasher::new(algorithm, Some(secret("0123456789abcdef"))).unwrap()
    }

    const ALL: [HashAlgorithm; 3] = [HashAlgorithm::Argon2id, HashAlgorithm::Bcrypt, HashAlgorithm::Sha256Hmac];

    #[test]
    fn knows_what_any_of_them_hashed_whichever_is_chosen_now() {
        for made in ALL {
            let hash = hasher(made).hash(&secret("right"), &[7; 16]);
            assert!(!hash.contains("right"), "{hash}");
            for checking in ALL {
                assert!(hasher(checking).verifies(&secret("right"), &hash).unwrap(), "{made:?} {checking:?}");
                assert!(!hasher(checking).verifies(&secret("wrong"), &hash).unwrap(), "{made:?} {checking:?}");
            }
        }
    }

    #[test]
    fn looks_at_every_character_of_a_long_secret() {
        let long = |last: char| secret(&format!("{}{last}", "x".repeat(127)));
        for algorithm in ALL {
            let hash = hasher(algorithm).hash(&long('a'), &[7; 16]);
            assert!(hasher(algorithm).verifies(&long('a'), &hash).unwrap(), "{algorithm:?}");
            assert!(!hasher(algorithm).verifies(&long('b'), &hash).unwrap(), "{algorithm:?}");
        }
    }

    #[test]
    fn hashes_the_same_secret_differently_under_another_salt() {
        for algorithm in ALL {
            let hash = |salt| hasher(algorithm).hash(&secret("same"), &[salt; 16]);
            assert_ne!(hash(1), hash(2), "{algorithm:?}");
        }
    }

    #[test]
    fn is_worth_nothing_without_the_pepper() {
        let hash = hasher(HashAlgorithm::Sha256Hmac).hash(&secret("right"), &[7; 16]);
        let other = SecretHasher::new(HashAlgorithm::Sha256Hmac, Some(secret("another pepper!!"))).unwrap();
        assert!(!other.verifies(&secret("right"), &hash).unwrap());
        assert!(SecretHasher::argon2id().verifies(&secret("right"), &hash).is_err());
        assert_eq!(SecretHasher::new(HashAlgorithm::Sha256Hmac, None).unwrap_err(), PepperMissing);
        assert!(!format!("{other:?}").contains("another"));
    }

    #[test]
    fn tells_a_broken_hash_from_a_wrong_secret() {
        for hash in ["", "x", "$argon2id$broken", "$2b$10$broken", "$sha256-hmac$", "$sha256-hmac$!$!", "$1$x$y"] {
            assert!(hasher(HashAlgorithm::Argon2id).verifies(&secret("right"), hash).is_err(), "{hash}");
        }
    }
}
