//! Key files that openssl makes.

use est_backends::{FileSigner, KeyFileError, RsaPadding, Signer, encrypt_pkcs8};
use est_core::pkix::{KeyType, pem};
use est_core::{Entropy, Secret};
use est_testkit::peers::OpenSsl;

use crate::now;

/// What `openssl genpkey` is asked for, and what it makes.
const KEYS: [(&str, KeyType); 7] = [
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", KeyType::Rsa(2048)),
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:3072", KeyType::Rsa(3072)),
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:4096", KeyType::Rsa(4096)),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyType::EcdsaP256),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyType::EcdsaP384),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyType::EcdsaP521),
    ("-algorithm ED25519", KeyType::Ed25519),
];

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// Signs with the key, and has openssl verify it with the public key that it derives from the same file.
fn signs_as_openssl_expects(openssl: &OpenSsl, signer: &FileSigner, verify: &str) {
    openssl.run("pkey -in key.pem -pubout -out public.pem");
    openssl.write("message", b"to be signed");
    openssl.write("signature", now(signer.sign(b"to be signed")).unwrap());
    openssl.run(&format!("pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature {verify}"));
    let public = &pem::decode(&openssl.text("public.pem")).unwrap()[0];
    assert_eq!(signer.public_key().as_der(), public.contents);
}

/// How openssl 3.0 is told the hash.
fn digest_of(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::EcdsaP384 => "-digest sha384",
        KeyType::EcdsaP521 => "-digest sha512",
        KeyType::Ed25519 => "",
        _ => "-digest sha256",
    }
}

#[test]
fn signs_with_every_kind_of_pkcs8_key() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (options, key_type) in KEYS {
        openssl.run(&format!("genpkey {options} -out key.pem"));
        let signer = FileSigner::from_pem(&openssl.text("key.pem"), None).unwrap();
        assert_eq!(signer.public_key().key_type(), key_type);
        signs_as_openssl_expects(&openssl, &signer, digest_of(key_type));

        openssl.run("pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
        let from_der = FileSigner::from_der(&openssl.read("key.der"), None).unwrap();
        assert_eq!(from_der.public_key(), signer.public_key());
    }
}

#[test]
fn signs_with_pss_when_asked_to() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    let signer = FileSigner::from_pem(&openssl.text("key.pem"), None).unwrap().with_rsa_padding(RsaPadding::Pss);
    let pss = "-digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt rsa_mgf1_md:sha256";
    signs_as_openssl_expects(&openssl, &signer, pss);
}

#[test]
fn reads_the_traditional_forms() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (options, key_type) in KEYS {
        if key_type == KeyType::Ed25519 {
            continue;
        }
        openssl.run(&format!("genpkey {options} -out key.pem"));
        openssl.run("pkey -in key.pem -traditional -out old.pem");
        let text = openssl.text("old.pem");
        assert!(text.contains("EC PRIVATE KEY") || text.contains("RSA PRIVATE KEY"), "{key_type}");
        let signer = FileSigner::from_pem(&text, None).unwrap();
        signs_as_openssl_expects(&openssl, &signer, digest_of(key_type));

        openssl.run("pkey -in key.pem -traditional -outform DER -out old.der");
        let from_der = FileSigner::from_der(&openssl.read("old.der"), None).unwrap();
        assert_eq!(from_der.public_key(), signer.public_key());
    }
}

#[test]
fn reads_a_key_that_follows_its_parameters_and_a_certificate() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("ecparam -name prime256v1 -genkey -out key.pem");
    assert!(openssl.text("key.pem").contains("EC PARAMETERS"));
    openssl.run("req -x509 -new -key key.pem -subj /CN=any -out certificate.pem");
    let both = openssl.text("certificate.pem") + &openssl.text("key.pem");
    signs_as_openssl_expects(&openssl, &FileSigner::from_pem(&both, None).unwrap(), "-digest sha256");
}

#[test]
fn reads_a_curve_key_without_its_public_half() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(&format!("genpkey {P256} -out key.pem"));
    openssl.run("ec -in key.pem -no_public -outform DER -out bare.der");
    let signer = FileSigner::from_der(&openssl.read("bare.der"), None).unwrap();
    signs_as_openssl_expects(&openssl, &signer, "-digest sha256");
}

