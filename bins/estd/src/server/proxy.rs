//! Proxies that end the clients' TLS and forward their certificates (RFC 9440).

use std::net::IpAddr;
use std::sync::Arc;

use est_core::Refusal;
use est_core::tower::Peer;
use est_core::wire::client_cert::forwarded_certificates;
use host::config::{ClientAddress, Proxy};
use http::{HeaderMap, HeaderName};

use super::forwarded;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The proxies whose word counts.
pub(crate) struct Proxies(Vec<Proxy>);

impl Proxies {
    pub(crate) fn new(proxies: Vec<Proxy>) -> Self {
        Self(proxies)
    }

    /// Whether a proxy may be at `address`.
    pub(super) fn is_at(&self, address: IpAddr) -> bool {
        self.0.iter().any(|proxy| proxy.networks.iter().any(|network| network.contains(address)))
    }

    /// Who connects from `address` and shows `certificate`, DER, whose key TLS has proven.
    pub(super) fn sender(&self, address: IpAddr, certificate: Option<&[u8]>) -> Sender {
        let listed = self.0.iter().find(|proxy| {
            proxy.networks.iter().any(|network| network.contains(address))
                && proxy.certificates.iter().any(|listed| Some(listed.as_der()) == certificate)
        });
        listed.map_or(Sender::Client, |proxy| Sender::Proxy(proxy.client_address))
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    /// The client itself; what its headers say of certificates and addresses counts for nothing.
    Client,
    /// A listed proxy, which speaks for others, and may tell their addresses.
    Proxy(Option<ClientAddress>),
}

impl Sender {
    /// Where the client connects from, if that is told. A proxy at `address` that is to tell it and does not, or tells
    /// what cannot be read, is the source itself, for all of those clients together: they are held to limits like others.
    pub(super) fn client(self, address: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        match self {
            Self::Client => Some(address),
            Self::Proxy(told) => Some(forwarded::client(told?, headers).unwrap_or(address)),
        }
    }

    /// The client of this request, on a connection to `peer`.
    ///
    /// A proxy's own certificate is no identity to enroll with, and the clients' connections end where nobody here
    /// can see them: there is no channel binding, and no address that a wrong password could count against, for the
    /// proxy's own is that of everybody behind it.
    pub(super) fn peer(self, peer: &Peer, headers: &HeaderMap) -> Result<Peer, Refusal> {
        match self {
            Self::Client => Ok(peer.clone()),
            Self::Proxy(_) => {
                let lines = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
                let certificates = forwarded_certificates(lines(CLIENT_CERT), lines(CLIENT_CERT_CHAIN))?;
                let (certificates, source) = (Arc::new(certificates), peer.source.clone());
                Ok(Peer { certificates, source, origin: None, channel_binding: None })
            }
        }
    }
}
