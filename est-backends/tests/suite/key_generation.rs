//! Keys for clients: each way to encrypt one, undone; and what is refused.

use std::sync::Arc;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::kem::{self, DecapsulationKey};
use est_backends::{
    FileSigner, LocalKeyGenerator, OpenError, Opened, RecipientKey, RecipientKeyError, Signer, SymmetricKey, open,
};
use est_core::cms::{Capabilities, ContentEncryption, Enveloped, Recipient};
use est_core::pkix::{
    Certificate, Extension, KeyType, KeyUsage, Name, Oid, SubjectPublicKeyInfo, TbsCertificate, assemble_certificate,
    oid, pem,
};
use est_core::{Generated, GeneratedKey, KeyGenerator, KeyPart, KeyRefusal, KeyWish, Protection};
use est_testkit::der;
use zeroize::Zeroizing;

use crate::pki::{NOW, root, serial};

/// The name of every recipient's key.
pub(crate) const KEY_ID: &[u8] = b"a key's own name";

/// A client's key, and its certificate.
pub(crate) struct Client {
    pub(crate) certificate: Certificate,
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
}

/// The kinds of key that something can be encrypted to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Signing(KeyType),
    X25519,
    MlKem(u8),
}

pub(crate) const KINDS: [Kind; 8] = [
    Kind::Signing(KeyType::Rsa(2048)),
    Kind::Signing(KeyType::EcdsaP256),
    Kind::Signing(KeyType::EcdsaP384),
    Kind::Signing(KeyType::EcdsaP521),
    Kind::X25519,
    Kind::MlKem(1),
    Kind::MlKem(2),
    Kind::MlKem(3),
];

impl Kind {
    pub(crate) fn usage(self) -> KeyUsage {
        match self {
            Self::Signing(KeyType::Rsa(_)) | Self::MlKem(_) => KeyUsage::KEY_ENCIPHERMENT,
            Self::Signing(_) | Self::X25519 => KeyUsage::KEY_AGREEMENT,
        }
    }

    pub(crate) fn algorithms(self) -> Vec<Vec<Oid>> {
        let agreements = [oid::STD_DH_SHA256_KDF, oid::STD_DH_SHA384_KDF, oid::STD_DH_SHA512_KDF];
        let wraps = [oid::AES128_WRAP, oid::AES256_WRAP];
        match self {
            Self::Signing(KeyType::Rsa(_)) => vec![vec![oid::RSAES_OAEP], vec![oid::RSA_ENCRYPTION]],
            Self::Signing(_) | Self::X25519 => {
                agreements.iter().flat_map(|kdf| wraps.iter().map(|wrap| vec![kdf.clone(), wrap.clone()])).collect()
            }
            Self::MlKem(1) => wraps.iter().map(|wrap| vec![oid::ML_KEM_512, wrap.clone()]).collect(),
            Self::MlKem(2) => vec![vec![oid::AES128_WRAP, oid::AES256_WRAP, oid::ML_KEM_768]],
            Self::MlKem(_) => vec![vec![oid::AES256_WRAP, oid::ML_KEM_1024]],
        }
    }

    pub(crate) async fn client(self, usage: Option<KeyUsage>) -> Client {
        let version = b"\x02\x01\x00";
        let info = |algorithm: &[u8], key: &[u8]| der::sequence(&[&der::sequence(&[algorithm]), &der::bit_string(key)]);
        let (pkcs8, public_key) = match self {
            Self::Signing(key_type) => {
                let (signer, text) = FileSigner::generate(key_type).unwrap();
                let key = pem::decode(&text).unwrap().remove(0).contents.clone();
                (key, signer.public_key().as_der().to_vec())
            }
            Self::X25519 => {
                let key = PrivateKey::generate(&X25519).unwrap();
                let scalar: Curve25519SeedBin<'_> = key.as_be_bytes().unwrap();
                let algorithm = oid::X25519;
                let inner = der::octet_string(&der::octet_string(scalar.as_ref()));
                let pkcs8 = der::sequence(&[version, &der::sequence(&[algorithm.as_der()]), &inner]);
                (pkcs8, info(algorithm.as_der(), key.compute_public_key().unwrap().as_ref()))
            }
            Self::MlKem(number) => {
                let (set, algorithm) = match number {
                    1 => (&kem::ML_KEM_512, oid::ML_KEM_512),
                    2 => (&kem::ML_KEM_768, oid::ML_KEM_768),
                    _ => (&kem::ML_KEM_1024, oid::ML_KEM_1024),
                };
                let key = DecapsulationKey::generate(set).unwrap();
                let inner = der::octet_string(&der::octet_string(key.key_bytes().unwrap().as_ref()));
                let pkcs8 = der::sequence(&[version, &der::sequence(&[algorithm.as_der()]), &inner]);
                let public_key = key.encapsulation_key().unwrap().key_bytes().unwrap();
                (pkcs8, info(algorithm.as_der(), public_key.as_ref()))
            }
        };
        Client { certificate: certificate(&public_key, usage).await, pkcs8: Zeroizing::new(pkcs8) }
    }
}

