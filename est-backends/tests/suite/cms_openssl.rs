//! Encrypted keys before other eyes: `openssl cms`.
//!
//! OpenSSL 3.0 knows neither X25519 nor KEMRecipientInfo here, and of an AuthEnvelopedData it expects the authenticated
//! attributes under another tag than RFC 5083 §2.1 gives them: `cms_cryptography` undoes those.

use est_backends::SymmetricKey;
use est_core::cms::{Capabilities, write_key_package};
use est_core::pkix::{KeyType, KeyUsage, oid, pem};
use est_testkit::der;
use est_testkit::peers::OpenSsl;
use zeroize::Zeroizing;

use crate::key_generation::{Kind, enveloped, generate, generator_with_root, to, with};
use crate::pki::NOW;

/// Verifies `signed.der`, the SignedData alone as it was encrypted, and returns the key package in it.
///
/// The CA's certificate may sign certificates and CRLs, so that for messages any purpose must do.
fn verify(openssl: &OpenSsl) -> Vec<u8> {
    let content = der::value(0xa0, &[&openssl.read("signed.der")]);
    openssl.write("info.der", der::sequence(&[oid::ID_SIGNED_DATA.as_der(), &content]));
    let verify = format!(
        "cms -verify -binary -inform DER -in info.der -CAfile root.pem -purpose any -attime {} -out package.der",
        NOW.0
    );
    openssl.run(&verify);
    openssl.read("package.der")
}

/// What the key package must hold.
fn key(openssl: &OpenSsl, package: &[u8]) -> Vec<u8> {
    let key = est_core::cms::read_key_package(package).unwrap();
    assert_eq!(write_key_package(key).as_slice(), package);
    openssl.write("generated.der", key);
    openssl.run("pkey -inform DER -in generated.der -pubout -outform DER -out generated.pub");
    openssl.read("generated.pub")
}

#[tokio::test]
async fn openssl_undoes_every_kind_of_recipient_that_it_knows() {
    let Some(openssl) = OpenSsl::find() else { return };
    let cases = [
        (Kind::Signing(KeyType::Rsa(2048)), KeyUsage::KEY_ENCIPHERMENT, KeyType::EcdsaP256),
        (Kind::Signing(KeyType::EcdsaP256), KeyUsage::KEY_AGREEMENT, KeyType::Rsa(2048)),
        (Kind::Signing(KeyType::EcdsaP384), KeyUsage::KEY_AGREEMENT, KeyType::EcdsaP384),
        (Kind::Signing(KeyType::EcdsaP521), KeyUsage::KEY_AGREEMENT, KeyType::EcdsaP521),
    ];
    for (kind, usage, signer_type) in cases {
        let (keys, root) = generator_with_root(signer_type).await;
        openssl.write("root.pem", pem::encode("CERTIFICATE", root.as_der()));
        let client = kind.client(Some(usage)).await;
        openssl.write("client.pem", pem::encode("CERTIFICATE", client.certificate.as_der()));
        openssl.write("client.key", pem::encode("PRIVATE KEY", &client.pkcs8));
        for algorithms in kind.algorithms() {
            for content in [oid::AES128_CBC, oid::AES256_CBC] {
                let capabilities = Capabilities::of(algorithms.iter().cloned().chain([content]));
                let made = generate(&keys, to(&client, capabilities)).await.unwrap();
                openssl.write("envelope.der", enveloped(&made));
                openssl.run(
                    "cms -decrypt -binary -inform DER -in envelope.der -recip client.pem -inkey client.key -out signed.der",
                );
                let package = verify(&openssl);
                assert_eq!(key(&openssl, &package), made.public_key.as_der(), "{kind:?} {algorithms:?}");
            }
        }
    }
}

#[tokio::test]
async fn openssl_undoes_a_shared_key() {
    let Some(openssl) = OpenSsl::find() else { return };
    let (mut keys, root) = generator_with_root(KeyType::EcdsaP256).await;
    openssl.write("root.pem", pem::encode("CERTIFICATE", root.as_der()));
    for (octets, wrap) in [(16, oid::AES128_WRAP), (32, oid::AES256_WRAP)] {
        keys = keys.with_symmetric_key(b"kek".to_vec(), SymmetricKey::new(Zeroizing::new(vec![0xa5; octets])).unwrap());
        for content in [oid::AES128_CBC, oid::AES256_CBC] {
            let made = generate(&keys, with(b"kek", Capabilities::of([wrap.clone(), content]))).await.unwrap();
            openssl.write("envelope.der", enveloped(&made));
            let secret = "a5".repeat(octets);
            openssl.run(&format!(
                "cms -decrypt -binary -inform DER -in envelope.der -secretkey {secret} -secretkeyid 6b656b -out signed.der"
            ));
            let package = verify(&openssl);
            assert_eq!(key(&openssl, &package), made.public_key.as_der());
        }
    }
}
