//! CRLs of every kind of key, before others' eyes.

use std::sync::Arc;

use est_auth::{Crl, PathValidator, Purpose, RevocationPolicy, RevocationStatus};
use est_backends::{CertList, CrlSigner, FileSigner, LocalCa, LocalCaError, RsaPadding, SignatureCheck, Signer};
use est_core::pkix::{
    Certificate, CrlHead, Extension, KeyType, KeyUsage, RevocationReason, RevokedCertificate, TbsCertificate,
    assemble_certificate, pem,
};
use est_core::{Ca, Doubt, Order, Seconds};
use est_testkit::peers::OpenSsl;
use est_testkit::pki::Key;

use crate::pki::{NOW, issue, order, root, serial};

const WEEK: Seconds = Seconds::from_days(7);

const KEY_TYPES: [KeyType; 8] = [
    KeyType::Rsa(2048),
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::EcdsaP521,
    KeyType::Ed25519,
    KeyType::MlDsa44,
    KeyType::MlDsa65,
    KeyType::MlDsa87,
];

/// A signer of each kind.
fn signers() -> impl Iterator<Item = Arc<FileSigner>> {
    let generate = |key_type| FileSigner::generate(key_type).unwrap().0;
    let pss = generate(KeyType::Rsa(2048)).with_rsa_padding(RsaPadding::Pss);
    KEY_TYPES.into_iter().map(generate).chain([pss]).map(Arc::new)
}

/// So many entries, of all reasons.
fn entries(count: usize) -> Vec<RevokedCertificate> {
    let reasons = RevocationReason::ALL.iter().cycle();
    let entry = |(number, reason): (usize, &RevocationReason)| RevokedCertificate {
        serial: [&[0x40; 16][..], &u32::try_from(number).unwrap().to_be_bytes()].concat(),
        revocation_date: NOW + Seconds(number as u64),
        reason: *reason,
    };
    (0..count).zip(reasons).map(entry).collect()
}

/// A CA, and two certificates that it issued.
struct Issued {
    ca: Arc<Ca>,
    signer: Arc<FileSigner>,
    good: Vec<u8>,
    bad: Vec<u8>,
}

impl Issued {
    async fn by(signer: Arc<FileSigner>) -> Self {
        let ca = root("root", &*signer).await;
        let backend = LocalCa::new(ca.clone(), signer.clone(), SignatureCheck::default()).unwrap();
        let order = |name: &str, first| Order { serial: serial(first), ..order(&ca, &Key::p256().csr(name, &[])) };
        let good = issue(&backend, &order("CN=good", 0x11)).await.unwrap();
        let bad = issue(&backend, &order("CN=bad", 0x22)).await.unwrap();
        Self { ca, signer, good, bad }
    }

    async fn crl(&self, number: u64, revoked: &[RevokedCertificate]) -> Vec<u8> {
        let list = CertList { number, this_update: NOW, next_update: NOW + WEEK, revoked };
        CrlSigner::new(self.ca.clone(), self.signer.clone()).unwrap().sign(&list).await.unwrap()
    }

    /// A CRL with one of the two, and others.
    async fn crl_with_bad(&self) -> Vec<u8> {
        let bad = RevokedCertificate {
            serial: Certificate::parse(&self.bad).unwrap().serial().to_vec(),
            revocation_date: NOW,
            reason: RevocationReason::KeyCompromise,
        };
        self.crl(0x80, &[entries(9), vec![bad]].concat()).await
    }
}

