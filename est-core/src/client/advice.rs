//! What a server wants to see in a certification request (RFC 7030 §4.5.2, RFC 9908).

use alloc::vec::Vec;
use core::fmt;

use crate::pkix::{
    CertificationRequestInfoTemplate, CsrAttr, CsrAttrsError, CsrTemplate, Extension, ExtensionTemplate, GeneralName,
    GeneralNames, KeyRequirement, Name, Oid, SingleAttributeTemplate, der, extension_request, keyword, oid,
};
use crate::policy::{NameKind, Role};

/// What a server wants to see in a certification request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsrAdvice {
    /// The key, if anything is said about it.
    pub key: Option<KeyRequirement>,
    /// What the request should be signed with; templates do not say.
    pub signature_algorithm: Option<Oid>,
    /// The subject's attributes, with the values that are given.
    pub subject: Vec<SingleAttributeTemplate>,
    /// The subjectAltName, if there is to be one.
    pub subject_alt_name: Option<NamesAdvice>,
    /// The other extensions, with the values that are given.
    pub extensions: Vec<ExtensionTemplate>,
    /// The attributes that the request should have, for example challengePassword.
    pub attributes: Vec<Oid>,
}

/// What a server wants to see in a subjectAltName.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesAdvice {
    /// Names that are given.
    pub given: Vec<GeneralName>,
    /// Kinds of which the client fills in a name.
    pub to_fill: Vec<NameKind>,
}

/// What a request lacks that only its sender knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// An attribute of the subject.
    SubjectAttribute(Oid),
    /// A subjectAltName.
    SubjectAltName,
    /// A name of this kind in the subjectAltName.
    Name(NameKind),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubjectAttribute(id) => write!(f, "{} in the subject", keyword(id)),
            Self::SubjectAltName => f.write_str("a subject alternative name"),
            Self::Name(kind) => write!(f, "a subject alternative name of the kind {kind}"),
        }
    }
}

impl CsrAdvice {
    /// Reads the elements of a CsrAttrs: the template alone where there is one (RFC 9908 §4).
    ///
    /// Takes an extensionRequest with bare object identifiers, as in the example of RFC 7030 §4.5.2, for a list of them.
    ///
    /// # Errors
    /// [`CsrAttrsError`] when it is malformed or breaks one of RFC 9908's "MUST NOT".
    pub fn read(elements: &[Vec<u8>]) -> Result<Self, CsrAttrsError> {
        let elements = elements.iter().map(|element| CsrAttr::parse(element).ok_or(CsrAttrsError::Element));
        let elements = elements.collect::<Result<Vec<_>, _>>()?;
        let templates = elements.iter().filter(|element| *element.id() == oid::CERTIFICATION_REQUEST_INFO_TEMPLATE);
        match templates.collect::<Vec<_>>().as_slice() {
            [] => Self::of_elements(elements),
            [CsrAttr::Attribute { values, .. }] if values.len() == 1 => {
                Self::of_template(CertificationRequestInfoTemplate::parse(&values[0])?)
            }
            [_] => Err(CsrAttrsError::Values(oid::CERTIFICATION_REQUEST_INFO_TEMPLATE)),
            [..] => Err(CsrAttrsError::Repeated(oid::CERTIFICATION_REQUEST_INFO_TEMPLATE)),
        }
    }

    fn of_template(template: CertificationRequestInfoTemplate) -> Result<Self, CsrAttrsError> {
        let CertificationRequestInfoTemplate { subject, key, extensions, attributes } = template;
        let mut advice = Self { key, subject, attributes, ..Self::default() };
        extensions.into_iter().try_for_each(|extension| advice.add_extension(extension))?;
        Ok(advice)
    }

    fn of_elements(mut elements: Vec<CsrAttr>) -> Result<Self, CsrAttrsError> {
        let mut advice = Self::default();
        spread_bare_requests(&mut elements);
        for extension in extension_request(&elements, &oid::EXTENSION_REQUEST)?.into_iter().flatten() {
            advice.add_extension(extension)?;
        }
        for element in &elements {
            let id = element.id();
            match Role::of(id) {
                Role::Key => advice.key = advice.key.or_else(|| KeyRequirement::of_element(element)),
                Role::Signature => advice.signature_algorithm = advice.signature_algorithm.or_else(|| Some(id.clone())),
                Role::Subject => {
                    if !advice.subject.iter().any(|known| known.id == *id) {
                        advice.subject.push(SingleAttributeTemplate::to_fill(id.clone()));
                    }
                }
                Role::Extension => advice.add_extension(ExtensionTemplate::to_fill(id.clone()))?,
                Role::Attribute if *id == oid::EXTENSION_REQUEST || advice.attributes.contains(id) => {}
                Role::Attribute => advice.attributes.push(id.clone()),
            }
        }
        Ok(advice)
    }

