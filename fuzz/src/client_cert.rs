//! The headers in which a proxy forwards a client's certificates.

use est_core::Refusal;
use est_core::wire::client_cert::forwarded_certificates;
use est_testkit::https::base64;

/// Takes the lines of Client-Cert up to the first empty line, and those of Client-Cert-Chain from the rest.
///
/// What is read is what is written again, and nobody has a chain without a certificate.
pub fn run(input: &[u8]) {
    let mut lines = input.split(|octet| *octet == b'\n');
    let client_cert: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let chain: Vec<_> = lines.collect();
    match forwarded_certificates(client_cert.iter().copied(), chain.iter().copied()) {
        Ok(certificates) => {
            assert_eq!(client_cert.len(), certificates.len().min(1), "one line, if there is any certificate");
            assert!(certificates.iter().all(|certificate| !certificate.is_empty()));
            let written: Vec<_> = certificates.iter().map(|octets| format!(":{}:", base64(octets))).collect();
            let (leaf, others) = written.split_at(written.len().min(1));
            let again = forwarded_certificates(leaf.iter().map(String::as_bytes), [others.join(", ").as_bytes()]);
            assert_eq!(again, Ok(certificates));
        }
        Err(refusal) => assert_eq!(refusal, Refusal::ClientCertHeader),
    }
}