#[test]
fn opens_every_pbes2_encryption_that_openssl_knows() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(&format!("genpkey {P256} -out key.pem"));
    let passphrase = Secret::new("correct horse".into());
    openssl.write("passphrase", "correct horse");
    for options in [
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc",
        "-v2 aes-256-cbc",
        "-v2 des3",
        "-v2 aes-256-cbc -v2prf hmacWithSHA1",
        "-v2 aes-256-cbc -v2prf hmacWithSHA384",
        "-v2 aes-256-cbc -v2prf hmacWithSHA512",
        "-v2 aes-256-cbc -iter 100000",
        "-scrypt",
        "-v2 aes-128-cbc -scrypt",
    ] {
        openssl.run(&format!("pkcs8 -topk8 -in key.pem {options} -passout file:passphrase -out closed.pem"));
        let text = openssl.text("closed.pem");
        let signer =
            FileSigner::from_pem(&text, Some(&passphrase)).unwrap_or_else(|error| panic!("{options}: {error}"));
        signs_as_openssl_expects(&openssl, &signer, "-digest sha256");

        let wrong = Secret::new("correct horsf".into());
        assert_eq!(FileSigner::from_pem(&text, Some(&wrong)).err(), Some(KeyFileError::WrongPassphrase), "{options}");
        assert_eq!(FileSigner::from_pem(&text, None).err(), Some(KeyFileError::PassphraseNeeded), "{options}");

        let der = &pem::decode(&text).unwrap()[0].contents;
        assert!(FileSigner::from_der(der, Some(&passphrase)).is_ok(), "{options}");
    }
}

#[test]
fn what_it_encrypts_is_opened_by_openssl_and_by_itself() {
    let Some(openssl) = OpenSsl::find() else { return };
    let passphrase = Secret::new("correct horse".into());
    openssl.write("passphrase", "correct horse");
    for key_type in [KeyType::EcdsaP256, KeyType::Ed25519, KeyType::Rsa(2048)] {
        let (signer, text) = FileSigner::generate(key_type).unwrap();
        let der = &pem::decode(&text).unwrap()[0].contents;
        let closed = encrypt_pkcs8(der, &passphrase, &Entropy([7; 32])).unwrap();
        assert_ne!(closed, encrypt_pkcs8(der, &passphrase, &Entropy([8; 32])).unwrap());
        let text = pem::encode("ENCRYPTED PRIVATE KEY", &closed);
        openssl.write("closed.pem", &text);
        openssl.run("pkey -in closed.pem -passin file:passphrase -out open.pem");
        for opened in
            [FileSigner::from_pem(&text, Some(&passphrase)), FileSigner::from_pem(&openssl.text("open.pem"), None)]
        {
            assert_eq!(opened.unwrap().public_key(), signer.public_key(), "{key_type}");
        }
        let wrong = Secret::new("correct horsf".into());
        assert_eq!(FileSigner::from_pem(&text, Some(&wrong)).err(), Some(KeyFileError::WrongPassphrase));
    }
}

#[test]
fn says_how_to_convert_what_it_does_not_open() {
    let Some(openssl) = OpenSsl::find() else { return };
    let passphrase = Secret::new("secret".into());
    openssl.run(&format!("genpkey {P256} -out key.pem"));

    openssl.run("ec -in key.pem -aes256 -passout pass:secret -out old.pem");
    let old = FileSigner::from_pem(&openssl.text("old.pem"), Some(&passphrase)).err().unwrap();
    assert_eq!(old, KeyFileError::OldEncryption);
    assert!(old.to_string().contains("openssl pkcs8 -topk8"));

    openssl.run("pkcs8 -topk8 -in key.pem -v1 PBE-SHA1-3DES -passout pass:secret -out pbes1.pem");
    let pbes1 = FileSigner::from_pem(&openssl.text("pbes1.pem"), Some(&passphrase)).err().unwrap();
    assert_eq!(pbes1, KeyFileError::UnsupportedEncryption);
    assert!(pbes1.to_string().contains("openssl pkcs8 -topk8"));

    // The advice works, word for word.
    openssl.run("pkcs8 -topk8 -in old.pem -out new.pem -passin pass:secret -passout pass:secret");
    assert!(FileSigner::from_pem(&openssl.text("new.pem"), Some(&passphrase)).is_ok());
    openssl.run("pkcs8 -topk8 -v2 aes-256-cbc -in pbes1.pem -out new.pem -passin pass:secret -passout pass:secret");
    assert!(FileSigner::from_pem(&openssl.text("new.pem"), Some(&passphrase)).is_ok());
}

