//! A record as a line of an export: everything that its hash covers, and the hash before it.

use std::borrow::Cow;

use est_core::pkix::Fingerprint;
use est_store::{AuditRecord, Chain, Method, SerialNumber, UnixMicros};
use serde::{Deserialize, Serialize};

/// A line; the names are those that records have in files and in syslog.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) node: Cow<'a, str>,
    pub(super) sequence: u64,
    #[serde(borrow)]
    hash: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    previous: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    source_ip: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    label: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ca: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    serial: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Cow<'a, str>>,
}

/// A record as it was exported, and the hash that the one before it had.
#[derive(Debug)]
pub(super) struct Exported {
    pub(super) record: AuditRecord,
    pub(super) previous: Option<[u8; 32]>,
}

impl<'a> Line<'a> {
    /// The line of a record that is in a chain.
    pub(super) fn of(record: &'a AuditRecord, chain: &'a Chain, previous: &[u8; 32]) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Self {
            timestamp: record.at.to_string().into(),
            event_type: record.event.as_str().into(),
            outcome: outcome(record.success).into(),
            node: chain.node.as_str().into(),
            sequence: chain.sequence,
            hash: hex(&chain.hash).into(),
            previous: Some(hex(previous).into()),
            actor: text(&record.actor),
            method: record.method.map(|method| method.name().into()),
            source_ip: text(&record.source),
            label: text(&record.label),
            ca: text(&record.ca),
            reason: text(&record.reason),
            serial: record.serial.as_ref().map(|serial| serial.to_string().into()),
            fingerprint: record.fingerprint.map(|fingerprint| fingerprint.to_string().into()),
        }
    }

    /// Reads the values.
    ///
    /// # Errors
    /// The name of the first that is not written as an export writes it.
    pub(super) fn read(self) -> Result<Exported, &'static str> {
        let at: UnixMicros = self.timestamp.parse().map_err(|_| "timestamp")?;
        let success = match self.outcome.as_ref() {
            "success" => true,
            "failure" => false,
            _ => return Err("outcome"),
        };
        let method = self.method.map(|name| Method::from_name(&name).ok_or("method")).transpose()?;
        let serial = self.serial.map(|text| octets(&text, ':').ok_or("serial")).transpose()?;
        let fingerprint = self.fingerprint.map(|text| hash(&text, ':').ok_or("fingerprint")).transpose()?;
        if at.to_string() != self.timestamp {
            return Err("timestamp");
        }
        let chain = Chain {
            node: self.node.into_owned(),
            sequence: self.sequence,
            hash: hash(&self.hash, '\0').ok_or("hash")?,
        };
        let record = AuditRecord {
            number: 0,
            at,
            event: self.event_type.into_owned(),
            success,
            actor: self.actor.map(Cow::into_owned),
            source: self.source_ip.map(Cow::into_owned),
            label: self.label.map(Cow::into_owned),
            ca: self.ca.map(Cow::into_owned),
            method,
            reason: self.reason.map(Cow::into_owned),
            serial: serial.map(|octets| SerialNumber::from_contents(&octets)),
            fingerprint: fingerprint.map(Fingerprint),
            chain: Some(chain),
        };
        let previous = self.previous.map(|text| hash(&text, '\0').ok_or("previous")).transpose()?;
        Ok(Exported { record, previous })
    }
}

pub(super) fn outcome(success: bool) -> &'static str {
    if success { "success" } else { "failure" }
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn hash(text: &str, separator: char) -> Option<[u8; 32]> {
    octets(text, separator)?.try_into().ok()
}

/// Reads hexadecimal: in upper case with a separator, or in lower case without one (`\0`), and never otherwise, so that
/// no octets are written in two ways.
fn octets(text: &str, separator: char) -> Option<Vec<u8>> {
    let (step, letter) = if separator == '\0' { (2, b'a') } else { (3, b'A') };
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        _ => octet.checked_sub(letter).filter(|over| *over < 6).map(|over| over + 10),
    };
    let text = text.as_bytes();
    let whole = text.is_empty() || text.len() % step == 2 % step;
    let pairs = text.chunks(step).map(|chunk| match chunk {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        [high, low, between] if char::from(*between) == separator => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<_>>().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hexadecimal_in_the_one_way_it_is_written() {
        assert_eq!(octets("0aff", '\0'), Some(vec![10, 255]));
        assert_eq!(octets("0A:FF", ':'), Some(vec![10, 255]));
        assert_eq!(octets("0A", ':'), Some(vec![10]));
        assert_eq!(octets("", ':'), Some(vec![]));
        for (text, separator) in [
            ("0AFF", '\0'),
            ("0a:ff", ':'),
            ("0A:FF:", ':'),
            ("0AFF", ':'),
            ("0A-FF", ':'),
            ("0A:F", ':'),
            ("0af", '\0'),
            ("0g", '\0'),
            ("é", '\0'),
        ] {
            assert_eq!(octets(text, separator), None, "{text}");
        }
    }
}
