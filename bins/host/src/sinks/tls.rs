//! TLS to a collector (RFC 5425): its anchors, and the certificate that it shows.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, OtherError, RootCertStore, version};

use crate::config::SyslogTls;
use crate::known_server::KnownServer;
use crate::wiring::{self, WiringError};

/// Puts the configuration together: TLS 1.3 and 1.2, no early data (RFC 9662 §6).
pub(super) fn client_config(tls: &SyslogTls) -> Result<ClientConfig, WiringError> {
    let unusable = |error: &dyn fmt::Display| WiringError(format!("audit.syslog_ca: {error}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
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
    let collector = KnownServer::new(&provider, path, tls.fingerprints.clone());
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
            CertificateError::Other(OtherError(why)) => format!("the collector's {why}"),
            reason => format!("the collector's certificate is not acceptable: {reason}"),
        },
        _ => return error,
    };
    io::Error::other(text)
}
