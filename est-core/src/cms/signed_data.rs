//! SignedData around a key package (RFC 5652 §5).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::algorithm::Digest;
use super::tlv::{self, Parts};
use crate::pkix::{Certificate, oid};

/// A key package and its signer.
#[derive(Clone, Debug)]
pub struct SignedData {
    /// The AsymmetricKeyPackage, DER.
    pub package: Zeroizing<Vec<u8>>,
    /// How it was hashed.
    pub digest: Digest,
    /// What was signed: a SET OF Attribute, DER.
    pub signed_attributes: Vec<u8>,
    /// The AlgorithmIdentifier of the signature, DER.
    pub signature_algorithm: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// The signer's certificate.
    pub certificate: Certificate,
}

/// What is signed of a key package with this digest: its type and the digest, as a SET OF Attribute, DER.
#[must_use]
pub fn signed_attributes(digest: &[u8]) -> Vec<u8> {
    let attribute = |id: &[u8], value: &[u8]| tlv::write(tlv::SEQUENCE, &[id, &tlv::write(tlv::SET, &[value])]);
    let content_type = attribute(oid::CONTENT_TYPE.as_der(), oid::ID_KEY_PACKAGE.as_der());
    let message_digest = attribute(oid::MESSAGE_DIGEST.as_der(), &tlv::write(tlv::OCTET_STRING, &[digest]));
    // In the order of DER: the length tells them apart, and a digest is longer than the type.
    tlv::write(tlv::SET, &[&content_type, &message_digest]).to_vec()
}

impl SignedData {
    /// Writes the SignedData, without a ContentInfo around it: the content of another message.
    #[must_use]
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        let digest = self.digest.identifier();
        let content = tlv::write(tlv::OCTET_STRING, &[&self.package]);
        let content = tlv::write(tlv::constructed(0), &[&content]);
        let mut attributes = self.signed_attributes.clone();
        attributes[0] = tlv::constructed(0);
        let serial = tlv::write(tlv::INTEGER, &[self.certificate.serial()]);
        let signer = tlv::write(
            tlv::SEQUENCE,
            &[
                &tlv::number(1),
                &tlv::write(tlv::SEQUENCE, &[self.certificate.issuer().as_der(), &serial]),
                &digest,
                &attributes,
                &self.signature_algorithm,
                &tlv::write(tlv::OCTET_STRING, &[&self.signature]),
            ],
        );
        tlv::write(
            tlv::SEQUENCE,
            &[
                // 3: the content is something other than data (§5.1).
                &tlv::number(3),
                &tlv::write(tlv::SET, &[&digest]),
                &tlv::write(tlv::SEQUENCE, &[oid::ID_KEY_PACKAGE.as_der(), &content]),
                &tlv::write(tlv::constructed(0), &[self.certificate.as_der()]),
                &tlv::write(tlv::SET, &[&signer]),
            ],
        )
    }

    /// Reads a SignedData, with or without a ContentInfo around it, that one signer has signed whose certificate is in
    /// it; the first certificate that the signature names. Checks no signature.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut parts = Parts::of_sequence(der)?;
        if let Some(content_type) = parts.whole(tlv::OID) {
            (content_type == oid::ID_SIGNED_DATA.as_der()).then_some(())?;
            let mut explicit = parts.open(tlv::constructed(0))?;
            let inner = explicit.open(tlv::SEQUENCE)?;
            explicit.end()?;
            parts.end()?;
            parts = inner;
        }
        parts.take(tlv::INTEGER)?;
        parts.take(tlv::SET)?;
        let mut content = parts.open(tlv::SEQUENCE)?;
        (content.whole(tlv::OID)? == oid::ID_KEY_PACKAGE.as_der()).then_some(())?;
        let mut explicit = content.open(tlv::constructed(0))?;
        let package = Zeroizing::new(explicit.take(tlv::OCTET_STRING)?.to_vec());
        explicit.end()?;
        let mut certificates = parts.open(tlv::constructed(0))?;
        parts.take(tlv::constructed(1));
        let mut signers = parts.open(tlv::SET)?;
        let mut signer = signers.open(tlv::SEQUENCE)?;
        signers.end()?;
        parts.end()?;
        signer.take(tlv::INTEGER)?;
        let identifier = signer.next()?;
        let certificate = core::iter::from_fn(|| certificates.next())
            .filter_map(|der| Certificate::parse(der).ok())
            .find(|certificate| is_named(certificate, identifier))?;
        let digest = Digest::read(signer.open(tlv::SEQUENCE)?)?;
        let mut signed_attributes = signer.whole(tlv::constructed(0))?.to_vec();
        signed_attributes[0] = tlv::SET;
        let signature_algorithm = signer.whole(tlv::SEQUENCE)?.to_vec();
        let signature = signer.take(tlv::OCTET_STRING)?.to_vec();
        Some(Self { package, digest, signed_attributes, signature_algorithm, signature, certificate })
    }

    /// Whether what was signed is that this package has this digest: the digest is the caller's.
    #[must_use]
    pub fn attests(&self, digest: &[u8]) -> bool {
        let Some(attributes) = Parts::of(&self.signed_attributes, tlv::SET) else { return false };
        let value = |id: &[u8]| {
            let mut attributes = attributes;
            let mut found = None;
            while let Some(mut attribute) = attributes.open(tlv::SEQUENCE) {
                if attribute.whole(tlv::OID) == Some(id) && found.replace(attribute.take(tlv::SET)).is_some() {
                    return None;
                }
            }
            found.flatten()
        };
        value(oid::CONTENT_TYPE.as_der()) == Some(oid::ID_KEY_PACKAGE.as_der())
            && value(oid::MESSAGE_DIGEST.as_der()) == Some(tlv::write(tlv::OCTET_STRING, &[digest]).as_slice())
    }
}

/// Whether a SignerIdentifier means this certificate.
fn is_named(certificate: &Certificate, identifier: &[u8]) -> bool {
    if let Some(mut parts) = Parts::of(identifier, tlv::SEQUENCE) {
        return parts.next() == Some(certificate.issuer().as_der())
            && parts.take(tlv::INTEGER) == Some(certificate.serial())
            && parts.is_empty();
    }
    match identifier.split_first() {
        Some((tag, _)) if *tag == tlv::primitive(0) => {
            certificate.subject_key_identifier().as_deref() == Some(crate::pkix::der::contents(identifier))
        }
        _ => false,
    }
}
