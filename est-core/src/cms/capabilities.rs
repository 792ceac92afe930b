//! What a client can decrypt: SMIMECapabilities (RFC 8551 §2.5.2).

use alloc::vec::Vec;

use super::tlv::{self, Parts};
use crate::pkix::Oid;

/// A list of algorithms, the preferred one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Capability>);

/// One algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Which one.
    pub algorithm: Oid,
    /// Its parameters, DER.
    pub parameters: Option<Vec<u8>>,
}

impl Capabilities {
    /// Lists algorithms without parameters.
    #[must_use]
    pub fn of(algorithms: impl IntoIterator<Item = Oid>) -> Self {
        Self(algorithms.into_iter().map(|algorithm| Capability { algorithm, parameters: None }).collect())
    }

    /// Reads the value of the attribute; `None` when it is something else.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut list = Parts::of_sequence(der)?;
        let mut capabilities = Vec::new();
        while !list.is_empty() {
            let mut capability = list.open(tlv::SEQUENCE)?;
            let algorithm = Oid::from_der(capability.whole(tlv::OID)?)?;
            let parameters = capability.next().map(<[u8]>::to_vec);
            capability.end()?;
            capabilities.push(Capability { algorithm, parameters });
        }
        Some(Self(capabilities))
    }

    /// Writes the value of the attribute.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let each: Vec<_> = self.iter().map(Capability::to_der).collect();
        let each: Vec<&[u8]> = each.iter().map(Vec::as_slice).collect();
        tlv::write(tlv::SEQUENCE, &each).to_vec()
    }

    /// The algorithms, in the client's order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// Whether this algorithm is listed, with whatever parameters.
    #[must_use]
    pub fn lists(&self, algorithm: &Oid) -> bool {
        self.iter().any(|capability| capability.algorithm == *algorithm)
    }
}

impl Capability {
    /// The structure, which is an AlgorithmIdentifier too, DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let parameters = self.parameters.as_deref().unwrap_or_default();
        tlv::write(tlv::SEQUENCE, &[self.algorithm.as_der(), parameters]).to_vec()
    }
}