impl Client {
    fn key(&self) -> RecipientKey {
        RecipientKey::from_pkcs8(&self.pkcs8).unwrap()
    }
}

/// A certificate of whichever key.
pub(crate) async fn certificate(public_key: &[u8], usage: Option<KeyUsage>) -> Certificate {
    let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let name = Name::from_text("CN=device-1").unwrap();
    let mut extensions = vec![Extension::subject_key_identifier(KEY_ID)];
    extensions.extend(usage.map(Extension::key_usage));
    let to_be_signed = TbsCertificate {
        serial: serial(3),
        signature_algorithm: signer.signature_algorithm(),
        issuer: &name,
        subject: &name,
        not_before: NOW,
        not_after: NOW,
        public_key,
        extensions: &extensions,
    }
    .to_der();
    let signature = signer.sign(&to_be_signed).await.unwrap();
    Certificate::parse(&assemble_certificate(to_be_signed, signer.signature_algorithm(), &signature)).unwrap()
}

pub(crate) async fn generator(signer_type: KeyType) -> LocalKeyGenerator {
    generator_with_root(signer_type).await.0
}

pub(crate) async fn generator_with_root(signer_type: KeyType) -> (LocalKeyGenerator, Certificate) {
    let (signer, _) = FileSigner::generate(signer_type).unwrap();
    let ca = root("root", &signer).await;
    (LocalKeyGenerator::new(Arc::new(signer), ca.certificate.clone()), ca.certificate.clone())
}

pub(crate) async fn generate(
    generator: &LocalKeyGenerator,
    protection: Protection,
) -> Result<GeneratedKey, KeyRefusal> {
    match generator.generate(&KeyWish { key_type: KeyType::EcdsaP256, protection }).await.unwrap() {
        Generated::Key(key) => Ok(key),
        Generated::Refused(refusal) => Err(refusal),
    }
}

pub(crate) fn to(client: &Client, capabilities: Capabilities) -> Protection {
    let shown = Some(Arc::new(client.certificate.clone()));
    Protection::Asymmetric { key_id: KEY_ID.to_vec(), capabilities, shown }
}

pub(crate) fn with(key_id: &[u8], capabilities: Capabilities) -> Protection {
    Protection::Symmetric { key_id: key_id.to_vec(), capabilities }
}

pub(crate) fn enveloped(key: &GeneratedKey) -> &[u8] {
    let KeyPart::Enveloped(message) = &key.part else { panic!("encrypted") };
    message
}

fn fits(opened: &Opened, public_key: &SubjectPublicKeyInfo) -> bool {
    FileSigner::from_der(&opened.key, None).unwrap().public_key() == public_key
}

#[tokio::test]
async fn makes_a_key_of_every_usual_type() {
    let generator = generator(KeyType::EcdsaP256).await;
    for key_type in KeyType::USUAL {
        let wish = KeyWish { key_type, protection: Protection::None };
        let Generated::Key(key) = generator.generate(&wish).await.unwrap() else { panic!("{key_type}") };
        let KeyPart::Pkcs8(pkcs8) = &key.part else { panic!("in the clear") };
        assert_eq!(key.public_key.key_type(), key_type);
        assert_eq!(FileSigner::from_der(pkcs8, None).unwrap().public_key(), &key.public_key);
    }
    let wish = KeyWish { key_type: KeyType::Rsa(2056), protection: Protection::None };
    assert!(matches!(generator.generate(&wish).await, Ok(Generated::Refused(KeyRefusal::KeyTypeNotOffered))));
}

#[tokio::test]
async fn opens_what_was_encrypted_with_a_shared_key() {
    let mut keys = generator(KeyType::EcdsaP384).await;
    for (octets, wrap) in [(16, oid::AES128_WRAP), (32, oid::AES256_WRAP)] {
        let key = SymmetricKey::new(Zeroizing::new(vec![7; octets])).unwrap();
        keys = keys.with_symmetric_key(vec![octets as u8], key.clone());
        for content in ContentEncryption::ALL {
            let capabilities = Capabilities::of([wrap.clone(), content.oid()]);
            let made = generate(&keys, with(&[octets as u8], capabilities)).await.unwrap();
            let envelope = Enveloped::parse(enveloped(&made)).unwrap();
            assert_eq!(envelope.encryption, *content, "the client's choice");
            assert!(matches!(&envelope.recipients[..], [Recipient::Kek { key_id, .. }] if key_id == &[octets as u8]));
            let opened = open(enveloped(&made), &key.clone().into()).unwrap();
            assert!(fits(&opened, &made.public_key));
            assert!(opened.signer.is_ca());
            let other = SymmetricKey::new(Zeroizing::new(vec![8; octets])).unwrap();
            assert_eq!(open(enveloped(&made), &other.into()).unwrap_err(), OpenError::OtherKey);
        }
    }
    let made = generate(&keys, with(&[32], Capabilities::of([oid::AES256_WRAP]))).await.unwrap();
    assert_eq!(Enveloped::parse(enveloped(&made)).unwrap().encryption, ContentEncryption::Aes256Cbc);
}

