//! The kinds of name in a subjectAltName.

use alloc::string::{String, ToString};
use core::fmt;

use crate::pkix::{GeneralName, Oid, oid};

/// A kind of name in a subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// dNSName.
    Dns,
    /// iPAddress.
    Ip,
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier.
    Uri,
    /// directoryName.
    Directory,
    /// registeredID.
    RegisteredId,
    /// otherName of this type.
    Other(Oid),
}

impl NameKind {
    /// The kind of a name; `None` for x400Address and ediPartyName, which nobody gets.
    #[must_use]
    pub fn of(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::Dns(_) => Some(Self::Dns),
            GeneralName::Ip(_) => Some(Self::Ip),
            GeneralName::Rfc822(_) => Some(Self::Email),
            GeneralName::Uri(_) => Some(Self::Uri),
            GeneralName::Directory(_) => Some(Self::Directory),
            GeneralName::Other(_) => match name.other_name() {
                Some((id, _)) => Some(Self::Other(id)),
                None => name.is_registered_id().then_some(Self::RegisteredId),
            },
        }
    }

    /// Reads the name of a kind as configurations write it: `dns`, `ip`, `email`, `uri`, `directory`, `rid`, `upn`,
    /// `hardware`, `smtp-utf8`, or the dotted identifier of an otherName.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "dns" => Some(Self::Dns),
            "ip" => Some(Self::Ip),
            "email" => Some(Self::Email),
            "uri" => Some(Self::Uri),
            "directory" => Some(Self::Directory),
            "rid" => Some(Self::RegisteredId),
            "upn" => Some(Self::Other(oid::UPN)),
            "hardware" => Some(Self::Other(oid::HARDWARE_MODULE_NAME)),
            "smtp-utf8" => Some(Self::Other(oid::SMTP_UTF8_MAILBOX)),
            _ => Oid::from_dotted(text).map(Self::Other),
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = match self {
            Self::Dns => "dns".into(),
            Self::Ip => "ip".into(),
            Self::Email => "email".into(),
            Self::Uri => "uri".into(),
            Self::Directory => "directory".into(),
            Self::RegisteredId => "rid".into(),
            Self::Other(id) if *id == oid::UPN => "upn".into(),
            Self::Other(id) if *id == oid::HARDWARE_MODULE_NAME => "hardware".into(),
            Self::Other(id) if *id == oid::SMTP_UTF8_MAILBOX => "smtp-utf8".into(),
            Self::Other(id) => id.to_string(),
        };
        f.write_str(&text)
    }
}
