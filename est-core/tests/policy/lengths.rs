//! How long names and certificates may become: the last octet that fits, and the first that does not.

use est_core::pkix::oid;
use est_core::policy::{MAX_CERTIFICATE_BYTES, Plan, decide};
use est_core::{Label, Refusal};
use est_testkit::der;
use est_testkit::pki::{Key, NOW, TestCa, parse_csr, password_holder, serial};

/// Asks for URIs that are so many octets long.
fn ask(label: &Label, key: &Key, lengths: &[usize]) -> Result<Plan, Refusal> {
    let uri = |(number, length): (usize, &usize)| {
        der::value(0x86, &[format!("urn:a:{number}").as_bytes(), "x".repeat(length - 7).as_bytes()])
    };
    let names = der::sequence(&[&lengths.iter().enumerate().flat_map(uri).collect::<Vec<_>>()]);
    let extension = der::extension(oid::SUBJECT_ALT_NAME.as_der(), false, &names);
    let csr = parse_csr(&key.csr_with_extensions("CN=a", &[&extension]));
    decide(label, &password_holder("p"), &csr, None, NOW)
}

#[test]
fn a_name_may_have_2048_octets() {
    let (label, key) = (TestCa::new().label(None), Key::p256());
    assert!(ask(&label, &key, &[2048]).is_ok());
    for lengths in [&[2049][..], &[10, 2049, 10]] {
        assert_eq!(ask(&label, &key, lengths).unwrap_err(), Refusal::NameTooLong { limit: 2048 });
    }
}

#[test]
fn a_certificate_may_have_as_many_octets_as_a_client_may_show() {
    let (ca, key) = (TestCa::new(), Key::p256());
    let label = ca.label(None);
    let with = |last: usize| ask(&label, &key, &[2048, 2048, 2048, 2048, 2048, 2048, 2048, last]);
    let (mut fits, mut is_too_long) = (16, 2048);
    assert!(with(fits).is_ok() && with(is_too_long).is_err());
    while is_too_long - fits > 1 {
        let middle = fits.midpoint(is_too_long);
        if with(middle).is_ok() { fits = middle } else { is_too_long = middle }
    }
    // One octet more than fits is too much.
    let refused = Refusal::CertificateTooLong { limit: MAX_CERTIFICATE_BYTES };
    assert_eq!(with(is_too_long).unwrap_err(), refused);
    let plan = with(fits).unwrap();
    let extensions: usize = plan.extensions.iter().map(|one| one.value.len() + one.id.as_der().len() + 16).sum();
    let of_ca = ca.certificate().as_der().len();
    let names_and_key = plan.subject.as_der().len() + plan.public_key.as_der().len();
    assert_eq!(names_and_key + extensions + of_ca + 256, MAX_CERTIFICATE_BYTES);
    assert!(ca.issue(&plan, serial(0x7f)).len() <= MAX_CERTIFICATE_BYTES);
}
