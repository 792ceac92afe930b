//! The attributes of a request.

use alloc::vec::Vec;

use rasn::types::{Any, SequenceOf, SetOf};

use crate::pkix::{Challenges, CsrError, Extension, Oid, asn1, oid};

/// The value of an attribute that has one value, if it is there.
pub(super) fn single_value<'a>(attributes: &'a SetOf<asn1::Attribute>, id: &Oid) -> Result<Option<&'a Any>, CsrError> {
    let Some(attribute) = attributes.iter().find(|attribute| attribute.id.as_bytes() == id.as_der()) else {
        return Ok(None);
    };
    match attribute.values.len() {
        1 => Ok(attribute.values.iter().next()),
        _ => Err(CsrError::Attribute(id.clone())),
    }
}

/// Reads the extensionRequest, in either of its spellings (RFC 2985 §5.4.2; Microsoft's has the same contents). Clients
/// that send both, for any server to find one, send the same in both.
pub(super) fn requested_extensions(attributes: &SetOf<asn1::Attribute>) -> Result<Vec<Extension>, CsrError> {
    let mut seen: Vec<&[u8]> = attributes.iter().map(|attribute| attribute.id.as_bytes()).collect();
    seen.sort_unstable();
    for id in &seen {
        Oid::from_der(id).ok_or(CsrError::NotACsr)?;
    }
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Oid::from_der(pair[0]).map_or(CsrError::NotACsr, CsrError::Attribute));
    }
    let of = |id: &Oid| single_value(attributes, id)?.map(extensions).transpose();
    match (of(&oid::EXTENSION_REQUEST)?, of(&oid::MS_EXTENSION_REQUEST)?) {
        (Some(one), Some(other)) if !are_same(&one, &other) => Err(CsrError::ExtensionRequestsDiffer),
        (Some(extensions), _) | (None, Some(extensions)) => Ok(extensions),
        (None, None) => Ok(Vec::new()),
    }
}

/// Reads Extensions, of which none stands there twice.
fn extensions(request: &Any) -> Result<Vec<Extension>, CsrError> {
    let listed: SequenceOf<asn1::Extension> =
        asn1::decode_checked(request.as_bytes()).map_err(|_| CsrError::Extensions)?;
    let extensions = listed.into_iter().map(Extension::read).collect::<Option<Vec<_>>>().ok_or(CsrError::Extensions)?;
    let mut ids: Vec<&Oid> = extensions.iter().map(|extension| &extension.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(CsrError::DuplicateExtension(pair[0].clone())),
        None => Ok(extensions),
    }
}

/// Whether both ask for the same extensions, in whatever order.
fn are_same(one: &[Extension], other: &[Extension]) -> bool {
    let sorted = |extensions: &[Extension]| {
        let mut extensions = extensions.to_vec();
        extensions.sort_unstable_by(|one, next| one.id.cmp(&next.id));
        extensions
    };
    sorted(one) == sorted(other)
}

/// The attributes that nothing else reads, DER, sorted.
pub(super) fn other_attributes(attributes: &SetOf<asn1::Attribute>) -> Vec<Vec<u8>> {
    let known = [oid::EXTENSION_REQUEST, oid::MS_EXTENSION_REQUEST, oid::CHANGE_SUBJECT_NAME];
    let is_known = |id: &[u8]| known.iter().chain(&Challenges::ATTRIBUTES).any(|known| known.as_der() == id);
    let others = attributes.iter().filter(|attribute| !is_known(attribute.id.as_bytes()));
    let mut others: Vec<Vec<u8>> = others.map(asn1::encode).collect();
    others.sort_unstable();
    others
}
