//! Keys, certification requests, CAs and sites that exist for one test.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, RsaKeyPair};
use est_core::pkix::{
    Certificate, Csr, CsrTemplate, Extension, GeneralName, GeneralNames, KeyType, KeyUsage, Name, SubjectPublicKeyInfo,
    TbsCertificate, assemble_certificate, assemble_csr, oid,
};
use est_core::policy::{Plan, Profile};
use est_core::{
    Algorithms, Approval, Ca, Entropy, Label, NameBinding, Operations, Principal, Seconds, Serial, Site, UnixTime,
};
use pki_types::alg_id;

use crate::der;

/// The time of every test: 2026-11-21 09:30:00 UTC.
pub const NOW: UnixTime = UnixTime(1_795_253_400);

/// The algorithms that certification requests are checked with: those of aws-lc-rs.
pub const ALGORITHMS: Algorithms = webpki::ALL_VERIFICATION_ALGS;

/// A private key, and how it signs.
#[derive(Debug)]
pub struct Key {
    pair: Pair,
    public_key: SubjectPublicKeyInfo,
    signature_algorithm: Vec<u8>,
}

#[derive(Debug)]
enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn signature::RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Key {
    /// Makes a key. RSA keys sign with PKCS #1 v1.5 and SHA-256, ECDSA keys with the hash of their curve's size.
    ///
    /// # Panics
    /// When there is no such key, of RSA other than the sizes 2048, 3072 and 4096.
    #[must_use]
    pub fn generate(key_type: KeyType) -> Self {
        let ecdsa = |algorithm| Pair::Ecdsa(EcdsaKeyPair::generate(algorithm).expect("an ECDSA key"));
        let ml_dsa = |algorithm| Pair::MlDsa(PqdsaKeyPair::generate(algorithm).expect("an ML-DSA key"));
        let (pair, algorithm) = match key_type {
            KeyType::Rsa(bits) => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => panic!("no RSA keys of {bits} bits"),
                };
                let pair = RsaKeyPair::generate(size).expect("an RSA key");
                (Pair::Rsa(Box::new(pair), &signature::RSA_PKCS1_SHA256), alg_id::RSA_PKCS1_SHA256)
            }
            KeyType::EcdsaP256 => (ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING), alg_id::ECDSA_SHA256),
            KeyType::EcdsaP384 => (ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING), alg_id::ECDSA_SHA384),
            KeyType::EcdsaP521 => (ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING), alg_id::ECDSA_SHA512),
            KeyType::Ed25519 => (Pair::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key")), alg_id::ED25519),
            KeyType::MlDsa44 => (ml_dsa(&signature::ML_DSA_44_SIGNING), alg_id::ML_DSA_44),
            KeyType::MlDsa65 => (ml_dsa(&signature::ML_DSA_65_SIGNING), alg_id::ML_DSA_65),
            KeyType::MlDsa87 => (ml_dsa(&signature::ML_DSA_87_SIGNING), alg_id::ML_DSA_87),
            other => panic!("no keys of type {other}"),
        };
        Self::of(pair, algorithm.as_ref())
    }

    /// A P-256 key: the quickest to make.
    #[must_use]
    pub fn p256() -> Self {
        Self::generate(KeyType::EcdsaP256)
    }

    /// Reads a P-256 key from PKCS #8, for what has to be the same every time.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn p256_from_pkcs8(pkcs8: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).expect("a P-256 key");
        Self::of(Pair::Ecdsa(pair), alg_id::ECDSA_SHA256.as_ref())
    }

    /// Makes an RSA key sign with PSS and a hash of 256, 384 or 512 bits.
    ///
    /// # Panics
    /// When it is no RSA key, or there is no such hash.
    #[must_use]
    pub fn with_pss(self, hash_bits: u16) -> Self {
        let Pair::Rsa(pair, _) = self.pair else { panic!("an RSA key") };
        let (padding, algorithm): (&'static dyn signature::RsaEncoding, _) = match hash_bits {
            256 => (&signature::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA256),
            384 => (&signature::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA384),
            512 => (&signature::RSA_PSS_SHA512, alg_id::RSA_PSS_SHA512),
            _ => panic!("no PSS with a hash of {hash_bits} bits"),
        };
        Self::of(Pair::Rsa(pair, padding), algorithm.as_ref())
    }

    fn of(pair: Pair, algorithm: &[u8]) -> Self {
        let public_key: PublicKeyX509Der<'_> = match &pair {
            Pair::Rsa(pair, _) => pair.public_key().as_der(),
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::MlDsa(pair) => pair.public_key().as_der(),
        }
        .expect("a public key can be encoded");
        let public_key = SubjectPublicKeyInfo::parse(public_key.as_ref()).expect("a key that was just made");
        Self { pair, public_key, signature_algorithm: der::sequence(&[algorithm]) }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.public_key
    }

    /// The AlgorithmIdentifier of its signatures, DER.
    #[must_use]
    pub fn signature_algorithm(&self) -> &[u8] {
        &self.signature_algorithm
    }

    /// Signs `message`.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, message, &mut signature).expect("an RSA signature");
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).expect("an ECDSA signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).expect("an ML-DSA signature");
                signature
            }
        }
    }

    /// The private key of an ECDSA key, PKCS #8 in PEM.
    ///
    /// # Panics
    /// When it is another kind of key: nothing needs one in a file yet.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let Pair::Ecdsa(pair) = &self.pair else { panic!("only ECDSA keys go into files") };
        let pkcs8 = pair.to_pkcs8v1().expect("a private key can be encoded");
        est_core::pkix::pem::encode("PRIVATE KEY", pkcs8.as_ref())
    }

    /// A certification request as our own client makes it: RFC 4514 text, and names like `DNS:a.example`.
    #[must_use]
    pub fn csr(&self, subject: &str, names: &[&str]) -> Vec<u8> {
        let template = CsrTemplate {
            subject: name(subject),
            subject_alt_name: general_names(names),
            public_key: self.public_key.clone(),
            challenge_password: None,
            extensions: Vec::new(),
        };
        self.signed(template.to_be_signed())
    }

    /// A certification request with these extensions in its extensionRequest, DER each.
    #[must_use]
    pub fn csr_with_extensions(&self, subject: &str, extensions: &[&[u8]]) -> Vec<u8> {
        let request = der::attribute(oid::EXTENSION_REQUEST.as_der(), &[&der::sequence(extensions)]);
        self.csr_with_attributes(name(subject).as_der(), &[&request])
    }

    /// A certification request of version 0 with any subject and attributes, DER each.
    #[must_use]
    pub fn csr_with_attributes(&self, subject: &[u8], attributes: &[&[u8]]) -> Vec<u8> {
        let attributes = der::value(0xa0, attributes);
        self.signed(der::sequence(&[b"\x02\x01\x00", subject, self.public_key.as_der(), &attributes]))
    }

    /// Signs whatever it is and puts it together: a certification request or a certificate.
    #[must_use]
    pub fn signed(&self, to_be_signed: Vec<u8>) -> Vec<u8> {
        let signature = self.sign(&to_be_signed);
        assemble_csr(to_be_signed, &self.signature_algorithm, &signature)
    }
}

