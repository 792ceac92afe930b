//! EnvelopedData (RFC 5652 §6.1) and AuthEnvelopedData (RFC 5083 §2.1) around a SignedData.

use alloc::vec::Vec;

use super::algorithm::ContentEncryption;
use super::recipient::Recipient;
use super::tlv::{self, Parts};
use crate::pkix::oid;

/// An encrypted SignedData and its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enveloped {
    /// The recipients.
    pub recipients: Vec<Recipient>,
    /// How the content is encrypted.
    pub encryption: ContentEncryption,
    /// The nonce or the initialization vector.
    pub nonce: Vec<u8>,
    /// The encrypted content.
    pub ciphertext: Vec<u8>,
    /// The authentication tag; empty where there is none.
    pub tag: Vec<u8>,
}

impl Enveloped {
    /// What is authenticated apart from the content, where anything is: the attributes of RFC 5083 §2.1, which must say
    /// the content's type when it is not data; a SET OF Attribute, DER.
    #[must_use]
    pub fn authenticated_attributes() -> Vec<u8> {
        let value = tlv::write(tlv::SET, &[oid::ID_SIGNED_DATA.as_der()]);
        let attribute = tlv::write(tlv::SEQUENCE, &[oid::CONTENT_TYPE.as_der(), &value]);
        tlv::write(tlv::SET, &[&attribute]).to_vec()
    }

    /// Writes the ContentInfo.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let recipients: Vec<_> = self.recipients.iter().map(Recipient::to_der).collect();
        let recipients: Vec<&[u8]> = recipients.iter().map(Vec::as_slice).collect();
        let recipients = tlv::write(tlv::SET, &recipients);
        let content = tlv::write(
            tlv::SEQUENCE,
            &[
                oid::ID_SIGNED_DATA.as_der(),
                &self.encryption.identifier(&self.nonce),
                &tlv::write(tlv::primitive(0), &[&self.ciphertext]),
            ],
        );
        let (content_type, data) = if self.encryption.is_authenticated() {
            let mut attributes = Self::authenticated_attributes();
            attributes[0] = tlv::constructed(1);
            let tag = tlv::write(tlv::OCTET_STRING, &[&self.tag]);
            let parts: [&[u8]; 5] = [&tlv::number(0), &recipients, &content, &attributes, &tag];
            (oid::ID_AUTH_ENVELOPED_DATA, tlv::write(tlv::SEQUENCE, &parts))
        } else {
            let has_other = self.recipients.iter().any(|recipient| matches!(recipient, Recipient::Kem { .. }));
            let version = tlv::number(if has_other { 3 } else { 2 });
            (oid::ID_ENVELOPED_DATA, tlv::write(tlv::SEQUENCE, &[&version, &recipients, &content]))
        };
        tlv::write(tlv::SEQUENCE, &[content_type.as_der(), &tlv::write(tlv::constructed(0), &[&data])]).to_vec()
    }

    /// Reads a ContentInfo; `None` when it is something else. Recipients of unknown kinds are left out.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut info = Parts::of_sequence(der)?;
        let content_type = info.whole(tlv::OID)?;
        let mut explicit = info.open(tlv::constructed(0))?;
        info.end()?;
        let mut data = explicit.open(tlv::SEQUENCE)?;
        explicit.end()?;
        data.take(tlv::INTEGER)?;
        data.take(tlv::constructed(0));
        let mut listed = data.open(tlv::SET)?;
        let recipients = core::iter::from_fn(|| listed.next()).filter_map(Recipient::read).collect();
        let mut content = data.open(tlv::SEQUENCE)?;
        (content.whole(tlv::OID)? == oid::ID_SIGNED_DATA.as_der()).then_some(())?;
        let (encryption, nonce) = ContentEncryption::read(content.open(tlv::SEQUENCE)?)?;
        let ciphertext = content.take(tlv::primitive(0))?.to_vec();
        content.end()?;
        let tag = if content_type == oid::ID_AUTH_ENVELOPED_DATA.as_der() {
            let mut attributes = Self::authenticated_attributes();
            attributes[0] = tlv::constructed(1);
            // Other attributes would have to be authenticated as they are; nobody has a use for them here.
            (data.whole(tlv::constructed(1))? == attributes).then_some(())?;
            data.take(tlv::OCTET_STRING)?.to_vec()
        } else {
            (content_type == oid::ID_ENVELOPED_DATA.as_der()).then(Vec::new)?
        };
        // GCM belongs in AuthEnvelopedData and CBC does not (RFC 5083 §1): a mixture may be an attack.
        (encryption.is_authenticated() != tag.is_empty()).then_some(())?;
        Some(Self { recipients, encryption, nonce: nonce.to_vec(), ciphertext, tag })
    }
}
