//! Why a subjectAltName cannot be read.

use core::fmt;

use crate::pkix::NameError;
use crate::pkix::asn1::Malformed;
use crate::pkix::der::{DerError, MAX_VALUES};

/// Why a subjectAltName cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlternativeNameError {
    /// Not a list of values.
    Malformed(Option<DerError>),
    /// A list without a name.
    Empty,
    /// A name that contradicts its kind.
    Name {
        /// Its place in the list, from 1.
        entry: usize,
        /// What is wrong with it.
        fault: AlternativeNameFault,
    },
}

/// What is wrong with one name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlternativeNameFault {
    /// A kind of name that is IA5String holds something else.
    AsciiOnly(&'static str),
    /// An iPAddress of so many octets.
    Address {
        /// How many.
        octets: usize,
        /// Whether they are an address written as text.
        text: bool,
    },
    /// A directoryName that is not a name, or not one that can be issued.
    Directory(NameError),
    /// An otherName that has not a type and a value.
    OtherName,
    /// A registeredID that is not an object identifier.
    RegisteredId,
    /// A tag that no kind of name has.
    Kind(u8),
}

impl From<Malformed> for AlternativeNameError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Der(error) => Self::Malformed(Some(error)),
            Malformed::Shape => Self::Malformed(None),
        }
    }
}

impl fmt::Display for AlternativeNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Some(DerError::TooMany)) => {
                write!(f, "the requested subjectAltName has more than {} names", MAX_VALUES - 1)
            }
            Self::Malformed(Some(error)) => write!(f, "the requested subjectAltName is not DER: {error}"),
            Self::Malformed(None) => f.write_str("the requested subjectAltName is not a list of names"),
            Self::Empty => {
                f.write_str("the requested subjectAltName is empty: list a name, or leave the extension out")
            }
            Self::Name { entry, fault } => write!(f, "the requested subjectAltName's entry {entry} {fault}"),
        }
    }
}

impl core::error::Error for AlternativeNameError {}

/// As the rest of a sentence about the entry.
impl fmt::Display for AlternativeNameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsciiOnly(kind) => {
                let instead = match *kind {
                    "dNSName" => "write the host's name in A-labels (xn--...)",
                    "rfc822Name" => "write the host's name in A-labels, or send an SmtpUTF8Mailbox (RFC 9598)",
                    _ => "percent-encode other letters",
                };
                write!(f, "is a {kind} with letters beyond ASCII: {instead}")
            }
            Self::Address { octets, text } => {
                let found = match (text, octets) {
                    (true, _) => "an address as text",
                    (false, 8 | 32) => "an address with a mask",
                    (false, _) => "neither",
                };
                write!(
                    f,
                    "is an iPAddress of {octets} octets, {found}: it must be the 4 octets of an IPv4 address or the 16 of an IPv6 address"
                )
            }
            Self::Directory(error) => write!(f, "is a directoryName that is not accepted: {error}"),
            Self::OtherName => f.write_str("is an otherName without a type and a value [0]"),
            Self::RegisteredId => f.write_str("is a registeredID that is not an OBJECT IDENTIFIER"),
            Self::Kind(tag) => write!(f, "has the tag {tag:02x}, which no kind of name has"),
        }
    }
}
