//! Certification requests: the reader, the policy behind it, and the certificate that comes of it.

use std::sync::LazyLock;

use est_core::Label;
use est_core::pkix::{Certificate, Csr, der, oid};
use est_core::policy::decide;
use est_testkit::pki::{ALGORITHMS, NOW, TestCa, password_holder, serial};
use est_testkit::trusting::TRUSTING;
use x509_cert::der::{Decode, Encode};
use x509_cert::request::CertReq;

use crate::mutation::with_sorted_sets;
use crate::oracle;

static CA: LazyLock<(TestCa, Label)> = LazyLock::new(|| {
    let ca = TestCa::new();
    let label = ca.label(None);
    (ca, label)
});

/// Reads a request with and without a real signature check.
///
/// What is read agrees with `x509-cert`, and what the policy makes of it is a certificate that is read back as
/// planned.
pub fn run(input: &[u8]) {
    let checked = Csr::parse(input, ALGORITHMS);
    let Ok(csr) = Csr::parse(input, &TRUSTING) else {
        assert!(checked.is_err(), "a real signature was accepted, any signature was not");
        return;
    };
    if let Ok(checked) = &checked {
        assert_eq!((checked.subject(), checked.public_key()), (csr.subject(), csr.public_key()));
    }
    assert_eq!(csr.as_der(), input);
    assert_one_line(&csr.subject().to_string());
    assert_one_line(&format!("{:#}", csr.subject()));
    csr.subject_alt_name().iter().for_each(|names| assert_one_line(&names.to_string()));
    agrees_with_x509_cert(&csr);
    let (ca, label) = &*CA;
    match decide(label, &password_holder("p"), &csr, None, NOW) {
        Err(refusal) => assert_one_line(&refusal.to_string()),
        Ok(plan) => {
            let der = ca.issue(&plan, serial(1));
            let certificate = Certificate::parse(&der).expect("a certificate that we made is one that we read");
            assert!(plan.is_met_by(&certificate));
            assert_eq!(der::check_distinguished(&der), Ok(()), "what is issued is DER");
            let san = certificate.extension(&oid::SUBJECT_ALT_NAME);
            assert_eq!(san.map_or(Ok(()), der::check_distinguished), Ok(()), "what is issued is DER");
            assert_eq!(certificate.subject_alt_name(), csr.subject_alt_name());
            let theirs = x509_cert::Certificate::from_der(&der);
            if let Err(error) = theirs {
                assert!(oracle::known_difference(&der).is_some(), "x509-cert does not read our certificate: {error}");
            }
        }
    }
}

/// Compares subject, key and extensions with what `x509-cert` reads, if it reads the request.
///
/// # Panics
/// When they differ, or `x509-cert` refuses the request for a reason that is not known.
pub fn agrees_with_x509_cert(csr: &Csr) {
    let theirs = match CertReq::from_der(csr.as_der()) {
        Ok(theirs) => theirs,
        Err(error) => {
            assert!(oracle::known_difference(csr.as_der()).is_some(), "x509-cert does not read the request: {error}");
            return;
        }
    };
    let subject = theirs.info.subject.to_der().expect("it was read");
    assert_eq!(with_sorted_sets(&subject), with_sorted_sets(csr.subject().as_der()));
    assert_eq!(theirs.info.public_key.to_der().expect("it was read"), csr.public_key().as_der());
    // Where both are there, they ask for the same.
    let request = |id: &str| theirs.info.attributes.iter().find(|attribute| attribute.oid.to_string() == id);
    let request = request("1.2.840.113549.1.9.14").or_else(|| request("1.3.6.1.4.1.311.2.1.14"));
    let mut listed = Vec::new();
    for value in request.iter().flat_map(|attribute| attribute.values.iter()) {
        match value.decode_as::<x509_cert::ext::Extensions>() {
            Ok(extensions) => listed.extend(extensions),
            Err(error) => {
                let is_known = oracle::known_difference(csr.as_der()).is_some();
                return assert!(is_known, "x509-cert does not read the extensions: {error}");
            }
        }
    }
    oracle::same_extensions(csr.extensions(), &listed);
}

fn assert_one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}
