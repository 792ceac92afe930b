//! The template of a certification request (RFC 9908 §3.4).
//!
//! Where the RFC's prose and its module differ, the module counts: the value of an extensionReqTemplate is a list of
//! ExtensionTemplate, and the identifiers are 1.2.840.113549.1.9.16.2.61 and .62.

use alloc::vec::Vec;

use rasn::types::{Any, Integer, OctetString, SequenceOf, SetOf};

use super::{CsrAttr, CsrAttrsError, KeyRequirement, attribute};
use crate::pkix::{Extension, Oid, asn1, der, oid};

/// What a certification request should hold, filled in as far as the server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificationRequestInfoTemplate {
    /// The attributes of the subject, each in an RDN of its own; none if nothing is said about the subject.
    pub subject: Vec<SingleAttributeTemplate>,
    /// The key, if anything is said about it.
    pub key: Option<KeyRequirement>,
    /// The extensions: each once.
    pub extensions: Vec<ExtensionTemplate>,
    /// The further attributes that the request should have. What values they have here is not looked at.
    pub attributes: Vec<Oid>,
}

/// An attribute of the subject, and its value, DER, unless the client fills it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleAttributeTemplate {
    /// Which one.
    pub id: Oid,
    /// Its value, DER.
    pub value: Option<Vec<u8>>,
}

/// An extension, and its value, DER, unless the client fills it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionTemplate {
    /// Which one.
    pub id: Oid,
    /// Whether it is to be critical.
    pub critical: bool,
    /// Its value, DER.
    pub value: Option<Vec<u8>>,
}

impl SingleAttributeTemplate {
    /// One that the client fills in.
    #[must_use]
    pub fn to_fill(id: Oid) -> Self {
        Self { id, value: None }
    }
}

impl ExtensionTemplate {
    /// One that the client fills in.
    #[must_use]
    pub fn to_fill(id: Oid) -> Self {
        Self { id, critical: false, value: None }
    }

    /// Whether the client fills in the value, or an empty name in it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_empty_name = |name: &[u8]| matches!(name, [0x81 | 0x82 | 0x86 | 0x87, 0] | [0xa4, 2, 0x30, 0]);
        self.value
            .as_deref()
            .is_none_or(|value| self.id == oid::SUBJECT_ALT_NAME && der::parts(der::contents(value)).any(is_empty_name))
    }

    /// The extension, where its value is given.
    #[must_use]
    pub fn extension(&self) -> Option<Extension> {
        let value = self.value.clone()?;
        Some(Extension { id: self.id.clone(), critical: self.critical, value })
    }
}

impl From<Extension> for ExtensionTemplate {
    fn from(extension: Extension) -> Self {
        Self { id: extension.id, critical: extension.critical, value: Some(extension.value) }
    }
}

