//! Certificate revocation lists (RFC 5280 §5): what one says of itself, whomever it lists; and one made.

mod issued;
mod list;
mod reason;

use alloc::vec::Vec;

use rasn::types::SequenceOf;

use super::{Extension, Name, asn1, der, oid, time};
use crate::UnixTime;

pub use issued::{IssuedCrl, IssuedCrlError};
pub use list::{RevokedCertificate, TbsCertList, assemble_cert_list};
pub use reason::RevocationReason;

/// The head of a CRL of version 2. Nothing about it has been verified, and its entries have not been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlHead {
    issuer: Name,
    this_update: UnixTime,
    next_update: UnixTime,
    authority_key_identifier: Option<Vec<u8>>,
}

impl CrlHead {
    /// Reads the head of a CRL: `None` when it lacks nextUpdate (§5.1.2.5) or a cRLNumber that is not critical
    /// (§5.2.3), has an extension twice, or cannot be read.
    ///
    /// Takes no time for the entries, of which there may be millions.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut parts = der::parts(whole(der, 0x30)?);
        let mut fields = der::parts(whole(parts.next()?, 0x30)?).peekable();
        if fields.next()? != b"\x02\x01\x01" {
            return None;
        }
        let _signature = fields.next()?;
        let issuer = Name::parse(fields.next()?).ok()?;
        let (this_update, next_update) = (time::decode(fields.next()?)?, time::decode(fields.next()?)?);
        let _revoked = fields.next_if(|field| field[0] == 0x30);
        let listed: SequenceOf<asn1::Extension> = asn1::decode(whole(fields.next()?, 0xa0)?).ok()?;
        let extensions = listed.into_iter().map(Extension::read).collect::<Option<Vec<_>>>()?;
        let find = |id| {
            let mut found = extensions.iter().filter(move |extension| extension.id == id);
            let first = found.next();
            found.next().is_none().then_some(first)
        };
        if find(oid::CRL_NUMBER)??.critical || fields.next().is_some() {
            return None;
        }
        let authority_key_identifier = match find(oid::AUTHORITY_KEY_IDENTIFIER)? {
            Some(extension) => key_identifier(&extension.value),
            None => None,
        };
        Some(Self { issuer, this_update, next_update, authority_key_identifier })
    }

    /// How many entries a CRL has; `None` when it cannot be read. Looks at where each of them ends.
    #[must_use]
    pub fn count_entries(der: &[u8]) -> Option<u64> {
        let to_be_signed = der::parts(whole(der, 0x30)?).next()?;
        // version, signature, issuer, thisUpdate and nextUpdate come first (RFC 5280 §5.1).
        let listed = der::parts(whole(to_be_signed, 0x30)?).nth(5).filter(|field| field[0] == 0x30);
        Some(listed.map_or(0, |listed| der::parts(der::contents(listed)).count() as u64))
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// By when there will be another one: from then on, this one says nothing.
    #[must_use]
    pub fn next_update(&self) -> UnixTime {
        self.next_update
    }

    /// The identifier of the key that signed it, if it tells.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }
}

/// The contents of the one value in `der`, which has this tag.
fn whole(der: &[u8], tag: u8) -> Option<&[u8]> {
    let mut parts = der::parts(der);
    let only = parts.next().filter(|part| part.len() == der.len() && part[0] == tag)?;
    Some(der::contents(only))
}

/// The keyIdentifier of an authorityKeyIdentifier, whatever else that has.
pub(super) fn key_identifier(value: &[u8]) -> Option<Vec<u8>> {
    der::check(value).ok()?;
    let first = der::parts(der::contents(value)).next().filter(|part| part[0] == 0x80)?;
    Some(der::contents(first).to_vec())
}
