//! TLS as a client: its anchors, and the certificate that it shows.

use std::path::Path;
use std::sync::Arc;

use est_core::pkix::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
};
use tokio_rustls::TlsConnector;

use crate::file;
use crate::output::{Again, Failure};

/// How the server is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// By these CA certificates.
    Anchors(&'a Path),
    /// Not at all: for fetching the CA certificates for the first time (RFC 7030 §4.1.1).
    Nobody,
}

/// A client certificate with its chain and key, as TLS wants it.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    chain: Vec<Vec<u8>>,
    key: PrivateKeyDer<'static>,
    pub(crate) leaf: Certificate,
}

impl ClientIdentity {
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Self, Failure> {
        let chain = file::read_certificates(cert)?;
        let leaf = Certificate::parse(&chain[0])
            .map_err(|error| Failure::error(format!("{}: its first certificate is {error}", cert.display())))?;
        let text = zeroize::Zeroizing::new(file::read_text(key)?);
        if text.contains("ENCRYPTED") {
            return Err(Failure::error(format!(
                "{} is encrypted: write it out with `openssl pkey -in … -out …` to a file that only you can read",
                key.display()
            )));
        }
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| Failure::error(format!("{} holds no private key in PEM", key.display())))?;
        Ok(Self { chain, key, leaf })
    }

    /// What follows the certificate itself in its file.
    pub(crate) fn intermediates(&self) -> &[Vec<u8>] {
        &self.chain[1..]
    }
}

/// Puts together how connections are made.
pub(crate) fn connector(
    trust: Trust<'_>,
    identity: Option<&ClientIdentity>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsConnector, Failure> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| Failure::error(format!("TLS cannot be set up: {error}")))?;
    let builder = match trust {
        Trust::Anchors(path) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anchored::new(anchors(path)?, provider)?))
        }
        Trust::Nobody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    let mut config = match identity {
        Some(identity) => {
            let chain = identity.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
            builder.with_client_auth_cert(chain, identity.key.clone_key()).map_err(|error| {
                Failure::error(format!("the client certificate and its key do not fit each other: {error}"))
            })?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Who asks is decided by the certificate of this handshake, never by that of an earlier one.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn anchors(path: &Path) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    for der in file::read_certificates(path)? {
        store
            .add(CertificateDer::from(der))
            .map_err(|error| Failure::error(format!("{} holds an unusable certificate: {error}", path.display())))?;
    }
    Ok(store)
}

/// Validates as rustls does, and names the CAs that it trusts (RFC 8446 §4.2.4): a server with several certificates then
/// shows one of theirs, not merely one whose signature can be verified.
#[derive(Debug)]
struct Anchored {
    webpki: Arc<WebPkiServerVerifier>,
    subjects: Vec<DistinguishedName>,
}

impl Anchored {
    fn new(anchors: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self, Failure> {
        let subjects = anchors.subjects();
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider)
            .build()
            .map_err(|error| Failure::error(format!("TLS cannot be set up: {error}")))?;
        Ok(Self { webpki, subjects })
    }
}

impl ServerCertVerifier for Anchored {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        Some(&self.subjects)
    }
}

/// Takes any certificate, but lets nobody use one whose key they do not hold.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether another handshake may end better: a verdict on a certificate stays what it is.
pub(crate) fn again(error: &rustls::Error) -> Again {
    match error {
        rustls::Error::AlertReceived(
            AlertDescription::InternalError | AlertDescription::UserCanceled | AlertDescription::CloseNotify,
        ) => Again::Soon,
        _ => Again::Later,
    }
}

/// What a TLS error means here, and what to do about it.
pub(crate) fn explain(error: &rustls::Error) -> String {
    match error {
        // A CA of the same name with another key shows as a bad signature.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the server's certificate was not issued by a CA in --cacert: fetch its CA certificates with \
             `est cacerts --out ca.pem`, compare their fingerprints, and pass --cacert ca.pem"
                .into()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the server's certificate is for another name than the one in --server ({error})"),
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the server's certificate has expired, or this machine's clock is wrong ({error})")
        }
        rustls::Error::InvalidCertificate(_) => format!("the server's certificate is not acceptable: {error}"),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a client certificate: pass --cert and --key".into()
        }
        rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => format!("the server does not accept the client certificate ({error})"),
        other => format!("TLS failed: {other}"),
    }
}