#[tokio::test]
async fn our_own_validator_goes_by_the_crl_of_every_kind_of_key() {
    for signer in signers() {
        let issued = Issued::by(signer).await;
        let validate = |crl: &[u8], certificate: &[u8]| {
            let anchors = [issued.ca.certificate.as_der().to_vec()];
            let validator = PathValidator::new(&anchors, &anchors[..0], Purpose::ClientAuth).unwrap();
            let validator = validator.with_crls(Crl::read_all(crl).unwrap(), RevocationPolicy::Hard);
            validator.validate(&[certificate.to_vec()], NOW).map(|validated| validated.revocation)
        };
        let empty = issued.crl(1, &[]).await;
        assert_eq!(validate(&empty, &issued.bad), Ok(RevocationStatus::Good));
        let crl = issued.crl_with_bad().await;
        assert_eq!(validate(&crl, &issued.good), Ok(RevocationStatus::Good));
        assert_eq!(validate(&crl, &issued.bad), Err(Doubt::CertificateRevoked));
    }
}

#[tokio::test]
async fn openssl_goes_by_the_crl_of_every_kind_of_key_that_it_knows() {
    let Some(openssl) = OpenSsl::find() else { return };
    for signer in signers() {
        if matches!(signer.public_key().key_type(), KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87) {
            continue;
        }
        let issued = Issued::by(signer).await;
        for (name, der) in
            [("ca.pem", issued.ca.certificate.as_der()), ("good.pem", &issued.good), ("bad.pem", &issued.bad)]
        {
            openssl.write(name, pem::encode("CERTIFICATE", der));
        }
        let crl = issued.crl_with_bad().await;
        openssl.write("crl.der", &crl);
        openssl.write("crl.pem", pem::encode("X509 CRL", &crl));

        let said = openssl.run("crl -inform DER -in crl.der -CAfile ca.pem -verify -noout -text");
        assert!(said.contains("verify OK"), "{said}");
        assert!(said.contains("X509v3 CRL Number: \n                128"), "{said}");
        assert_eq!(said.matches("Serial Number: ").count(), 10);
        assert_eq!(said.matches("X509v3 CRL Reason Code").count(), 9, "unspecified is left out: {said}");

        let verify = format!("verify -attime {} -crl_check -CRLfile crl.pem -CAfile ca.pem", NOW.0);
        assert!(openssl.run(&format!("{verify} good.pem")).contains("good.pem: OK"));
        let refused = openssl.try_run(&format!("{verify} bad.pem")).unwrap_err();
        assert!(refused.contains("certificate revoked"), "{refused}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_one_crl() {
    let issued = Issued::by(signers().nth(1).unwrap()).await;
    let der = issued.crl(u64::MAX, &entries(100_000)).await;
    assert_eq!(CrlHead::parse(&der).unwrap().next_update(), NOW + WEEK);
    assert_eq!(Crl::read_all(&der).unwrap().len(), 1);
}

#[tokio::test]
async fn signs_no_crl_that_nobody_would_believe() {
    let (signer, other) = (FileSigner::generate(KeyType::EcdsaP256).unwrap().0, signers().nth(1).unwrap());
    let ca = root("root", &signer).await;
    let refused = CrlSigner::new(ca.clone(), other).unwrap_err();
    assert_eq!(refused, LocalCaError::OtherKey { ca: "root".into() });

    let without_crl_sign = TbsCertificate {
        serial: serial(1),
        signature_algorithm: signer.signature_algorithm(),
        issuer: ca.certificate.subject(),
        subject: ca.certificate.subject(),
        not_before: NOW,
        not_after: NOW + WEEK,
        public_key: signer.public_key().as_der(),
        extensions: &[Extension::certificate_authority(), Extension::key_usage(KeyUsage::KEY_CERT_SIGN)],
    }
    .to_der();
    let signature = signer.sign(&without_crl_sign).await.unwrap();
    let der = assemble_certificate(without_crl_sign, signer.signature_algorithm(), &signature);
    let ca = Ca { certificate: Certificate::parse(&der).unwrap(), ..(*ca).clone() };
    let refused = CrlSigner::new(Arc::new(ca), Arc::new(signer)).unwrap_err();
    assert_eq!(refused.to_string(), "the certificate of CA `root` may not sign CRLs: its keyUsage lacks cRLSign");
}
