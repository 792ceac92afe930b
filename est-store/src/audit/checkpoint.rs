//! What is signed so that a chain cannot be made again.

use super::chain::{Chain, field};
use crate::UnixMicros;

/// What the octets of a checkpoint of one chain begin with.
const ONE: &[u8] = b"ohia audit checkpoint 1";
/// What the octets of a checkpoint of all chains begin with.
const ALL: &[u8] = b"ohia audit checkpoint 2";
/// What the octets begin with that a node signs to vouch for its own chain.
const VOUCHER: &[u8] = b"ohia audit voucher 1";

/// A statement that chains ended so at some time: a reader of the statement finds every change to what was before, and what was
/// taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// A chain: in a checkpoint of all chains, that of the node that signs.
    pub chain: Chain,
    /// All other chains of the database; `None` in a checkpoint of one chain.
    pub others: Option<Vec<Chain>>,
    /// When.
    pub at: UnixMicros,
}

impl Checkpoint {
    /// A checkpoint of all chains, by the node of this name.
    #[must_use]
    pub fn of_all(node: &str, mut ends: Vec<Chain>, at: UnixMicros) -> Self {
        let own = ends.iter().position(|end| end.node == node).map(|index| ends.remove(index));
        Self { chain: own.unwrap_or_else(|| Chain::genesis(node)), others: Some(ends), at }
    }

    /// What is signed.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = if self.others.is_some() { ALL } else { ONE }.to_vec();
        add(&mut octets, &self.chain);
        field(&mut octets, Some(&self.at.0.to_be_bytes()));
        self.others.iter().flatten().for_each(|other| add(&mut octets, other));
        octets
    }
}

impl Chain {
    /// What a node signs to vouch for its own chain up to here.
    #[must_use]
    pub fn to_voucher(&self) -> Vec<u8> {
        let mut octets = VOUCHER.to_vec();
        add(&mut octets, self);
        octets
    }
}

fn add(octets: &mut Vec<u8>, chain: &Chain) {
    let fields: [&[u8]; 3] = [chain.node.as_bytes(), &chain.sequence.to_be_bytes(), &chain.hash];
    fields.into_iter().for_each(|value| field(octets, Some(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(node: &str) -> Chain {
        Chain { node: node.into(), sequence: 7, hash: [0xab; 32] }
    }

    /// The fields of a chain, as docs/audit.md has them.
    fn fields(node: &[u8; 6]) -> Vec<u8> {
        let mut octets = b"\x01\0\0\0\0\0\0\0\x06".to_vec();
        octets.extend(node);
        octets.extend(b"\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x07\x01\0\0\0\0\0\0\0\x20");
        octets.extend([0xab; 32]);
        octets
    }

    /// What an implementation in another language has to come to; docs/audit.md tells how.
    #[test]
    fn signs_what_is_documented() {
        let time = b"\x01\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\x01\x02";
        let at = UnixMicros(0x0102);
        let one = Checkpoint { chain: chain("node-1"), others: None, at };
        assert_eq!(one.to_octets(), [b"ohia audit checkpoint 1", &fields(b"node-1")[..], time].concat());
        let all = Checkpoint::of_all("node-2", vec![chain("node-1"), chain("node-2"), chain("node-3")], at);
        let [own, first, last] = [b"node-2", b"node-1", b"node-3"].map(fields);
        assert_eq!(all.to_octets(), [b"ohia audit checkpoint 2", &own[..], time, &first, &last].concat());
        assert_eq!(chain("node-1").to_voucher(), [b"ohia audit voucher 1", &fields(b"node-1")[..]].concat());
    }

    #[test]
    fn a_node_without_records_signs_where_its_chain_begins() {
        let all = Checkpoint::of_all("node-2", vec![chain("node-1")], UnixMicros(1));
        assert_eq!((all.chain, all.others), (Chain::genesis("node-2"), Some(vec![chain("node-1")])));
    }
}
