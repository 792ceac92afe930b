//! Certificates: what is read agrees with `x509-cert`.

use est_core::pkix::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::mutation::with_sorted_sets;
use crate::oracle;

/// Reads a certificate and asks it everything.
pub fn run(input: &[u8]) {
    let Ok(certificate) = Certificate::parse(input) else { return };
    assert_eq!(certificate.as_der(), input);
    assert!(!certificate.serial().is_empty());
    let texts = [
        certificate.subject().to_string(),
        certificate.issuer().to_string(),
        certificate.serial_text(),
        certificate.fingerprint().to_string(),
        certificate.not_after().to_string(),
        certificate.subject_alt_name().map(ToString::to_string).unwrap_or_default(),
    ];
    assert!(texts.iter().all(|text| !text.contains(char::is_control)), "{texts:?}");
    let _ = (certificate.is_ca(), certificate.is_self_issued(), certificate.subject_key_identifier());
    agrees_with_x509_cert(&certificate);
}

/// Compares every field with what `x509-cert` reads, if it reads the certificate.
///
/// # Panics
/// When one differs, or `x509-cert` refuses the certificate for a reason that is not known.
pub fn agrees_with_x509_cert(certificate: &Certificate) {
    let theirs = match x509_cert::Certificate::from_der(certificate.as_der()) {
        Ok(theirs) => theirs,
        Err(error) => {
            let is_known = oracle::known_difference(certificate.as_der()).is_some();
            assert!(is_known, "x509-cert does not read the certificate: {error}");
            return;
        }
    };
    let tbs = theirs.tbs_certificate();
    for (theirs, ours) in [(tbs.subject(), certificate.subject()), (tbs.issuer(), certificate.issuer())] {
        let theirs = theirs.to_der().expect("it was read");
        assert_eq!(with_sorted_sets(&theirs), with_sorted_sets(ours.as_der()));
    }
    assert_eq!(tbs.subject_public_key_info().to_der().expect("it was read"), certificate.public_key_der());
    assert_eq!(tbs.serial_number().as_bytes(), certificate.serial());
    let validity = tbs.validity();
    assert_eq!(validity.not_before.to_unix_duration().as_secs(), certificate.not_before().0);
    assert_eq!(validity.not_after.to_unix_duration().as_secs(), certificate.not_after().0);
    oracle::same_extensions(certificate.extensions(), tbs.extensions().map_or(&[][..], |listed| listed));
}
