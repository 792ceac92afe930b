//! Proxies that end the clients' TLS and forward their certificates (RFC 9440).

use std::net::IpAddr;
use std::sync::Arc;

use est_core::Refusal;
use est_core::tower::Peer;
use est_core::wire::client_cert::forwarded_certificates;
use host::config::Proxy;
use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The proxies whose word counts.
pub(crate) struct Proxies(Vec<Proxy>);

impl Proxies {
    pub(crate) fn new(proxies: Vec<Proxy>) -> Self {
        Self(proxies)
    }

    /// Whether one of them connects from `address` and shows `certificate`, whose key TLS has proven.
    pub(super) fn include(&self, address: IpAddr, certificate: Option<&CertificateDer<'_>>) -> bool {
        let Some(certificate) = certificate else { return false };
        self.0.iter().any(|proxy| {
            proxy.networks.iter().any(|network| network.contains(address))
                && proxy.certificates.iter().any(|listed| listed.as_der() == certificate.as_ref())
        })
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    /// The client itself; what its headers say of certificates counts for nothing.
    Client,
    /// A listed proxy, which speaks for others.
    Proxy,
}

impl Sender {
    /// Who asks with this request, on a connection to `peer`.
    ///
    /// A proxy's own certificate is no identity to enroll with, and the clients' connections end where nobody here
    /// can see them: there is no channel binding, and no address that a wrong password could count against, for the
    /// proxy's own is that of everybody behind it.
    pub(super) fn peer(self, peer: &Peer, headers: &HeaderMap) -> Result<Peer, Refusal> {
        match self {
            Self::Client => Ok(peer.clone()),
            Self::Proxy => {
                let lines = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
                let certificates = forwarded_certificates(lines(CLIENT_CERT), lines(CLIENT_CERT_CHAIN))?;
                let (certificates, source) = (Arc::new(certificates), peer.source.clone());
                Ok(Peer { certificates, source, origin: None, channel_binding: None })
            }
        }
    }
}
