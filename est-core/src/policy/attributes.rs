//! What `/csrattrs` asks for: read off the rules by which requests are decided.

use alloc::vec::Vec;

use super::{NameKind, Profile, extension};
use crate::pkix::{
    CertificationRequestInfoTemplate, CsrAttr, Extension, ExtensionTemplate, KeyRequirement, KeyType, KeyUsage, Oid,
    SingleAttributeTemplate, csr_attrs, oid,
};

/// The CsrAttrs of a profile, DER, in both styles (RFC 9908 §4): the list of RFC 7030 §4.5.2, and the template that
/// clients which know it follow alone. `more` is what else requests should have: attributes, extensions, parts of the
/// subject, algorithms. `None` when there is nothing to ask for.
///
/// Where a profile takes several types of key, its first is asked for: RFC 9908 §3.2 and §3.4 have room for one.
/// A client with a key of another type that the profile takes is served all the same.
#[must_use]
pub fn csr_attributes(profile: &Profile, more: &[Oid]) -> Option<Vec<u8>> {
    let asked = Asked::by(profile);
    let mut elements = asked.elements();
    let is_listed = |elements: &[CsrAttr], id: &Oid| {
        elements.iter().any(|element| element.id() == id) || asked.fixed.iter().any(|extension| extension.id == *id)
    };
    let mut further: Vec<&Oid> = Vec::new();
    for id in more {
        if !is_listed(&elements, id) && !further.contains(&id) {
            further.push(id);
        }
    }
    let template = (!elements.is_empty()).then(|| asked.template(&further));
    elements.extend(further.into_iter().cloned().map(CsrAttr::Id));
    elements.extend(template.map(|template| CsrAttr::Attribute {
        id: oid::CERTIFICATION_REQUEST_INFO_TEMPLATE,
        values: Vec::from([template.to_der()]),
    }));
    (!elements.is_empty()).then(|| csr_attrs(&elements))
}

/// What a profile asks of a request.
struct Asked<'a> {
    key: Option<KeyType>,
    subject: &'a [Oid],
    /// The kinds of name that are a must, where a subjectAltName is.
    names: Option<&'a [NameKind]>,
    /// The extensions whose values the profile decides.
    fixed: Vec<Extension>,
}

impl<'a> Asked<'a> {
    fn by(profile: &'a Profile) -> Self {
        let key = preferred_key_type(profile);
        let mut fixed = Vec::new();
        if profile.tells_extensions {
            fixed.extend(key_usage(profile, key).map(Extension::key_usage));
            if !profile.ext_key_usage.is_empty() {
                fixed.push(Extension::ext_key_usage(&profile.ext_key_usage));
            }
        }
        let names = &profile.names;
        // An emailAddress in the subject stands in the subjectAltName too (RFC 5280 §4.1.2.6).
        let has_mailbox = profile.subject.required.contains(&oid::EMAIL_ADDRESS);
        let needs_names = names.require_san || !names.required.is_empty() || has_mailbox;
        let names = needs_names.then_some(names.required.as_slice());
        Self { key, subject: &profile.subject.required, names, fixed }
    }

    /// RFC 7030 §4.5.2 as RFC 9908 §3.2 explains it.
    fn elements(&self) -> Vec<CsrAttr> {
        let mut elements = Vec::new();
        if let Some(key_type) = self.key {
            elements.push(KeyRequirement::element_for(key_type));
            let signature = CsrAttr::Id(key_type.signature_algorithm());
            // Ed25519 and ML-DSA name the key and the signature alike.
            if signature.id() != elements[0].id() {
                elements.push(signature);
            }
        }
        if !self.fixed.is_empty() {
            let values = Vec::from([Extension::list(&self.fixed)]);
            elements.push(CsrAttr::Attribute { id: oid::EXTENSION_REQUEST, values });
        }
        elements.extend(self.names.map(|_| CsrAttr::Id(oid::SUBJECT_ALT_NAME)));
        elements.extend(self.subject.iter().cloned().map(CsrAttr::Id));
        elements
    }