    /// Takes the first word about an extension: a list names some that its extensionRequest has with a value.
    fn add_extension(&mut self, extension: ExtensionTemplate) -> Result<(), CsrAttrsError> {
        if extension.id == oid::SUBJECT_ALT_NAME {
            if self.subject_alt_name.is_none() {
                let advice = match &extension.value {
                    Some(value) => NamesAdvice::parse(value).ok_or(CsrAttrsError::SubjectAltName)?,
                    None => NamesAdvice::default(),
                };
                self.subject_alt_name = Some(advice);
            }
        } else if !self.extensions.iter().any(|known| known.id == extension.id) {
            self.extensions.push(extension);
        }
        Ok(())
    }

    /// What is left to the sender of a request with this subject and these names, and is not there.
    #[must_use]
    pub fn missing(&self, subject: &Name, names: &[GeneralName]) -> Vec<Missing> {
        let has_attribute = |id: &Oid| subject.attributes().any(|(own, _)| own == id);
        let lacking = self.subject.iter().filter(|part| part.value.is_none() && !has_attribute(&part.id));
        let mut missing: Vec<Missing> = lacking.map(|part| Missing::SubjectAttribute(part.id.clone())).collect();
        if let Some(advice) = &self.subject_alt_name {
            let has_kind = |kind: &NameKind| names.iter().any(|name| NameKind::of(name).as_ref() == Some(kind));
            missing.extend(advice.to_fill.iter().filter(|kind| !has_kind(kind)).cloned().map(Missing::Name));
            if advice.to_fill.is_empty() && advice.given.is_empty() && names.is_empty() {
                missing.push(Missing::SubjectAltName);
            }
        }
        missing
    }

    /// Adds what the server has decided to what the sender wants: attributes of the subject, names and extensions whose
    /// values are given. Key usages only for a key of the type that they are meant for.
    #[must_use]
    pub fn complete(&self, mut wanted: CsrTemplate) -> CsrTemplate {
        for part in &self.subject {
            if let Some(value) = &part.value {
                wanted.subject = wanted.subject.with(&part.id, value);
            }
        }
        if let Some(advice) = &self.subject_alt_name {
            let mut names = advice.given.clone();
            let own = wanted.subject_alt_name.iter().flat_map(GeneralNames::names);
            names.extend(own.filter(|name| !advice.given.contains(name)).cloned());
            wanted.subject_alt_name = GeneralNames::from_names(&names);
        }
        let key_type = wanted.public_key.key_type();
        let is_for_key = self.key.as_ref().is_none_or(|key| key.is_met_by(key_type));
        let given = self.extensions.iter().filter_map(ExtensionTemplate::extension);
        for extension in given.filter(|extension| is_for_key || extension.id != oid::KEY_USAGE) {
            if !wanted.extensions.iter().any(|own| own.id == extension.id) {
                wanted.extensions.push(extension);
            }
        }
        wanted
    }
}

/// Puts the identifiers of the one extensionRequest, where it holds nothing else, in its place.
fn spread_bare_requests(elements: &mut Vec<CsrAttr>) {
    let mut requests = elements.iter().enumerate().filter(|(_, element)| *element.id() == oid::EXTENSION_REQUEST);
    let (Some((index, CsrAttr::Attribute { values, .. })), None) = (requests.next(), requests.next()) else { return };
    let ids: Option<Vec<CsrAttr>> = values.iter().map(|value| Oid::from_der(value).map(CsrAttr::Id)).collect();
    if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
        elements.splice(index..=index, ids);
    }
}

impl NamesAdvice {
    /// Reads a subjectAltName with empty names in it. RFC 9908 §3.4 has empty addresses and directory names; empty names
    /// of other kinds, which nobody can have, are taken in the same sense.
    fn parse(value: &[u8]) -> Option<Self> {
        der::check(value).ok().filter(|()| value.first() == Some(&0x30))?;
        let mut advice = Self::default();
        for name in der::parts(der::contents(value)) {
            match name {
                [0x81, 0] => advice.to_fill.push(NameKind::Email),
                [0x82, 0] => advice.to_fill.push(NameKind::Dns),
                [0x86, 0] => advice.to_fill.push(NameKind::Uri),
                [0x87, 0] => advice.to_fill.push(NameKind::Ip),
                [0xa4, 2, 0x30, 0] => advice.to_fill.push(NameKind::Directory),
                name => {
                    let names = GeneralNames::parse(&Extension::sequence(&[name]))?;
                    advice.given.extend(names.names().iter().cloned());
                }
            }
        }
        let is_empty = advice.given.is_empty() && advice.to_fill.is_empty();
        (!is_empty).then_some(advice)
    }
}
