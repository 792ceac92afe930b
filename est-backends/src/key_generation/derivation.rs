//! From a shared secret to a key that wraps.

use aws_lc_rs::digest;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;
use est_core::cms::{Digest, KeyDerivation};
use zeroize::Zeroizing;

/// The KDF of ANSI X9.63 (SEC 1 §3.6.1): hashes of the secret, a counter from 1 on, and the information.
pub(super) fn x963(derivation: KeyDerivation, secret: &[u8], info: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let algorithm = algorithm(match derivation {
        KeyDerivation::X963Sha256 => Digest::Sha256,
        KeyDerivation::X963Sha384 => Digest::Sha384,
        KeyDerivation::X963Sha512 => Digest::Sha512,
    });
    let mut key = Zeroizing::new(Vec::with_capacity(length + algorithm.output_len()));
    for counter in 1u32.. {
        if key.len() >= length {
            break;
        }
        let mut context = digest::Context::new(algorithm);
        context.update(secret);
        context.update(&counter.to_be_bytes());
        context.update(info);
        key.extend_from_slice(context.finish().as_ref());
    }
    key.truncate(length);
    key
}

/// HKDF with SHA-256 and without a salt (RFC 8619, RFC 9936 §2.2).
pub(super) fn hkdf_sha256(secret: &[u8], info: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    /// A number of octets.
    struct Octets(usize);

    impl hkdf::KeyType for Octets {
        fn len(&self) -> usize {
            self.0
        }
    }

    let mut key = Zeroizing::new(vec![0; length]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    extracted.expand(&[info], Octets(length))?.fill(&mut key)?;
    Ok(key)
}

/// The hash function that a message names.
pub(super) fn algorithm(digest: Digest) -> &'static digest::Algorithm {
    match digest {
        Digest::Sha256 => &digest::SHA256,
        Digest::Sha384 => &digest::SHA384,
        Digest::Sha512 => &digest::SHA512,
    }
}
