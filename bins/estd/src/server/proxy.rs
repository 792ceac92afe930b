//! Proxies that end the clients' TLS and forward their certificates (RFC 9440).

use std::net::IpAddr;
use std::sync::Arc;

use est_core::Refusal;
use est_core::tower::Peer;
use est_core::wire::client_cert::forwarded_certificates;
use host::config::Proxy;
use http::{HeaderMap, HeaderName};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The proxies whose word counts.
pub(crate) struct Proxies(Vec<Proxy>);

impl Proxies {
    pub(crate) fn new(proxies: Vec<Proxy>) -> Self {
        Self(proxies)
    }

    /// Who connects from `address` and shows `certificate`, DER, whose key TLS has proven.
    pub(super) fn sender(&self, address: IpAddr, certificate: Option<&[u8]>) -> Sender {
        let is_listed = self.0.iter().any(|proxy| {
            proxy.networks.iter().any(|network| network.contains(address))
                && proxy.certificates.iter().any(|listed| Some(listed.as_der()) == certificate)
        });
        if is_listed { Sender::Proxy } else { Sender::Client }
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
    /// can see them: there is no channel binding.
    pub(super) fn peer(self, peer: &Peer, headers: &HeaderMap) -> Result<Peer, Refusal> {
        match self {
            Self::Client => Ok(peer.clone()),
            Self::Proxy => {
                let lines = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
                let certificates = forwarded_certificates(lines(CLIENT_CERT), lines(CLIENT_CERT_CHAIN))?;
                Ok(Peer { certificates: Arc::new(certificates), source: peer.source.clone(), channel_binding: None })
            }
        }
    }
}
