//! The client's half: from an encrypted key to the key.

use std::fmt;

use aws_lc_rs::agreement::{self, UnparsedPublicKey};
use aws_lc_rs::digest;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey};
use est_core::cms::{Digest, Enveloped, KeyTransport, Recipient, SignedData, read_key_package};
use est_core::pkix::{Certificate, SubjectPublicKeyInfo};
use pki_types::alg_id;
use zeroize::Zeroizing;

use super::recipient::Curve;
use super::recipient_key::{Kind, RecipientKey};
use super::{content, derivation};
use crate::aws_lc;
use crate::signer::file::tlv;

/// A key that was opened.
pub struct Opened {
    /// The key: OneAsymmetricKey, DER (RFC 5958).
    pub key: Zeroizing<Vec<u8>>,
    /// Who signed it. The signature is sound; whether its maker is to be trusted is for the caller to say.
    pub signer: Certificate,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("signer", self.signer.subject()).finish_non_exhaustive()
    }
}

/// Why an encrypted key cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Not an EnvelopedData or AuthEnvelopedData of ours, or one with algorithms that are not supported.
    NotEnveloped,
    /// Encrypted to another key, or damaged.
    OtherKey,
    /// What was encrypted is not a signed package with one key.
    NotAKey,
    /// The signature does not match.
    Signature,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEnveloped => "the key is not encrypted in a way that is known here",
            Self::OtherKey => "the key is encrypted to another key than ours, or damaged",
            Self::NotAKey => "what was encrypted is not a signed package with one key",
            Self::Signature => "the signature of the key package does not match",
        })
    }
}

impl std::error::Error for OpenError {}

/// Opens a ContentInfo, DER, and checks the signature inside.
///
/// # Errors
/// [`OpenError`], the first fault found.
pub fn open(message: &[u8], own: &RecipientKey) -> Result<Opened, OpenError> {
    let enveloped = Enveloped::parse(message).ok_or(OpenError::NotEnveloped)?;
    let signed = enveloped
        .recipients
        .iter()
        .filter_map(|recipient| content_key(recipient, &own.0).ok())
        .find_map(|key| content::decrypt(&enveloped, &key).ok())
        .ok_or(OpenError::OtherKey)?;
    let signed = SignedData::parse(&signed).ok_or(OpenError::NotAKey)?;
    if !is_sound(&signed) {
        return Err(OpenError::Signature);
    }
    let key = read_key_package(&signed.package).ok_or(OpenError::NotAKey)?;
    Ok(Opened { key: Zeroizing::new(key.to_vec()), signer: signed.certificate })
}

fn content_key(recipient: &Recipient, own: &Kind) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    match (recipient, own) {
        (Recipient::Kek { wrap, encrypted_key, .. }, Kind::Symmetric(key)) => {
            content::unwrap(*wrap, key.octets(), encrypted_key)
        }
        (Recipient::KeyTransport { algorithm, encrypted_key, .. }, Kind::Rsa(key)) => {
            let mut opened = Zeroizing::new(vec![0; key.key_size_bytes()]);
            let length = match algorithm {
                KeyTransport::RsaOaepSha256 => OaepPrivateDecryptingKey::new(key.clone())?
                    .decrypt(&OAEP_SHA256_MGF1SHA256, encrypted_key, &mut opened, None)?
                    .len(),
                KeyTransport::RsaPkcs1 => {
                    Pkcs1PrivateDecryptingKey::new(key.clone())?.decrypt(encrypted_key, &mut opened)?.len()
                }
            };
            opened.truncate(length);
            Ok(opened)
        }
        (
            Recipient::KeyAgreement { originator_algorithm, originator, derivation, wrap, encrypted_key, .. },
            Kind::Agreement(curve, key),
        ) => {
            if !is_on(*curve, originator_algorithm) {
                return Err(Unspecified);
            }
            let info = recipient.derivation_info();
            agreement::agree(key, UnparsedPublicKey::new(curve.algorithm(), originator), Unspecified, |secret| {
                let kek = derivation::x963(*derivation, secret, &info, wrap.key_len());
                content::unwrap(*wrap, &kek, encrypted_key)
            })
        }
        (Recipient::Kem { kem, ciphertext, wrap, encrypted_key, .. }, Kind::Kem(own, key)) if kem == own => {
            let secret = key.decapsulate(ciphertext.as_slice().into())?;
            let kek = derivation::hkdf_sha256(secret.as_ref(), &recipient.derivation_info(), wrap.key_len())?;
            content::unwrap(*wrap, &kek, encrypted_key)
        }
        _ => Err(Unspecified),
    }
}

