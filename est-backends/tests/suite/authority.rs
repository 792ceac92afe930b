//! The certificates of a first run.

use est_backends::authority::{
    ServerCertificate, SubordinateCa, Validity, local_names, server_certificate, subordinate_ca,
};
use est_backends::{FileSigner, Signer};
use est_core::pkix::{Certificate, GeneralName, GeneralNames, KeyType, Name, pem};
use est_core::{Seconds, UnixTime};
use est_testkit::peers::OpenSsl;

use crate::pki::{NOW, root, serial};

#[tokio::test]
async fn makes_a_ca_and_a_server_certificate_that_openssl_accepts() {
    let Some(openssl) = OpenSsl::find() else { return };
    let (ca_signer, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let (server, _) = FileSigner::generate(KeyType::EcdsaP256).unwrap();
    let ca = root("root", &ca_signer).await;
    let names = local_names();
    let wanted = ServerCertificate {
        names: &names,
        public_key: server.public_key(),
        validity: Validity { not_before: NOW, span: Seconds::from_days(90) },
        serial: serial(7),
    };
    let certificate = server_certificate(&ca.certificate, &ca_signer, &wanted).await.unwrap();
    openssl.write("ca.pem", pem::encode("CERTIFICATE", ca.certificate.as_der()));
    openssl.write("server.pem", pem::encode("CERTIFICATE", &certificate));
    let verify = format!("verify -attime {} -x509_strict -purpose sslserver -CAfile ca.pem", NOW.0);
    openssl.run(&format!("{verify} -verify_hostname localhost server.pem"));
    openssl.run(&format!("{verify} -verify_ip 127.0.0.1 server.pem"));
    openssl.run(&format!("{verify} -verify_ip ::1 server.pem"));
    assert!(openssl.try_run(&format!("{verify} -verify_hostname elsewhere server.pem")).is_err());

    let text = openssl.run("x509 -in server.pem -noout -text");
    for line in ["Subject: CN = localhost", "TLS Web Server Authentication, CMC Registration Authority", "CA:FALSE"] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let text = openssl.run("x509 -in ca.pem -noout -text");
    for line in ["X509v3 Basic Constraints: critical\n                CA:TRUE", "Certificate Sign, CRL Sign"] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn ends_with_its_last_second_and_never_after_the_ca() {
    let (ca_signer, _) = FileSigner::generate(KeyType::Ed25519).unwrap();
    let ca = root("root", &ca_signer).await;
    assert_eq!(ca.certificate.not_after(), UnixTime(NOW.0 + 3650 * 86_400 - 1));
    let names = GeneralNames::from_names(&[GeneralName::from_text("192.0.2.1").unwrap()]).unwrap();
    for (days, expected) in [(1, UnixTime(NOW.0 + 86_399)), (40_000, ca.certificate.not_after())] {
        let wanted = ServerCertificate {
            names: &names,
            public_key: ca_signer.public_key(),
            validity: Validity { not_before: NOW, span: Seconds::from_days(days) },
            serial: serial(7),
        };
        let der = server_certificate(&ca.certificate, &ca_signer, &wanted).await.unwrap();
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.not_after(), expected);
        assert!(certificate.subject().is_empty());
    }
}

#[tokio::test]
async fn makes_nothing_with_somebody_elses_key() {
    let (ca_signer, _) = FileSigner::generate(KeyType::Ed25519).unwrap();
    let (other, _) = FileSigner::generate(KeyType::Ed25519).unwrap();
    let ca = root("root", &ca_signer).await;
    let names = local_names();
    let wanted = ServerCertificate {
        names: &names,
        public_key: other.public_key(),
        validity: Validity { not_before: NOW, span: Seconds::from_days(1) },
        serial: serial(7),
    };
    assert!(server_certificate(&ca.certificate, &other, &wanted).await.is_err());
}

#[tokio::test]
async fn certifies_a_ca_below_another_one_which_may_issue_to_end_entities_alone() {
    let Some(openssl) = OpenSsl::find() else {
        return;
    };
    let generate = || FileSigner::generate(KeyType::EcdsaP256).unwrap().0;
    let (top_signer, below_signer, bottom_signer) = (generate(), generate(), generate());
    let top = root("top", &top_signer).await;
    let names = ["CN=below", "CN=bottom"].map(|name| Name::from_text(name).unwrap());
    let wanted = |subject, public_key| SubordinateCa {
        subject,
        public_key,
        validity: Validity { not_before: NOW, span: Seconds::from_days(40_000) },
        serial: serial(9),
        path_length: 0,
        crl_urls: &[],
    };
    let der =
        subordinate_ca(&top.certificate, &top_signer, &wanted(&names[0], below_signer.public_key())).await.unwrap();
    let below = Certificate::parse(&der).unwrap();
    assert_eq!(below.not_after(), top.certificate.not_after());
    let der = subordinate_ca(&below, &below_signer, &wanted(&names[1], bottom_signer.public_key())).await.unwrap();
    let bottom = Certificate::parse(&der).unwrap();
    let server_names = local_names();
    let leaf = ServerCertificate {
        names: &server_names,
        public_key: top_signer.public_key(),
        validity: Validity { not_before: NOW, span: Seconds::from_days(90) },
        serial: serial(7),
    };
    let of_below = server_certificate(&below, &below_signer, &leaf).await.unwrap();
    let of_bottom = server_certificate(&bottom, &bottom_signer, &leaf).await.unwrap();
    let pem = |der: &[u8]| pem::encode("CERTIFICATE", der);
    openssl.write("top.pem", pem(top.certificate.as_der()));
    openssl.write("below.pem", pem(below.as_der()));
    openssl.write("both.pem", pem(below.as_der()) + &pem(bottom.as_der()));
    openssl.write("of-below.pem", pem(&of_below));
    openssl.write("of-bottom.pem", pem(&of_bottom));
    let verify = format!("verify -attime {} -x509_strict -CAfile top.pem", NOW.0);
    openssl.run(&format!("{verify} -untrusted below.pem of-below.pem"));
    let refused = openssl.try_run(&format!("{verify} -untrusted both.pem of-bottom.pem")).unwrap_err();
    assert!(refused.contains("path length constraint exceeded"), "{refused}");

    for (subject, key) in [(top.certificate.subject(), below_signer.public_key()), (&names[0], top_signer.public_key())]
    {
        assert!(subordinate_ca(&top.certificate, &top_signer, &wanted(subject, key)).await.is_err());
    }
    let strangers = wanted(&names[1], bottom_signer.public_key());
    assert!(subordinate_ca(&top.certificate, &below_signer, &strangers).await.is_err());
}
