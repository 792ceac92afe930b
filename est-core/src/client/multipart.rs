//! The two parts of a `/serverkeygen` answer (RFC 7030 §4.4.2, RFC 2046 §5.1).

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{ClientError, MAX_BODY_BYTES, ber, read_body};
use crate::KeyPart;
use crate::pkix::der;
use crate::wire::http::is_media_type;

/// Finds the key and the message with the certificates, in whichever order.
pub(super) fn read(content_type: &[u8], body: &[u8]) -> Result<(KeyPart, Vec<u8>), ClientError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(ClientError::BodyTooLarge);
    }
    let boundary = boundary(content_type).ok_or(ClientError::NotKeyAndCertificate)?;
    let (mut key, mut certificates) = (None, None);
    for part in parts(body, &boundary).ok_or(ClientError::NotKeyAndCertificate)? {
        let (content_type, contents) = open(part).ok_or(ClientError::NotKeyAndCertificate)?;
        let is_doubled = if is_media_type(&content_type, "application/pkcs8") {
            let der = Zeroizing::new(read_body(contents)?);
            key.replace(KeyPart::Pkcs8(der)).is_some()
        } else if !is_media_type(&content_type, "application/pkcs7-mime") {
            true
        } else if content_type.to_ascii_lowercase().contains("server-generated-key") {
            let sent = read_body(contents)?;
            let der = if der::check(&sent).is_ok() { Some(sent) } else { ber::to_definite(&sent) };
            key.replace(KeyPart::Enveloped(der.ok_or(ClientError::NotKeyAndCertificate)?)).is_some()
        } else {
            certificates.replace(read_body(contents)?).is_some()
        };
        if is_doubled {
            return Err(ClientError::NotKeyAndCertificate);
        }
    }
    key.zip(certificates).ok_or(ClientError::NotKeyAndCertificate)
}

/// The boundary parameter of a multipart media type, with or without quotation marks.
fn boundary(content_type: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(content_type).ok()?;
    let (essence, parameters) = text.split_once(';')?;
    essence.trim().to_ascii_lowercase().starts_with("multipart/").then_some(())?;
    let found = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (1..=70).contains(&found.len()).then(|| String::from(found))
}

/// What stands between the delimiter lines; `None` when the closing one is missing.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<&'a [u8]>> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        if let Some(rest) = line.strip_prefix(delimiter.as_slice()) {
            let is_last = rest.starts_with(b"--");
            if is_last || rest.trim_ascii().is_empty() {
                parts.extend(begun.map(|begin| &body[begin..at]));
                if is_last {
                    return Some(parts);
                }
                begun = Some(at + line.len());
            }
        }
        at += line.len();
    }
    None
}

/// The Content-Type of a part and what follows its empty line.
fn open(part: &[u8]) -> Option<(String, &[u8])> {
    let (mut at, mut content_type) = (0, None);
    for line in part.split_inclusive(|octet| *octet == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            return Some((content_type?, &part[at..]));
        }
        let (name, value) = core::str::from_utf8(line).ok()?.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-type") {
            content_type = Some(String::from(value.trim()));
        }
    }
    None
}
