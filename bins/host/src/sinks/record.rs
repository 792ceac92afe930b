//! What a sink is given: an audit record in its chain, as names and values.

use std::fmt::Write as _;

use est_core::pkix::{Certificate, pem};
use est_store::{AuditRecord, Chain, IssuedCertificate};

/// A record of a node's chain.
#[derive(Clone, Debug)]
pub struct ChainedRecord {
    /// Its place. The node and the sequence are the record's identity: a receiver knows a repetition by them.
    pub chain: Chain,
    /// What happened.
    pub record: AuditRecord,
    /// The certificate that it is about, where it is one of the inventory.
    pub certificate: Option<IssuedCertificate>,
}

/// The name of the field with the place in the chain.
pub(super) const SEQUENCE: &str = "sequence";

/// The name of the field that a certificate is in.
pub(super) const CERTIFICATE: &str = "certificate";

impl ChainedRecord {
    /// Every field, as text; [`SEQUENCE`] is a number.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let Self { chain, record, certificate } = self;
        let certificate = certificate.as_ref();
        let issuer = certificate.and_then(|issued| Certificate::parse(&issued.der).ok());
        let always = [
            ("timestamp", record.at.to_string()),
            ("event_type", record.event.clone()),
            ("outcome", if record.success { "success" } else { "failure" }.to_owned()),
            ("node", chain.node.clone()),
            (SEQUENCE, chain.sequence.to_string()),
            ("hash", hex(&chain.hash)),
        ];
        let maybe = [
            ("actor", record.actor.clone()),
            ("method", record.method.map(|method| method.name().to_owned())),
            ("source_ip", record.source.clone()),
            ("label", record.label.clone()),
            ("ca", record.ca.clone()),
            ("reason", record.reason.clone()),
            ("serial", record.serial.as_ref().map(ToString::to_string)),
            ("fingerprint", record.fingerprint.map(|fingerprint| fingerprint.to_string())),
            ("subject", certificate.map(|issued| issued.subject.clone())),
            ("issuer", issuer.map(|issuer| issuer.issuer().to_string())),
            ("not_before", certificate.map(|issued| issued.not_before.to_string())),
            ("not_after", certificate.map(|issued| issued.not_after.to_string())),
        ];
        let present = maybe.into_iter().filter_map(|(name, value)| Some((name, value?)));
        always.into_iter().chain(present).collect()
    }

    /// The certificate in PEM.
    pub(super) fn certificate_pem(&self) -> Option<String> {
        self.certificate.as_ref().map(|issued| pem::encode("CERTIFICATE", &issued.der))
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // A String takes everything.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
