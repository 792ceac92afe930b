//! Signing and encrypting a key (RFC 7030 §4.4.2).

use aws_lc_rs::agreement::{self, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::EncapsulationKey;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::{agreement::PrivateKey, digest};
use est_core::cms::{
    Capabilities, Capability, ContentEncryption, Digest, Enveloped, Kem, KeyDerivation, KeyTransport, KeyWrap,
    Recipient, RecipientIdentifier, SignedData, signed_attributes, write_key_package,
};
use est_core::pkix::{Certificate, KeyType, KeyUsage, oid};
use est_core::{KeyRefusal, PortError};
use zeroize::Zeroizing;

use super::recipient::{Curve, PublicKey, kem_algorithm};
use super::{SymmetricKey, content, derivation};
use crate::signer::{SignatureCheck, Signer, sign_checked};

/// Packs a key, and signs the package: a SignedData, DER.
pub(super) async fn sign(
    pkcs8: &[u8],
    signer: &dyn Signer,
    certificate: &Certificate,
) -> Result<Zeroizing<Vec<u8>>, PortError> {
    let package = write_key_package(pkcs8);
    let digest = digest_of(signer.public_key().key_type());
    let hashed = digest::digest(derivation::algorithm(digest), &package);
    let signed_attributes = signed_attributes(hashed.as_ref());
    let signature = sign_checked(signer, SignatureCheck::WhereFaultsLeak, &signed_attributes).await?;
    let signed = SignedData {
        package,
        digest,
        signed_attributes,
        signature_algorithm: signer.signature_algorithm().to_vec(),
        signature,
        certificate: certificate.clone(),
    };
    Ok(signed.to_der())
}

/// The hash of the content: that of the signature where it has one, else SHA-512 (RFC 8419 §3, RFC 9882 §3.3).
fn digest_of(key_type: KeyType) -> Digest {
    match key_type {
        KeyType::Rsa(_) | KeyType::EcdsaP256 => Digest::Sha256,
        KeyType::EcdsaP384 => Digest::Sha384,
        _ => Digest::Sha512,
    }
}

/// How something will be encrypted, chosen among what the client can decrypt: the first that it lists.
pub(super) struct Sealing {
    encryption: ContentEncryption,
    key: Method,
}

enum Method {
    Kek { key_id: Vec<u8>, key: SymmetricKey, wrap: KeyWrap },
    KeyTransport { key_id: Vec<u8>, key: Vec<u8>, algorithm: KeyTransport },
    KeyAgreement { key_id: Vec<u8>, curve: Curve, key: Vec<u8>, derivation: KeyDerivation, wrap: KeyWrap },
    Kem { key_id: Vec<u8>, kem: Kem, key: Vec<u8>, wrap: KeyWrap },
}

impl Sealing {
    pub(super) fn symmetric(
        key_id: &[u8],
        key: &SymmetricKey,
        capabilities: &Capabilities,
    ) -> Result<Self, KeyRefusal> {
        let fitting = wraps(capabilities).find(|wrap| wrap.key_len() == key.octets().len());
        let wrap = fitting.ok_or(KeyRefusal::NoCommonAlgorithm)?;
        let method = Method::Kek { key_id: key_id.to_vec(), key: key.clone(), wrap };
        Ok(Self { encryption: content_encryption(capabilities), key: method })
    }

    pub(super) fn asymmetric(
        key_id: &[u8],
        certificate: &Certificate,
        capabilities: &Capabilities,
    ) -> Result<Self, KeyRefusal> {
        let key = PublicKey::read(certificate.public_key_der()).ok_or(KeyRefusal::NoCommonAlgorithm)?;
        let needed = match key {
            PublicKey::Rsa(_) | PublicKey::Kem(..) => KeyUsage::KEY_ENCIPHERMENT,
            PublicKey::Agreement(..) => KeyUsage::KEY_AGREEMENT,
        };
        if !allows(certificate, needed) {
            return Err(KeyRefusal::KeyUsage);
        }
        let key_id = key_id.to_vec();
        let method = match key {
            PublicKey::Rsa(key) => {
                capabilities.iter().find_map(transport).map(|algorithm| Method::KeyTransport { key_id, key, algorithm })
            }
            PublicKey::Agreement(curve, key) => {
                let agreed = capabilities.iter().find_map(|capability| agreement_with(capability, capabilities));
                agreed.map(|(derivation, wrap)| Method::KeyAgreement { key_id, curve, key, derivation, wrap })
            }
            PublicKey::Kem(kem, key) => {
                // RFC 9936 §2.2.1: as strong as the mechanism.
                let fits = |wrap: &KeyWrap| kem == Kem::MlKem512 || *wrap == KeyWrap::Aes256;
                let wrap = capabilities.lists(&kem.oid()).then(|| wraps(capabilities).find(fits)).flatten();
                wrap.map(|wrap| Method::Kem { key_id, kem, key, wrap })
            }
        };
        let method = method.ok_or(KeyRefusal::NoCommonAlgorithm)?;
        Ok(Self { encryption: content_encryption(capabilities), key: method })
    }

    /// Encrypts a SignedData: a ContentInfo, DER.
    pub(super) fn seal(&self, signed: &[u8]) -> Result<Vec<u8>, PortError> {
        let failed = |_| PortError("the cryptographic library did not encrypt the key".into());
        let encrypted = content::encrypt(self.encryption, signed).map_err(failed)?;
        let recipient = self.key.recipient(&encrypted.key).map_err(failed)?;
        let content::Encrypted { nonce, ciphertext, tag, .. } = encrypted;
        Ok(Enveloped { recipients: vec![recipient], encryption: self.encryption, nonce, ciphertext, tag }.to_der())
    }
}

impl Method {
    /// Encrypts the key of the content.
    fn recipient(&self, content_key: &[u8]) -> Result<Recipient, Unspecified> {
        match self {
            Self::Kek { key_id, key, wrap } => {
                let encrypted_key = content::wrap(*wrap, key.octets(), content_key)?;
                Ok(Recipient::Kek { key_id: key_id.clone(), wrap: *wrap, encrypted_key })
            }
            Self::KeyTransport { key_id, key, algorithm } => {
                let public_key = PublicEncryptingKey::from_der(key).map_err(|_| Unspecified)?;
                let mut encrypted_key = vec![0; public_key.key_size_bytes()];
                let length = match algorithm {
                    KeyTransport::RsaOaepSha256 => OaepPublicEncryptingKey::new(public_key)?
                        .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut encrypted_key, None)?
                        .len(),
                    KeyTransport::RsaPkcs1 => {
                        Pkcs1PublicEncryptingKey::new(public_key)?.encrypt(content_key, &mut encrypted_key)?.len()
                    }
                };
                encrypted_key.truncate(length);
                Ok(Recipient::KeyTransport { rid: rid(key_id), algorithm: *algorithm, encrypted_key })
            }
            Self::KeyAgreement { key_id, curve, key, derivation, wrap } => {
                let ephemeral = PrivateKey::generate(curve.algorithm())?;
                let mut recipient = Recipient::KeyAgreement {
                    originator_algorithm: curve.identifier(),
                    originator: ephemeral.compute_public_key()?.as_ref().to_vec(),
                    rid: rid(key_id),
                    derivation: *derivation,
                    wrap: *wrap,
                    ukm: None,
                    encrypted_key: Vec::new(),
                };
                let info = recipient.derivation_info();
                let peer = UnparsedPublicKey::new(curve.algorithm(), key);
                let wrapped = agreement::agree(&ephemeral, peer, Unspecified, |secret| {
                    content::wrap(*wrap, &derivation::x963(*derivation, secret, &info, wrap.key_len()), content_key)
                })?;
                if let Recipient::KeyAgreement { encrypted_key, .. } = &mut recipient {
                    *encrypted_key = wrapped;
                }
                Ok(recipient)
            }
            Self::Kem { key_id, kem, key, wrap } => {
                let public_key = EncapsulationKey::new(kem_algorithm(*kem), key).map_err(|_| Unspecified)?;
                let (ciphertext, secret) = public_key.encapsulate()?;
                let mut recipient = Recipient::Kem {
                    rid: rid(key_id),
                    kem: *kem,
                    ciphertext: ciphertext.as_ref().to_vec(),
                    wrap: *wrap,
                    ukm: None,
                    encrypted_key: Vec::new(),
                };
                let info = recipient.derivation_info();
                let kek = derivation::hkdf_sha256(secret.as_ref(), &info, wrap.key_len())?;
                if let Recipient::Kem { encrypted_key, .. } = &mut recipient {
                    *encrypted_key = content::wrap(*wrap, &kek, content_key)?;
                }
                Ok(recipient)
            }
        }
    }
}

