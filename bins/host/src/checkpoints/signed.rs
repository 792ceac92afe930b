//! Checkpoints as lines of JSON, and whether they are the server's.

use std::fmt::{self, Write as _};

use est_core::pkix::{SubjectPublicKeyInfo, pem};
use est_store::{Chain, Checkpoint, UnixMicros};
use serde_json::Value;

/// A checkpoint and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The SHA-256 of the SubjectPublicKeyInfo of the key.
    pub key: [u8; 32],
    /// The signature over [`Checkpoint::to_octets`].
    pub signature: Vec<u8>,
}

/// A checkpoint cannot be made, read or used. Its text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointError(pub(super) String);

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CheckpointError {}

impl SignedCheckpoint {
    /// Whether it was signed with the private half of this key.
    #[must_use]
    pub fn is_signed_by(&self, key: &SubjectPublicKeyInfo) -> bool {
        key.digest() == self.key && is_signature(key, &self.checkpoint.to_octets(), &self.signature)
    }

    /// Reads a line.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str();
        let others = match value.get("others") {
            Some(others) => Some(others.as_array()?.iter().map(chain).collect::<Option<_>>()?),
            None => None,
        };
        let at: UnixMicros = text("checkpoint")?.parse().ok()?;
        let key = octets(text("key")?)?.try_into().ok()?;
        let checkpoint = Checkpoint { chain: chain(value)?, others, at };
        Some(Self { checkpoint, key, signature: octets(text("signature")?)? })
    }
}

fn chain(value: &Value) -> Option<Chain> {
    Some(Chain {
        node: value.get("node")?.as_str()?.to_owned(),
        sequence: value.get("sequence")?.as_u64()?,
        hash: octets(value.get("hash")?.as_str()?)?.try_into().ok()?,
    })
}

/// Whether the private half of this key has signed the message so.
pub(super) fn is_signature(key: &SubjectPublicKeyInfo, message: &[u8], signature: &[u8]) -> bool {
    let fitting = est_backends::algorithms().iter().filter(|one| one.public_key_alg_id().as_ref() == key.algorithm());
    fitting.into_iter().any(|one| one.verify_signature(key.key(), message, signature).is_ok())
}

/// A JSON object in one line.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoint: Checkpoint { chain, others, at }, key, signature } = self;
        write!(f, "{{\"checkpoint\":\"{at}\",{}", members(chain))?;
        if let Some(others) = others {
            let others: Vec<String> = others.iter().map(|other| format!("{{{}}}", members(other))).collect();
            write!(f, ",\"others\":[{}]", others.join(","))?;
        }
        write!(f, ",\"key\":\"{}\",\"signature\":\"{}\"}}", hex(key), hex(signature))
    }
}

/// A chain as members of an object.
fn members(Chain { node, sequence, hash }: &Chain) -> String {
    format!("\"node\":{},\"sequence\":{sequence},\"hash\":\"{}\"", Value::from(node.as_str()), hex(hash))
}

/// What a file of checkpoints holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadCheckpoints {
    /// The checkpoints.
    pub checkpoints: Vec<SignedCheckpoint>,
    /// The numbers of lines that are the beginning of one: what a crash or a full disk left.
    pub cut_short: Vec<usize>,
}

/// Reads a file of checkpoints, one a line.
///
/// # Errors
/// [`CheckpointError`] with the number of the first line that is none.
pub fn read_all(text: &str) -> Result<ReadCheckpoints, CheckpointError> {
    let mut read = ReadCheckpoints::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let none = || CheckpointError(format!("line {} is not a checkpoint", index + 1));
        match serde_json::from_str::<Value>(line) {
            Ok(value) => read.checkpoints.push(SignedCheckpoint::from_json(&value).ok_or_else(none)?),
            Err(error) if error.is_eof() => read.cut_short.push(index + 1),
            Err(_) => return Err(none()),
        }
    }
    Ok(read)
}

/// Reads a public key in PEM.
///
/// # Errors
/// [`CheckpointError`] when there is none.
pub fn read_public_key(text: &str) -> Result<SubjectPublicKeyInfo, CheckpointError> {
    let blocks = pem::decode(text).unwrap_or_default();
    let block = blocks.into_iter().find(|block| block.label == "PUBLIC KEY");
    let block = block.ok_or_else(|| CheckpointError("there is no PUBLIC KEY in it".into()))?;
    SubjectPublicKeyInfo::parse(&block.contents).map_err(|error| CheckpointError(error.to_string()))
}

/// Lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // A String takes everything.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use est_backends::{FileSigner, Signer as _};
    use est_core::pkix::KeyType;

    use super::*;

    fn signed() -> (SignedCheckpoint, FileSigner) {
        let (key, _) = FileSigner::generate(KeyType::EcdsaP256).expect("a key");
        let chain = |node: &str| Chain { node: node.into(), sequence: 7, hash: [7; 32] };
        let at = UnixMicros(1_795_253_400_000_250);
        let checkpoint = Checkpoint { chain: chain("node-1"), others: Some(vec![chain("node-2")]), at };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let signature = runtime.block_on(key.sign(&checkpoint.to_octets())).expect("a signature");
        (SignedCheckpoint { checkpoint, key: key.public_key().digest(), signature }, key)
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let (signed, _) = signed();
        let one = Checkpoint { others: None, ..signed.checkpoint.clone() };
        let one = SignedCheckpoint { checkpoint: one, ..signed.clone() };
        let text = format!("{signed}\n\n{one}\n");
        let both = ReadCheckpoints { checkpoints: vec![signed.clone(), one], cut_short: vec![] };
        assert_eq!(read_all(&text), Ok(both.clone()));
        let half = signed.to_string();
        let half = &half[..half.len() - 20];
        assert_eq!(read_all(&format!("{text}{half}")), Ok(ReadCheckpoints { cut_short: vec![4], ..both.clone() }));
        assert_eq!(read_all(&format!("{half}\n{text}")), Ok(ReadCheckpoints { cut_short: vec![1], ..both }));
        for broken in [text.replace("07070707", "0707070"), text.replace("\"key\"", "\"kee\""), "{}".into()] {
            let error = read_all(&broken).expect_err("a mistake");
            assert_eq!(error.to_string(), "line 1 is not a checkpoint");
        }
    }

    #[test]
    fn only_what_was_signed_by_that_key_is() {
        let (signed, key) = signed();
        assert!(signed.is_signed_by(key.public_key()));
        let (other, _) = FileSigner::generate(KeyType::EcdsaP256).expect("a key");
        assert!(!signed.is_signed_by(other.public_key()));
        let forged = SignedCheckpoint { key: other.public_key().digest(), ..signed.clone() };
        assert!(!forged.is_signed_by(other.public_key()));
        let mut changed = vec![signed.clone(); 6];
        changed[0].checkpoint.chain.sequence += 1;
        changed[1].checkpoint.chain.hash[31] ^= 1;
        changed[2].checkpoint.chain.node.push('0');
        changed[3].checkpoint.at.0 += 1;
        changed[4].checkpoint.others = None;
        changed[5].checkpoint.others = Some(Vec::new());
        assert!(changed.iter().all(|one| !one.is_signed_by(key.public_key())));
    }
}
