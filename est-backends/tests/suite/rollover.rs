//! Roots that get another key.

use std::sync::Arc;

use est_auth::{PathValidator, Purpose};
use est_backends::authority::{NewRoot, Rollover, RolloverError, Validity, roll_over};
use est_backends::{FileSigner, Signer, algorithms};
use est_core::pkix::{
    Certificate, CsrTemplate, Extension, KeyType, KeyUsage, Name, TbsCertificate, assemble_certificate, assemble_csr,
    oid, pem,
};
use est_core::{Ca, Seconds, UnixTime};
use est_testkit::peers::OpenSsl;

use crate::pki::{NOW, issue, local_ca, order_at, root, serial};

/// The time of the rollover: a month into the life of the old root, which has ten years.
const LATER: UnixTime = UnixTime(NOW.0 + 30 * 86_400);

/// Old and new key types.
const CHANGES: [(KeyType, KeyType); 6] = [
    (KeyType::EcdsaP256, KeyType::EcdsaP256),
    (KeyType::EcdsaP256, KeyType::EcdsaP384),
    (KeyType::Rsa(2048), KeyType::EcdsaP256),
    (KeyType::Rsa(2048), KeyType::Ed25519),
    (KeyType::EcdsaP256, KeyType::MlDsa65),
    (KeyType::MlDsa44, KeyType::MlDsa87),
];

fn wanted(days: u32) -> NewRoot {
    let validity = Validity { not_before: LATER, span: Seconds::from_days(days) };
    NewRoot { validity, serials: [serial(11), serial(12), serial(13)] }
}

fn parse(der: &[u8]) -> Certificate {
    Certificate::parse(der).unwrap()
}

fn extension<'a>(certificate: &'a Certificate, id: &est_core::pkix::Oid) -> Option<&'a Extension> {
    certificate.extensions().iter().find(|extension| extension.id == *id)
}

/// A root that was rolled over, and a leaf of each key.
struct RolledOver {
    old: Certificate,
    new: Certificate,
    made: Rollover,
    old_leaf: Vec<u8>,
    new_leaf: Vec<u8>,
}

impl RolledOver {
    async fn new(old_type: KeyType, new_type: KeyType) -> Self {
        let (old_signer, new_signer) =
            (FileSigner::generate(old_type).unwrap().0, FileSigner::generate(new_type).unwrap().0);
        let old = root("root", &old_signer).await;
        let made = roll_over(&old.certificate, &old_signer, &new_signer, &wanted(7300)).await.unwrap();
        let new = parse(&made.new_with_new);
        let ca = Ca { id: "root".into(), certificate: new.clone(), chain: Vec::new(), rollover: Vec::new() };
        let (old_leaf, new_leaf) = (leaf(&old, old_signer).await, leaf(&Arc::new(ca), new_signer).await);
        Self { old: old.certificate.clone(), new, made, old_leaf, new_leaf }
    }

    /// What `/cacerts` lists meanwhile. Those that signed themselves come last: openssl takes the first certificate of
    /// the issuer's name and key for the issuer's, and goes no way but one.
    fn cacerts(&self) -> [&[u8]; 4] {
        [&self.made.old_with_new, &self.made.new_with_old, &self.made.new_with_new, self.old.as_der()]
    }
}

