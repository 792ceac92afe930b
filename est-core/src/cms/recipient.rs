//! Who can open an envelope: RecipientInfo (RFC 5652 §6.2, RFC 9629 §3).

use alloc::vec::Vec;

use super::algorithm::{Kem, KeyDerivation, KeyTransport, KeyWrap};
use super::tlv::{self, Parts};
use crate::pkix::{Oid, oid};

/// The content's key, encrypted for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// With a symmetric key that both have: KEKRecipientInfo.
    Kek {
        /// The key's name.
        key_id: Vec<u8>,
        /// How.
        wrap: KeyWrap,
        /// The encrypted key.
        encrypted_key: Vec<u8>,
    },
    /// To an RSA key: KeyTransRecipientInfo.
    KeyTransport {
        /// Whose.
        rid: RecipientIdentifier,
        /// How.
        algorithm: KeyTransport,
        /// The encrypted key.
        encrypted_key: Vec<u8>,
    },
    /// To an elliptic-curve key, with an ephemeral one: KeyAgreeRecipientInfo (RFC 5753, RFC 8418).
    KeyAgreement {
        /// The contents of the ephemeral key's AlgorithmIdentifier.
        originator_algorithm: Vec<u8>,
        /// The ephemeral public key.
        originator: Vec<u8>,
        /// Whose.
        rid: RecipientIdentifier,
        /// How the shared secret becomes a key.
        derivation: KeyDerivation,
        /// How that one encrypts.
        wrap: KeyWrap,
        /// What else the derivation takes in.
        ukm: Option<Vec<u8>>,
        /// The encrypted key.
        encrypted_key: Vec<u8>,
    },
    /// To a key of a key encapsulation mechanism: KEMRecipientInfo (RFC 9629), with HKDF and SHA-256.
    Kem {
        /// Whose.
        rid: RecipientIdentifier,
        /// The mechanism.
        kem: Kem,
        /// The encapsulated secret.
        ciphertext: Vec<u8>,
        /// How the key that is derived from it encrypts.
        wrap: KeyWrap,
        /// What else the derivation takes in.
        ukm: Option<Vec<u8>>,
        /// The encrypted key.
        encrypted_key: Vec<u8>,
    },
}

/// Whose public key something is encrypted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientIdentifier {
    /// That of the certificate with this subjectKeyIdentifier.
    SubjectKeyIdentifier(Vec<u8>),
    /// That of the certificate with this IssuerAndSerialNumber, DER.
    IssuerAndSerialNumber(Vec<u8>),
}

/// The choices of RecipientInfo.
const KARI: u8 = tlv::constructed(1);
const KEKRI: u8 = tlv::constructed(2);
const ORI: u8 = tlv::constructed(4);

impl RecipientIdentifier {
    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::SubjectKeyIdentifier(id) => tlv::write(tlv::primitive(0), &[id]).to_vec(),
            Self::IssuerAndSerialNumber(der) => der.clone(),
        }
    }

    /// KeyAgreeRecipientIdentifier says the same in another way.
    fn to_agreement_der(&self) -> Vec<u8> {
        match self {
            Self::SubjectKeyIdentifier(id) => {
                tlv::write(tlv::constructed(0), &[&tlv::write(tlv::OCTET_STRING, &[id])]).to_vec()
            }
            Self::IssuerAndSerialNumber(der) => der.clone(),
        }
    }

    fn read(parts: &mut Parts<'_>) -> Option<Self> {
        if let Some(id) = parts.take(tlv::primitive(0)) {
            return Some(Self::SubjectKeyIdentifier(id.to_vec()));
        }
        parts.whole(tlv::SEQUENCE).map(|der| Self::IssuerAndSerialNumber(der.to_vec()))
    }

    fn read_agreement(parts: &mut Parts<'_>) -> Option<Self> {
        if let Some(mut key) = parts.open(tlv::constructed(0)) {
            return key.take(tlv::OCTET_STRING).map(|id| Self::SubjectKeyIdentifier(id.to_vec()));
        }
        parts.whole(tlv::SEQUENCE).map(|der| Self::IssuerAndSerialNumber(der.to_vec()))
    }
}

