//! The types of attributes in names: what people call them, and what their values are.

use alloc::string::{String, ToString};
use core::fmt;

use crate::pkix::string::StringType;
use crate::pkix::{Oid, oid};

/// The keywords of RFC 4514 §3 and the further ones that OpenSSL prints.
pub(super) const KEYWORDS: [(&str, Oid); 18] = [
    ("CN", oid::COMMON_NAME),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("C", oid::COUNTRY),
    ("L", oid::LOCALITY),
    ("ST", oid::STATE),
    ("STREET", oid::STREET),
    ("DC", oid::DOMAIN_COMPONENT),
    ("UID", oid::USER_ID),
    ("serialNumber", oid::SERIAL_NUMBER),
    ("SN", oid::SURNAME),
    ("GN", oid::GIVEN_NAME),
    ("title", oid::TITLE),
    ("dnQualifier", oid::DN_QUALIFIER),
    ("emailAddress", oid::EMAIL_ADDRESS),
    ("mail", oid::MAIL),
    ("unstructuredName", oid::UNSTRUCTURED_NAME),
    ("unstructuredAddress", oid::UNSTRUCTURED_ADDRESS),
];

/// Upper bounds in characters (RFC 5280 Appendix A.1, RFC 2985 §5.2).
const UPPER_BOUNDS: [(Oid, usize); 10] = [
    (oid::COMMON_NAME, 64),
    (oid::ORGANIZATION, 64),
    (oid::ORGANIZATIONAL_UNIT, 64),
    (oid::LOCALITY, 128),
    (oid::STATE, 128),
    (oid::TITLE, 64),
    (oid::SERIAL_NUMBER, 64),
    (oid::EMAIL_ADDRESS, 255),
    (oid::UNSTRUCTURED_NAME, 255),
    (oid::UNSTRUCTURED_ADDRESS, 255),
];

/// What people call an attribute type: `CN`, or the dotted form of one without a keyword.
pub(crate) fn keyword(id: &Oid) -> String {
    match KEYWORDS.iter().find(|(_, known)| known == id) {
        Some((keyword, _)) => (*keyword).to_string(),
        None => id.to_string(),
    }
}

pub(super) fn has_fitting_length(id: &Oid, text: &str) -> bool {
    if *id == oid::COUNTRY {
        // A code of ISO 3166-1 alpha-2 (X.520 §6.3.1).
        return text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_alphabetic());
    }
    let bound = UPPER_BOUNDS.iter().find(|(known, _)| known == id).map(|(_, bound)| *bound);
    bound.is_none_or(|bound| text.chars().count() <= bound)
}

/// What the values of an attribute are, by its definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// DirectoryString, in the types that RFC 5280 §4.1.2.4 leaves to new names.
    Directory,
    /// PrintableString (RFC 5280 Appendix A.1, X.520).
    Printable,
    /// IA5String (RFC 5280 Appendix A.1, RFC 4519, RFC 4524).
    Ia5,
    /// NumericString (X.520).
    Numeric,
    /// IA5String or DirectoryString: the PKCS9String of RFC 2985 §5.2.
    Pkcs9,
    /// BIT STRING (X.520 §6.2.8).
    Bits,
    /// GeneralizedTime (RFC 3739 §3.2.2).
    Time,
    /// Nothing that anybody here knows of: any string type.
    AnyString,
}

impl Form {
    pub(super) fn of(id: &Oid) -> Self {
        /// The attributes whose values are not DirectoryString; X.520's others are.
        const KNOWN: [(Oid, Form); 18] = [
            (oid::COUNTRY, Form::Printable),
            (oid::SERIAL_NUMBER, Form::Printable),
            (oid::DN_QUALIFIER, Form::Printable),
            (oid::TELEPHONE_NUMBER, Form::Printable),
            (oid::DESTINATION_INDICATOR, Form::Printable),
            (oid::GENDER, Form::Printable),
            (oid::COUNTRY_OF_CITIZENSHIP, Form::Printable),
            (oid::COUNTRY_OF_RESIDENCE, Form::Printable),
            (oid::JURISDICTION_COUNTRY, Form::Printable),
            (oid::X121_ADDRESS, Form::Numeric),
            (oid::EMAIL_ADDRESS, Form::Ia5),
            (oid::DOMAIN_COMPONENT, Form::Ia5),
            (oid::MAIL, Form::Ia5),
            (oid::UNSTRUCTURED_NAME, Form::Pkcs9),
            // DirectoryString by RFC 2985 §5.2.3; routers write it as they write unstructuredName.
            (oid::UNSTRUCTURED_ADDRESS, Form::Pkcs9),
            (oid::UNIQUE_IDENTIFIER, Form::Bits),
            (oid::DATE_OF_BIRTH, Form::Time),
            (oid::USER_ID, Form::Directory),
        ];
        const X520: &[u8] = b"\x55\x04";
        match KNOWN.iter().find(|(known, _)| known == id) {
            Some((_, form)) => *form,
            None if id.is_below(X520) => Self::Directory,
            None => Self::AnyString,
        }
    }

    /// Whether values are strings of this type.
    pub(super) fn takes(self, string_type: StringType) -> bool {
        let directory = matches!(string_type, StringType::Utf8 | StringType::Printable);
        match self {
            Self::Directory => directory,
            Self::Printable => string_type == StringType::Printable,
            Self::Ia5 => string_type == StringType::Ia5,
            Self::Numeric => string_type == StringType::Numeric,
            Self::Pkcs9 => directory || string_type == StringType::Ia5,
            Self::Bits | Self::Time => false,
            Self::AnyString => true,
        }
    }

    /// The tag of the string type that text is written in for it.
    pub(super) fn written_as(self) -> u8 {
        match self {
            Self::Printable => 0x13,
            Self::Ia5 | Self::Pkcs9 => 0x16,
            Self::Numeric => 0x12,
            Self::Directory | Self::Bits | Self::Time | Self::AnyString => 0x0c,
        }
    }
}

/// What a value must be, as the end of a sentence.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a UTF8String or a PrintableString",
            Self::Printable => "a PrintableString",
            Self::Ia5 => "an IA5String",
            Self::Numeric => "a NumericString",
            Self::Pkcs9 => "an IA5String, a UTF8String or a PrintableString",
            Self::Bits => "a BIT STRING",
            Self::Time => "a GeneralizedTime",
            Self::AnyString => "a string",
        })
    }
}
