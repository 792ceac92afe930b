//! What the examples share: a key, the certificate of a CA, and a site of one unlabelled path.
//!
//! Each example shows one thing: `cargo run -p examples --example step_by_step`.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use est_core::pkix::{
    Certificate, Extension, KeyUsage, Name, SubjectPublicKeyInfo, TbsCertificate, assemble_certificate, oid,
};
use est_core::policy::{NameRules, Profile};
use est_core::{Approval, Ca, Entropy, Label, NameBinding, Operations, Seconds, Serial, Site, UnixTime};
use pki_types::alg_id;

/// One unlabelled path that issues certificates for 90 days.
#[must_use]
pub fn site(ca: &Arc<Ca>) -> Site {
    let profile = Profile {
        names: NameRules { require_san: true, ..NameRules::default() },
        ext_key_usage: vec![oid::CLIENT_AUTH, oid::SERVER_AUTH],
        validity: Seconds::from_days(90),
        max_validity: Seconds::from_days(90),
        ..Profile::new("devices")
    };
    Site {
        base_path: "/.well-known/est".into(),
        default_label: Some(Arc::new(Label::new(
            None,
            ca.clone(),
            profile,
            Approval::Automatic,
            NameBinding::Own,
            &[],
        ))),
        labels: BTreeMap::new(),
        operations: Operations::ALL,
        algorithms: webpki::ALL_VERIFICATION_ALGS,
        strict_encoding: false,
        csrattrs_auth: false,
        key_blocklists: Vec::new(),
        base64_line_length: None,
        retry_after: Seconds(60),
        replay_window: Seconds(3600),
        offers_basic: true,
    }
}

/// Makes the certificate of a CA, valid for ten years.
///
/// # Errors
/// When there is no randomness.
pub fn self_signed(key: &Key, now: UnixTime) -> Result<Certificate, Box<dyn Error>> {
    let subject = Name::from_text("CN=Example CA")?;
    let extensions = [Extension::certificate_authority(), Extension::key_usage(KeyUsage::KEY_CERT_SIGN)];
    let tbs = TbsCertificate {
        serial: Serial::from_entropy(&entropy()?),
        signature_algorithm: &key.algorithm,
        issuer: &subject,
        subject: &subject,
        not_before: now,
        not_after: now + Seconds::from_days(3650),
        public_key: key.public_key.as_der(),
        extensions: &extensions,
    }
    .to_der();
    let signature = key.sign(&tbs)?;
    Ok(Certificate::parse(&assemble_certificate(tbs, &key.algorithm, &signature))?)
}

/// Draws what one exchange needs.
///
/// # Errors
/// When there is none.
pub fn entropy() -> Result<Entropy, Box<dyn Error>> {
    let mut octets = [0; 32];
    fill(&mut octets)?;
    Ok(Entropy(octets))
}

/// A P-256 key, and what its signatures are called.
#[derive(Debug)]
pub struct Key {
    pair: EcdsaKeyPair,
    /// The public half.
    pub public_key: SubjectPublicKeyInfo,
    /// The AlgorithmIdentifier of its signatures, DER.
    pub algorithm: Vec<u8>,
}

impl Key {
    /// Makes a key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate() -> Result<Self, Box<dyn Error>> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let public_key = SubjectPublicKeyInfo::parse(pair.public_key().as_der()?.as_ref())?;
        let name = alg_id::ECDSA_SHA256.as_ref();
        Ok(Self { pair, public_key, algorithm: [&[0x30, name.len() as u8][..], name].concat() })
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(self.pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
    }
}
