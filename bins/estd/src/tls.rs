//! The TLS side of the listener (RFC 7030 §3.3, RFC 8996, RFC 9325).

pub(crate) mod handshake;
mod possession;
pub(crate) mod renewal;
pub(crate) mod sessions;
mod shown;

use std::sync::Arc;

use est_core::{Doubt, UnixTime};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, Error, ServerConfig, version};

use possession::Possession;
use sessions::Sessions;
use shown::ShownCertificates;

/// Checks a client's certificates, leaf first, as they would be checked for an enrollment.
pub(crate) type PathCheck = Arc<dyn Fn(&[Vec<u8>], UnixTime) -> Result<(), Doubt> + Send + Sync>;

/// Whether clients are asked for a certificate, and what happens to those without one.
#[derive(Clone)]
pub(crate) enum ClientCertificates {
    /// They are not asked.
    None,
    /// They are asked; a certificate is judged when it is used, and other ways to authenticate remain.
    Optional,
    /// No certificate that passes the check, no connection.
    Required(PathCheck),
}

/// What of TLS an operator decides.
pub(crate) struct TlsOptions {
    /// The server's certificates with their keys; the first that a client can verify is shown, ML-DSA before all others.
    pub(crate) certificates: Vec<Arc<CertifiedKey>>,
    /// Whether TLS 1.2 is off.
    pub(crate) only_tls13: bool,
    /// The TLS 1.2 cipher suites to keep; all of rustls' if `None`.
    pub(crate) tls12_suites: Option<Vec<CipherSuite>>,
    /// Client certificates.
    pub(crate) client_certificates: ClientCertificates,
    /// Whether clients of TLS 1.3 get a ticket.
    pub(crate) session_tickets: bool,
}

/// Puts the configuration together: TLS 1.2 and 1.3, X25519MLKEM768 first, no renegotiation, no early data.
///
/// # Errors
/// What rustls says when no cipher suite is left.
pub(crate) fn server_config(options: TlsOptions) -> Result<ServerConfig, Error> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(kept) = &options.tls12_suites {
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || kept.contains(&suite.suite()));
    }
    let algorithms = provider.signature_verification_algorithms;
    let versions: &[_] = if options.only_tls13 { &[&version::TLS13] } else { &[&version::TLS13, &version::TLS12] };
    let builder =
        ServerConfig::builder_with_provider(Arc::<CryptoProvider>::new(provider)).with_protocol_versions(versions)?;
    let builder = match options.client_certificates {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Optional => builder.with_client_cert_verifier(Arc::new(Possession::new(algorithms, None))),
        ClientCertificates::Required(path) => {
            builder.with_client_cert_verifier(Arc::new(Possession::new(algorithms, Some(path))))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(ShownCertificates::new(options.certificates)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Sessions::new();
    config.send_tls13_tickets = usize::from(options.session_tickets);
    config.max_early_data_size = 0;
    Ok(config)
}
