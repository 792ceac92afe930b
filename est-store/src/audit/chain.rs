//! The chain of a node's audit records: each has a hash over what it says and the hash of the record before it, so that
//! none can be changed, taken out, put in or moved without every hash after it being another.
//!
//! Nothing in it is secret: an attacker that can write to the database can compute a whole chain again. What holds them to the old one is a
//! hash of it that was signed, or kept where they do not reach.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Event, outcome};
use crate::UnixMicros;

/// What a chain begins with, before the node's name.
const GENESIS: &[u8] = b"ohia audit chain 1";

/// What is hashed for a record, before the hash of the record before it and the record's [`octets`].
const RECORD: &[u8] = b"ohia audit record 1";

/// The audit records of one node up to some record, as far as the next record depends on them.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain {
    /// The node's name.
    pub node: String,
    /// The number of the last record, counted from 1; 0 where there is none.
    pub sequence: u64,
    /// The hash of the last record; where there is none, one of the node's name.
    pub hash: [u8; 32],
}

impl Chain {
    /// The chain of a node that has yet to write its first record.
    #[must_use]
    pub fn genesis(node: impl Into<String>) -> Self {
        let node = node.into();
        let mut octets = GENESIS.to_vec();
        field(&mut octets, Some(node.as_bytes()));
        Self { sequence: 0, hash: Sha256::digest(octets).into(), node }
    }

    /// Whether a node can be called that: 1 to 64 letters, digits, `.`, `_` and `-` of ASCII.
    #[must_use]
    pub fn is_name(node: &str) -> bool {
        let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
        (1..=64).contains(&node.len()) && node.bytes().all(is_fine)
    }

    /// Goes on with the record of this event: its place is then [`sequence`](Self::sequence), its hash
    /// [`hash`](Self::hash).
    pub(crate) fn append(&mut self, event: &Event<'_>, at: UnixMicros) {
        self.sequence = self.sequence.saturating_add(1);
        self.hash = link(&self.node, &self.hash, self.sequence, event, at);
    }
}

/// The hash of the record at `sequence`, after the one that has the hash `previous`.
pub(super) fn link(node: &str, previous: &[u8; 32], sequence: u64, event: &Event<'_>, at: UnixMicros) -> [u8; 32] {
    let hash = Sha256::new().chain_update(RECORD).chain_update(previous);
    hash.chain_update(octets(node, sequence, event, at)).finalize().into()
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.node, self.sequence)?;
        self.hash.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A record as octets: its fields in a fixed order, each with its length, so that no two records have the same.
fn octets(node: &str, sequence: u64, event: &Event<'_>, at: UnixMicros) -> Vec<u8> {
    let mut octets = Vec::with_capacity(512);
    let fields = [
        Some(node.as_bytes()),
        Some(&sequence.to_be_bytes()),
        Some(&at.0.to_be_bytes()),
        Some(event.name.as_bytes()),
        Some(outcome(event.success).as_bytes()),
        event.actor.map(str::as_bytes),
        event.source.map(str::as_bytes),
        event.label.map(str::as_bytes),
        event.ca.map(str::as_bytes),
        event.method.map(|method| method.name().as_bytes()),
        event.reason.map(str::as_bytes),
        event.serial,
        event.fingerprint.as_ref().map(|fingerprint| &fingerprint.0[..]),
    ];
    fields.into_iter().for_each(|value| field(&mut octets, value));
    octets
}

