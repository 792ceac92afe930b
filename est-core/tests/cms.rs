//! The layers around a key: what is read, and what is not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use est_core::cms::{
    Capabilities, ContentEncryption, Digest, Enveloped, Kem, KeyDerivation, KeyTransport, KeyWrap, Recipient,
    RecipientIdentifier, SignedData, read_key_package, signed_attributes, write_key_package,
};
use est_core::pkix::oid;
use est_testkit::der;
use est_testkit::pki::TestCa;

fn recipients() -> Vec<Recipient> {
    let rid = RecipientIdentifier::SubjectKeyIdentifier(b"key".to_vec());
    let issuer = RecipientIdentifier::IssuerAndSerialNumber(der::sequence(&[&der::sequence(&[]), b"\x02\x01\x05"]));
    let encrypted_key = vec![7; 40];
    vec![
        Recipient::Kek { key_id: b"kek".to_vec(), wrap: KeyWrap::Aes128, encrypted_key: encrypted_key.clone() },
        Recipient::KeyTransport {
            rid: rid.clone(),
            algorithm: KeyTransport::RsaOaepSha256,
            encrypted_key: encrypted_key.clone(),
        },
        Recipient::KeyTransport {
            rid: issuer.clone(),
            algorithm: KeyTransport::RsaPkcs1,
            encrypted_key: encrypted_key.clone(),
        },
        Recipient::KeyAgreement {
            originator_algorithm: oid::X25519.as_der().to_vec(),
            originator: vec![7; 32],
            rid: issuer,
            derivation: KeyDerivation::X963Sha384,
            wrap: KeyWrap::Aes256,
            ukm: Some(b"ukm".to_vec()),
            encrypted_key: encrypted_key.clone(),
        },
        Recipient::Kem {
            rid,
            kem: Kem::MlKem768,
            ciphertext: vec![7; 1088],
            wrap: KeyWrap::Aes256,
            ukm: Some(b"ukm".to_vec()),
            encrypted_key,
        },
    ]
}

fn enveloped(encryption: ContentEncryption, recipients: Vec<Recipient>) -> Enveloped {
    let tag = if encryption.is_authenticated() { vec![7; 16] } else { Vec::new() };
    Enveloped { recipients, encryption, nonce: vec![7; encryption.nonce_len()], ciphertext: vec![7; 64], tag }
}

/// Replaces the one place where `from` stands.
fn replaced(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..octets.len()).filter(|at| octets[*at..].starts_with(from)).collect();
    let [at] = places[..] else { panic!("{places:?}") };
    let mut changed = octets.to_vec();
    changed[at..at + to.len()].copy_from_slice(to);
    changed
}

#[test]
fn reads_every_envelope_as_it_was_written() {
    for encryption in ContentEncryption::ALL {
        let whole = enveloped(*encryption, recipients());
        assert_eq!(Enveloped::parse(&whole.to_der()), Some(whole));
    }
}

#[test]
fn numbers_the_versions_as_rfc_5652_does() {
    let version = |recipient: Recipient| {
        let message = enveloped(ContentEncryption::Aes128Cbc, vec![recipient]).to_der();
        let at = message.windows(3).position(|window| window == [0x02, 0x01, 0x02] || window == [0x02, 0x01, 0x03]);
        message[at.unwrap() + 2]
    };
    let versions: Vec<u8> = recipients().into_iter().map(version).collect();
    assert_eq!(versions, [2, 2, 2, 2, 3]);
}

#[test]
fn leaves_out_recipients_of_other_kinds_and_of_lengths_that_do_not_fit() {
    let kem = recipients().pop().unwrap();
    let message = enveloped(ContentEncryption::Aes256Cbc, vec![kem]).to_der();
    // kekLength must be that of the key wrap (RFC 9629 §3); HKDF must be the one with SHA-256.
    let shorter = replaced(&message, b"\x02\x01\x20", b"\x02\x01\x10");
    assert_eq!(Enveloped::parse(&shorter).unwrap().recipients, []);
    let kdf = oid::HKDF_SHA256;
    let mut other = kdf.as_der().to_vec();
    *other.last_mut().unwrap() += 1;
    let other = replaced(&message, kdf.as_der(), &other);
    assert_eq!(Enveloped::parse(&other).unwrap().recipients, []);
}

#[test]
fn takes_gcm_in_auth_enveloped_data_alone_and_cbc_nowhere_else() {
    for (encryption, other) in [
        (ContentEncryption::Aes128Cbc, ContentEncryption::Aes256Gcm),
        (ContentEncryption::Aes256Gcm, ContentEncryption::Aes128Cbc),
    ] {
        let whole = enveloped(encryption, recipients());
        let mixed = replaced(&whole.to_der(), encryption.oid().as_der(), other.oid().as_der());
        assert_eq!(Enveloped::parse(&mixed), None);
    }
    let whole = enveloped(ContentEncryption::Aes128Gcm, recipients()).to_der();
    let shorter_tag = replaced(&whole, b"\x02\x01\x10\x80", b"\x02\x01\x0c\x80");
    assert_eq!(Enveloped::parse(&shorter_tag), None, "a tag of 12 octets");
}