/// Whether an ephemeral key is on our curve: it may leave out which one it is on, or say NULL (RFC 5753 §3.1.1).
fn is_on(curve: Curve, identifier: &[u8]) -> bool {
    let bare = est_core::pkix::oid::EC_PUBLIC_KEY;
    let with_null = [bare.as_der(), &[0x05, 0x00]].concat();
    identifier == curve.identifier()
        || curve != Curve::X25519 && (identifier == bare.as_der() || identifier == with_null)
}

fn is_sound(signed: &SignedData) -> bool {
    let hashed = digest::digest(derivation::algorithm(signed.digest), &signed.package);
    let Ok(public_key) = SubjectPublicKeyInfo::parse(signed.certificate.public_key_der()) else { return false };
    let algorithm = with_digest(&signed.signature_algorithm, signed.digest);
    signed.attests(hashed.as_ref())
        && aws_lc::verifies(&public_key, &algorithm, &signed.signed_attributes, &signed.signature)
}

/// The algorithm of a signature, where CMS says of RSA no more than that it is (RFC 3370 §3.2): then with the digest.
fn with_digest(algorithm: &[u8], digest: Digest) -> Vec<u8> {
    if est_core::pkix::der::contents(algorithm) != alg_id::RSA_ENCRYPTION.as_ref() {
        return algorithm.to_vec();
    }
    let whole = match digest {
        Digest::Sha256 => alg_id::RSA_PKCS1_SHA256,
        Digest::Sha384 => alg_id::RSA_PKCS1_SHA384,
        Digest::Sha512 => alg_id::RSA_PKCS1_SHA512,
    };
    tlv::write(tlv::SEQUENCE, &[whole.as_ref()]).to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use est_core::cms::{Kem, KeyWrap, RecipientIdentifier};
    use est_core::pkix::{der, pem};

    use super::*;

    /// The example of RFC 9936, appendix C, which another implementation made: its RecipientInfo is in the message
    /// octet for octet as ours writes it, and its key opens the content.
    #[test]
    fn opens_the_example_of_rfc_9936() {
        let own = RecipientKey::from_pem(include_str!("../../tests/vectors/ml-kem/512-both.pem"), None).unwrap();
        let message = include_str!("../../tests/vectors/ml-kem/512-message.pem");
        let message = pem::decode(message).unwrap().remove(0).contents.clone();
        // Their places stand beside them in the RFC: 91, 894, 964, 981 and 996, each a header further.
        let (ciphertext, encrypted_key) = (message[95..863].to_vec(), message[896..936].to_vec());
        let (nonce, content, tag) = (&message[966..978], &message[983..996], &message[998..]);
        let rid = RecipientIdentifier::SubjectKeyIdentifier(message[58..78].to_vec());
        let recipient =
            Recipient::Kem { rid, kem: Kem::MlKem512, ciphertext, wrap: KeyWrap::Aes256, ukm: None, encrypted_key };
        assert_eq!(der::check(&message), Ok(()));
        assert_eq!(recipient.to_der(), message[32..936]);
        let key = content_key(&recipient, &own.0).unwrap();
        let mut opened = [content, tag].concat();
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        assert_eq!(key.open_in_place(nonce, Aad::empty(), &mut opened).unwrap(), b"Hello, world!");
    }
}