fn rid(key_id: &[u8]) -> RecipientIdentifier {
    RecipientIdentifier::SubjectKeyIdentifier(key_id.to_vec())
}

/// The content encryption that the client lists first. RFC 7030 §4.4.1 wants it to list how keys are encrypted, not
/// contents: one that lists none gets AES-256 in CBC, which every reader of EnvelopedData knows.
fn content_encryption(capabilities: &Capabilities) -> ContentEncryption {
    let listed = capabilities.iter().find_map(|capability| ContentEncryption::from_oid(&capability.algorithm));
    listed.unwrap_or(ContentEncryption::Aes256Cbc)
}

fn wraps(capabilities: &Capabilities) -> impl Iterator<Item = KeyWrap> {
    capabilities.iter().filter_map(|capability| KeyWrap::from_oid(&capability.algorithm))
}

/// RSA: OAEP with other parameters than ours is another algorithm.
fn transport(capability: &Capability) -> Option<KeyTransport> {
    const NULL: &[u8] = &[0x05, 0x00];
    let algorithm = KeyTransport::from_oid(&capability.algorithm)?;
    let is_plain = capability.parameters.as_deref().is_none_or(|parameters| parameters == NULL);
    (is_plain || capability.to_der() == algorithm.identifier()).then_some(algorithm)
}

/// ECDH: the key wrap is in the parameters (RFC 5753 §8), or on its own in the list.
fn agreement_with(capability: &Capability, all: &Capabilities) -> Option<(KeyDerivation, KeyWrap)> {
    let derivation = KeyDerivation::from_oid(&capability.algorithm)?;
    let wrap = match &capability.parameters {
        Some(parameters) => KeyWrap::ALL.iter().copied().find(|wrap| wrap.identifier() == *parameters),
        None => wraps(all).next(),
    };
    wrap.map(|wrap| (derivation, wrap))
}

/// A certificate without keyUsage may be used for everything (RFC 7030 §4.4.1.2).
fn allows(certificate: &Certificate, usage: KeyUsage) -> bool {
    certificate
        .extension(&oid::KEY_USAGE)
        .is_none_or(|value| KeyUsage::from_der(value).is_some_and(|own| !own.common(usage).is_empty()))
}