#[tokio::test]
async fn opens_what_was_encrypted_to_each_kind_of_key_by_each_algorithm() {
    let keys = generator(KeyType::EcdsaP256).await;
    for kind in KINDS {
        let client = kind.client(Some(kind.usage())).await;
        let stranger = kind.client(Some(kind.usage())).await;
        for algorithms in kind.algorithms() {
            let made = generate(&keys, to(&client, Capabilities::of(algorithms.clone()))).await.unwrap();
            let opened = open(enveloped(&made), &client.key()).unwrap();
            assert!(fits(&opened, &made.public_key), "{kind:?} {algorithms:?}");
            let elsewhere = open(enveloped(&made), &stranger.key()).unwrap_err();
            assert_eq!(elsewhere, OpenError::OtherKey, "{kind:?} {algorithms:?}");
        }
    }
}

#[tokio::test]
async fn signs_with_every_kind_of_ca_key() {
    let client = Kind::Signing(KeyType::EcdsaP256).client(None).await;
    let capabilities = Capabilities::of([oid::STD_DH_SHA256_KDF, oid::AES256_WRAP, oid::AES256_GCM]);
    for signer_type in KeyType::USUAL {
        let made = generate(&generator(signer_type).await, to(&client, capabilities.clone())).await.unwrap();
        assert!(fits(&open(enveloped(&made), &client.key()).unwrap(), &made.public_key), "{signer_type}");
    }
}

#[tokio::test]
async fn refuses_a_key_that_it_does_not_know() {
    let keys = generator(KeyType::EcdsaP256).await;
    let kind = Kind::Signing(KeyType::EcdsaP256);
    let client = kind.client(None).await;
    let capabilities = || Capabilities::of([oid::STD_DH_SHA256_KDF, oid::AES256_WRAP]);
    let unknown = KeyRefusal::UnknownKeyIdentifier;
    assert_eq!(generate(&keys, with(b"nobody's", capabilities())).await.unwrap_err(), unknown);
    let shown = Some(Arc::new(client.certificate.clone()));
    let named =
        |key_id: &[u8], shown| Protection::Asymmetric { key_id: key_id.to_vec(), capabilities: capabilities(), shown };
    assert_eq!(generate(&keys, named(b"nobody's", shown)).await.unwrap_err(), unknown);
    assert_eq!(generate(&keys, named(KEY_ID, None)).await.unwrap_err(), unknown);
    let keys = keys.with_recipient(client.certificate.clone());
    assert!(generate(&keys, named(KEY_ID, None)).await.is_ok(), "a configured recipient");
}

#[tokio::test]
async fn refuses_a_key_whose_certificate_is_for_something_else() {
    let keys = generator(KeyType::EcdsaP256).await;
    for kind in KINDS {
        let capabilities = Capabilities::of(kind.algorithms().remove(0));
        let signing = kind.client(Some(KeyUsage::DIGITAL_SIGNATURE)).await;
        assert_eq!(generate(&keys, to(&signing, capabilities.clone())).await.unwrap_err(), KeyRefusal::KeyUsage);
        let unrestricted = kind.client(None).await;
        assert!(generate(&keys, to(&unrestricted, capabilities)).await.is_ok(), "{kind:?}");
    }
}