#[test]
fn reads_one_key_and_no_other_number() {
    let key = der::sequence(&[b"\x02\x01\x00"]);
    assert_eq!(read_key_package(&write_key_package(&key)), Some(key.as_slice()));
    assert_eq!(read_key_package(&der::sequence(&[])), None);
    assert_eq!(read_key_package(&der::sequence(&[&key, &key])), None);
    assert_eq!(read_key_package(&key[..4]), None);
}

#[test]
fn attests_the_digest_that_was_signed_and_no_other() {
    let signed = |attributes: Vec<u8>| SignedData {
        package: write_key_package(&der::sequence(&[])),
        digest: Digest::Sha256,
        signed_attributes: attributes,
        signature_algorithm: der::sequence(&[oid::SHA256.as_der()]),
        signature: vec![7; 8],
        certificate: TestCa::new().certificate().clone(),
    };
    let digest = [7; 32];
    let whole = signed(signed_attributes(&digest));
    let again = SignedData::parse(&whole.to_der()).unwrap();
    assert!(again.attests(&digest) && !again.attests(&[8; 32]));
    assert_eq!((again.signed_attributes, again.certificate), (whole.signed_attributes.clone(), whole.certificate));
    let (octets, digest_value) = (der::octet_string(&digest), der::octet_string(&[8; 32]));
    let content_type = der::attribute(oid::CONTENT_TYPE.as_der(), &[oid::ID_KEY_PACKAGE.as_der()]);
    let of_data = der::attribute(oid::CONTENT_TYPE.as_der(), &[oid::ID_DATA.as_der()]);
    let message_digest = der::attribute(oid::MESSAGE_DIGEST.as_der(), &[&octets]);
    let another = der::attribute(oid::MESSAGE_DIGEST.as_der(), &[&digest_value]);
    assert!(signed(der::set(&[&content_type, &message_digest])).attests(&digest));
    for attributes in [
        der::set(&[&message_digest]),
        der::set(&[&content_type]),
        der::set(&[&of_data, &message_digest]),
        der::set(&[&content_type, &message_digest, &another]),
        der::set(&[&content_type, &another, &message_digest]),
        der::sequence(&[&content_type, &message_digest]),
    ] {
        assert!(!signed(attributes).attests(&digest));
    }
}

#[test]
fn reads_a_signed_key_with_and_without_its_content_info() {
    let signed = SignedData {
        package: write_key_package(&der::sequence(&[])),
        digest: Digest::Sha512,
        signed_attributes: signed_attributes(&[7; 64]),
        signature_algorithm: der::sequence(&[oid::SHA512.as_der()]),
        signature: vec![7; 8],
        certificate: TestCa::new().certificate().clone(),
    };
    let bare = signed.to_der();
    let wrapped = der::sequence(&[oid::ID_SIGNED_DATA.as_der(), &der::value(0xa0, &[&bare])]);
    assert_eq!(SignedData::parse(&bare).unwrap().package, signed.package);
    assert_eq!(SignedData::parse(&wrapped).unwrap().package, signed.package);
    let enveloped = der::sequence(&[oid::ID_ENVELOPED_DATA.as_der(), &der::value(0xa0, &[&bare])]);
    assert!(SignedData::parse(&enveloped).is_none());
}

#[test]
fn reads_capabilities_in_the_order_and_with_the_parameters_that_they_have() {
    let parameters = der::sequence(&[oid::AES128_WRAP.as_der()]);
    let listed = der::sequence(&[
        &der::sequence(&[oid::STD_DH_SHA256_KDF.as_der(), &parameters]),
        &der::sequence(&[oid::AES256_WRAP.as_der()]),
    ]);
    let read = Capabilities::parse(&listed).unwrap();
    let ids: Vec<_> =
        read.iter().map(|capability| (capability.algorithm.clone(), capability.parameters.clone())).collect();
    assert_eq!(ids, [(oid::STD_DH_SHA256_KDF, Some(parameters)), (oid::AES256_WRAP, None)]);
    assert!(read.lists(&oid::AES256_WRAP) && !read.lists(&oid::AES128_WRAP));
    assert_eq!(read.to_der(), listed);
    assert_eq!(Capabilities::parse(&der::sequence(&[])), Some(Capabilities::default()));
    for malformed in [
        der::sequence(&[oid::AES256_WRAP.as_der()]),
        der::sequence(&[&der::sequence(&[])]),
        der::sequence(&[&der::sequence(&[oid::AES256_WRAP.as_der(), b"\x05\x00", b"\x05\x00"])]),
        der::set(&[]),
        Vec::new(),
    ] {
        assert_eq!(Capabilities::parse(&malformed), None, "{malformed:02x?}");
    }
}
