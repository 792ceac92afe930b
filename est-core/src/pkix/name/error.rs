//! Why a name is not accepted.

use alloc::string::String;
use core::fmt;

use super::MAX_ATTRIBUTES;
use super::attribute::{Form, keyword};
use crate::pkix::string::StringType;
use crate::pkix::{Oid, oid};

/// Why a name is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Not a Name.
    Malformed,
    /// More attributes than any real name has.
    TooLong,
    /// An RDN with the same type of attribute twice (X.501 §9.3).
    TypeTwice(Oid),
    /// A value that is not text, or not text that anybody can read.
    NotText(Oid),
    /// A character that the value's string type does not have.
    Character {
        /// The attribute.
        id: Oid,
        /// The type of its value.
        string_type: StringType,
        /// The first such character.
        character: char,
    },
    /// A value in another string type than the standards give its attribute.
    StringType {
        /// The attribute.
        id: Oid,
        /// The type of its value.
        found: StringType,
    },
    /// A value that begins or ends with a space.
    Spaces(Oid),
    /// A value that is empty.
    Empty(Oid),
    /// A value with a control character in it, an invisible one, or one that turns the text around.
    ControlCharacter(Oid),
    /// A value longer than RFC 5280 allows, or a country that has not two letters.
    Length(Oid),
    /// Text from which no name can be made, and the part that stands in the way.
    Text(String),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the name is malformed"),
            Self::TooLong => write!(f, "the name has more than {MAX_ATTRIBUTES} attributes"),
            Self::TypeTwice(id) => {
                write!(f, "the name has {0} twice in one RDN: put each {0} into an RDN of its own", keyword(id))
            }
            Self::NotText(id) => write!(f, "the name's {} is not text: it must be {}", keyword(id), Form::of(id)),
            Self::Character { id, string_type, character } => write!(
                f,
                "the name's {} has the character {}, which a {string_type} does not have: it must be {}",
                keyword(id),
                character.escape_default(),
                Form::of(id)
            ),
            Self::StringType { id, found } => {
                write!(f, "the name's {} is a {found}: it must be {}", keyword(id), Form::of(id))
            }
            Self::Spaces(id) => write!(f, "the name's {} begins or ends with a space", keyword(id)),
            Self::Empty(id) => write!(f, "the name's {} is empty", keyword(id)),
            Self::ControlCharacter(id) => {
                write!(f, "the name's {} has an invisible character in it, or a control character", keyword(id))
            }
            Self::Length(id) if *id == oid::COUNTRY => f.write_str("the name's C is not two letters"),
            Self::Length(id) => write!(f, "the name's {} has a length that RFC 5280 does not allow", keyword(id)),
            Self::Text(part) => write!(f, "`{part}` is not an attribute of a name: write CN=device-1,O=Example"),
        }
    }
}

impl core::error::Error for NameError {}
