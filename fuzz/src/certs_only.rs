//! Certs-only messages.

use est_core::pkix::{certs_only, der, read_certs_only};

/// Reads a message; writing the same certificates again gives one that reads the same, but for their order.
pub fn run(input: &[u8]) {
    let Some(mut certificates) = read_certs_only(input) else { return };
    assert!(certificates.iter().all(|certificate| der::check(certificate).is_ok()));
    let again = certs_only(certificates.iter().map(Vec::as_slice));
    let mut read = read_certs_only(&again).expect("a message that we made is one that we read");
    certificates.sort();
    read.sort();
    assert_eq!(read, certificates);
}
