//! DER in buffers that are overwritten when dropped, and read without copies.

use zeroize::Zeroizing;

use crate::pkix::der;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// `[number]` around something constructed.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// `[number]` in place of a primitive tag.
pub(super) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// The parts of a value that [`der::check`] accepted, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The parts of the one SEQUENCE that `input` is, all of it checked.
    pub(super) fn of_sequence(input: &'a [u8]) -> Option<Self> {
        der::check(input).ok()?;
        (input.first() == Some(&SEQUENCE)).then(|| Self(der::contents(input)))
    }

    /// The parts of a constructed value among those of a checked one.
    pub(super) fn of(value: &'a [u8], tag: u8) -> Option<Self> {
        (value.first() == Some(&tag)).then(|| Self(der::contents(value)))
    }

    /// The next part with tag and length, whatever it is.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let part = der::parts(self.0).next()?;
        self.0 = &self.0[part.len()..];
        Some(part)
    }

    /// The next part with tag and length, if it has this tag.
    pub(super) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }

    /// The contents of the next part, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.whole(tag).map(der::contents)
    }

    /// The parts of the next part, if it has this tag.
    pub(super) fn open(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// Nothing but the end.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Writes one value made of `parts`, one after the other.
pub(super) fn write(tag: u8, parts: &[&[u8]]) -> Zeroizing<alloc::vec::Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // Room for all of it at once: what grows leaves copies behind.
    let mut der = Zeroizing::new(alloc::vec::Vec::with_capacity(length + 6));
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

/// A small INTEGER.
pub(super) fn number(value: u8) -> [u8; 3] {
    assert!(value < 0x80, "one octet");
    [INTEGER, 1, value]
}
