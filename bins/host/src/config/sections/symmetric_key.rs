//! `[[est.symmetric_key]]`.

use est_backends::SymmetricKey;
use zeroize::Zeroizing;

use crate::config::diagnostic::Fault;
use crate::config::keys;
use crate::config::reader::Reader;
use crate::config::settings::SharedKey;
use crate::config::value::Given;
use crate::config::{files, secret, value};

pub(super) fn read(est: &Reader<'_>) -> Option<Vec<SharedKey>> {
    let (mut shared, mut ids) = (Vec::new(), Vec::new());
    for section in est.open_all(&keys::SYMMETRIC_KEY) {
        let id = section.get("id", identifier);
        if id.as_ref().is_some_and(|id| ids.contains(id)) {
            section.fault("id", Fault::new("another [[est.symmetric_key]] has this id"));
        }
        let written = section.optional("key", written_key);
        let in_file = section.optional("key_file", |given| key(&files::secret(given)?));
        let key = match (written, in_file) {
            (Some(Some(key)), Some(None)) | (Some(None), Some(Some(key))) => Some(key),
            (Some(None), Some(None)) => {
                section.missing("key");
                None
            }
            (Some(Some(_)), Some(Some(_))) => {
                section.fault("key_file", Fault::new("there is a `key` already").help("leave one of them out"));
                None
            }
            (None, _) | (_, None) => None,
        };
        ids.extend(id.clone());
        shared.push(id.zip(key).map(|(id, key)| SharedKey { id, key }));
    }
    shared.into_iter().collect()
}

/// The octets of a text, or those that follow `hex:`.
fn identifier(given: &Given<'_>) -> Result<Vec<u8>, Fault> {
    let text = value::text(given)?;
    match text.strip_prefix("hex:") {
        Some(digits) => hex(digits).map(|octets| octets.to_vec()),
        None => Some(text.into_bytes()),
    }
    .filter(|octets| !octets.is_empty())
    .ok_or_else(|| Fault::new("is not an identifier").help("write text, or `hex:` and hexadecimal digits"))
}

fn written_key(given: &Given<'_>) -> Result<SymmetricKey, Fault> {
    let source = secret::source(given)?;
    if source.asks() {
        let fault = Fault::new("nobody types a key");
        return Err(fault.help("write \"env:NAME\", \"file:PATH\" or \"credential:NAME\""));
    }
    key(source.find().map_err(Fault::new)?.reveal())
}

/// Never says what is written there.
fn key(text: &str) -> Result<SymmetricKey, Fault> {
    let octets = hex(text.trim())
        .ok_or_else(|| Fault::new("is not hexadecimal").help("make a key with `openssl rand -hex 32`"))?;
    SymmetricKey::new(octets).map_err(|error| Fault::new(error.to_string()).help("`openssl rand -hex 32` makes one"))
}

fn hex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_hex = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    is_hex.then(|| (0..digits.len()).step_by(2).map(octet).collect::<Option<Vec<u8>>>().map(Zeroizing::new)).flatten()
}
