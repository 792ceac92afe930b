//! The string types of ASN.1 (X.680 §41), and what each may hold.

use alloc::string::{String, ToString};
use core::fmt;

/// A string type of ASN.1 that certificates use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringType {
    /// UTF8String.
    Utf8,
    /// NumericString.
    Numeric,
    /// PrintableString.
    Printable,
    /// TeletexString, also called T61String.
    Teletex,
    /// IA5String.
    Ia5,
    /// VisibleString.
    Visible,
    /// UniversalString.
    Universal,
    /// BMPString.
    Bmp,
}

impl StringType {
    /// The type with this tag.
    pub(super) fn of(tag: u8) -> Option<Self> {
        Some(match tag {
            0x0c => Self::Utf8,
            0x12 => Self::Numeric,
            0x13 => Self::Printable,
            0x14 => Self::Teletex,
            0x16 => Self::Ia5,
            0x1a => Self::Visible,
            0x1c => Self::Universal,
            0x1e => Self::Bmp,
            _ => return None,
        })
    }

    /// The text of these contents octets; `None` when they are not text of this type. A TeletexString is read as
    /// Latin-1, which is the usual reading.
    pub(super) fn text(self, contents: &[u8]) -> Option<String> {
        let of_octets = || contents.iter().copied().map(char::from).collect();
        match self {
            Self::Utf8 => core::str::from_utf8(contents).ok().map(ToString::to_string),
            Self::Teletex => Some(of_octets()),
            Self::Numeric | Self::Printable | Self::Ia5 | Self::Visible => {
                self.foreign_character(contents).is_none().then(of_octets)
            }
            Self::Universal => of_units::<4>(contents),
            Self::Bmp => of_units::<2>(contents),
        }
    }

    /// The first character that a type with an alphabet of its own does not have.
    pub(super) fn foreign_character(self, contents: &[u8]) -> Option<char> {
        let is_foreign = |octet: &u8| match self {
            Self::Numeric => !octet.is_ascii_digit() && *octet != b' ',
            Self::Printable => !is_printable(*octet),
            Self::Ia5 => !octet.is_ascii(),
            Self::Visible => !(0x20..=0x7e).contains(octet),
            Self::Utf8 | Self::Teletex | Self::Universal | Self::Bmp => false,
        };
        contents.iter().copied().find(is_foreign).map(char::from)
    }
}

impl fmt::Display for StringType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF8String",
            Self::Numeric => "NumericString",
            Self::Printable => "PrintableString",
            Self::Teletex => "TeletexString",
            Self::Ia5 => "IA5String",
            Self::Visible => "VisibleString",
            Self::Universal => "UniversalString",
            Self::Bmp => "BMPString",
        })
    }
}

/// The PrintableString alphabet (X.680 §41.4).
pub(super) fn is_printable(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)
}

/// Reads characters of so many octets each.
fn of_units<const OCTETS: usize>(contents: &[u8]) -> Option<String> {
    let (units, rest) = contents.as_chunks::<OCTETS>();
    let number = |unit: &[u8; OCTETS]| unit.iter().fold(0, |number: u32, octet| number << 8 | u32::from(*octet));
    rest.is_empty().then(|| units.iter().map(|unit| char::from_u32(number(unit))).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_of_every_type_and_nothing_else() {
        for (tag, contents, text) in [
            (0x0c, "Zoë".as_bytes(), Some("Zoë")),
            (0x0c, b"\xff", None),
            (0x12, b"12 3", Some("12 3")),
            (0x12, b"1a", None),
            (0x13, b"a-b", Some("a-b")),
            (0x13, b"a_b", None),
            (0x14, b"Zo\xeb", Some("Zoë")),
            (0x16, b"a@b", Some("a@b")),
            (0x16, b"\x80", None),
            (0x1a, b"a b", Some("a b")),
            (0x1a, b"a\n", None),
            (0x1c, b"\0\0\0a", Some("a")),
            (0x1c, b"\0\0a", None),
            (0x1e, b"\0Z\0o\0\xeb", Some("Zoë")),
            (0x1e, b"\0a\0", None),
            (0x1e, b"\xd8\x00", None),
        ] {
            let read = StringType::of(tag).and_then(|string_type| string_type.text(contents));
            assert_eq!(read.as_deref(), text, "{tag:02x} {contents:02x?}");
        }
        assert_eq!(StringType::of(0x04), None);
    }
}
