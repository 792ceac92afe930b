//! DER without copies: what it lends out is never left behind in memory that nobody overwrites.

use est_core::pkix::der;
use zeroize::Zeroizing;

/// The parts of a DER value that [`der::check`] accepted, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a>(&'a [u8]);

/// One value.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    /// Without tag and length.
    pub(crate) contents: &'a [u8],
    /// With tag and length.
    pub(crate) whole: &'a [u8],
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;

impl<'a> Parts<'a> {
    /// The parts of the one SEQUENCE that `input` is.
    pub(crate) fn of_sequence(input: &'a [u8]) -> Option<Self> {
        der::check(input).ok()?;
        (input.first() == Some(&SEQUENCE)).then(|| Self(der::contents(input)))
    }

    /// The next part, if there is one and it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let value = self.peek().filter(|value| value.tag == tag)?;
        self.0 = &self.0[value.whole.len()..];
        Some(value)
    }

    /// The next part, left where it is.
    pub(crate) fn peek(&self) -> Option<Value<'a>> {
        let whole = der::parts(self.0).next()?;
        Some(Value { tag: *whole.first()?, contents: der::contents(whole), whole })
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes one value made of `parts`, one after the other.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Room for all of it at once: what grows leaves copies behind.
    let mut der = Zeroizing::new(Vec::with_capacity(length + 6));
    der.push(tag);
    let octets = length.to_be_bytes();
    let used = octets.iter().skip_while(|octet| **octet == 0).count();
    if length < 0x80 {
        der.push(octets[octets.len() - 1]);
    } else {
        der.push(0x80 | u8::try_from(used).expect("at most eight"));
        der.extend_from_slice(&octets[octets.len() - used..]);
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}
