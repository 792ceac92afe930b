//! CMS as some servers send it: BER with indefinite lengths (RFC 5652 §2 asks for BER alone).

use alloc::vec::Vec;

use crate::pkix::der::MAX_DEPTH;

/// Rewrites every length in its shortest definite form, so that what is otherwise DER becomes DER.
///
/// Primitive values and values that have that form already keep their octets, so signatures inside stay valid.
/// `None` when it is not one BER value, is nested deeper than [`MAX_DEPTH`], or has a tag over 30.
pub(super) fn to_definite(input: &[u8]) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(input.len());
    let rest = value(input, 0, &mut output)?;
    rest.is_empty().then_some(output)
}

/// Writes the first value of `input` and returns what follows it.
fn value<'a>(input: &'a [u8], depth: usize, output: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&tag, rest) = input.split_first()?;
    let (length, rest) = length(rest)?;
    if tag & 0x1f == 0x1f || depth > MAX_DEPTH {
        return None;
    }
    let is_constructed = tag & 0x20 != 0;
    let mut contents = Vec::new();
    let after = match length {
        Some(length) => {
            let (mut inner, after) = rest.split_at_checked(length)?;
            if is_constructed {
                while !inner.is_empty() {
                    inner = value(inner, depth + 1, &mut contents)?;
                }
            } else {
                contents.extend_from_slice(inner);
            }
            after
        }
        None if is_constructed => {
            let mut inner = rest;
            loop {
                match inner {
                    [0, 0, after @ ..] => break after,
                    _ => inner = value(inner, depth + 1, &mut contents)?,
                }
            }
        }
        None => return None,
    };
    output.push(tag);
    push_length(output, contents.len());
    output.extend_from_slice(&contents);
    Some(after)
}

/// The length at the front, `None` inside for an indefinite one, and what follows it.
fn length(input: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let (&first, rest) = input.split_first()?;
    match first {
        0..0x80 => Some((Some(usize::from(first)), rest)),
        0x80 => Some((None, rest)),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let zeros = octets.iter().take_while(|octet| **octet == 0).count();
            let octets = octets.get(zeros..).filter(|octets| octets.len() <= 4)?;
            let length = octets.iter().fold(0u64, |length, octet| length << 8 | u64::from(*octet));
            Some((Some(usize::try_from(length).ok()?), rest))
        }
    }
}

fn push_length(output: &mut Vec<u8>, length: usize) {
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        output.push(short);
        return;
    }
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let count = u8::try_from(octets.len() - zeros).expect("a usize has few octets");
    output.push(0x80 | count);
    output.extend_from_slice(&octets[zeros..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_indefinite_and_long_lengths_definite_and_short() {
        assert_eq!(
            to_definite(b"\x30\x80\x05\x00\xa0\x80\x02\x01\x07\0\0\0\0"),
            Some(b"\x30\x07\x05\x00\xa0\x03\x02\x01\x07".to_vec())
        );
        assert_eq!(to_definite(b"\x30\x84\0\0\0\x02\x05\x00"), Some(b"\x30\x02\x05\x00".to_vec()));
        let long = [&b"\x30\x80\x04\x81\x80"[..], &[7; 128], &[0, 0]].concat();
        assert_eq!(to_definite(&long), Some([&b"\x30\x81\x83\x04\x81\x80"[..], &[7; 128]].concat()));
    }

    #[test]
    fn refuses_what_does_not_end_where_it_should() {
        for ber in [
            &b""[..],
            b"\x30",
            b"\x30\x80",
            b"\x30\x80\x05\x00",
            b"\x30\x80\x00",
            b"\x30\x03\x05\x00",
            b"\x30\x00\x00",
            b"\x04\x80\x00\x00",
            b"\x30\x85\x01\x00\x00\x00\x00",
            b"\x3f\x00",
        ] {
            assert_eq!(to_definite(ber), None, "{ber:02x?}");
        }
    }

    #[test]
    fn stops_at_its_depth() {
        assert_eq!(to_definite(&b"\x30\x80".repeat(5000)), None);
    }
}
