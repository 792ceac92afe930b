//! Certificates that a local CA issues, before other eyes.

use std::sync::Arc;

use est_backends::{Cas, FileSigner, LocalCa, LocalCaError, RsaPadding, SignatureCheck, Signer, algorithms};
use est_core::Ca;
use est_core::pkix::{Certificate, KeyType, der, pem};
use est_testkit::peers::OpenSsl;
use x509_cert::der::{Decode, Encode};

use crate::pki::{NOW, issue, local_ca, order, root};

/// A request by openssl; returns its DER.
fn request(openssl: &OpenSsl) -> Vec<u8> {
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf-key.pem");
    openssl.run("req -new -key leaf-key.pem -subj /O=Example/CN=device-1 -addext subjectAltName=DNS:device-1.example -outform DER -out leaf.csr");
    openssl.read("leaf.csr")
}

/// Every signer that openssl 3.0 can verify.
fn signers() -> Vec<FileSigner> {
    let types = [
        KeyType::Rsa(2048),
        KeyType::Rsa(3072),
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::EcdsaP521,
        KeyType::Ed25519,
    ];
    let mut signers: Vec<_> = types.map(|key_type| FileSigner::generate(key_type).unwrap().0).into();
    signers.push(FileSigner::generate(KeyType::Rsa(2048)).unwrap().0.with_rsa_padding(RsaPadding::Pss));
    signers
}

#[tokio::test]
async fn openssl_verifies_what_every_signer_signs() {
    let Some(openssl) = OpenSsl::find() else { return };
    let csr = request(&openssl);
    for signer in signers() {
        let ca = root("root", &signer).await;
        let issued = issue(&local_ca(&ca, signer), &order(&ca, &csr)).await.unwrap();
        openssl.write("ca.pem", pem::encode("CERTIFICATE", ca.certificate.as_der()));
        openssl.write("leaf.pem", pem::encode("CERTIFICATE", &issued));
        let verify = format!("verify -attime {} -x509_strict -check_ss_sig", NOW.0);
        openssl.run(&format!("{verify} -CAfile ca.pem ca.pem"));
        openssl.run(&format!("{verify} -purpose sslclient -CAfile ca.pem leaf.pem"));
        openssl.run(&format!("{verify} -purpose sslserver -verify_hostname device-1.example -CAfile ca.pem leaf.pem"));

        let text = openssl.run("x509 -in leaf.pem -noout -text");
        for line in [
            "Version: 3 (0x2)",
            "Subject: O = Example, CN = device-1",
            "DNS:device-1.example",
            "TLS Web Client Authentication, TLS Web Server Authentication",
            "X509v3 Authority Key Identifier",
            "X509v3 Key Usage: critical",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}

#[tokio::test]
async fn another_parser_reads_the_same_octets_back() {
    let Some(openssl) = OpenSsl::find() else { return };
    let csr = request(&openssl);
    for signer in signers() {
        let ca = root("root", &signer).await;
        let order = order(&ca, &csr);
        let issued = issue(&local_ca(&ca, signer), &order).await.unwrap();
        let parsed = x509_cert::Certificate::from_der(&issued).unwrap();
        assert_eq!(parsed.to_der().unwrap(), issued);
        assert_eq!(parsed.tbs_certificate().serial_number().as_bytes(), order.serial.as_bytes());
        assert_eq!(parsed.tbs_certificate().signature(), parsed.signature_algorithm());
        assert!(order.plan.is_met_by(&Certificate::parse(&issued).unwrap()));
    }
}

#[tokio::test]
async fn signs_with_ml_dsa_exactly_what_stands_in_the_certificate() {
    let Some(openssl) = OpenSsl::find() else { return };
    let csr = request(&openssl);
    for key_type in [KeyType::MlDsa44, KeyType::MlDsa65, KeyType::MlDsa87] {
        let (signer, _) = FileSigner::generate(key_type).unwrap();
        let (public_key, algorithm) = (signer.public_key().clone(), signer.signature_algorithm().to_vec());
        let ca = root("root", &signer).await;
        let issued = issue(&local_ca(&ca, signer), &order(&ca, &csr)).await.unwrap();
        let parsed = x509_cert::Certificate::from_der(&issued).unwrap();
        assert_eq!(parsed.signature_algorithm().to_der().unwrap(), algorithm);
        let known = algorithms().iter().find(|known| known.signature_alg_id().as_ref() == der::contents(&algorithm));
        let signed = parsed.tbs_certificate().to_der().unwrap();
        known.unwrap().verify_signature(public_key.key(), &signed, parsed.signature().raw_bytes()).unwrap();
    }
}

#[tokio::test]
async fn refuses_a_signer_whose_key_is_not_the_certificates() {
    let (signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let (other, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let ca = root("root", &signer).await;
    let error = LocalCa::new(ca, Arc::new(other), SignatureCheck::default()).err().unwrap();
    assert_eq!(error, LocalCaError::OtherKey { ca: "root".into() });
}

#[tokio::test]
async fn refuses_certificates_that_may_not_sign() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm ED25519 -out key.pem");
    for (extensions, expected) in [
        ("-addext basicConstraints=critical,CA:FALSE", LocalCaError::NotACa { ca: "root".into() }),
        ("-addext keyUsage=critical,cRLSign", LocalCaError::KeyUsage { ca: "root".into() }),
    ] {
        openssl.run(&format!("req -x509 -new -key key.pem -subj /CN=root {extensions} -outform DER -out root.der"));
        let certificate = Certificate::parse(&openssl.read("root.der")).unwrap();
        let ca = Arc::new(Ca { id: "root".into(), certificate, chain: Vec::new(), rollover: Vec::new() });
        let signer = Arc::new(FileSigner::from_pem(&openssl.text("key.pem"), None).unwrap());
        assert_eq!(LocalCa::new(ca, signer, SignatureCheck::default()).err(), Some(expected));
    }
}

#[tokio::test]
async fn asks_the_ca_that_an_order_is_for() {
    let Some(openssl) = OpenSsl::find() else { return };
    let csr = request(&openssl);
    let (first_signer, second_signer) =
        (FileSigner::generate(KeyType::EcdsaP256).unwrap().0, FileSigner::generate(KeyType::Ed25519).unwrap().0);
    let (first, second) = (root("first", &first_signer).await, root("second", &second_signer).await);
    let third = root("third", &second_signer).await;
    let first_ca = Arc::new(local_ca(&first, first_signer));
    let cas = Cas::new().with("first", first_ca.clone()).with("second", Arc::new(local_ca(&second, second_signer)));
    for ca in [&first, &second] {
        let issued = issue(&cas, &order(ca, &csr)).await.unwrap();
        assert_eq!(Certificate::parse(&issued).unwrap().issuer(), ca.certificate.subject());
    }
    assert!(issue(&cas, &order(&third, &csr)).await.unwrap_err().to_string().contains("third"));
    assert!(issue(&*first_ca, &order(&second, &csr)).await.is_err());
}
