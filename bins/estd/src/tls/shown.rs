//! Which of the server's certificates a client is shown.

use std::fmt;
use std::sync::Arc;

use est_core::pkix::Certificate;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::info;

/// Shows each client the first certificate whose key signs in a way that the client can verify (RFC 8446 §4.2.3). ML-DSA
/// comes before all others: a client that offers to verify it wants it, and one that does not still gets in.
///
/// There is no ML-DSA in TLS 1.2. rustls leaves it out of the offer where a client has no cipher suite of TLS 1.3; one that
/// has such a suite and yet does not speak TLS 1.3 contradicts itself, and is shown ML-DSA in vain.
///
/// A client that names the CAs that it trusts (RFC 8446 §4.2.4) gets a certificate below one of them, if there is one.
pub(super) struct ShownCertificates(Vec<Shown>);

struct Shown {
    certified: Arc<CertifiedKey>,
    /// The issuers of the certificates in its chain, DER.
    issuers: Vec<Vec<u8>>,
}

impl ShownCertificates {
    /// Takes the certificates in the order of the configuration.
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>) -> Self {
        let mut shown: Vec<Shown> = certificates.into_iter().map(Shown::new).collect();
        shown.sort_by_key(|shown| !shown.is_post_quantum());
        Self(shown)
    }
}

impl Shown {
    fn new(certified: Arc<CertifiedKey>) -> Self {
        let parsed = certified.cert.iter().filter_map(|der| Certificate::parse(der).ok());
        let issuers = parsed.map(|certificate| certificate.issuer().as_der().to_vec()).collect();
        Self { certified, issuers }
    }

    fn is_post_quantum(&self) -> bool {
        self.signs_with(&[SignatureScheme::ML_DSA_44, SignatureScheme::ML_DSA_65, SignatureScheme::ML_DSA_87])
    }

    fn signs_with(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }
}

impl ResolvesServerCert for ShownCertificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = client_hello.signature_schemes();
        let mut verifiable = self.0.iter().filter(|shown| shown.signs_with(schemes));
        let trusted = client_hello.certificate_authorities().and_then(|authorities| {
            let is_named = |issuer: &Vec<u8>| authorities.iter().any(|name| name.as_ref() == issuer.as_slice());
            verifiable.clone().find(|shown| shown.issuers.iter().any(is_named))
        });
        if let Some(shown) = trusted.or_else(|| verifiable.next()) {
            return Some(shown.certified.clone());
        }
        // What is left are the schemes that go with a cipher suite of both; without one, it is not for the keys that the
        // handshake fails.
        if !schemes.is_empty() {
            info!(
                offered = ?schemes,
                "a client can verify no signature of this server's keys: add a certificate with another type of key, \
                 for example ECDSA or RSA, as [[tls.additional]]"
            );
        }
        // With a certificate that it cannot use the handshake ends as it should: handshake_failure, not access_denied.
        self.0.first().map(|shown| shown.certified.clone())
    }
}

impl fmt::Debug for ShownCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownCertificates")
    }
}