/// A certificate for a device, by this CA.
async fn leaf(ca: &Arc<Ca>, signer: FileSigner) -> Vec<u8> {
    let (device, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let template = CsrTemplate {
        subject: Name::from_text("CN=device").unwrap(),
        subject_alt_name: None,
        public_key: device.public_key().clone(),
        challenge_password: None,
        extensions: Vec::new(),
    };
    let to_be_signed = template.to_be_signed();
    let signature = device.sign(&to_be_signed).await.unwrap();
    let csr = assemble_csr(to_be_signed, device.signature_algorithm(), &signature);
    issue(&local_ca(ca, signer), &order_at(ca, &csr, LATER)).await.unwrap()
}

/// Whether a client that trusts `root` alone, and knows `others`, accepts the leaf.
fn webpki_accepts(root: &Certificate, others: &[&[u8]], leaf: &[u8]) -> bool {
    let validator = PathValidator::new(&[root.as_der()], others, Purpose::ClientAuth).unwrap();
    validator.validate(&[leaf.to_vec()], LATER).is_ok()
}

#[tokio::test]
async fn who_trusts_one_root_verifies_the_leaves_of_the_other() {
    for (old_type, new_type) in CHANGES {
        let it = RolledOver::new(old_type, new_type).await;
        for (root, leaf) in [(&it.old, &it.new_leaf), (&it.new, &it.old_leaf)] {
            assert!(webpki_accepts(root, &it.cacerts(), leaf), "{old_type} to {new_type}");
            assert!(!webpki_accepts(root, &[], leaf), "{old_type} to {new_type}: by the certificates between them");
        }
        assert!(webpki_accepts(&it.old, &[&it.made.new_with_old], &it.new_leaf));
        assert!(!webpki_accepts(&it.old, &[&it.made.old_with_new], &it.new_leaf));
        assert!(webpki_accepts(&it.new, &[&it.made.old_with_new], &it.old_leaf));
        assert!(!webpki_accepts(&it.new, &[&it.made.new_with_old], &it.old_leaf));
    }
}

#[tokio::test]
async fn openssl_verifies_the_leaves_of_one_root_from_the_other() {
    let Some(openssl) = OpenSsl::find() else { return };
    let knows_ml_dsa = openssl.run("list -public-key-algorithms").to_ascii_uppercase().contains("ML-DSA");
    for (old_type, new_type) in CHANGES {
        let is_ml_dsa = |key_type| matches!(key_type, KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87);
        if !knows_ml_dsa && (is_ml_dsa(old_type) || is_ml_dsa(new_type)) {
            eprintln!("skipped: openssl verifies {old_type} to {new_type} (this one, before 3.5, has no ML-DSA)");
            continue;
        }
        let it = RolledOver::new(old_type, new_type).await;
        let pem = |der: &[u8]| pem::encode("CERTIFICATE", der);
        for (name, der) in
            [("old", it.old.as_der()), ("new", it.new.as_der()), ("old-leaf", &it.old_leaf), ("new-leaf", &it.new_leaf)]
        {
            openssl.write(format!("{name}.pem"), pem(der));
        }
        openssl.write("cacerts.pem", it.cacerts().map(pem).concat());
        let verify = format!("verify -attime {} -x509_strict -purpose sslclient", LATER.0);
        openssl.run(&format!("{verify} -trusted old.pem -untrusted cacerts.pem new-leaf.pem"));
        openssl.run(&format!("{verify} -trusted new.pem -untrusted cacerts.pem old-leaf.pem"));
        assert!(openssl.try_run(&format!("{verify} -trusted old.pem new-leaf.pem")).is_err());
        assert!(openssl.try_run(&format!("{verify} -trusted new.pem old-leaf.pem")).is_err());
    }
}

#[tokio::test]
async fn all_three_are_ca_certificates_of_the_old_name() {
    let it = RolledOver::new(KeyType::Rsa(2048), KeyType::EcdsaP384).await;
    let (old_key, new_key) = (it.old.public_key_der(), it.new.public_key_der());
    let (old_identifier, new_identifier) = (it.old.subject_key_identifier(), it.new.subject_key_identifier());
    assert_ne!(old_identifier, new_identifier);
    let authority = |identifier: &Option<Vec<u8>>| Extension::authority_key_identifier(identifier.as_ref().unwrap());
    for (der, key, identifier, signed_by) in [
        (&it.made.new_with_new, new_key, &new_identifier, &new_identifier),
        (&it.made.old_with_new, old_key, &old_identifier, &new_identifier),
        (&it.made.new_with_old, new_key, &new_identifier, &old_identifier),
    ] {
        let made = parse(der);
        assert_eq!((made.subject(), made.issuer()), (it.old.subject(), it.old.subject()));
        assert_eq!((made.public_key_der(), &made.subject_key_identifier()), (key, identifier));
        assert_eq!(extension(&made, &oid::BASIC_CONSTRAINTS), Some(&Extension::certificate_authority()));
        let usage = Extension::key_usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN));
        assert_eq!(extension(&made, &oid::KEY_USAGE), Some(&usage));
        assert_eq!(extension(&made, &oid::AUTHORITY_KEY_IDENTIFIER), Some(&authority(signed_by)));
        let (by_old, by_new) = (made.is_issued_by(&it.old, algorithms()), made.is_issued_by(&it.new, algorithms()));
        assert_eq!((by_old, by_new), if *signed_by == old_identifier { (true, false) } else { (false, true) });
    }
}

