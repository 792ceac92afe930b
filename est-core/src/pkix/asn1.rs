//! The ASN.1 of RFC 2986, 5280 and 5652, as `rasn` reads and writes it.
//!
//! `Any` stands wherever the exact octets matter: what is signed, names, keys, and object identifiers (whose arcs
//! may be larger than the 32 bits that `rasn` allows).

use alloc::vec::Vec;

use pki_types::SignatureVerificationAlgorithm;
use rasn::prelude::*;

use super::SubjectPublicKeyInfo as PublicKey;
use super::der::{self, DerError};

/// `SIGNED{}` of RFC 5912: a certificate, a certification request.
#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct Signed {
    pub(super) to_be_signed: Any,
    pub(super) algorithm: Any,
    pub(super) signature: BitString,
}

impl Signed {
    /// Whether the signature is one of `key`.
    pub(super) fn is_signed_with(&self, key: &PublicKey, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        let identifier = der::contents(self.algorithm.as_bytes());
        fitting(identifier, key, algorithms).is_some_and(|algorithm| self.verifies(key, algorithm))
    }

    /// Whether `key` made the signature, by this algorithm.
    pub(super) fn verifies(&self, key: &PublicKey, algorithm: &dyn SignatureVerificationAlgorithm) -> bool {
        let (signed, signature) = (self.to_be_signed.as_bytes(), self.signature.as_raw_slice());
        self.signature.len().is_multiple_of(8) && algorithm.verify_signature(key.key(), signed, signature).is_ok()
    }
}