#[tokio::test]
async fn refuses_where_nothing_is_common() {
    let keys = generator(KeyType::EcdsaP256).await;
    let keys = keys.with_symmetric_key(vec![1], SymmetricKey::new(Zeroizing::new(vec![7; 16])).unwrap());
    let none = KeyRefusal::NoCommonAlgorithm;
    for listed in [vec![], vec![oid::AES256_WRAP], vec![oid::AES128_CBC]] {
        assert_eq!(generate(&keys, with(&[1], Capabilities::of(listed))).await.unwrap_err(), none);
    }
    for (kind, listed) in [
        (Kind::Signing(KeyType::Rsa(2048)), vec![oid::AES256_WRAP]),
        (Kind::Signing(KeyType::EcdsaP256), vec![oid::AES256_WRAP, oid::RSAES_OAEP]),
        (Kind::Signing(KeyType::EcdsaP256), vec![oid::STD_DH_SHA256_KDF]),
        (Kind::Signing(KeyType::Ed25519), vec![oid::STD_DH_SHA256_KDF, oid::AES256_WRAP]),
        (Kind::MlKem(2), vec![oid::ML_KEM_1024, oid::AES256_WRAP]),
        (Kind::MlKem(2), vec![oid::ML_KEM_768, oid::AES128_WRAP]),
    ] {
        let client = kind.client(None).await;
        assert_eq!(
            generate(&keys, to(&client, Capabilities::of(listed.clone()))).await.unwrap_err(),
            none,
            "{listed:?}"
        );
    }
}

#[tokio::test]
async fn reads_the_key_wrap_in_the_parameters_of_an_agreement() {
    let keys = generator(KeyType::EcdsaP256).await;
    let client = Kind::X25519.client(None).await;
    let wrap = der::sequence(&[oid::AES128_WRAP.as_der()]);
    let listed = der::sequence(&[&der::sequence(&[oid::STD_DH_SHA256_KDF.as_der(), &wrap])]);
    let made = generate(&keys, to(&client, Capabilities::parse(&listed).unwrap())).await.unwrap();
    assert!(fits(&open(enveloped(&made), &client.key()).unwrap(), &made.public_key));
}

#[tokio::test]
async fn finds_every_flipped_bit_of_an_authenticated_envelope() {
    let keys = generator(KeyType::EcdsaP256).await;
    let key = SymmetricKey::new(Zeroizing::new(vec![7; 16])).unwrap();
    let keys = keys.with_symmetric_key(vec![1], key.clone());
    let own: RecipientKey = key.into();
    let made = generate(&keys, with(&[1], Capabilities::of([oid::AES128_WRAP, oid::AES128_GCM]))).await.unwrap();
    let whole = Enveloped::parse(enveloped(&made)).unwrap();
    assert!(open(&whole.to_der(), &own).is_ok());
    for at in (0..whole.ciphertext.len()).step_by(31) {
        let mut damaged = whole.clone();
        damaged.ciphertext[at] ^= 1;
        assert_eq!(open(&damaged.to_der(), &own).unwrap_err(), OpenError::OtherKey);
    }
}

#[tokio::test]
async fn opens_no_key_that_was_changed() {
    let keys = generator(KeyType::EcdsaP256).await;
    let key = SymmetricKey::new(Zeroizing::new(vec![7; 16])).unwrap();
    let keys = keys.with_symmetric_key(vec![1], key.clone());
    let own: RecipientKey = key.into();
    let made = generate(&keys, with(&[1], Capabilities::of([oid::AES128_WRAP]))).await.unwrap();
    let whole = Enveloped::parse(enveloped(&made)).unwrap();
    let (intact, mut other) = (open(&whole.to_der(), &own).unwrap(), 0);
    // CBC alone protects nothing: a bit flipped in a block flips the same bit of the next one.
    for at in (16..whole.ciphertext.len() - 32).step_by(16) {
        let mut damaged = whole.clone();
        damaged.ciphertext[at] ^= 1;
        match open(&damaged.to_der(), &own) {
            // Nobody has signed the signature of the certificate: a client that trusts the signer compares all of it.
            Ok(opened) => assert!(opened.key == intact.key && opened.signer != intact.signer),
            Err(error) => {
                assert!(matches!(error, OpenError::NotAKey | OpenError::Signature), "{error:?}");
                other += u32::from(error == OpenError::Signature);
            }
        }
    }
    assert!(other > 0, "some damage leaves DER");
}

#[tokio::test]
async fn tells_which_keys_can_open_nothing() {
    let (_, text) = FileSigner::generate(KeyType::Ed25519).unwrap();
    assert_eq!(RecipientKey::from_pem(&text, None).unwrap_err(), RecipientKeyError::Unsupported);
    let seed = der::octet_string(&der::value(0x80, &[&[7; 64]]));
    let algorithm = der::sequence(&[oid::ML_KEM_768.as_der()]);
    let seed_alone = der::sequence(&[b"\x02\x01\x00", &algorithm, &seed]);
    assert_eq!(RecipientKey::from_pkcs8(&seed_alone).unwrap_err(), RecipientKeyError::SeedAlone);
    let mut client = Kind::MlKem(2).client(None).await;
    let length = client.pkcs8.len();
    client.pkcs8[length - 40] ^= 1;
    assert!(RecipientKey::from_pkcs8(&client.pkcs8).is_err(), "FIPS 203 §7.3: the hash inside does not match");
}
