//! A CRL that somebody made, with everybody it lists.

use alloc::vec::Vec;
use core::fmt;

use pki_types::SignatureVerificationAlgorithm;
use rasn::types::{Any, BitString};

use super::{CrlHead, RevocationReason, RevokedCertificate, whole};
use crate::pkix::{Certificate, Extension, SubjectPublicKeyInfo, asn1, der, oid, time};

/// A full and direct CRL of version 2 whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCrl {
    /// Who issued it, and when.
    pub head: CrlHead,
    /// Its cRLNumber.
    pub number: u64,
    /// Its entries, in their order.
    pub revoked: Vec<RevokedCertificate>,
}

/// Why a CRL is not taken. Its text is for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuedCrlError {
    /// It cannot be read, or lacks nextUpdate or a cRLNumber.
    Malformed,
    /// It has the name of another issuer, or another key has signed it.
    OtherIssuer,
    /// Its cRLNumber has more than 63 bits.
    Number,
    /// It has a critical extension: it is a delta CRL, an indirect one, or one for a part of the certificates.
    Partial,
}

impl fmt::Display for IssuedCrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a CRL of version 2 with nextUpdate and cRLNumber",
            Self::OtherIssuer => "not signed by this CA",
            Self::Number => "its cRLNumber is too large: no next one can be larger",
            Self::Partial => "a delta CRL, an indirect CRL, or a CRL for a part of the certificates: take the full one",
        })
    }
}

impl core::error::Error for IssuedCrlError {}

impl IssuedCrl {
    /// Reads a CRL, DER, and checks that `issuer` has signed it.
    ///
    /// # Errors
    /// [`IssuedCrlError`].
    pub fn parse(
        der: &[u8],
        issuer: &Certificate,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, IssuedCrlError> {
        let head = CrlHead::parse(der).ok_or(IssuedCrlError::Malformed)?;
        let malformed = || IssuedCrlError::Malformed;
        let mut parts = der::parts(whole(der, 0x30).ok_or_else(malformed)?);
        let (to_be_signed, algorithm) = (parts.next().ok_or_else(malformed)?, parts.next().ok_or_else(malformed)?);
        let signature = whole(parts.next().ok_or_else(malformed)?, 0x03).ok_or_else(malformed)?;
        let [0, signature @ ..] = signature else { return Err(IssuedCrlError::Malformed) };
        let signed = asn1::Signed {
            to_be_signed: Any::new(to_be_signed.to_vec()),
            algorithm: Any::new(algorithm.to_vec()),
            signature: BitString::from_slice(signature),
        };
        let key = SubjectPublicKeyInfo::parse(issuer.public_key_der()).map_err(|_| IssuedCrlError::OtherIssuer)?;
        if head.issuer() != issuer.subject() || !signed.is_signed_with(&key, algorithms) {
            return Err(IssuedCrlError::OtherIssuer);
        }
        let mut fields = der::parts(whole(to_be_signed, 0x30).ok_or_else(malformed)?).skip(5).peekable();
        let entries = fields.next_if(|field| field[0] == 0x30);
        let listed = extensions(whole(fields.next().ok_or_else(malformed)?, 0xa0).ok_or_else(malformed)?)?;
        if listed.iter().any(|extension| extension.critical) {
            return Err(IssuedCrlError::Partial);
        }
        let number = listed.iter().find(|extension| extension.id == oid::CRL_NUMBER).ok_or_else(malformed)?;
        let revoked = entries.map_or(Ok(Vec::new()), |entries| der::parts(der::contents(entries)).map(entry).collect());
        Ok(Self { head, number: read_number(&number.value)?, revoked: revoked? })
    }
}

fn extensions(list: &[u8]) -> Result<Vec<Extension>, IssuedCrlError> {
    let list = whole(list, 0x30).ok_or(IssuedCrlError::Malformed)?;
    let read = |one: &[u8]| asn1::decode::<asn1::Extension>(one).ok().and_then(Extension::read);
    der::parts(list).map(|one| read(one).ok_or(IssuedCrlError::Malformed)).collect()
}

fn read_number(value: &[u8]) -> Result<u64, IssuedCrlError> {
    let octets = whole(value, 0x02).ok_or(IssuedCrlError::Malformed)?;
    if octets.len() > 8 || octets.first().is_some_and(|first| first & 0x80 != 0) {
        return Err(IssuedCrlError::Number);
    }
    Ok(octets.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet)))
}

fn entry(der: &[u8]) -> Result<RevokedCertificate, IssuedCrlError> {
    let malformed = || IssuedCrlError::Malformed;
    let mut parts = der::parts(whole(der, 0x30).ok_or_else(malformed)?);
    let serial = whole(parts.next().ok_or_else(malformed)?, 0x02).ok_or_else(malformed)?;
    let revocation_date = time::decode(parts.next().ok_or_else(malformed)?).ok_or_else(malformed)?;
    let mut reason = RevocationReason::Unspecified;
    for extension in parts.next().map_or(Ok(Vec::new()), extensions)? {
        if extension.critical {
            // certificateIssuer (RFC 5280 §5.3.3): the entry is of another CA.
            return Err(IssuedCrlError::Partial);
        }
        if extension.id == oid::CRL_REASONS {
            let code = whole(&extension.value, 0x0a).and_then(|octets| octets.first());
            reason = code.and_then(|code| RevocationReason::from_code(*code)).ok_or_else(malformed)?;
        }
    }
    Ok(RevokedCertificate { serial: serial.to_vec(), revocation_date, reason })
}
