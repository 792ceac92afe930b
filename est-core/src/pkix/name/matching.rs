//! When two names mean the same (RFC 5280 §7.1): for name constraints, never for renewals.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Name, NameAttribute, Value};

impl Name {
    /// Whether the RDNs of `base` are the first ones of this name (RFC 5280 §4.2.1.10 on directoryName).
    ///
    /// Texts are compared without case and with runs of spaces as one; other values octet for octet.
    #[must_use]
    pub fn is_below(&self, base: &Self) -> bool {
        let (own, others) = (self.rdns(), base.rdns());
        own.len() >= others.len() && own.iter().zip(&others).all(|(own, other)| same_rdn(own, other))
    }

    fn rdns(&self) -> Vec<&[NameAttribute]> {
        self.attributes.chunk_by(|_, next| next.joined).collect()
    }
}

/// An RDN is a set: [`Name::parse`] keeps it at 64 attributes at most.
fn same_rdn(one: &[NameAttribute], other: &[NameAttribute]) -> bool {
    one.len() == other.len()
        && one.iter().all(|attribute| {
            other.iter().any(|candidate| candidate.id == attribute.id && same_value(&candidate.value, &attribute.value))
        })
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Text(_, one), Value::Text(_, other)) => folded(one) == folded(other),
        (Value::Other(one), Value::Other(other)) => one == other,
        (Value::Text(..), Value::Other(_)) | (Value::Other(_), Value::Text(..)) => false,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_below_a_name_whose_rdns_come_first() {
        let name = |text| Name::from_text(text).expect("a name");
        let device = name("CN=device-1,OU=Line 4,O=Example  GmbH,C=DE");
        for base in ["", "C=DE", "O=example gmbh,C=DE", "OU=LINE 4,O=Example GmbH,C=DE"] {
            assert!(device.is_below(&name(base)), "{base}");
        }
        for base in ["O=Example GmbH", "O=Example,C=DE", "C=AT", "CN=x,CN=device-1,OU=Line 4,O=Example GmbH,C=DE"] {
            assert!(!device.is_below(&name(base)), "{base}");
        }
    }
}