    fn template(&self, more: &[&Oid]) -> CertificationRequestInfoTemplate {
        let of_role = |role: Role| more.iter().filter(move |id| Role::of(id) == role).map(|id| (*id).clone());
        let names = self.names.map(subject_alt_name);
        let subject = self.subject.iter().cloned().chain(of_role(Role::Subject));
        CertificationRequestInfoTemplate {
            subject: subject.map(SingleAttributeTemplate::to_fill).collect(),
            key: self.key.map(KeyRequirement::Type),
            extensions: (self.fixed.iter().cloned().map(ExtensionTemplate::from).chain(names))
                .chain(of_role(Role::Extension).map(ExtensionTemplate::to_fill))
                .collect(),
            attributes: of_role(Role::Attribute).collect(),
        }
    }
}

/// A subjectAltName to be filled in. RFC 9908 §3.4 has placeholders for addresses and directory names alone: an empty
/// name of another kind would be one that clients must use as it is. Where another kind is a must, and where any kind
/// will do, the whole value is left to the client.
fn subject_alt_name(kinds: &[NameKind]) -> ExtensionTemplate {
    let placeholder = |kind: &NameKind| match kind {
        NameKind::Ip => Some(b"\x87\x00".as_slice()),
        NameKind::Directory => Some(b"\xa4\x02\x30\x00".as_slice()),
        NameKind::Dns | NameKind::Email | NameKind::Uri | NameKind::RegisteredId | NameKind::Other(_) => None,
    };
    let mut template = ExtensionTemplate::to_fill(oid::SUBJECT_ALT_NAME);
    let placeholders: Option<Vec<&'static [u8]>> = kinds.iter().map(placeholder).collect();
    template.value =
        placeholders.filter(|names| !names.is_empty()).map(|names: Vec<&[u8]>| Extension::sequence(&names));
    template
}

/// The first type of key that the profile can serve; `None` where it takes any.
fn preferred_key_type(profile: &Profile) -> Option<KeyType> {
    let types = profile.key_types.as_deref().unwrap_or(&KeyType::USUAL);
    let serves = |key_type: &KeyType| extension::has_use(profile, profile.key_usage_of(*key_type));
    if profile.key_types.is_none() && types.iter().all(serves) {
        return None;
    }
    let has_usage = |key_type: &&KeyType| !profile.key_usage_of(**key_type).is_empty();
    types.iter().find(|key_type| serves(key_type)).or_else(|| types.iter().find(has_usage)).copied()
}

/// The key usages to ask for: those that keys of this type are given, or, where any type will do, that all are.
fn key_usage(profile: &Profile, key: Option<KeyType>) -> Option<KeyUsage> {
    let usage = profile.key_usage_of(key.unwrap_or(KeyType::USUAL[0]));
    let is_same = key.is_some() || KeyType::USUAL.iter().all(|other| profile.key_usage_of(*other) == usage);
    (is_same && extension::has_use(profile, usage)).then_some(usage)
}

/// Where in a certification request something belongs that is named by an object identifier alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Among the subject's attributes.
    Subject,
    /// Among the extensions.
    Extension,
    /// It is a key.
    Key,
    /// It is a signature algorithm.
    Signature,
    /// Among the request's own attributes.
    Attribute,
}

impl Role {
    /// Tells by the arcs below which such things are registered: X.520 and RFC 4519 for subjects, X.509 and PKIX for
    /// extensions, PKCS #1 and ANSI X9.62 for algorithms.
    #[must_use]
    pub fn of(id: &Oid) -> Self {
        let is_below = |arcs: &[&[u8]]| arcs.iter().any(|arcs| id.is_below(arcs));
        if is_below(&[b"\x55\x04", b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01"]) || *id == oid::EMAIL_ADDRESS {
            Self::Subject
        } else if is_below(&[b"\x55\x1d", b"\x2b\x06\x01\x05\x05\x07\x01"]) {
            Self::Extension
        } else if KeyRequirement::of_element(&CsrAttr::Id(id.clone())).is_some()
            || is_below(&[b"\x2a\x86\x48\xce\x3d\x03\x01", b"\x2b\x81\x04\x00"])
        {
            Self::Key
        } else if is_below(&[b"\x2a\x86\x48\x86\xf7\x0d\x01\x01", b"\x2a\x86\x48\xce\x3d\x04"]) {
            Self::Signature
        } else {
            Self::Attribute
        }
    }
}