#[tokio::test]
async fn each_is_valid_as_long_as_its_key_and_its_issuer() {
    let (old_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let (new_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let old = root("root", &old_signer).await.certificate.clone();
    let times = |der: &[u8]| (parse(der).not_before(), parse(der).not_after());
    for days in [7300, 90] {
        let made = roll_over(&old, &old_signer, &new_signer, &wanted(days)).await.unwrap();
        let end = UnixTime(LATER.0 + u64::from(days) * 86_400 - 1);
        assert_eq!(times(&made.new_with_new), (LATER, end));
        assert_eq!(times(&made.old_with_new), (old.not_before(), old.not_after().min(end)));
        assert_eq!(times(&made.new_with_old), (LATER, old.not_after().min(end)));
    }
}

/// A root that signed itself with these extensions.
async fn root_with(signer: &FileSigner, extensions: &[Extension]) -> Certificate {
    let subject = Name::from_text("CN=root").unwrap();
    let to_be_signed = TbsCertificate {
        serial: serial(1),
        signature_algorithm: signer.signature_algorithm(),
        issuer: &subject,
        subject: &subject,
        not_before: NOW,
        not_after: NOW + Seconds::from_days(3650),
        public_key: signer.public_key().as_der(),
        extensions,
    }
    .to_der();
    let signature = signer.sign(&to_be_signed).await.unwrap();
    parse(&assemble_certificate(to_be_signed, signer.signature_algorithm(), &signature))
}

#[tokio::test]
async fn what_the_old_root_says_of_itself_goes_over_and_what_is_wrong_with_it_does_not() {
    let (old_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let (new_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    // A path length of 1, not critical; digitalSignature alone; permitted: .example; where its revocation list is.
    let path_length = b"\x30\x06\x01\x01\xff\x02\x01\x01".to_vec();
    let permitted = b"\x30\x0d\xa0\x0b\x30\x09\x82\x07example".to_vec();
    let extension_of = |dotted: &str, critical, value: &[u8]| Extension {
        id: est_core::pkix::Oid::from_dotted(dotted).unwrap(),
        critical,
        value: value.to_vec(),
    };
    let constraints = extension_of("2.5.29.30", true, &permitted);
    let extensions = [
        extension_of("2.5.29.19", false, &path_length),
        Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE),
        constraints.clone(),
        extension_of("2.5.29.31", false, b"\x30\x00"),
        Extension::authority_key_identifier(b"who it was"),
    ];
    let old = root_with(&old_signer, &extensions).await;
    let made = roll_over(&old, &old_signer, &new_signer, &wanted(7300)).await.unwrap();
    for der in [&made.new_with_new, &made.old_with_new, &made.new_with_old] {
        let made = parse(der);
        let expected = extension_of("2.5.29.19", true, &path_length);
        assert_eq!(extension(&made, &oid::BASIC_CONSTRAINTS), Some(&expected));
        let usage = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_CERT_SIGN).with(KeyUsage::CRL_SIGN);
        assert_eq!(extension(&made, &oid::KEY_USAGE), Some(&Extension::key_usage(usage)));
        assert_eq!(extension(&made, &constraints.id), Some(&constraints));
        assert_eq!(extension(&made, &extensions[3].id), None);
    }
    let old_identifier = old_signer.public_key().key_identifier();
    assert_eq!(parse(&made.old_with_new).subject_key_identifier().as_deref(), Some(&old_identifier[..]));
}

#[tokio::test]
async fn rolls_over_only_a_root_in_its_time_with_its_own_key_to_another_one() {
    let (old_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let (new_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let old = root("root", &old_signer).await.certificate.clone();
    let made = roll_over(&old, &old_signer, &new_signer, &wanted(7300)).await.unwrap();

    let other = roll_over(&old, &new_signer, &old_signer, &wanted(7300)).await;
    assert!(matches!(other, Err(RolloverError::OtherKey)), "{other:?}");
    let same = roll_over(&old, &old_signer, &old_signer, &wanted(7300)).await;
    assert!(matches!(same, Err(RolloverError::SameKey)), "{same:?}");
    // Of the same name as its issuer, and yet not signed by itself.
    let cross = roll_over(&parse(&made.old_with_new), &old_signer, &new_signer, &wanted(7300)).await;
    assert!(matches!(cross, Err(RolloverError::NotSelfSigned { .. })), "{cross:?}");
    let late = Validity { not_before: old.not_after() + Seconds(1), span: Seconds::from_days(1) };
    let ended = roll_over(&old, &old_signer, &new_signer, &NewRoot { validity: late, ..wanted(1) }).await;
    assert!(matches!(ended, Err(RolloverError::Ended { .. })), "{ended:?}");
}
