//! Linking a request to its TLS connection (RFC 7030 §3.5, RFC 7894 §3.3, RFC 9266).

use std::sync::Arc;
use std::time::Duration;

use est_core::TlsExporter;
use est_core::client::{Answer, Call};
use est_core::pkix::{CsrAttr, Oid, oid};
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
    ///
    /// The password is not sent: some servers count the uses of one.
    pub(crate) async fn find(peer: &Peer, wanted: Linking) -> Self {
        let listed = match wanted {
            Linking::Never => None,
            Linking::Asked | Linking::Always => {
                let call = Call::csr_attrs(peer.base_path(), peer.label.as_deref());
                let answer = peer.ask_on(&peer.tls, async |_| Ok(call.clone()), Duration::ZERO).await;
                match answer {
                    Ok(Answer::CsrAttrs(elements)) => choose(&elements),
                    _ => None,
                }
            }
        };
        let attribute = listed.or((wanted == Linking::Always).then_some(oid::CHALLENGE_PASSWORD));
        let tls = if attribute.is_some() { with_secrets_of_its_own(&peer.tls) } else { peer.tls.clone() };
        Self { attribute, tls }
    }

    /// The attributes of a request on a connection with this binding, as text.
    pub(crate) fn texts(&self, exporter: TlsExporter) -> Vec<(Oid, String)> {
        self.attribute.iter().map(|id| (id.clone(), exporter.to_text())).collect()
    }
}

/// Of two attributes that a server lists, estIdentityLinking is the one that cannot be taken for a password
/// (RFC 7894 §3.3).
fn choose(elements: &[Vec<u8>]) -> Option<Oid> {
    let listed: Vec<_> = elements.iter().filter_map(|element| CsrAttr::parse(element)).collect();
    let lists = |wanted: &Oid| listed.iter().any(|(CsrAttr::Id(id) | CsrAttr::Attribute { id, .. })| id == wanted);
    [oid::EST_IDENTITY_LINKING, oid::CHALLENGE_PASSWORD].into_iter().find(lists)
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
        let [password, linking, other] =
            [oid::CHALLENGE_PASSWORD, oid::EST_IDENTITY_LINKING, oid::COMMON_NAME].map(|id| id.as_der().to_vec());
        let choose = |elements: &[&Vec<u8>]| choose(&elements.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(choose(&[&password, &other, &linking]), Some(oid::EST_IDENTITY_LINKING));
        assert_eq!(choose(&[&other, &password]), Some(oid::CHALLENGE_PASSWORD));
        assert_eq!(choose(&[&other, &vec![0x30, 0]]), None);
    }
}
