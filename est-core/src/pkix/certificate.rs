//! Certificates (RFC 5280 §4): read, and made.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use pki_types::SignatureVerificationAlgorithm;
use rasn::types::{Any, BitString, Integer, OctetString, SequenceOf};
use sha2::{Digest, Sha256};

use super::crl::key_identifier;
use super::{Extension, GeneralNames, KeyUsage, Name, Oid, SubjectPublicKeyInfo, asn1, assemble_csr, der, oid, time};
use crate::serial::colon_hex;
use crate::{Serial, UnixTime};

/// A certificate that could be read. Nothing about it has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    fingerprint: Fingerprint,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    not_before: UnixTime,
    not_after: UnixTime,
    public_key: Vec<u8>,
    extensions: Vec<Extension>,
    subject_alt_name: Option<GeneralNames>,
}

/// The SHA-256 of a certificate's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// As `openssl x509 -fingerprint -sha256` prints it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&colon_hex(&self.0))
    }
}

/// The octets are not an X.509 certificate of version 3 that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateError;

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a readable X.509 version 3 certificate")
    }
}

impl core::error::Error for CertificateError {}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`CertificateError`] when it is malformed, not of version 3, or has an extension twice.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Self::read(der).ok_or(CertificateError)
    }

    fn read(der: &[u8]) -> Option<Self> {
        let signed: asn1::Signed = asn1::decode(der).ok()?;
        let tbs: asn1::TbsCertificate = asn1::decode_explicit(signed.to_be_signed.as_bytes(), &[0x80, 0x83]).ok()?;
        let algorithms_agree = tbs.signature == signed.algorithm;
        let public_key: asn1::SubjectPublicKeyInfo = asn1::decode_checked(tbs.public_key.as_bytes()).ok()?;
        for algorithm in [&signed.algorithm, &public_key.algorithm] {
            let algorithm: asn1::AlgorithmIdentifier = asn1::decode_checked(algorithm.as_bytes()).ok()?;
            Oid::from_der(algorithm.algorithm.as_bytes())?;
        }
        if tbs.version != Some(Integer::from(2)) || tbs.serial.as_bytes().first() != Some(&0x02) || !algorithms_agree {
            return None;
        }
        let listed = tbs.extensions.unwrap_or_default();
        let extensions = listed.into_iter().map(Extension::read).collect::<Option<Vec<_>>>()?;
        let mut ids: Vec<&Oid> = extensions.iter().map(|extension| &extension.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        let subject_alt_name = match extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME) {
            Some(extension) => Some(GeneralNames::parse(&extension.value)?),
            None => None,
        };
        Some(Self {
            der: der.to_vec(),
            fingerprint: Fingerprint(Sha256::digest(der).into()),
            serial: der::contents(tbs.serial.as_bytes()).to_vec(),
            issuer: Name::parse(tbs.issuer.as_bytes()).ok()?,
            subject: Name::parse(tbs.subject.as_bytes()).ok()?,
            not_before: time::decode(tbs.validity.not_before.as_bytes())?,
            not_after: time::decode(tbs.validity.not_after.as_bytes())?,
            public_key: tbs.public_key.into_bytes(),
            extensions,
            subject_alt_name,
        })
    }

    /// The certificate as it came.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of its DER.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The SHA-256 of what its issuer signed: what to know a certificate by when it is shown again.
    ///
    /// The fingerprint will not do: from an ECDSA signature (r, s) anybody can make another one that verifies,
    /// (r, n − s), and so a certificate with the same contents and another fingerprint.
    #[must_use]
    pub fn contents_digest(&self) -> [u8; 32] {
        let to_be_signed = der::parts(der::contents(&self.der)).next().unwrap_or_default();
        Sha256::digest(to_be_signed).into()
    }

    /// The contents octets of the serial number.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The serial number in upper-case hexadecimal with colons.
    #[must_use]
    pub fn serial_text(&self) -> String {
        colon_hex(&self.serial)
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Whom it names.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The first second in which it is valid.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second in which it is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The SubjectPublicKeyInfo, DER; of whatever type it is.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key
    }

    /// The SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn key_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.public_key).into()
    }

    /// Every extension.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Its subjectAltName.
    #[must_use]
    pub fn subject_alt_name(&self) -> Option<&GeneralNames> {
        self.subject_alt_name.as_ref()
    }

    /// The subjectKeyIdentifier.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<Vec<u8>> {
        let value = self.extension(&oid::SUBJECT_KEY_IDENTIFIER)?;
        asn1::decode::<OctetString>(value).ok().map(|identifier| identifier.to_vec())
    }

    /// The keyIdentifier of the authorityKeyIdentifier.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<Vec<u8>> {
        key_identifier(self.extension(&oid::AUTHORITY_KEY_IDENTIFIER)?)
    }

    /// Whether basicConstraints says that it is a CA's, or says what cannot be read.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extension(&oid::BASIC_CONSTRAINTS).is_some_and(|value| {
            asn1::decode::<asn1::BasicConstraints>(value).map_or(true, |constraints| constraints.ca)
        })
    }

    /// How many CAs may follow below it on a path, those that are self-issued not counted; `None` where basicConstraints sets
    /// no limit (RFC 5280 §4.2.1.9).
    #[must_use]
    pub fn path_length(&self) -> Option<u64> {
        let constraints = asn1::decode::<asn1::BasicConstraints>(self.extension(&oid::BASIC_CONSTRAINTS)?).ok()?;
        // A length that fits nowhere is as good as none; one below zero allows nothing.
        constraints
            .path_len
            .map(|length| i128::try_from(&length).map_or(u64::MAX, |length| u64::try_from(length).unwrap_or(0)))
    }

    /// Whether the key may be used for all of `usage`: keyUsage says so, or is not there (RFC 5280 §4.2.1.3).
    #[must_use]
    pub fn allows(&self, usage: KeyUsage) -> bool {
        let allowed = self.extension(&oid::KEY_USAGE).map(|value| KeyUsage::from_der(value).unwrap_or_default());
        allowed.is_none_or(|allowed| usage.without(allowed).is_empty())
    }

    /// Whether extKeyUsage names id-kp-cmcRA (RFC 6402 §2.10).
    #[must_use]
    pub fn is_for_ra(&self) -> bool {
        let purposes = self.extension(&oid::EXT_KEY_USAGE).and_then(Extension::read_ext_key_usage);
        purposes.is_some_and(|purposes| purposes.contains(&oid::CMC_RA))
    }

    /// Whether subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether `issuer` bears the name of this one's issuer, and its key made the signature: with one of `algorithms`.
    ///
    /// Says nothing of what `issuer` may do, and when.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let signed = asn1::decode::<asn1::Signed>(&self.der);
        let (Ok(signed), Ok(key)) = (signed, SubjectPublicKeyInfo::parse(&issuer.public_key)) else { return false };
        self.issuer == issuer.subject && signed.is_signed_with(&key, algorithms)
    }

    /// The value, DER, of the extension with this identifier.
    #[must_use]
    pub fn extension(&self, id: &Oid) -> Option<&[u8]> {
        self.extensions.iter().find(|extension| extension.id == *id).map(|extension| extension.value.as_slice())
    }
}

