//! Events of the audit trail.

use est_store::{AuditRecord, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether what was attempted came about.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Success,
    Failure,
}

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event", deny_unknown_fields)]
pub(crate) struct Record {
    /// Its place in the trail.
    number: u64,
    /// When it was written down.
    #[schemars(extend("format" = "date-time"))]
    timestamp: String,
    /// What happened.
    event: String,
    /// Whether it came about.
    outcome: Outcome,
    /// Who did it.
    actor: Option<String>,
    /// From what address.
    source: Option<String>,
    /// At what label.
    label: Option<String>,
    /// With what CA.
    ca_id: Option<String>,
    /// How they authenticated.
    method: Option<&'static str>,
    /// What else there is to say.
    reason: Option<String>,
    /// The serial number of the certificate that it is about.
    serial: Option<String>,
    /// The SHA-256 of that certificate.
    fingerprint: Option<String>,
    /// The node whose chain it is in.
    node: Option<String>,
    /// Its place in that chain.
    sequence: Option<u64>,
}

impl Record {
    pub(crate) fn of(record: AuditRecord) -> Self {
        Self {
            number: record.number,
            timestamp: record.at.to_string(),
            event: record.event,
            outcome: if record.success { Outcome::Success } else { Outcome::Failure },
            actor: record.actor,
            source: record.source,
            label: record.label,
            ca_id: record.ca,
            method: record.method.map(Method::name),
            reason: record.reason,
            serial: record.serial.map(|serial| serial.to_string()),
            fingerprint: record.fingerprint.map(|fingerprint| fingerprint.to_string()),
            sequence: record.chain.as_ref().map(|chain| chain.sequence),
            node: record.chain.map(|chain| chain.node),
        }
    }
}
