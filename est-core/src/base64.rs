//! Base64 as EST sends and receives it (RFC 8951 §3).

use alloc::string::String;
use alloc::vec::Vec;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

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

/// Appends in lines of `line_length` characters, or in one, each with a final CRLF. Leaves no other copy behind where
/// `body` has room for twice the octets.
pub(crate) fn append_lines(body: &mut Vec<u8>, octets: &[u8], line_length: Option<usize>) {
    let mut text = Zeroizing::new(alloc::vec![0; octets.len().div_ceil(3) * 4]);
    let length = STANDARD.encode_slice(octets, &mut text).expect("there is room for it");
    for line in text[..length].chunks(line_length.filter(|length| *length > 0).unwrap_or(usize::MAX)) {
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
}

/// Decodes the standard alphabet, padded, with CR, LF, space and tab anywhere (RFC 8951 §3.1).
///
/// `None` for anything else, the empty text included.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let octets = if text.iter().any(is_blank) {
        // What is decoded may be a key or a password.
        let mut dense = Zeroizing::new(Vec::with_capacity(text.len()));
        dense.extend(text.iter().copied().filter(|octet| !is_blank(octet)));
        STANDARD.decode(&*dense)
    } else {
        STANDARD.decode(text)
    };
    octets.ok().filter(|octets| !octets.is_empty())
}