/// What is to be signed to make a certificate of version 3.
#[derive(Clone, Debug)]
pub struct TbsCertificate<'a> {
    /// The serial number.
    pub serial: Serial,
    /// The AlgorithmIdentifier of the signature to come, DER.
    pub signature_algorithm: &'a [u8],
    /// The issuer, octet for octet the CA's subject.
    pub issuer: &'a Name,
    /// The subject.
    pub subject: &'a Name,
    /// The first second of validity.
    pub not_before: UnixTime,
    /// The last second of validity, inclusive.
    pub not_after: UnixTime,
    /// The SubjectPublicKeyInfo, DER.
    pub public_key: &'a [u8],
    /// The extensions, in the order in which they will stand there.
    pub extensions: &'a [Extension],
}

impl TbsCertificate<'_> {
    /// The octets to sign.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let mut serial = Vec::from([0x02, 20]);
        serial.extend_from_slice(self.serial.as_bytes());
        let extensions: SequenceOf<asn1::Extension> = self.extensions.iter().map(Extension::to_asn1).collect();
        asn1::encode(&asn1::TbsCertificate {
            version: Some(Integer::from(2)),
            serial: Any::new(serial),
            signature: Any::new(self.signature_algorithm.to_vec()),
            issuer: Any::new(self.issuer.as_der().to_vec()),
            validity: asn1::Validity {
                not_before: Any::new(time::encode(self.not_before)),
                not_after: Any::new(time::encode(self.not_after)),
            },
            subject: Any::new(self.subject.as_der().to_vec()),
            public_key: Any::new(self.public_key.to_vec()),
            issuer_unique_id: None::<BitString>,
            subject_unique_id: None::<BitString>,
            extensions: (!extensions.is_empty()).then_some(extensions),
        })
    }
}

/// Puts a certificate together from what was signed, exactly as it was signed.
///
/// `signature_algorithm` is the AlgorithmIdentifier that `to_be_signed` names, DER.
#[must_use]
pub fn assemble_certificate(to_be_signed: Vec<u8>, signature_algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    // The same SIGNED{} as a certification request.
    assemble_csr(to_be_signed, signature_algorithm, signature)
}
