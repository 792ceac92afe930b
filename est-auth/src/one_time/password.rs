//! What a one-time password looks like: `<id>.<secret>`.

use std::ops::RangeInclusive;

use aws_lc_rs::hmac;
use est_core::{Entropy, Secret};
use zeroize::Zeroizing;

use super::hash::SecretHasher;

/// Crockford's 32 characters: no i, l, o and u, so that nothing looks like something else. Each encodes five bits, so
/// that none is likelier than another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 50 bits, which find the password.
const ID_CHARACTERS: usize = 10;
/// How many characters a secret may have; the fewest are 80 bits.
const SECRET_CHARACTERS: RangeInclusive<usize> = 16..=128;

/// A new one-time password, at the only time when its clear text exists.
#[derive(Debug)]
pub struct OneTimePassword {
    /// The public half, which finds it.
    pub id: String,
    /// `<id>.<secret>`: what the user is given, once.
    pub clear: Secret,
    /// What `hasher` made of the secret: what is stored.
    pub hash: String,
}

impl OneTimePassword {
    /// Makes the password that this entropy gives, with a secret of `length` characters, 16 to 128 (a length beyond
    /// that is taken for the nearest). Computes one hash: some 20 ms.
    #[must_use]
    pub fn generate(entropy: &Entropy, length: usize, hasher: &SecretHasher) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &entropy.0);
        // Independent values out of one: none tells anything about the others.
        let derive = |purpose: &[u8]| hmac::sign(&key, purpose);
        let length = length.clamp(*SECRET_CHARACTERS.start(), *SECRET_CHARACTERS.end());
        let mut octets = Zeroizing::new(Vec::with_capacity(96));
        for block in *b"abc" {
            octets.extend_from_slice(derive(&[b"secret ", &[block][..]].concat()).as_ref());
        }
        let id = encode(derive(b"id").as_ref(), ID_CHARACTERS).to_string();
        let secret = Secret::new(encode(&octets, length).to_string());
        let mut salt = [0; 16];
        salt.copy_from_slice(&derive(b"salt").as_ref()[..16]);
        let hash = hasher.hash(&secret, &salt);
        let mut clear = String::with_capacity(ID_CHARACTERS + 1 + length);
        clear.push_str(&id);
        clear.push('.');
        clear.push_str(secret.reveal());
        Self { id, clear: Secret::new(clear), hash }
    }

    /// Takes a password apart into its id and its secret; `None` when it is none of ours.
    ///
    /// Capital letters are read as small ones.
    #[must_use]
    pub fn parse(text: &str) -> Option<(String, Secret)> {
        let (id, secret) = text.split_once('.')?;
        let is_ours = |part: &str, length: RangeInclusive<usize>| {
            length.contains(&part.len()) && part.bytes().all(|octet| ALPHABET.contains(&octet.to_ascii_lowercase()))
        };
        (is_ours(id, ID_CHARACTERS..=ID_CHARACTERS) && is_ours(secret, SECRET_CHARACTERS))
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

    fn made(entropy: u8, length: usize) -> OneTimePassword {
        OneTimePassword::generate(&Entropy([entropy; 32]), length, &SecretHasher::argon2id())
    }

    #[test]
    fn takes_apart_what_it_makes() {
        for length in [16, 20, 32, 51, 52, 102, 128] {
            let made = made(7, length);
            let (id, secret) = OneTimePassword::parse(made.clear.reveal()).unwrap();
            assert_eq!((id.as_str(), secret.reveal().len()), (made.id.as_str(), length));
            assert_eq!(format!("{id}.{}", secret.reveal()), made.clear.reveal());
            assert!(made.hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
            assert!(!made.hash.contains(secret.reveal()));
            assert!(!format!("{made:?}").contains(secret.reveal()));
        }
    }

    #[test]
    fn makes_no_secret_shorter_than_16_characters_nor_longer_than_128() {
        assert_eq!(made(7, 0).clear.reveal().len(), 11 + 16);
        assert_eq!(made(7, 1000).clear.reveal().len(), 11 + 128);
    }

    #[test]
    fn draws_every_character_about_as_often_as_any_other() {
        let mut counts = [0_u32; 32];
        let hasher = SecretHasher::new(crate::HashAlgorithm::Sha256Hmac, Some(Secret::new("pepper".into()))).unwrap();
        for round in 0..=255 {
            let made = OneTimePassword::generate(&Entropy([round; 32]), 128, &hasher);
            let (_, secret) = OneTimePassword::parse(made.clear.reveal()).unwrap();
            secret.reveal().bytes().for_each(|octet| {
                counts[ALPHABET.iter().position(|known| *known == octet).unwrap()] += 1;
            });
        }
        // 32768 characters, 1024 of each; a deviation of 6 sigma is 190.
        assert!(counts.iter().all(|count| count.abs_diff(1024) < 190), "{counts:?}");
    }

    #[test]
    fn makes_another_password_of_other_entropy() {
        let (one, other) = (made(1, 32), made(2, 32));
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
        let made = made(7, 32);
        let (id, secret) = OneTimePassword::parse(&made.clear.reveal().to_ascii_uppercase()).unwrap();
        assert_eq!(format!("{id}.{}", secret.reveal()), made.clear.reveal());
    }

    #[test]
    fn takes_nothing_else_apart() {
        let made = made(7, 32);
        let text = made.clear.reveal();
        let long = format!("{text}{}", "0".repeat(97));
        let umlaut = format!("{}ü", &text[..text.len() - 2]);
        for text in ["", ".", "secret", &text[1..], &text[..26], &long, &text.replace('.', "-"), &umlaut, "a.b.c"] {
            assert!(OneTimePassword::parse(text).is_none(), "{text}");
        }
    }
}