/// The name with this RFC 4514 text.
///
/// # Panics
/// When the text is no name.
#[must_use]
pub fn name(text: &str) -> Name {
    Name::from_text(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A subjectAltName of `DNS:a.example`, `IP:192.0.2.1` and the like; `None` when there are none.
///
/// # Panics
/// When one is no name.
#[must_use]
pub fn general_names(texts: &[&str]) -> Option<GeneralNames> {
    let read = |text: &&str| GeneralName::from_text(text).unwrap_or_else(|| panic!("{text} is no name"));
    GeneralNames::from_names(&texts.iter().map(read).collect::<Vec<_>>())
}

/// Reads a certification request that is expected to be sound.
///
/// # Panics
/// When it is not.
#[must_use]
pub fn parse_csr(der: &[u8]) -> Csr {
    Csr::parse(der, ALGORITHMS).unwrap_or_else(|error| panic!("{error}"))
}

/// A self-signed CA.
#[derive(Debug)]
pub struct TestCa {
    /// Its key.
    pub key: Key,
    /// What a site needs to know of it.
    pub ca: Arc<Ca>,
}

impl TestCa {
    /// Makes a P-256 CA, valid from a year before [`NOW`] to ten years after it.
    #[must_use]
    pub fn new() -> Self {
        Self::with_key(Key::p256(), NOW + Seconds::from_days(3650))
    }

    /// Makes a CA with this key, valid from a year before [`NOW`] to `not_after`.
    ///
    /// # Panics
    /// When the certificate cannot be read back.
    #[must_use]
    pub fn with_key(key: Key, not_after: UnixTime) -> Self {
        Self::make(key, &name("CN=Test CA,O=Example"), None, not_after)
    }

    /// Makes a P-256 CA with this name.
    ///
    /// # Panics
    /// When the text is no name.
    #[must_use]
    pub fn named(subject: &str) -> Self {
        Self::make(Key::p256(), &name(subject), None, NOW + Seconds::from_days(3650))
    }

    /// Makes a CA with this name and key that this one has certified.
    ///
    /// # Panics
    /// When the text is no name.
    #[must_use]
    pub fn certifies(&self, subject: &str, key: Key) -> Self {
        Self::make(key, &name(subject), Some(self), NOW + Seconds::from_days(3650))
    }

    fn make(key: Key, subject: &Name, above: Option<&Self>, not_after: UnixTime) -> Self {
        let (issuer, issuer_key) = above.map_or((subject, &key), |ca| (ca.certificate().subject(), &ca.key));
        let usage = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN).with(KeyUsage::DIGITAL_SIGNATURE);
        let extensions = [
            Extension::certificate_authority(),
            Extension::key_usage(usage),
            Extension::subject_key_identifier(&key.public_key().key_identifier()),
        ];
        let to_be_signed = TbsCertificate {
            serial: serial(1),
            signature_algorithm: issuer_key.signature_algorithm(),
            issuer,
            subject,
            not_before: UnixTime(NOW.0 - Seconds::from_days(365).0),
            not_after,
            public_key: key.public_key().as_der(),
            extensions: &extensions,
        };
        let certificate = issuer_key.signed(to_be_signed.to_der());
        let certificate = Certificate::parse(&certificate).expect("a certificate that was just made");
        Self { key, ca: Arc::new(Ca { id: "test".into(), certificate, chain: Vec::new(), rollover: Vec::new() }) }
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.ca.certificate
    }

    /// Issues what `plan` says, DER.
    #[must_use]
    pub fn issue(&self, plan: &Plan, serial: Serial) -> Vec<u8> {
        let to_be_signed = plan.to_be_signed(self.certificate(), serial, self.key.signature_algorithm());
        let signature = self.key.sign(&to_be_signed);
        assemble_certificate(to_be_signed, self.key.signature_algorithm(), &signature)
    }

    /// A certificate of this CA for a device, which thereby becomes a principal that can enroll and renew.
    ///
    /// # Panics
    /// When the names are none.
    #[must_use]
    pub fn device(&self, key: &Key, subject: &str, names: &[&str]) -> Arc<Certificate> {
        let mut extensions = vec![Extension::end_entity()];
        if let Some(names) = general_names(names) {
            let critical = name(subject).is_empty();
            extensions.push(Extension { id: oid::SUBJECT_ALT_NAME, critical, value: names.as_der().to_vec() });
        }
        let plan = Plan {
            profile: "device".into(),
            subject: name(subject),
            public_key: key.public_key().clone(),
            extensions,
            not_before: NOW,
            not_after: NOW + Seconds::from_days(30),
            clamped_from: None,
            dropped: Vec::new(),
            ra: None,
        };
        Arc::new(Certificate::parse(&self.issue(&plan, serial(2))).expect("a certificate that was just made"))
    }

    /// A label of this CA with [`profile`].
    #[must_use]
    pub fn label(&self, name: Option<&str>) -> Label {
        let name = name.map(Into::into);
        Label::new(name, self.ca.clone(), profile(), Approval::Automatic, NameBinding::Own, &[oid::CHALLENGE_PASSWORD])
    }

    /// A site whose default label and whose label `devices` are this CA's.
    #[must_use]
    pub fn site(&self) -> Site {
        Site {
            base_path: "/.well-known/est".into(),
            default_label: Some(Arc::new(self.label(None))),
            labels: BTreeMap::from([("devices".into(), Arc::new(self.label(Some("devices"))))]),
            operations: Operations::ALL,
            algorithms: ALGORITHMS,
            strict_encoding: false,
            csrattrs_auth: false,
            key_blocklists: Vec::new(),
            base64_line_length: None,
            retry_after: Seconds(60),
            replay_window: Seconds(3600),
            offers_basic: true,
        }
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

/// A profile that takes every key and gives 90 days of clientAuth and serverAuth.
#[must_use]
pub fn profile() -> Profile {
    Profile {
        ext_key_usage: vec![oid::CLIENT_AUTH, oid::SERVER_AUTH],
        validity: Seconds::from_days(90),
        max_validity: Seconds::from_days(365),
        ..Profile::new("default")
    }
}

/// Randomness that is not random: every octet is `octet`.
#[must_use]
pub fn entropy(octet: u8) -> Entropy {
    Entropy([octet; 32])
}

/// The serial number that [`entropy`] makes.
#[must_use]
pub fn serial(octet: u8) -> Serial {
    Serial::from_entropy(&entropy(octet))
}

/// A principal with a one-time password that is good until an hour after [`NOW`].
#[must_use]
pub fn password_holder(id: &str) -> Principal {
    Principal::OneTimePassword {
        id: id.into(),
        entity: None,
        expires: NOW + Seconds(3600),
        label: None,
        allowance: Arc::default(),
    }
}
