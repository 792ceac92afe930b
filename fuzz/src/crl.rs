//! CRLs, as files hold them.

use est_auth::Crl;
use est_core::pkix::{CrlHead, pem};
use x509_cert::certificate::Rfc5280;
use x509_cert::der::Decode;

/// Reads a file; each CRL in it says the same of itself to us as to `x509-cert`.
///
/// # Panics
/// When it does not.
pub fn run(input: &[u8]) {
    let _ = CrlHead::parse(input);
    let Ok(crls) = Crl::read_all(input) else { return };
    let listed = match input.first() {
        Some(0x30) => vec![input.to_vec()],
        _ => {
            let blocks = pem::decode(std::str::from_utf8(input).expect("it was read")).expect("it was read");
            blocks.into_iter().filter(|block| block.label == "X509 CRL").map(|block| block.contents.clone()).collect()
        }
    };
    assert_eq!(crls.len(), listed.len());
    for (crl, der) in crls.iter().zip(listed) {
        let head = CrlHead::parse(&der).expect("it was read");
        assert_eq!((crl.issuer(), crl.next_update()), (head.issuer(), head.next_update()));
        agrees_with_x509_cert(&head, &der);
    }
}

/// Compares the times, if `x509-cert` reads the CRL: it reads fewer than webpki does.
fn agrees_with_x509_cert(head: &CrlHead, der: &[u8]) {
    let Ok(theirs) = x509_cert::crl::CertificateList::<Rfc5280>::from_der(der) else { return };
    let theirs = &theirs.tbs_cert_list;
    assert_eq!(theirs.this_update.to_unix_duration().as_secs(), head.this_update().0);
    let next_update = theirs.next_update.expect("it was read");
    assert_eq!(next_update.to_unix_duration().as_secs(), head.next_update().0);
}
