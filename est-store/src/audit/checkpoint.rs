//! What is signed so that a chain cannot be made anew.

use super::chain::{Chain, field};
use crate::UnixMicros;

/// What a checkpoint's octets begin with.
const CHECKPOINT: &[u8] = b"ohia audit checkpoint 1";

/// A statement that a chain ended so at some time: nothing before that can be changed or taken out without somebody who
/// has the statement finding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain: Chain,
    /// When.
    pub at: UnixMicros,
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = CHECKPOINT.to_vec();
        let fields: [&[u8]; 4] = [
            self.chain.node.as_bytes(),
            &self.chain.sequence.to_be_bytes(),
            &self.chain.hash,
            &self.at.0.to_be_bytes(),
        ];
        fields.into_iter().for_each(|value| field(&mut octets, Some(value)));
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an implementation in another language has to come to; docs/audit.md tells how.
    #[test]
    fn signs_what_is_documented() {
        let chain = Chain { node: "node-1".into(), sequence: 7, hash: [0xab; 32] };
        let octets = Checkpoint { chain, at: UnixMicros(0x0102) }.to_octets();
        let mut expected = b"ohia audit checkpoint 1".to_vec();
        expected.extend(b"\x01\0\0\0\0\0\0\0\x06node-1\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x07\x01\0\0\0\0\0\0\0\x20");
        expected.extend([0xab; 32]);
        expected.extend(b"\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\x01\x02");
        assert_eq!(octets, expected);
    }
}
