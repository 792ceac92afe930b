//! Certificate extensions (RFC 5280 §4.2).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rasn::types::{Any, BitString, OctetString, SequenceOf};

use super::{GeneralName, GeneralNames, Oid, asn1, oid};

/// One extension: its value is the DER inside the OCTET STRING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Which one.
    pub id: Oid,
    /// Whether a verifier that does not know it must reject the certificate.
    pub critical: bool,
    /// Its value, DER.
    pub value: Vec<u8>,
}

impl Extension {
    pub(super) fn read(extension: asn1::Extension) -> Option<Self> {
        let id = Oid::from_der(extension.id.as_bytes())?;
        Some(Self { id, critical: extension.critical, value: extension.value.to_vec() })
    }

    pub(super) fn to_asn1(&self) -> asn1::Extension {
        asn1::Extension {
            id: Any::new(self.id.as_der().to_vec()),
            critical: self.critical,
            value: OctetString::from_slice(&self.value),
        }
    }

    /// Extensions (RFC 5280 §4.1), DER.
    pub(crate) fn list(extensions: &[Self]) -> Vec<u8> {
        asn1::encode(&extensions.iter().map(Self::to_asn1).collect::<SequenceOf<_>>())
    }

    /// A SEQUENCE of these values, each DER.
    pub(crate) fn sequence(values: &[&[u8]]) -> Vec<u8> {
        asn1::encode(&values.iter().map(|value| Any::new(value.to_vec())).collect::<SequenceOf<_>>())
    }

    /// basicConstraints of an end entity: critical, an empty sequence.
    #[must_use]
    pub fn end_entity() -> Self {
        Self { id: oid::BASIC_CONSTRAINTS, critical: true, value: Vec::from([0x30, 0x00]) }
    }

    /// basicConstraints of a CA: critical, without a path length.
    #[must_use]
    pub fn certificate_authority() -> Self {
        let value = asn1::encode(&asn1::BasicConstraints { ca: true, path_len: None });
        Self { id: oid::BASIC_CONSTRAINTS, critical: true, value }
    }

    /// basicConstraints of a CA below which there are at most `path_length` further CAs (RFC 5280 §4.2.1.9): critical.
    #[must_use]
    pub fn certificate_authority_above(path_length: u8) -> Self {
        let value = asn1::encode(&asn1::BasicConstraints { ca: true, path_len: Some(path_length.into()) });
        Self { id: oid::BASIC_CONSTRAINTS, critical: true, value }
    }

    /// keyUsage, critical.
    #[must_use]
    pub fn key_usage(usage: KeyUsage) -> Self {
        Self { id: oid::KEY_USAGE, critical: true, value: usage.to_der() }
    }

    /// extKeyUsage, not critical. `purposes` is not empty.
    #[must_use]
    pub fn ext_key_usage(purposes: &[Oid]) -> Self {
        let purposes: SequenceOf<Any> = purposes.iter().map(|purpose| Any::new(purpose.as_der().to_vec())).collect();
        Self { id: oid::EXT_KEY_USAGE, critical: false, value: asn1::encode(&purposes) }
    }

    /// Reads the value of an extKeyUsage; `None` when it is malformed or empty.
    #[must_use]
    pub fn read_ext_key_usage(value: &[u8]) -> Option<Vec<Oid>> {
        let purposes: SequenceOf<Any> = asn1::decode(value).ok()?;
        let purposes: Option<Vec<Oid>> = purposes.iter().map(|purpose| Oid::from_der(purpose.as_bytes())).collect();
        purposes.filter(|purposes| !purposes.is_empty())
    }

    /// subjectKeyIdentifier.
    #[must_use]
    pub fn subject_key_identifier(identifier: &[u8]) -> Self {
        let value = asn1::encode(&OctetString::from_slice(identifier));
        Self { id: oid::SUBJECT_KEY_IDENTIFIER, critical: false, value }
    }

    /// certificatePolicies without qualifiers. `policies` is not empty, and lists each once.
    #[must_use]
    pub fn certificate_policies(policies: &[Oid]) -> Self {
        let policies: SequenceOf<SequenceOf<Any>> =
            policies.iter().map(|policy| Vec::from([Any::new(policy.as_der().to_vec())])).collect();
        Self { id: oid::CERTIFICATE_POLICIES, critical: false, value: asn1::encode(&policies) }
    }