/// Adds 0 for a field that is absent; else 1, its length in eight octets with the highest first, and its octets.
pub(super) fn field(octets: &mut Vec<u8>, value: Option<&[u8]>) {
    octets.push(value.is_some().into());
    if let Some(value) = value {
        octets.extend((value.len() as u64).to_be_bytes());
        octets.extend(value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use est_core::pkix::Fingerprint;

    use super::*;
    use crate::audit::Method;

    const AT: UnixMicros = UnixMicros(1_795_253_400_000_250);

    /// An event with every field.
    fn full() -> Event<'static> {
        Event {
            name: "cert.issued",
            success: true,
            actor: Some("password p1"),
            source: Some("192.0.2.7"),
            label: Some("factory"),
            ca: Some("root"),
            method: Some(Method::Otp),
            reason: Some("profile device"),
            serial: Some(&[0x4a, 0x3f]),
            fingerprint: Some(Fingerprint([0x22; 32])),
        }
    }

    /// What an implementation in another language has to come to; docs/audit.md tells how.
    #[test]
    fn hashes_as_documented() {
        let mut chain = Chain::genesis("node-1");
        let genesis = b"ohia audit chain 1\x01\0\0\0\0\0\0\0\x06node-1";
        assert_eq!(chain.hash, <[u8; 32]>::from(Sha256::digest(genesis)));
        let fields: [Option<&[u8]>; 13] = [
            Some(b"node-1"),
            Some(&[0, 0, 0, 0, 0, 0, 0, 1]),
            Some(&AT.0.to_be_bytes()),
            Some(b"cert.issued"),
            Some(b"success"),
            Some(b"password p1"),
            Some(b"192.0.2.7"),
            Some(b"factory"),
            Some(b"root"),
            Some(b"otp"),
            None,
            Some(&[0x4a, 0x3f]),
            Some(&[0x22; 32]),
        ];
        let mut hashed = [b"ohia audit record 1".as_slice(), &chain.hash].concat();
        for value in fields {
            match value {
                None => hashed.push(0),
                Some(value) => {
                    hashed.extend([1, 0, 0, 0, 0, 0, 0, 0, u8::try_from(value.len()).unwrap()]);
                    hashed.extend(value);
                }
            }
        }
        chain.append(&Event { reason: None, ..full() }, AT);
        assert_eq!((chain.sequence, chain.hash), (1, Sha256::digest(hashed).into()));
    }

    /// Everything that a record can say, from few pieces that run into each other easily.
    fn records() -> impl Iterator<Item = (&'static str, u64, Event<'static>, UnixMicros)> {
        const TEXTS: [Option<&str>; 5] = [None, Some(""), Some("a"), Some("aa"), Some("\u{1}\0\0\0\0\0\0\0\u{1}a")];
        let choose = |index: u64, place: u32| TEXTS[usize::try_from(index / 5_u64.pow(place) % 5).unwrap()];
        (0..5_u64.pow(7)).map(move |index| {
            let text = |place| choose(index, place);
            let event = Event {
                name: text(0).unwrap_or("event"),
                actor: text(1),
                source: text(2),
                label: text(3),
                ca: text(4),
                reason: text(5),
                serial: text(6).map(str::as_bytes),
                ..Event::EMPTY
            };
            ("node", 1, event, AT)
        })
    }

    #[test]
    fn no_two_records_have_the_same_octets() {
        let others = [
            ("other", 1, full(), AT),
            ("node", 2, full(), AT),
            ("node", 1, full(), UnixMicros(AT.0 + 1)),
            ("node", 1, Event { success: false, ..full() }, AT),
            ("node", 1, Event { method: None, ..full() }, AT),
            ("node", 1, Event { method: Some(Method::Local), ..full() }, AT),
            ("node", 1, Event { fingerprint: None, ..full() }, AT),
            ("node", 1, Event { fingerprint: Some(Fingerprint([0x23; 32])), ..full() }, AT),
            ("node", 1, full(), AT),
        ];
        let mut seen = std::collections::HashSet::new();
        for (node, sequence, event, at) in records().chain(others) {
            let digest: [u8; 32] = Sha256::digest(octets(node, sequence, &event, at)).into();
            assert!(seen.insert(digest), "{sequence} {:?} {:?}", event.name, event.actor);
        }
        assert_eq!(seen.len(), 5_usize.pow(7) + 9);
    }

    #[test]
    fn a_record_depends_on_all_before_it_and_on_the_node() {
        let end = |node: &str, reasons: &[&'static str]| {
            let mut chain = Chain::genesis(node);
            reasons.iter().for_each(|reason| chain.append(&Event { reason: Some(reason), ..full() }, AT));
            chain.hash
        };
        let ends = [end("a", &["x", "y"]), end("a", &["y", "x"]), end("a", &["x", "x"]), end("b", &["x", "y"])];
        let different: std::collections::HashSet<_> = ends.iter().collect();
        assert_eq!(different.len(), ends.len());
        assert_eq!(ends[0], end("a", &["x", "y"]));
    }
}
