//! The key that a server asks for.

use alloc::vec::Vec;

use super::CsrAttr;
use crate::pkix::{KeyType, Oid, asn1, der, oid};

/// The key that a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRequirement {
    /// One of this type.
    Type(KeyType),
    /// One of this algorithm, rsaEncryption or id-ecPublicKey, of whatever size or curve.
    Algorithm(Oid),
    /// One of an algorithm, curve or, for rsaEncryption, size that is not supported.
    Unsupported(Oid),
}

impl KeyRequirement {
    /// The type of key to make; `None` when there is none that would do.
    #[must_use]
    pub fn key_type(&self) -> Option<KeyType> {
        match self {
            Self::Type(key_type) => Some(*key_type),
            Self::Algorithm(id) if *id == oid::RSA_ENCRYPTION => Some(KeyType::Rsa(2048)),
            Self::Algorithm(id) if *id == oid::EC_PUBLIC_KEY => Some(KeyType::EcdsaP256),
            Self::Algorithm(_) | Self::Unsupported(_) => None,
        }
    }

    /// Whether keys of this type meet it.
    #[must_use]
    pub fn is_met_by(&self, key_type: KeyType) -> bool {
        match self {
            Self::Type(wanted) => *wanted == key_type,
            Self::Algorithm(id) => key_type.algorithm().starts_with(id.as_der()),
            Self::Unsupported(_) => false,
        }
    }

    /// Reads an element that is about a key: the algorithm, and the curve or the number of bits as its value
    /// (RFC 9908 §3.2). Of several values the first counts that is supported. `None` when it is about something else.
    #[must_use]
    pub fn of_element(element: &CsrAttr) -> Option<Self> {
        let (id, values) = match element {
            CsrAttr::Id(id) => (id, &Vec::new()),
            CsrAttr::Attribute { id, values } => (id, values),
        };
        let of_value = |value: &Vec<u8>| {
            let bits = (value.first() == Some(&0x02)).then(|| number(der::contents(value)));
            Self::new(id, Some(value), bits)
        };
        if let Some(whole) = single(id) {
            return Some(Self::Type(whole));
        }
        if ![oid::RSA_ENCRYPTION, oid::EC_PUBLIC_KEY].contains(id) {
            return None;
        }
        let supported = values.iter().map(of_value).find(|key| matches!(key, Self::Type(_)));
        Some(supported.or_else(|| values.first().map(of_value)).unwrap_or_else(|| Self::Algorithm(id.clone())))
    }

    /// The element that asks for a key of this type.
    #[must_use]
    pub fn element_for(key_type: KeyType) -> CsrAttr {
        let parts: Vec<&[u8]> = der::parts(key_type.algorithm()).collect();
        let values = if let KeyType::Rsa(bits) = key_type {
            Vec::from([asn1::encode(&rasn::types::Integer::from(bits))])
        } else {
            parts[1..].iter().map(|curve| curve.to_vec()).collect()
        };
        CsrAttr::Attribute { id: known(parts[0]), values }
    }

    pub(super) fn of_template(template: &asn1::SubjectPublicKeyInfoTemplate) -> Option<Self> {
        let id = Oid::from_der(template.algorithm.algorithm.as_bytes())?;
        let bits = match &template.key {
            Some(key) if id == oid::RSA_ENCRYPTION => {
                let key: asn1::RsaPublicKey = asn1::decode(key.as_raw_slice()).ok()?;
                Some(bit_length(der::contents(key.modulus.as_bytes())))
            }
            Some(_) | None => None,
        };
        let parameters = template.algorithm.parameters.as_ref().map(rasn::types::Any::as_bytes);
        Some(Self::new(&id, parameters, bits))
    }

    pub(super) fn to_template(&self) -> asn1::SubjectPublicKeyInfoTemplate {
        let any = |der: &[u8]| rasn::types::Any::new(der.to_vec());
        let (algorithm, key_type) = match self {
            Self::Type(key_type) => (key_type.algorithm(), Some(*key_type)),
            Self::Algorithm(id) | Self::Unsupported(id) => (id.as_der(), None),
        };
        let mut parts = der::parts(algorithm).map(any);
        asn1::SubjectPublicKeyInfoTemplate {
            algorithm: asn1::AlgorithmIdentifier {
                algorithm: parts.next().expect("an AlgorithmIdentifier begins with its identifier"),
                parameters: parts.next(),
            },
            key: if let Some(KeyType::Rsa(bits)) = key_type {
                Some(rasn::types::BitString::from_vec(placeholder(bits)))
            } else {
                None
            },
        }
    }

