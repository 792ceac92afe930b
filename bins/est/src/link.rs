//! Linking a request to its TLS connection (RFC 7030 §3.5, RFC 7894 §3.3, RFC 9266).

use std::sync::Arc;
use std::time::Duration;

use est_core::TlsExporter;
use est_core::client::CsrAdvice;
use est_core::pkix::{Oid, oid};
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use crate::cli::Linking;
use crate::peer::Peer;

/// Whether and how requests are linked.
pub(crate) struct Link {
    /// The attribute that carries the link, if there is to be one.
    attribute: Option<Oid>,
    /// How connections are made.
    pub(crate) tls: TlsConnector,
}

impl Link {
    /// Asks the server what it wants to see. Without an answer that can be read, it wants nothing.
    pub(crate) async fn find(peer: &Peer, wanted: Linking, max_wait: Duration) -> Self {
        let advice = match wanted {
            Linking::Never => CsrAdvice::default(),
            // What keeps the server from answering keeps it from renewing, too, and is said there.
            Linking::Asked | Linking::Always => peer.advice(max_wait).await.unwrap_or_default(),
        };
        Self::by(peer, wanted, &advice.attributes)
    }

    /// Links as a server wants it that asks for these attributes.
    pub(crate) fn by(peer: &Peer, wanted: Linking, asked: &[Oid]) -> Self {
        let attribute = match wanted {
            Linking::Never => None,
            Linking::Asked => choose(asked),
            Linking::Always => choose(asked).or(Some(oid::CHALLENGE_PASSWORD)),
        };
        let tls = if attribute.is_some() { with_secrets_of_its_own(&peer.tls) } else { peer.tls.clone() };
        Self { attribute, tls }
    }

    /// Whether a server that asks for this attribute gets what it wants by the link: one of the two is enough.
    pub(crate) fn serves(&self, asked: &Oid) -> bool {
        self.attribute.is_some() && [oid::EST_IDENTITY_LINKING, oid::CHALLENGE_PASSWORD].contains(asked)
    }

    /// The attributes of a request on a connection with this binding, as text.
    pub(crate) fn texts(&self, exporter: TlsExporter) -> Vec<(Oid, String)> {
        self.attribute.iter().map(|id| (id.clone(), exporter.to_text())).collect()
    }
}

/// Of two attributes that a server lists, estIdentityLinking is the one that cannot be taken for a password
/// (RFC 7894 §3.3).
fn choose(asked: &[Oid]) -> Option<Oid> {
    [oid::EST_IDENTITY_LINKING, oid::CHALLENGE_PASSWORD].into_iter().find(|wanted| asked.contains(wanted))
}

/// Where TLS 1.2 lacks the extended master secret, somebody in the middle could make two connections look the same
/// (RFC 9266 §4.2).
fn with_secrets_of_its_own(tls: &TlsConnector) -> TlsConnector {
    let mut config = ClientConfig::clone(tls.config());
    config.require_ems = true;
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers_the_attribute_that_is_no_password() {
        let [password, linking, other] = [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING, oid::COMMON_NAME];
        assert_eq!(choose(&[password.clone(), other.clone(), linking.clone()]), Some(linking));
        assert_eq!(choose(&[other.clone(), password.clone()]), Some(password));
        assert_eq!(choose(&[other]), None);
    }
}
