//! What a node says in its own chain so that nobody else can have begun it.

use std::fmt;
use std::str::FromStr;

use est_core::pkix::SubjectPublicKeyInfo;
use est_store::Chain;

use super::signed::{hex, is_signature, octets};

/// A statement of the holder of a checkpoint key that a chain is its own up to some record: the reason of a record
/// `audit.vouched`, in words, without the name of the node, which the record has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    sequence: u64,
    hash: [u8; 32],
    /// The SHA-256 of the SubjectPublicKeyInfo of the key.
    pub key: [u8; 32],
    signature: Vec<u8>,
}

impl Voucher {
    pub(super) fn new(chain: &Chain, key: [u8; 32], signature: Vec<u8>) -> Self {
        Self { sequence: chain.sequence, hash: chain.hash, key, signature }
    }

    /// The chain that it is about, in the chain of `node`.
    #[must_use]
    pub fn chain(&self, node: &str) -> Chain {
        Chain { node: node.to_owned(), sequence: self.sequence, hash: self.hash }
    }

    /// Whether it was signed for the chain of `node` with the private half of this key.
    #[must_use]
    pub fn is_signed_by(&self, key: &SubjectPublicKeyInfo, node: &str) -> bool {
        key.digest() == self.key && is_signature(key, &self.chain(node).to_voucher(), &self.signature)
    }
}

impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, hash, key, signature } = self;
        let [hash, key, signature] = [hash.as_slice(), key, signature].map(hex);
        write!(f, "up to record {sequence} with the hash {hash}; key sha-256:{key}; signature {signature}")
    }
}

impl FromStr for Voucher {
    type Err = NoVoucher;

    fn from_str(text: &str) -> Result<Self, NoVoucher> {
        let read = || {
            let (sequence, rest) = text.strip_prefix("up to record ")?.split_once(" with the hash ")?;
            let (hash, rest) = rest.split_once("; key sha-256:")?;
            let (key, signature) = rest.split_once("; signature ")?;
            Some(Self {
                sequence: sequence.parse().ok()?,
                hash: octets(hash)?.try_into().ok()?,
                key: octets(key)?.try_into().ok()?,
                signature: octets(signature)?,
            })
        };
        read().ok_or(NoVoucher)
    }
}

/// A text is not a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVoucher;

impl fmt::Display for NoVoucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not a voucher")
    }
}

impl std::error::Error for NoVoucher {}

#[cfg(test)]
mod tests {
    use est_backends::{FileSigner, Signer as _};
    use est_core::pkix::KeyType;

    use super::*;

    #[test]
    fn vouches_for_one_chain_with_one_key() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let [key, other] = [(); 2].map(|()| FileSigner::generate(KeyType::EcdsaP256).expect("a key").0);
        let chain = Chain { node: "node-1".into(), sequence: 7, hash: [7; 32] };
        let signature = runtime.block_on(key.sign(&chain.to_voucher())).expect("a signature");
        let voucher = Voucher::new(&chain, key.public_key().digest(), signature);
        assert_eq!(voucher.to_string().parse(), Ok(voucher.clone()));
        assert_eq!(voucher.chain("node-1"), chain);
        assert!(voucher.is_signed_by(key.public_key(), "node-1"));
        assert!(!voucher.is_signed_by(key.public_key(), "node-2"));
        assert!(!voucher.is_signed_by(other.public_key(), "node-1"));
        let changed = [
            Voucher { sequence: 8, ..voucher.clone() },
            Voucher { hash: [8; 32], ..voucher.clone() },
            Voucher { key: other.public_key().digest(), ..voucher.clone() },
        ];
        for one in changed {
            let keys = [key.public_key(), other.public_key()];
            assert!(!keys.iter().any(|key| one.is_signed_by(key, "node-1")), "{one}");
        }
        for text in ["", "up to record 7", &voucher.to_string()[1..]] {
            assert_eq!(text.parse::<Voucher>(), Err(NoVoucher));
        }
    }
}