#[test]
fn refuses_keys_that_it_cannot_sign_with() {
    let Some(openssl) = OpenSsl::find() else { return };
    for options in [
        "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-224",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
        "-algorithm ED448",
        "-algorithm X25519",
    ] {
        openssl.run(&format!("genpkey {options} -out key.pem"));
        let error = FileSigner::from_pem(&openssl.text("key.pem"), None).err().unwrap();
        assert!(matches!(error, KeyFileError::UnsupportedAlgorithm(_)), "{options}: {error:?}");
        assert!(error.to_string().contains("use RSA"), "{error}");
    }
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem");
    let error = FileSigner::from_pem(&openssl.text("key.pem"), None).err().unwrap();
    assert!(error.to_string().contains("1024 bits"), "{error}");
    openssl.run("ecparam -name secp256k1 -genkey -noout -out key.pem");
    assert_eq!(FileSigner::from_pem(&openssl.text("key.pem"), None).err(), Some(KeyFileError::Unsupported));
}

#[test]
fn refuses_no_key_and_two_keys() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run(&format!("genpkey {P256} -out key.pem"));
    openssl.run("pkey -in key.pem -pubout -out public.pem");
    assert_eq!(FileSigner::from_pem(&openssl.text("public.pem"), None).err(), Some(KeyFileError::NoKey));
    assert_eq!(FileSigner::from_pem("", None).err(), Some(KeyFileError::NoKey));
    let twice = openssl.text("key.pem").repeat(2);
    assert_eq!(FileSigner::from_pem(&twice, None).err(), Some(KeyFileError::SeveralKeys));
    assert_eq!(FileSigner::from_pem(&openssl.text("key.pem")[..100], None).err(), Some(KeyFileError::Malformed));
}

#[test]
fn survives_every_truncation_and_every_flipped_octet() {
    let Some(openssl) = OpenSsl::find() else { return };
    let passphrase = Secret::new("secret".into());
    openssl.run(&format!("genpkey {P256} -out key.pem"));
    openssl.run("pkcs8 -topk8 -in key.pem -nocrypt -outform DER -out key.der");
    openssl.run("ec -in key.pem -outform DER -out sec1.der");
    openssl.run("pkcs8 -topk8 -in key.pem -v2 aes-128-cbc -iter 1 -passout pass:secret -outform DER -out closed.der");
    for name in ["key.der", "sec1.der", "closed.der"] {
        let der = openssl.read(name);
        let whole = FileSigner::from_der(&der, Some(&passphrase)).unwrap();
        for length in 0..der.len() {
            assert!(FileSigner::from_der(&der[..length], Some(&passphrase)).is_err(), "{name} {length}");
        }
        for index in 0..der.len() {
            let mut damaged = der.clone();
            damaged[index] ^= 0x15;
            // Where the damage goes unnoticed (a version), it is still the same key.
            if let Ok(signer) = FileSigner::from_der(&damaged, Some(&passphrase)) {
                assert_eq!(signer.public_key(), whole.public_key(), "{name} {index}");
            }
        }
    }
}

#[test]
fn openssl_reads_the_keys_that_it_generates() {
    let Some(openssl) = OpenSsl::find() else { return };
    for (_, key_type) in KEYS {
        let (signer, text) = FileSigner::generate(key_type).unwrap();
        assert_eq!(signer.public_key().key_type(), key_type);
        openssl.write("key.pem", text.as_bytes());
        openssl.run("pkey -in key.pem -noout -check");
        signs_as_openssl_expects(&openssl, &signer, digest_of(key_type));
        assert_eq!(FileSigner::from_pem(&text, None).unwrap().public_key(), signer.public_key());
    }
}

#[test]
fn generates_no_rsa_key_of_an_odd_size() {
    assert_eq!(FileSigner::generate(KeyType::Rsa(2056)).err(), Some(KeyFileError::Unsupported));
}

#[tokio::test]
async fn signs_the_same_on_a_runtime() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    let signer = FileSigner::from_pem(&openssl.text("key.pem"), None).unwrap();
    // PKCS #1 v1.5 gives the same signature every time.
    assert_eq!(signer.sign(b"message").await.unwrap(), signs_elsewhere(&openssl));
}

fn signs_elsewhere(openssl: &OpenSsl) -> Vec<u8> {
    openssl.write("message", b"message");
    openssl.run("pkeyutl -sign -inkey key.pem -rawin -digest sha256 -in message -out signature");
    openssl.read("signature")
}
