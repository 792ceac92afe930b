//! TLS to a collector (RFC 5425): whom it trusts, and what it shows.

use std::fmt;
use std::io;
use std::sync::Arc;

use est_core::pkix::{Certificate, Fingerprint};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme, version,
};

use crate::config::SyslogTls;
use crate::wiring::{self, WiringError};

/// Puts the configuration together: TLS 1.3 and 1.2, no early data (RFC 9662 §6).
pub(super) fn client_config(tls: &SyslogTls) -> Result<ClientConfig, WiringError> {
    let unusable = |error: &dyn fmt::Display| WiringError(format!("audit.syslog_ca: {error}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let path = if tls.anchors.is_empty() {
        None
    } else {
        let mut anchors = RootCertStore::empty();
        for anchor in &tls.anchors {
            anchors.add(CertificateDer::from(anchor.as_der().to_vec())).map_err(|error| unusable(&error))?;
        }
        let path = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider.clone()).build();
        Some(path.map_err(|error| unusable(&error))?)
    };
    let collector = Collector { path, fingerprints: tls.fingerprints.clone(), algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(collector));
    let mut config = match &tls.certificate {
        Some(certificate) => {
            let own: Arc<CertifiedKey> = wiring::tls_certificate(certificate)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
        }
        None => builder.with_no_client_auth(),
    };
    config.enable_early_data = false;
    Ok(config)
}

/// Knows the collector: by a path to an anchor and its name, by its fingerprint, or by both where both are configured
/// (RFC 5425 §4.2.1, §5).
struct Collector {
    path: Option<Arc<WebPkiServerVerifier>>,
    fingerprints: Vec<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("fingerprints", &self.fingerprints).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Collector {
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
        match &self.path {
            Some(path) => path.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None if self.fingerprints.is_empty() => Err(CertificateError::UnknownIssuer.into()),
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

/// Says in an operator's words what went wrong with the connection to a collector.
pub(super) fn explained(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::other("the collector closed the connection");
    }
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let text = match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::UnknownIssuer => {
                "the collector's certificate leads to no CA of audit.syslog_ca".to_owned()
            }
            CertificateError::Other(OtherError(why)) => why.to_string(),
            reason => format!("the collector's certificate is not acceptable: {reason}"),
        },
        _ => return error,
    };
    io::Error::other(text)
}

/// The collector showed a certificate with this fingerprint.
#[derive(Debug)]
struct NotPinned(Fingerprint);

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the collector's certificate has the fingerprint sha-256:{}, which is not pinned", self.0)
    }
}

impl std::error::Error for NotPinned {}