    fn new(id: &Oid, parameters: Option<&[u8]>, bits: Option<usize>) -> Self {
        if let Some(key_type) = single(id) {
            return Self::Type(key_type);
        }
        match (bits, parameters) {
            (None, None) if [oid::RSA_ENCRYPTION, oid::EC_PUBLIC_KEY].contains(id) => Self::Algorithm(id.clone()),
            (None, _) if *id == oid::RSA_ENCRYPTION => Self::Algorithm(id.clone()),
            (Some(bits), _) if *id == oid::RSA_ENCRYPTION => match u16::try_from(bits) {
                Ok(bits @ 2048..=4096) if bits % 8 == 0 => Self::Type(KeyType::Rsa(bits)),
                Ok(_) | Err(_) => Self::Unsupported(id.clone()),
            },
            (_, Some(curve)) => {
                let identifier = [id.as_der(), curve].concat();
                let known = KeyType::USUAL.into_iter().find(|known| known.algorithm() == identifier);
                known.map_or_else(|| Self::Unsupported(Oid::from_der(curve).unwrap_or_else(|| id.clone())), Self::Type)
            }
            (_, None) => Self::Unsupported(id.clone()),
        }
    }
}

/// The type of key whose algorithm this is, where an algorithm has one type.
fn single(id: &Oid) -> Option<KeyType> {
    KeyType::USUAL.into_iter().find(|known| known.algorithm() == id.as_der())
}

fn known(der: &[u8]) -> Oid {
    Oid::from_der(der).expect("an AlgorithmIdentifier begins with its identifier")
}

/// A number that is not negative; too large a one becomes the largest.
fn number(contents: &[u8]) -> usize {
    contents.iter().fold(0usize, |number, octet| number.saturating_mul(256).saturating_add(usize::from(*octet)))
}

fn bit_length(contents: &[u8]) -> usize {
    let magnitude = &contents[contents.iter().take_while(|octet| **octet == 0).count()..];
    8 * magnitude.len() - magnitude.first().map_or(0, |octet| octet.leading_zeros() as usize)
}

/// An RSAPublicKey that says nothing but its size: the modulus is 2^(bits - 1) + 1, which is nobody's.
fn placeholder(bits: u16) -> Vec<u8> {
    let mut modulus = alloc::vec![0; usize::from(bits / 8) + 1];
    modulus[1] = 0x80;
    *modulus.last_mut().expect("two octets at least") = 1;
    let integer = |contents: &[u8]| {
        let mut der = asn1::encode(&rasn::types::OctetString::from_slice(contents));
        der[0] = 0x02;
        rasn::types::Any::new(der)
    };
    asn1::encode(&asn1::RsaPublicKey { modulus: integer(&modulus), exponent: integer(&[0x01, 0x00, 0x01]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_keys_that_it_asks_for_in_both_forms() {
        for key_type in KeyType::USUAL {
            let wanted = KeyRequirement::Type(key_type);
            assert_eq!(KeyRequirement::of_element(&KeyRequirement::element_for(key_type)), Some(wanted.clone()));
            assert_eq!(KeyRequirement::of_template(&wanted.to_template()), Some(wanted.clone()));
            assert!(wanted.is_met_by(key_type));
        }
    }

    #[test]
    fn takes_an_algorithm_alone_for_its_usual_key() {
        let of = |id: Oid, values: &[&[u8]]| {
            let values = values.iter().map(|value| value.to_vec()).collect();
            KeyRequirement::of_element(&CsrAttr::Attribute { id, values }).expect("about a key")
        };
        assert_eq!(of(oid::RSA_ENCRYPTION, &[]).key_type(), Some(KeyType::Rsa(2048)));
        assert_eq!(of(oid::EC_PUBLIC_KEY, &[]).key_type(), Some(KeyType::EcdsaP256));
        // 8192 bits; secp256k1 alone, and before P-384.
        let k256 = b"\x06\x05\x2b\x81\x04\x00\x0a".as_slice();
        assert_eq!(of(oid::RSA_ENCRYPTION, &[b"\x02\x02\x20\x00"]).key_type(), None);
        assert_eq!(of(oid::EC_PUBLIC_KEY, &[k256]).key_type(), None);
        let p384 = b"\x06\x05\x2b\x81\x04\x00\x22".as_slice();
        assert_eq!(of(oid::EC_PUBLIC_KEY, &[k256, p384]).key_type(), Some(KeyType::EcdsaP384));
        assert_eq!(KeyRequirement::of_element(&CsrAttr::Id(oid::COMMON_NAME)), None);
    }
}
