//! What a one-time password looks like: `<id>.<secret>`.

use argon2::{Argon2, PasswordHasher};
use aws_lc_rs::hmac;
use est_core::{Entropy, Secret};
use zeroize::Zeroizing;

/// Crockford's 32 characters: no i, l, o and u, so that nothing looks like something else.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 50 bits, which find the password.
const ID_CHARACTERS: usize = 10;
/// 160 bits, which prove that one has it.
const SECRET_CHARACTERS: usize = 32;

/// A new one-time password, at the only time when its clear text exists.
#[derive(Debug)]
pub struct OneTimePassword {
    /// The public half, which finds it.
    pub id: String,
    /// `<id>.<secret>`: what the user is given, once.
    pub clear: Secret,
    /// The Argon2id hash of the secret, a PHC string: what is stored.
    pub hash: String,
}

impl OneTimePassword {
    /// Makes the password that this entropy gives. Computes one Argon2id hash: some 20 ms.
    #[must_use]
    pub fn generate(entropy: &Entropy) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &entropy.0);
        // Three independent values out of one: none tells anything about the others.
        let derive = |purpose: &[u8]| hmac::sign(&key, purpose);
        let id = encode(derive(b"id").as_ref(), ID_CHARACTERS).to_string();
        let secret = encode(derive(b"secret").as_ref(), SECRET_CHARACTERS);
        let salt = derive(b"salt");
        let hash = Argon2::default()
            .hash_password_with_salt(secret.as_bytes(), &salt.as_ref()[..16])
            .expect("a salt of 16 octets and a password of 32 are within Argon2's bounds")
            .to_string();
        let mut clear = String::with_capacity(ID_CHARACTERS + 1 + SECRET_CHARACTERS);
        clear.push_str(&id);
        clear.push('.');
        clear.push_str(&secret);
        Self { id, clear: Secret::new(clear), hash }
    }

    /// Takes a password apart into its id and its secret; `None` when it is none of ours.
    ///
    /// Capital letters stand for small ones.
    #[must_use]
    pub fn parse(text: &str) -> Option<(String, Secret)> {
        let (id, secret) = text.split_once('.')?;
        let is_ours = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|octet| ALPHABET.contains(&octet.to_ascii_lowercase()))
        };
        (is_ours(id, ID_CHARACTERS) && is_ours(secret, SECRET_CHARACTERS))
            .then(|| (id.to_ascii_lowercase(), Secret::new(secret.to_ascii_lowercase())))
    }
}

/// Writes the first `5 * length` bits.
fn encode(octets: &[u8], length: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(length));
    for index in 0..length {
        let bit = index * 5;
        let next = octets.get(bit / 8 + 1).copied().unwrap_or(0);
        let window = u16::from_be_bytes([octets[bit / 8], next]);
        text.push(char::from(ALPHABET[usize::from(window >> (11 - bit % 8) & 0x1f)]));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn takes_apart_what_it_makes() {
        let made = OneTimePassword::generate(&Entropy([7; 32]));
        let (id, secret) = OneTimePassword::parse(made.clear.reveal()).unwrap();
        assert_eq!(id, made.id);
        assert_eq!(format!("{id}.{}", secret.reveal()), made.clear.reveal());
        assert!(made.hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!made.hash.contains(secret.reveal()));
        assert!(!format!("{made:?}").contains(secret.reveal()));
    }

    #[test]
    fn makes_another_password_of_other_entropy() {
        let (one, other) = (OneTimePassword::generate(&Entropy([1; 32])), OneTimePassword::generate(&Entropy([2; 32])));
        assert_ne!(one.id, other.id);
        assert_ne!(one.clear.reveal()[11..], other.clear.reveal()[11..]);
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn writes_five_bits_a_character() {
        assert_eq!(encode(&[0x08, 0x86, 0x42, 0x98, 0xff], 8).as_str(), "1234567z");
        assert_eq!(encode(&[0xff; 20], 32).as_str(), "z".repeat(32));
    }

    #[test]
    fn takes_capital_letters_for_small_ones() {
        let made = OneTimePassword::generate(&Entropy([7; 32]));
        let (id, secret) = OneTimePassword::parse(&made.clear.reveal().to_ascii_uppercase()).unwrap();
        assert_eq!(format!("{id}.{}", secret.reveal()), made.clear.reveal());
    }

    #[test]
    fn takes_nothing_else_apart() {
        let made = OneTimePassword::generate(&Entropy([7; 32]));
        let text = made.clear.reveal();
        let long = format!("{text}0");
        let umlaut = format!("{}ü", &text[..text.len() - 2]);
        for text in ["", ".", "secret", &text[1..], &text[..42], &long, &text.replace('.', "-"), &umlaut, "a.b.c"] {
            assert!(OneTimePassword::parse(text).is_none(), "{text}");
        }
    }
}