    /// cRLDistributionPoints: one point, with these URLs as its names. `urls` is not empty, and ASCII.
    #[must_use]
    pub fn crl_distribution_points(urls: &[String]) -> Self {
        let names = GeneralNames::from_names(&urls.iter().cloned().map(GeneralName::Uri).collect::<Vec<_>>());
        let mut full_name = names.expect("at least one URL").as_der().to_vec();
        // fullName [0] IMPLICIT, within distributionPoint [0]: a CHOICE, and so EXPLICIT.
        full_name[0] = 0xa0;
        let mut distribution_point = asn1::encode(&OctetString::from_slice(&full_name));
        distribution_point[0] = 0xa0;
        let points: SequenceOf<SequenceOf<Any>> = Vec::from([Vec::from([Any::new(distribution_point)])]);
        Self { id: oid::CRL_DISTRIBUTION_POINTS, critical: false, value: asn1::encode(&points) }
    }

    /// authorityInfoAccess: where the CA's certificate lies, and where its OCSP responder answers. Not both are empty.
    #[must_use]
    pub fn authority_info_access(issuers: &[String], responders: &[String]) -> Self {
        let described = |method: &Oid, url: &String| {
            let location = GeneralName::Uri(url.clone()).to_der();
            Vec::from([Any::new(method.as_der().to_vec()), Any::new(location)])
        };
        let issuers = issuers.iter().map(|url| described(&oid::CA_ISSUERS, url));
        let responders = responders.iter().map(|url| described(&oid::OCSP, url));
        let descriptions: SequenceOf<SequenceOf<Any>> = issuers.chain(responders).collect();
        Self { id: oid::AUTHORITY_INFO_ACCESS, critical: false, value: asn1::encode(&descriptions) }
    }

    /// authorityKeyIdentifier with a key identifier alone.
    #[must_use]
    pub fn authority_key_identifier(identifier: &[u8]) -> Self {
        let key_identifier = Some(OctetString::from_slice(identifier));
        let value = asn1::encode(&asn1::AuthorityKeyIdentifier { key_identifier });
        Self { id: oid::AUTHORITY_KEY_IDENTIFIER, critical: false, value }
    }
}

/// The bits of keyUsage (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 0);
    /// nonRepudiation, also called contentCommitment.
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// keyAgreement.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// keyCertSign.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// cRLSign.
    pub const CRL_SIGN: Self = Self(1 << 6);

    const NAMES: [(&'static str, Self); 7] = [
        ("digitalSignature", Self::DIGITAL_SIGNATURE),
        ("nonRepudiation", Self::NON_REPUDIATION),
        ("keyEncipherment", Self::KEY_ENCIPHERMENT),
        ("dataEncipherment", Self::DATA_ENCIPHERMENT),
        ("keyAgreement", Self::KEY_AGREEMENT),
        ("keyCertSign", Self::KEY_CERT_SIGN),
        ("cRLSign", Self::CRL_SIGN),
    ];

    /// The bit with this name, as RFC 5280 spells it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, usage)| *usage)
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that both have.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The bits of this one that the other lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads the extension's value.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let bits: BitString = asn1::decode(der).ok()?;
        let usage =
            bits.iter().by_vals().take(9).enumerate().fold(0, |usage, (bit, set)| usage | u16::from(set) << bit);
        Some(Self(usage))
    }

    /// A named bit list: no trailing zero bits (X.690 §11.2.2).
    fn to_der(self) -> Vec<u8> {
        let count = (u16::BITS - self.0.leading_zeros()) as usize;
        let bits: BitString = (0..count).map(|bit| self.0 >> bit & 1 == 1).collect();
        asn1::encode(&bits)
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(_, usage)| !self.common(*usage).is_empty()).map(|(name, _)| *name).collect();
        f.write_str(&if names.is_empty() { String::from("none") } else { names.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_key_usage_without_trailing_zero_bits() {
        assert_eq!(KeyUsage::DIGITAL_SIGNATURE.to_der(), b"\x03\x02\x07\x80");
        let rsa = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT);
        assert_eq!(rsa.to_der(), b"\x03\x02\x05\xa0");
        assert_eq!(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN).to_der(), b"\x03\x02\x01\x06");
        assert_eq!(KeyUsage::from_der(&rsa.to_der()), Some(rsa));
    }
}