impl CertificationRequestInfoTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`CsrAttrsError`] when it is malformed or breaks one of the RFC's "MUST NOT".
    pub fn parse(template: &[u8]) -> Result<Self, CsrAttrsError> {
        der::check(template).map_err(|_| CsrAttrsError::Template)?;
        // The IMPLICIT tags stand for constructed types.
        let template: asn1::CertificationRequestInfoTemplate =
            asn1::decode_explicit(template, &[0x80, 0x81]).map_err(|_| CsrAttrsError::Template)?;
        if template.version != Integer::from(0) {
            return Err(CsrAttrsError::Template);
        }
        let mut subject = Vec::new();
        for attribute in template.subject.iter().flatten().flat_map(SetOf::iter) {
            subject.push(SingleAttributeTemplate {
                id: Oid::from_der(attribute.id.as_bytes()).ok_or(CsrAttrsError::Template)?,
                value: attribute.value.as_ref().map(|value| value.as_bytes().to_vec()),
            });
        }
        let key = match &template.public_key {
            Some(key) => Some(KeyRequirement::of_template(key).ok_or(CsrAttrsError::Template)?),
            None => None,
        };
        let mut elements = Vec::new();
        for attribute in template.attributes.into_vec() {
            elements.push(CsrAttr::of(attribute).ok_or(CsrAttrsError::Template)?);
        }
        let constant = extension_request(&elements, &oid::EXTENSION_REQUEST)?;
        let partial = extension_request(&elements, &oid::EXTENSION_REQ_TEMPLATE)?;
        if constant.is_some() && partial.is_some() {
            return Err(CsrAttrsError::BothExtensionRequests);
        }
        let is_other = |id: &&Oid| ![oid::EXTENSION_REQUEST, oid::EXTENSION_REQ_TEMPLATE].contains(id);
        let attributes = elements.iter().map(CsrAttr::id).filter(is_other).cloned().collect();
        Ok(Self { subject, key, extensions: constant.or(partial).unwrap_or_default(), attributes })
    }

    /// The whole template, DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let any = |der: &[u8]| Any::new(der.to_vec());
        let rdn = |part: &SingleAttributeTemplate| {
            SetOf::from_vec(Vec::from([asn1::SingleAttributeTemplate {
                id: any(part.id.as_der()),
                value: part.value.as_deref().map(any),
            }]))
        };
        let mut attributes: Vec<asn1::Attribute> = self.attributes.iter().map(|id| attribute(id, &[])).collect();
        if !self.extensions.is_empty() {
            let is_open = self.extensions.iter().any(ExtensionTemplate::is_open);
            let id = if is_open { oid::EXTENSION_REQ_TEMPLATE } else { oid::EXTENSION_REQUEST };
            let extensions: SequenceOf<asn1::ExtensionTemplate> = self
                .extensions
                .iter()
                .map(|extension| asn1::ExtensionTemplate {
                    id: any(extension.id.as_der()),
                    critical: extension.critical,
                    value: extension.value.as_deref().map(OctetString::from_slice),
                })
                .collect();
            attributes.push(attribute(&id, &[asn1::encode(&extensions)]));
        }
        asn1::encode(&asn1::CertificationRequestInfoTemplate {
            version: Integer::from(0),
            subject: (!self.subject.is_empty()).then(|| self.subject.iter().map(rdn).collect()),
            public_key: self.key.as_ref().map(KeyRequirement::to_template),
            attributes: SetOf::from_vec(attributes),
        })
    }
}

/// The extensions in the one Attribute `id` among `elements`: an extensionRequest, whose extensions have values, or an
/// extensionReqTemplate.
pub(crate) fn extension_request(
    elements: &[CsrAttr],
    id: &Oid,
) -> Result<Option<Vec<ExtensionTemplate>>, CsrAttrsError> {
    let mut found = elements.iter().filter_map(|element| match element {
        CsrAttr::Attribute { id: own, values } if own == id => Some(values),
        CsrAttr::Attribute { .. } | CsrAttr::Id(_) => None,
    });
    let Some(values) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(CsrAttrsError::Repeated(id.clone()));
    }
    let [value] = values.as_slice() else { return Err(CsrAttrsError::Values(id.clone())) };
    let listed: SequenceOf<asn1::ExtensionTemplate> = asn1::decode(value).map_err(|_| CsrAttrsError::Extensions)?;
    let mut extensions: Vec<ExtensionTemplate> = Vec::new();
    for extension in listed {
        let own = Oid::from_der(extension.id.as_bytes()).ok_or(CsrAttrsError::Extensions)?;
        let value = extension.value.map(|value| value.to_vec());
        if value.is_none() && *id == oid::EXTENSION_REQUEST {
            return Err(CsrAttrsError::Extensions);
        }
        if extensions.iter().any(|known| known.id == own) {
            return Err(CsrAttrsError::DuplicateExtension(own));
        }
        extensions.push(ExtensionTemplate { id: own, critical: extension.critical, value });
    }
    if extensions.is_empty() { Err(CsrAttrsError::Extensions) } else { Ok(Some(extensions)) }
}