/// The one of `algorithms` that has this identifier, the contents of an AlgorithmIdentifier, and fits the key.
pub(super) fn fitting<'a>(
    identifier: &[u8],
    key: &PublicKey,
    algorithms: &[&'a dyn SignatureVerificationAlgorithm],
) -> Option<&'a dyn SignatureVerificationAlgorithm> {
    algorithms.iter().copied().find(|known| {
        known.signature_alg_id().as_ref() == identifier && known.public_key_alg_id().as_ref() == key.algorithm()
    })
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct CertificationRequestInfo {
    pub(super) version: Integer,
    pub(super) subject: Any,
    pub(super) public_key: Any,
    /// Not OPTIONAL, but left out by many clients that have nothing to put there.
    #[rasn(tag(0))]
    pub(super) attributes: Option<SetOf<Attribute>>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attribute {
    pub(super) id: Any,
    pub(super) values: SetOf<Any>,
}

/// RFC 6402 §2.8 as its erratum 3943 mends it: without the tag nobody could tell the two names apart.
#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct ChangeSubjectName {
    pub(super) subject: Option<SequenceOf<Any>>,
    #[rasn(tag(1))]
    pub(super) subject_alt_name: Option<SequenceOf<Any>>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct AlgorithmIdentifier {
    pub(super) algorithm: Any,
    pub(super) parameters: Option<Any>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct SubjectPublicKeyInfo {
    pub(super) algorithm: Any,
    pub(super) key: BitString,
}

/// RFC 9908 §3.4, as its module in appendix A has it: NameTemplate is a CHOICE of one, and the tags are IMPLICIT.
#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct CertificationRequestInfoTemplate {
    pub(super) version: Integer,
    pub(super) subject: Option<SequenceOf<SetOf<SingleAttributeTemplate>>>,
    #[rasn(tag(0))]
    pub(super) public_key: Option<SubjectPublicKeyInfoTemplate>,
    #[rasn(tag(1))]
    pub(super) attributes: SetOf<Attribute>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SingleAttributeTemplate {
    pub(super) id: Any,
    pub(super) value: Option<Any>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct SubjectPublicKeyInfoTemplate {
    pub(super) algorithm: AlgorithmIdentifier,
    pub(super) key: Option<BitString>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct ExtensionTemplate {
    pub(super) id: Any,
    #[rasn(default)]
    pub(super) critical: bool,
    pub(super) value: Option<OctetString>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct RsaPublicKey {
    pub(super) modulus: Any,
    pub(super) exponent: Any,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct Validity {
    pub(super) not_before: Any,
    pub(super) not_after: Any,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct TbsCertificate {
    #[rasn(tag(explicit(0)))]
    pub(super) version: Option<Integer>,
    pub(super) serial: Any,
    pub(super) signature: Any,
    pub(super) issuer: Any,
    pub(super) validity: Validity,
    pub(super) subject: Any,
    pub(super) public_key: Any,
    #[rasn(tag(1))]
    pub(super) issuer_unique_id: Option<BitString>,
    #[rasn(tag(2))]
    pub(super) subject_unique_id: Option<BitString>,
    #[rasn(tag(explicit(3)))]
    pub(super) extensions: Option<SequenceOf<Extension>>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct Extension {
    pub(super) id: Any,
    #[rasn(default)]
    pub(super) critical: bool,
    pub(super) value: OctetString,
}

#[derive(AsnType, Decode, Encode, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AttributeTypeAndValue {
    pub(super) id: Any,
    pub(super) value: Any,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct OtherName {
    pub(super) id: Any,
    #[rasn(tag(explicit(0)))]
    pub(super) value: Any,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct BasicConstraints {
    #[rasn(default)]
    pub(super) ca: bool,
    pub(super) path_len: Option<Integer>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct NameConstraints {
    #[rasn(tag(0))]
    pub(super) permitted: Option<SequenceOf<GeneralSubtree>>,
    #[rasn(tag(1))]
    pub(super) excluded: Option<SequenceOf<GeneralSubtree>>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct GeneralSubtree {
    pub(super) base: Any,
    #[rasn(tag(0), default)]
    pub(super) minimum: Integer,
    #[rasn(tag(1))]
    pub(super) maximum: Option<Integer>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct AuthorityKeyIdentifier {
    #[rasn(tag(0))]
    pub(super) key_identifier: Option<OctetString>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct ContentInfo {
    pub(super) content_type: Any,
    #[rasn(tag(explicit(0)))]
    pub(super) content: Any,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct EncapsulatedContentInfo {
    pub(super) content_type: Any,
    #[rasn(tag(explicit(0)))]
    pub(super) content: Option<Any>,
}

#[derive(AsnType, Decode, Encode, Clone, Debug)]
pub(super) struct SignedData {
    pub(super) version: Integer,
    pub(super) digest_algorithms: SetOf<Any>,
    pub(super) encapsulated: EncapsulatedContentInfo,
    #[rasn(tag(0))]
    pub(super) certificates: Option<SetOf<Any>>,
    #[rasn(tag(1))]
    pub(super) crls: Option<SetOf<Any>>,
    pub(super) signer_infos: SetOf<Any>,
}

/// Decodes what [`der::check`] accepts and has this shape.
pub(super) fn decode<T: Decode>(input: &[u8]) -> Result<T, Malformed> {
    der::check(input).map_err(Malformed::Der)?;
    decode_checked(input)
}

/// Decodes a part of what [`der::check`] has accepted already.
pub(super) fn decode_checked<T: Decode>(input: &[u8]) -> Result<T, Malformed> {
    rasn::der::decode(input).map_err(|_| Malformed::Shape)
}

/// As [`decode_checked`], for a structure whose EXPLICIT tags are `explicit`, each as its octet in primitive form.
///
/// Such a tag is never primitive, and `rasn` would look into one that is although [`der::check`] could not.
pub(super) fn decode_explicit<T: Decode>(input: &[u8], explicit: &[u8]) -> Result<T, Malformed> {
    if der::parts(der::contents(input)).any(|part| explicit.contains(&part[0])) {
        return Err(Malformed::Shape);
    }
    decode_checked(input)
}

/// Encodes a value of ours.
pub(super) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    rasn::der::encode(value).expect("our own values have no constraint that could fail")
}

/// Why octets are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not DER.
    Der(DerError),
    /// DER of something else.
    Shape,
}
