//! CRLs, made (RFC 5280 §5.1).

use alloc::vec::Vec;

use super::RevocationReason;
use crate::UnixTime;
use crate::pkix::{Extension, Name, der, oid, time};

/// What is to be signed to make a CRL of version 2: a full one, for everything that its issuer revoked itself.
#[derive(Clone, Debug)]
pub struct TbsCertList<'a> {
    /// The AlgorithmIdentifier of the signature to come, DER.
    pub signature_algorithm: &'a [u8],
    /// The issuer, octet for octet the CA's subject.
    pub issuer: &'a Name,
    /// The keyIdentifier of the key that will sign.
    pub authority_key_identifier: &'a [u8],
    /// When it is made.
    pub this_update: UnixTime,
    /// By when there will be another one.
    pub next_update: UnixTime,
    /// The cRLNumber: more than that of every CRL of this issuer before.
    pub number: u64,
    /// The entries, in the order in which they will stand there.
    pub revoked: &'a [RevokedCertificate],
}

/// An entry of a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// The contents octets of the certificate's serial number, as its DER has them.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub revocation_date: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

impl TbsCertList<'_> {
    /// The octets to sign.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        const VERSION_2: &[u8] = b"\x02\x01\x01";
        let (this_update, next_update) = (time::encode(self.this_update), time::encode(self.next_update));
        let mut revoked = Vec::new();
        // RFC 5280 §5.1.2.6: without entries the list is absent, not empty.
        if !self.revoked.is_empty() {
            der::push(&mut revoked, 0x30, &[&self.entries()]);
        }
        let mut extensions = Vec::new();
        der::push(&mut extensions, 0xa0, &[&Extension::list(&self.extensions())]);
        let issuer = self.issuer.as_der();
        let parts: [&[u8]; 7] =
            [VERSION_2, self.signature_algorithm, issuer, &this_update, &next_update, &revoked, &extensions];
        let mut der = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 8);
        der::push(&mut der, 0x30, &parts);
        der
    }

    /// Both are what every CRL must have (RFC 5280 §5.2.1, §5.2.3).
    fn extensions(&self) -> [Extension; 2] {
        let mut number = Vec::new();
        der::push(&mut number, 0x02, &[&unsigned(&self.number.to_be_bytes())]);
        [
            Extension::authority_key_identifier(self.authority_key_identifier),
            Extension { id: oid::CRL_NUMBER, critical: false, value: number },
        ]
    }

    fn entries(&self) -> Vec<u8> {
        // What one takes with a serial number of 20 octets and a reason.
        let mut entries = Vec::with_capacity(self.revoked.len() * 53);
        let reasons = RevocationReason::ALL.map(|reason| (reason, reason_extensions(reason)));
        let mut serial = Vec::new();
        for entry in self.revoked {
            serial.clear();
            der::push(&mut serial, 0x02, &[&entry.serial]);
            let date = time::encode(entry.revocation_date);
            let reason = reasons.iter().find(|(reason, _)| *reason == entry.reason).map(|(_, extensions)| extensions);
            der::push(&mut entries, 0x30, &[&serial, &date, reason.map_or(&[], Vec::as_slice)]);
        }
        entries
    }
}

/// The extensions of an entry: its CRLReason, unless that is unspecified (RFC 5280 §5.3.1).
fn reason_extensions(reason: RevocationReason) -> Vec<u8> {
    if reason == RevocationReason::Unspecified {
        return Vec::new();
    }
    let value = Vec::from([0x0a, 1, reason.code()]);
    Extension::list(&[Extension { id: oid::CRL_REASONS, critical: false, value }])
}

/// The shortest contents octets of a positive INTEGER.
fn unsigned(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    let shortest = &octets[zeros..];
    let sign: &[u8] = if shortest[0] & 0x80 == 0 { &[] } else { &[0] };
    [sign, shortest].concat()
}

/// Puts a CRL together from what was signed, exactly as it was signed.
///
/// `signature_algorithm` is the AlgorithmIdentifier that `to_be_signed` names, DER.
#[must_use]
pub fn assemble_cert_list(to_be_signed: &[u8], signature_algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bits = Vec::with_capacity(signature.len() + 8);
    // No bit of the last octet is unused.
    der::push(&mut bits, 0x03, &[&[0], signature]);
    let parts = [to_be_signed, signature_algorithm, &bits];
    let mut der = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 8);
    der::push(&mut der, 0x30, &parts);
    der
}
