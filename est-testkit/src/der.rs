//! DER values put together by hand, so that a test can say what is wrong with one.

/// One value: `tag`, the shortest length, the parts one after another.
#[must_use]
pub fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len().to_be_bytes();
    let octets = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut der = vec![tag];
    match contents.len() {
        0..0x80 => der.push(contents.len() as u8),
        _ => {
            der.push(0x80 | octets.len() as u8);
            der.extend_from_slice(octets);
        }
    }
    der.extend_from_slice(&contents);
    der
}

/// A SEQUENCE.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, parts)
}

/// A SET; the parts stay in their order.
#[must_use]
pub fn set(parts: &[&[u8]]) -> Vec<u8> {
    value(0x31, parts)
}

/// An OCTET STRING.
#[must_use]
pub fn octet_string(contents: &[u8]) -> Vec<u8> {
    value(0x04, &[contents])
}

/// A BIT STRING of whole octets.
#[must_use]
pub fn bit_string(contents: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], contents])
}

/// A UTF8String.
#[must_use]
pub fn utf8(text: &str) -> Vec<u8> {
    value(0x0c, &[text.as_bytes()])
}

/// An Extension of RFC 5280: `id` is a whole OBJECT IDENTIFIER.
#[must_use]
pub fn extension(id: &[u8], critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { b"\x01\x01\xff" } else { b"" };
    sequence(&[id, critical, &octet_string(contents)])
}

/// An Attribute of RFC 2986: `id` is a whole OBJECT IDENTIFIER.
#[must_use]
pub fn attribute(id: &[u8], values: &[&[u8]]) -> Vec<u8> {
    sequence(&[id, &set(values)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_shortest_length() {
        assert_eq!(value(0x04, &[]), b"\x04\x00");
        assert_eq!(value(0x04, &[&[7; 0x7f]])[..2], *b"\x04\x7f");
        assert_eq!(value(0x04, &[&[7; 0x80]])[..3], *b"\x04\x81\x80");
        assert_eq!(value(0x04, &[&[7; 0x1234]])[..4], *b"\x04\x82\x12\x34");
    }
}