impl Recipient {
    /// Writes the RecipientInfo.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let octets = |octets: &[u8]| tlv::write(tlv::OCTET_STRING, &[octets]);
        match self {
            Self::Kek { key_id, wrap, encrypted_key } => {
                let id = tlv::write(tlv::SEQUENCE, &[&octets(key_id)]);
                tlv::write(KEKRI, &[&tlv::number(4), &id, &wrap.identifier(), &octets(encrypted_key)]).to_vec()
            }
            Self::KeyTransport { rid, algorithm, encrypted_key } => {
                let version = match rid {
                    RecipientIdentifier::SubjectKeyIdentifier(_) => tlv::number(2),
                    RecipientIdentifier::IssuerAndSerialNumber(_) => tlv::number(0),
                };
                let parts: [&[u8]; 4] = [&version, &rid.to_der(), &algorithm.identifier(), &octets(encrypted_key)];
                tlv::write(tlv::SEQUENCE, &parts).to_vec()
            }
            Self::KeyAgreement { originator_algorithm, originator, rid, derivation, wrap, ukm, encrypted_key } => {
                let algorithm = tlv::write(tlv::SEQUENCE, &[originator_algorithm]);
                let key = tlv::write(tlv::BIT_STRING, &[&[0], originator]);
                let originator = tlv::write(tlv::constructed(1), &[&algorithm, &key]);
                let recipient = tlv::write(tlv::SEQUENCE, &[&rid.to_agreement_der(), &octets(encrypted_key)]);
                let parts: [&[u8]; 5] = [
                    &tlv::number(3),
                    &tlv::write(tlv::constructed(0), &[&originator]),
                    &explicit_octets(1, ukm.as_deref()),
                    &derivation.identifier(*wrap),
                    &tlv::write(tlv::SEQUENCE, &[&recipient]),
                ];
                tlv::write(KARI, &parts).to_vec()
            }
            Self::Kem { rid, kem, ciphertext, wrap, ukm, encrypted_key } => {
                let parts: [&[u8]; 9] = [
                    &tlv::number(0),
                    &rid.to_der(),
                    &kem.identifier(),
                    &octets(ciphertext),
                    &tlv::write(tlv::SEQUENCE, &[oid::HKDF_SHA256.as_der()]),
                    &kek_length(*wrap),
                    &explicit_octets(0, ukm.as_deref()),
                    &wrap.identifier(),
                    &octets(encrypted_key),
                ];
                tlv::write(ORI, &[oid::ID_ORI_KEM.as_der(), &tlv::write(tlv::SEQUENCE, &parts)]).to_vec()
            }
        }
    }

    /// Reads a RecipientInfo that was checked as part of a message; `None` for one of another kind or algorithm.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        match *der.first()? {
            tlv::SEQUENCE => Self::read_key_transport(Parts::of(der, tlv::SEQUENCE)?),
            KARI => Self::read_key_agreement(Parts::of(der, KARI)?),
            KEKRI => Self::read_kek(Parts::of(der, KEKRI)?),
            ORI => Self::read_kem(Parts::of(der, ORI)?),
            _ => None,
        }
    }

    fn read_kek(mut parts: Parts<'_>) -> Option<Self> {
        parts.take(tlv::INTEGER)?;
        let key_id = parts.open(tlv::SEQUENCE)?.take(tlv::OCTET_STRING)?.to_vec();
        let wrap = KeyWrap::read(parts.open(tlv::SEQUENCE)?)?;
        let encrypted_key = parts.take(tlv::OCTET_STRING)?.to_vec();
        parts.end()?;
        Some(Self::Kek { key_id, wrap, encrypted_key })
    }

    fn read_key_transport(mut parts: Parts<'_>) -> Option<Self> {
        parts.take(tlv::INTEGER)?;
        let rid = RecipientIdentifier::read(&mut parts)?;
        let algorithm = KeyTransport::read(parts.whole(tlv::SEQUENCE)?)?;
        let encrypted_key = parts.take(tlv::OCTET_STRING)?.to_vec();
        parts.end()?;
        Some(Self::KeyTransport { rid, algorithm, encrypted_key })
    }

    fn read_key_agreement(mut parts: Parts<'_>) -> Option<Self> {
        parts.take(tlv::INTEGER)?;
        let mut originator = parts.open(tlv::constructed(0))?.open(tlv::constructed(1))?;
        let originator_algorithm = originator.take(tlv::SEQUENCE)?.to_vec();
        let originator = originator.take(tlv::BIT_STRING)?.strip_prefix(&[0])?.to_vec();
        let ukm = read_explicit_octets(1, &mut parts)?;
        let (derivation, wrap) = KeyDerivation::read(parts.open(tlv::SEQUENCE)?)?;
        let mut recipients = parts.open(tlv::SEQUENCE)?;
        parts.end()?;
        let mut recipient = recipients.open(tlv::SEQUENCE)?;
        recipients.end()?;
        let rid = RecipientIdentifier::read_agreement(&mut recipient)?;
        let encrypted_key = recipient.take(tlv::OCTET_STRING)?.to_vec();
        recipient.end()?;
        Some(Self::KeyAgreement { originator_algorithm, originator, rid, derivation, wrap, ukm, encrypted_key })
    }

    fn read_kem(mut parts: Parts<'_>) -> Option<Self> {
        (parts.whole(tlv::OID)? == oid::ID_ORI_KEM.as_der()).then_some(())?;
        let mut info = parts.open(tlv::SEQUENCE)?;
        parts.end()?;
        info.take(tlv::INTEGER)?;
        let rid = RecipientIdentifier::read(&mut info)?;
        let kem = Kem::read(info.open(tlv::SEQUENCE)?)?;
        let ciphertext = info.take(tlv::OCTET_STRING)?.to_vec();
        let mut kdf = info.open(tlv::SEQUENCE)?;
        (Oid::from_der(kdf.whole(tlv::OID)?)? == oid::HKDF_SHA256).then_some(())?;
        kdf.end()?;
        let length = info.whole(tlv::INTEGER)?;
        let ukm = read_explicit_octets(0, &mut info)?;
        let wrap = KeyWrap::read(info.open(tlv::SEQUENCE)?)?;
        // The lengths must agree (RFC 9629 §3).
        (length == kek_length(wrap)).then_some(())?;
        let encrypted_key = info.take(tlv::OCTET_STRING)?.to_vec();
        info.end()?;
        Some(Self::Kem { rid, kem, ciphertext, wrap, ukm, encrypted_key })
    }

    /// What the key derivation takes in apart from the shared secret: ECC-CMS-SharedInfo (RFC 5753 §7.2) or
    /// CMSORIforKEMOtherInfo (RFC 9629 §5), DER. Empty for a recipient without a derivation.
    #[must_use]
    pub fn derivation_info(&self) -> Vec<u8> {
        match self {
            Self::KeyAgreement { wrap, ukm, .. } => {
                let bits = u32::try_from(wrap.key_len() * 8).expect("at most 256").to_be_bytes();
                let ukm = explicit_octets(0, ukm.as_deref());
                let public = explicit_octets(2, Some(&bits));
                tlv::write(tlv::SEQUENCE, &[&wrap.identifier(), &ukm, &public]).to_vec()
            }
            Self::Kem { wrap, ukm, .. } => {
                let ukm = explicit_octets(0, ukm.as_deref());
                tlv::write(tlv::SEQUENCE, &[&wrap.identifier(), &kek_length(*wrap), &ukm]).to_vec()
            }
            Self::Kek { .. } | Self::KeyTransport { .. } => Vec::new(),
        }
    }
}

fn kek_length(wrap: KeyWrap) -> [u8; 3] {
    tlv::number(u8::try_from(wrap.key_len()).expect("16 or 32"))
}

/// `[number] EXPLICIT OCTET STRING OPTIONAL`.
fn explicit_octets(number: u8, octets: Option<&[u8]>) -> Vec<u8> {
    match octets {
        Some(octets) => tlv::write(tlv::constructed(number), &[&tlv::write(tlv::OCTET_STRING, &[octets])]).to_vec(),
        None => Vec::new(),
    }
}

/// `Some(None)` where it is absent, `None` where it is something else.
fn read_explicit_octets(number: u8, parts: &mut Parts<'_>) -> Option<Option<Vec<u8>>> {
    match parts.open(tlv::constructed(number)) {
        None => Some(None),
        Some(mut explicit) => {
            let octets = explicit.take(tlv::OCTET_STRING)?.to_vec();
            explicit.end()?;
            Some(Some(octets))
        }
    }
}
