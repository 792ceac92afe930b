//! AES: of contents, and of the keys of contents.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand;
use est_core::cms::{ContentEncryption, Enveloped, KeyWrap};
use zeroize::Zeroizing;

/// An encrypted content, without the recipients of its key.
pub(super) struct Encrypted {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) nonce: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// Encrypts with a fresh key.
pub(super) fn encrypt(encryption: ContentEncryption, plaintext: &[u8]) -> Result<Encrypted, Unspecified> {
    let key = random(encryption.key_len())?;
    let nonce = random(encryption.nonce_len())?.to_vec();
    // It is encrypted where it lies; with room for the padding it does not move.
    let mut ciphertext = Vec::with_capacity(plaintext.len() + cipher::AES_128.block_len());
    ciphertext.extend_from_slice(plaintext);
    let tag = if encryption.is_authenticated() {
        let nonce = Nonce::try_assume_unique_for_key(&nonce)?;
        let aad = Aad::from(Enveloped::authenticated_attributes());
        gcm(encryption, &key)?.seal_in_place_separate_tag(nonce, aad, &mut ciphertext)?.as_ref().to_vec()
    } else {
        let iv = EncryptionContext::Iv128(FixedLength::try_from(nonce.as_slice())?);
        PaddedBlockEncryptingKey::cbc_pkcs7(cbc(encryption, &key)?)?.less_safe_encrypt(&mut ciphertext, iv)?;
        Vec::new()
    };
    Ok(Encrypted { key, nonce, ciphertext, tag })
}

/// Decrypts what [`encrypt`] made.
pub(super) fn decrypt(enveloped: &Enveloped, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let encryption = enveloped.encryption;
    let mut buffer = Zeroizing::new([enveloped.ciphertext.as_slice(), &enveloped.tag].concat());
    let plaintext = if encryption.is_authenticated() {
        let nonce = Nonce::try_assume_unique_for_key(&enveloped.nonce)?;
        let aad = Aad::from(Enveloped::authenticated_attributes());
        gcm(encryption, key)?.open_in_place(nonce, aad, &mut buffer)?
    } else {
        let iv = DecryptionContext::Iv128(FixedLength::try_from(enveloped.nonce.as_slice())?);
        PaddedBlockDecryptingKey::cbc_pkcs7(cbc(encryption, key)?)?.decrypt(&mut buffer, iv)?
    };
    Ok(Zeroizing::new(plaintext.to_vec()))
}

fn random(length: usize) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut octets = Zeroizing::new(vec![0; length]);
    rand::fill(&mut octets)?;
    Ok(octets)
}

fn gcm(encryption: ContentEncryption, key: &[u8]) -> Result<LessSafeKey, Unspecified> {
    let algorithm = if encryption.key_len() == 16 { &aead::AES_128_GCM } else { &aead::AES_256_GCM };
    Ok(LessSafeKey::new(UnboundKey::new(algorithm, key)?))
}

fn cbc(encryption: ContentEncryption, key: &[u8]) -> Result<UnboundCipherKey, Unspecified> {
    let algorithm = if encryption.key_len() == 16 { &cipher::AES_128 } else { &cipher::AES_256 };
    UnboundCipherKey::new(algorithm, key)
}

/// Encrypts the key of a content (RFC 3394).
pub(super) fn wrap(wrap: KeyWrap, kek: &[u8], key: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut wrapped = vec![0; key.len() + 8];
    let length = aes_kek(wrap, kek)?.wrap(key, &mut wrapped)?.len();
    wrapped.truncate(length);
    Ok(wrapped)
}

/// Decrypts the key of a content.
pub(super) fn unwrap(wrap: KeyWrap, kek: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let mut key = Zeroizing::new(vec![0; wrapped.len()]);
    let length = aes_kek(wrap, kek)?.unwrap(wrapped, &mut key)?.len();
    key.truncate(length);
    Ok(key)
}

fn aes_kek(wrap: KeyWrap, kek: &[u8]) -> Result<AesKek, Unspecified> {
    AesKek::new(
        match wrap {
            KeyWrap::Aes128 => &AES_128,
            KeyWrap::Aes256 => &AES_256,
        },
        kek,
    )
}
