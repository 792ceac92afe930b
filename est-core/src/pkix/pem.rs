//! PEM (RFC 7468).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize as _;

use crate::base64;

/// One PEM block. It may be a private key: the memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`, `PRIVATE KEY`, ….
    pub label: String,
    /// What the base64 text stands for.
    pub contents: Vec<u8>,
    /// Whether encapsulated headers stood before the text (RFC 1421), as in OpenSSL's old encrypted keys.
    pub has_headers: bool,
}

/// Without the contents, which may be a private key.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("label", &self.label)
            .field("octets", &self.contents.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.contents.zeroize();
    }
}

/// Reads every block of a text; what stands between blocks is skipped. `None` when a block is broken.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----")?;
        let end = alloc::format!("-----END {label}-----");
        let (contents, after) = after.split_once(end.as_str())?;
        let has_headers = contents.contains(':');
        let contents = if has_headers { Vec::new() } else { base64::decode(contents.as_bytes())? };
        blocks.push(Block { label: label.into(), contents, has_headers });
        rest = after;
    }
    Some(blocks)
}

/// Writes one block in lines of 64 characters.
#[must_use]
pub fn encode(label: &str, contents: &[u8]) -> String {
    let text = base64::encode(contents, Some(64));
    alloc::format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n")
}
