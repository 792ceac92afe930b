//! Checkpoints as lines of JSON, and whether they are the server's.

use std::fmt::{self, Write as _};

use est_core::pkix::{SubjectPublicKeyInfo, pem};
use est_store::{Chain, Checkpoint, UnixMicros};
use serde_json::Value;

/// A checkpoint with the signature of who made it.
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
        let message = self.checkpoint.to_octets();
        let fitting =
            est_backends::algorithms().iter().filter(|one| one.public_key_alg_id().as_ref() == key.algorithm());
        key.digest() == self.key
            && fitting.into_iter().any(|one| one.verify_signature(key.key(), &message, &self.signature).is_ok())
    }

    /// Reads a line.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str();
        let chain = Chain {
            node: text("node")?.to_owned(),
            sequence: value.get("sequence")?.as_u64()?,
            hash: octets(text("hash")?)?.try_into().ok()?,
        };
        let at: UnixMicros = text("checkpoint")?.parse().ok()?;
        let key = octets(text("key")?)?.try_into().ok()?;
        Some(Self { checkpoint: Checkpoint { chain, at }, key, signature: octets(text("signature")?)? })
    }
}

/// A JSON object in one line.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoint: Checkpoint { chain, at }, key, signature } = self;
        write!(
            f,
            "{{\"checkpoint\":\"{at}\",\"node\":{},\"sequence\":{},\"hash\":\"{}\",\"key\":\"{}\",\"signature\":\"{}\"}}",
            Value::from(chain.node.as_str()),
            chain.sequence,
            hex(&chain.hash),
            hex(key),
            hex(signature)
        )
    }
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
fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // A String takes everything.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn octets(text: &str) -> Option<Vec<u8>> {
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
        let chain = Chain { node: "node-1".into(), sequence: 7, hash: [7; 32] };
        let checkpoint = Checkpoint { chain, at: UnixMicros(1_795_253_400_000_250) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let signature = runtime.block_on(key.sign(&checkpoint.to_octets())).expect("a signature");
        (SignedCheckpoint { checkpoint, key: key.public_key().digest(), signature }, key)
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let (signed, _) = signed();
        let text = format!("{signed}\n\n{signed}\n");
        let both = ReadCheckpoints { checkpoints: vec![signed.clone(), signed.clone()], cut_short: vec![] };
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
        let mut changed = vec![signed.clone(); 4];
        changed[0].checkpoint.chain.sequence += 1;
        changed[1].checkpoint.chain.hash[31] ^= 1;
        changed[2].checkpoint.chain.node.push('0');
        changed[3].checkpoint.at.0 += 1;
        assert!(changed.iter().all(|one| !one.is_signed_by(key.public_key())));
    }
}
