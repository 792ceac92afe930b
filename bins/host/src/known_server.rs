//! A TLS server that a client knows before it connects.

use std::fmt;
use std::sync::Arc;

use est_core::pkix::{Certificate, Fingerprint};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

/// Knows a server: by a path to an anchor and its name, by its fingerprint, or by both where both are given
/// (RFC 5425 §4.2.1, §5). Given neither, it knows none.
pub struct KnownServer {
    path: Option<Arc<WebPkiServerVerifier>>,
    fingerprints: Vec<Fingerprint>,
    keys: Vec<[u8; 32]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KnownServer {
    /// Knows the server by `path`, where there is one, and by one of `fingerprints`, where there are any.
    #[must_use]
    pub fn new(
        provider: &CryptoProvider,
        path: Option<Arc<WebPkiServerVerifier>>,
        fingerprints: Vec<Fingerprint>,
    ) -> Self {
        Self { path, fingerprints, keys: Vec::new(), algorithms: provider.signature_verification_algorithms }
    }

    /// Knows the server by one of these keys, whatever its certificate says: each the SHA-256 of the
    /// SubjectPublicKeyInfo.
    #[must_use]
    pub fn by_keys(provider: &CryptoProvider, keys: Vec<[u8; 32]>) -> Self {
        Self { keys, ..Self::new(provider, None, Vec::new()) }
    }
}

impl fmt::Debug for KnownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownServer").field("fingerprints", &self.fingerprints).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.fingerprints.is_empty() {
            let shown = Certificate::parse(end_entity).map_err(|_| CertificateError::BadEncoding)?.fingerprint();
            if !self.fingerprints.contains(&shown) {
                return Err(CertificateError::Other(OtherError(Arc::new(NotPinned(shown)))).into());
            }
        }
        if !self.keys.is_empty() {
            let shown = Certificate::parse(end_entity).map_err(|_| CertificateError::BadEncoding)?;
            if !self.keys.contains(&shown.key_digest()) {
                return Err(CertificateError::Other(OtherError(Arc::new(OtherKey(shown.fingerprint())))).into());
            }
        }
        match &self.path {
            Some(path) => path.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None if self.fingerprints.is_empty() && self.keys.is_empty() => Err(CertificateError::UnknownIssuer.into()),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The server showed a certificate with this fingerprint, and another key than one of its own.
#[derive(Debug)]
struct OtherKey(Fingerprint);

impl fmt::Display for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate with the fingerprint sha-256:{} has another key than the configuration's", self.0)
    }
}

impl std::error::Error for OtherKey {}

/// The server showed a certificate with this fingerprint.
#[derive(Debug)]
struct NotPinned(Fingerprint);

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate has the fingerprint sha-256:{}, which is not pinned", self.0)
    }
}

impl std::error::Error for NotPinned {}
