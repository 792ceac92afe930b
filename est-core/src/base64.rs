//! Base64 as EST sends and receives it (RFC 8951 §3).

use alloc::string::String;
use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// Encodes in one line with a final LF, or in lines of `line_length` characters.
pub(crate) fn encode(octets: &[u8], line_length: Option<usize>) -> String {
    let mut text = STANDARD.encode(octets);
    if let Some(length) = line_length.filter(|length| *length > 0) {
        let mut wrapped = String::with_capacity(text.len() + text.len() / length + 2);
        let mut rest = text.as_str();
        while rest.len() > length {
            let (line, tail) = rest.split_at(length);
            wrapped.push_str(line);
            wrapped.push('\n');
            rest = tail;
        }
        wrapped.push_str(rest);
        text = wrapped;
    }
    text.push('\n');
    text
}

/// Decodes the standard alphabet, padded, with CR, LF, space and tab anywhere (RFC 8951 §3.1).
///
/// `None` for anything else, the empty text included.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let octets = if text.iter().any(is_blank) {
        let dense: Vec<u8> = text.iter().copied().filter(|octet| !is_blank(octet)).collect();
        STANDARD.decode(dense)
    } else {
        STANDARD.decode(text)
    };
    octets.ok().filter(|octets| !octets.is_empty())
}
