//! Certification requests (PKCS #10, RFC 2986).

mod key_request;

use alloc::vec::Vec;
use core::fmt;

use pki_types::SignatureVerificationAlgorithm;
use rasn::types::{Any, BitString, Integer, OctetString, SequenceOf, SetOf};

use super::asn1::{self, Malformed};
use super::der::DerError;
use super::{Challenges, Extension, GeneralNames, KeyError, Name, NameError, Oid, SubjectPublicKeyInfo, oid};
use crate::{Protection, Secret};

pub use key_request::KeyRequest;

/// A certification request whose sender has proven to hold the private key, or asks the server to generate it.
#[derive(Clone)]
pub struct Csr {
    der: Vec<u8>,
    subject: Name,
    public_key: SubjectPublicKeyInfo,
    extensions: Vec<Extension>,
    subject_alt_name: Option<GeneralNames>,
    change_subject_name: Option<ChangeSubjectName>,
    challenges: Challenges,
    /// Each attribute that is none of the above, DER, sorted.
    other_attributes: Vec<Vec<u8>>,
}

/// The names that somebody wants instead of those of the certificate that authenticates (RFC 6402 §2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSubjectName {
    /// The subject: empty where none is asked for.
    pub subject: Name,
    /// The subjectAltName: none where none is asked for.
    pub subject_alt_name: Option<GeneralNames>,
}

impl ChangeSubjectName {
    fn parse(der: &[u8]) -> Option<Self> {
        let change: asn1::ChangeSubjectName = asn1::decode_checked(der).ok()?;
        if change.subject.is_none() && change.subject_alt_name.is_none() {
            return None;
        }
        let subject = Name::parse(&asn1::encode(&change.subject.unwrap_or_default())).ok()?;
        let subject_alt_name = match change.subject_alt_name {
            Some(names) => Some(GeneralNames::parse(&asn1::encode(&names))?),
            None => None,
        };
        Some(Self { subject, subject_alt_name })
    }
}

/// Why octets are not a request that can be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrError {
    /// Not DER.
    Der(DerError),
    /// DER of something else.
    NotACsr,
    /// A version other than 0 (RFC 2986 §4.1).
    Version,
    /// The subject is not a name.
    Subject(NameError),
    /// The key is not one that can enroll.
    Key(KeyError),
    /// The signature is made with a hash that no longer counts: SHA-1, MD5.
    WeakHash,
    /// The signature algorithm is not supported, or does not fit the key.
    SignatureAlgorithm(Oid),
    /// The signature does not match: possession of the private key is not proven.
    Possession,
    /// An attribute stands there twice, or has not exactly one value.
    Attribute(Oid),
    /// The attribute's value is not text of 1 to 255 characters.
    NotText(Oid),
    /// The requested extensions are not a list of extensions.
    Extensions,
    /// An extension stands there twice.
    DuplicateExtension(Oid),
    /// The subjectAltName is malformed, empty, or holds a value that contradicts its kind.
    SubjectAltName,
    /// The ChangeSubjectName is malformed, or has neither name.
    ChangeSubjectName,
    /// A key to encrypt the generated key with is named, but not what the client can decrypt (RFC 7030 §4.4.1).
    CapabilitiesMissing,
    /// What the client can decrypt is listed, but no key is named.
    KeyIdentifierMissing,
    /// Two keys are named.
    TwoKeyIdentifiers,
    /// The SMIMECapabilities are not a list of algorithms.
    Capabilities,
    /// The name of a key is not an OCTET STRING.
    KeyIdentifier,
}

impl fmt::Display for CsrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der(error) => write!(f, "the body is not DER: {error}"),
            Self::NotACsr => f.write_str("the body is not a PKCS #10 certification request"),
            Self::Version => f.write_str("the certification request's version is not 0"),
            Self::Subject(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::WeakHash => {
                f.write_str("the certification request is signed with SHA-1 or MD5: use SHA-256 or better")
            }
            Self::SignatureAlgorithm(algorithm) => write!(
                f,
                "the certification request's signature algorithm {algorithm} is not supported with this key"
            ),
            Self::Possession => f.write_str(
                "the certification request's signature does not match its public key: possession of the private key is not proven",
            ),
            Self::Attribute(attribute) => write!(
                f,
                "the certification request's attribute {attribute} must stand there once, with exactly one value"
            ),
            Self::NotText(attribute) => {
                write!(f, "the certification request's attribute {attribute} must be text of 1 to 255 characters")
            }
            Self::Extensions => f.write_str("the certification request's extensions are malformed"),
            Self::DuplicateExtension(extension) => {
                write!(f, "the certification request asks for extension {extension} twice")
            }
            Self::SubjectAltName => f.write_str("the requested subjectAltName is malformed or empty"),
            Self::CapabilitiesMissing => f.write_str(
                "a key to encrypt the new key with is named without SMIMECapabilities: list what you can decrypt (RFC 7030 §4.4.1)",
            ),
            Self::KeyIdentifierMissing => f.write_str(
                "there are SMIMECapabilities, but no key to encrypt the new key with: name it in a DecryptKeyIdentifier or an AsymmetricDecryptKeyIdentifier (RFC 7030 §4.4.1)",
            ),
            Self::TwoKeyIdentifiers => f.write_str(
                "name one key to encrypt the new key with: DecryptKeyIdentifier or AsymmetricDecryptKeyIdentifier, not both",
            ),
            Self::Capabilities => f.write_str("the SMIMECapabilities are malformed"),
            Self::KeyIdentifier => f.write_str("the key identifier is not an OCTET STRING"),
            Self::ChangeSubjectName => {
                f.write_str("the ChangeSubjectName attribute is malformed: it holds a subject, a [1] subjectAltName, or both")
            }
        }
    }
}

impl core::error::Error for CsrError {}

impl From<Malformed> for CsrError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Der(error) => Self::Der(error),
            Malformed::Shape => Self::NotACsr,
        }
    }
}

/// Without its octets, in which a password may stand.
impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csr")
            .field("subject", &self.subject)
            .field("public_key", &self.public_key)
            .field("extensions", &self.extensions)
            .field("change_subject_name", &self.change_subject_name)
            .field("challenges", &self.challenges)
            .finish_non_exhaustive()
    }
}

impl Csr {
    /// Reads a request and checks its signature with one of `algorithms`.
    ///
    /// # Errors
    /// [`CsrError`], the first fault found; possession is checked after the shape and before attributes are read.
    pub fn parse(der: &[u8], algorithms: &[&dyn SignatureVerificationAlgorithm]) -> Result<Self, CsrError> {
        let (signed, info, subject) = open(der)?;
        let public_key = SubjectPublicKeyInfo::parse(info.public_key.as_bytes()).map_err(CsrError::Key)?;
        prove_possession(&signed, &public_key, algorithms)?;
        Self::with(der, &info, subject, public_key)
    }

    /// Reads what is asked for besides the key.
    fn with(
        der: &[u8],
        info: &asn1::CertificationRequestInfo,
        subject: Name,
        public_key: SubjectPublicKeyInfo,
    ) -> Result<Self, CsrError> {
        let extensions = requested_extensions(&info.attributes)?;
        let subject_alt_name = match extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME) {
            Some(extension) => Some(GeneralNames::parse(&extension.value).ok_or(CsrError::SubjectAltName)?),
            None => None,
        };
        let change_subject_name = match single_value(&info.attributes, &oid::CHANGE_SUBJECT_NAME)? {
            Some(value) => Some(ChangeSubjectName::parse(value.as_bytes()).ok_or(CsrError::ChangeSubjectName)?),
            None => None,
        };
        let challenges = Challenges::read(&info.attributes)?;
        Ok(Self {
            der: der.to_vec(),
            subject,
            public_key,
            extensions,
            subject_alt_name,
            change_subject_name,
            challenges,
            other_attributes: other_attributes(&info.attributes),
        })
    }

    /// The request as it came.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The requested subject.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to certify.
    #[must_use]
    pub fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.public_key
    }

    /// Every requested extension, subjectAltName included.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The same request for another key: the one that was generated for it.
    #[must_use]
    pub(crate) fn for_key(&self, public_key: SubjectPublicKeyInfo) -> Self {
        Self { public_key, ..self.clone() }
    }

    /// The requested subjectAltName.
    #[must_use]
    pub fn subject_alt_name(&self) -> Option<&GeneralNames> {
        self.subject_alt_name.as_ref()
    }

    /// The names to have instead of those above, which are then those of the certificate that authenticates.
    #[must_use]
    pub fn change_subject_name(&self) -> Option<&ChangeSubjectName> {
        self.change_subject_name.as_ref()
    }

    /// The subject to have: that of ChangeSubjectName, if the request has one, which replaces both names, also by none
    /// (RFC 6402 §2.8).
    #[must_use]
    pub fn wanted_subject(&self) -> &Name {
        self.change_subject_name.as_ref().map_or(&self.subject, |change| &change.subject)
    }

    /// The subjectAltName to have, as [`wanted_subject`](Self::wanted_subject).
    #[must_use]
    pub fn wanted_subject_alt_name(&self) -> Option<&GeneralNames> {
        match &self.change_subject_name {
            Some(change) => change.subject_alt_name.as_ref(),
            None => self.subject_alt_name.as_ref(),
        }
    }

    /// The attributes that link the request to its connection, or prove a claim of its own.
    #[must_use]
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// The attributes that are read by nothing above, DER, sorted.
    pub(crate) fn other_attributes(&self) -> impl Iterator<Item = &[u8]> {
        self.other_attributes.iter().map(Vec::as_slice)
    }
}

/// Takes a request apart, as far as its subject.
fn open(der: &[u8]) -> Result<(asn1::Signed, asn1::CertificationRequestInfo, Name), CsrError> {
    let signed: asn1::Signed = asn1::decode(der)?;
    let info: asn1::CertificationRequestInfo = asn1::decode_checked(signed.to_be_signed.as_bytes())?;
    if info.version != Integer::from(0) {
        return Err(CsrError::Version);
    }
    let subject = Name::parse(info.subject.as_bytes()).map_err(CsrError::Subject)?;
    Ok((signed, info, subject))
}

/// The value of an attribute that has one value, if it is there.
fn single_value<'a>(attributes: &'a SetOf<asn1::Attribute>, id: &Oid) -> Result<Option<&'a Any>, CsrError> {
    let Some(attribute) = attributes.iter().find(|attribute| attribute.id.as_bytes() == id.as_der()) else {
        return Ok(None);
    };
    match attribute.values.len() {
        1 => Ok(attribute.values.iter().next()),
        _ => Err(CsrError::Attribute(id.clone())),
    }
}

/// Checks that the key in the request made its signature.
fn prove_possession(
    signed: &asn1::Signed,
    public_key: &SubjectPublicKeyInfo,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), CsrError> {
    let algorithm: asn1::AlgorithmIdentifier = asn1::decode_checked(signed.algorithm.as_bytes())?;
    let algorithm = Oid::from_der(algorithm.algorithm.as_bytes()).ok_or(CsrError::NotACsr)?;
    if !signed.signature.len().is_multiple_of(8) {
        return Err(CsrError::NotACsr);
    }
    if signed.fitting(public_key, algorithms).is_none() {
        let weak = WEAK.contains(&algorithm.as_der());
        return Err(if weak { CsrError::WeakHash } else { CsrError::SignatureAlgorithm(algorithm) });
    }
    if signed.is_signed_with(public_key, algorithms) { Ok(()) } else { Err(CsrError::Possession) }
}

/// md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1, dsa-with-SHA1.
const WEAK: [&[u8]; 4] = [
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05",
    b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01",
    b"\x06\x07\x2a\x86\x48\xce\x38\x04\x03",
];

/// Reads the extensionRequest, in either of its spellings (RFC 2985 §5.4.2; Microsoft's has the same contents).
fn requested_extensions(attributes: &SetOf<asn1::Attribute>) -> Result<Vec<Extension>, CsrError> {
    let mut seen: Vec<&[u8]> = attributes.iter().map(|attribute| attribute.id.as_bytes()).collect();
    seen.sort_unstable();
    let mut requests = None;
    for attribute in attributes.iter() {
        let id = Oid::from_der(attribute.id.as_bytes()).ok_or(CsrError::NotACsr)?;
        if id == oid::EXTENSION_REQUEST || id == oid::MS_EXTENSION_REQUEST {
            if requests.is_some() || attribute.values.len() != 1 {
                return Err(CsrError::Attribute(id));
            }
            requests = attribute.values.iter().next();
        }
    }
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Oid::from_der(pair[0]).map_or(CsrError::NotACsr, CsrError::Attribute));
    }
    let Some(request) = requests else { return Ok(Vec::new()) };
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

fn other_attributes(attributes: &SetOf<asn1::Attribute>) -> Vec<Vec<u8>> {
    let known = [oid::EXTENSION_REQUEST, oid::MS_EXTENSION_REQUEST, oid::CHANGE_SUBJECT_NAME];
    let is_known = |id: &[u8]| known.iter().chain(&Challenges::ATTRIBUTES).any(|known| known.as_der() == id);
    let others = attributes.iter().filter(|attribute| !is_known(attribute.id.as_bytes()));
    let mut others: Vec<Vec<u8>> = others.map(asn1::encode).collect();
    others.sort_unstable();
    others
}

/// A request to be made: the client's half.
#[derive(Clone, Debug)]
pub struct CsrTemplate {
    /// The wanted subject.
    pub subject: Name,
    /// The wanted subjectAltName.
    pub subject_alt_name: Option<GeneralNames>,
    /// The public key whose private half will sign.
    pub public_key: SubjectPublicKeyInfo,
    /// The contents of a challengePassword, if one is wanted.
    pub challenge_password: Option<Secret>,
    /// The wanted extensions, the subjectAltName excepted.
    pub extensions: Vec<Extension>,
}

impl CsrTemplate {
    /// The CertificationRequestInfo: what is to be signed.
    #[must_use]
    pub fn to_be_signed(&self) -> Vec<u8> {
        self.to_be_signed_with::<&str>(&[])
    }

    /// The same with further attributes, each of one text: estIdentityLinking, say.
    #[must_use]
    pub fn to_be_signed_with<T: AsRef<str>>(&self, texts: &[(Oid, T)]) -> Vec<u8> {
        self.to_be_signed_for(&Protection::None, texts)
    }

    /// The same for `/serverkeygen`, which is to protect the key that it makes like this (RFC 7030 §4.4.1).
    #[must_use]
    pub fn to_be_signed_for<T: AsRef<str>>(&self, protection: &Protection, texts: &[(Oid, T)]) -> Vec<u8> {
        let mut attributes = Vec::new();
        let password = self.challenge_password.as_ref().map(|password| (oid::CHALLENGE_PASSWORD, password.reveal()));
        for (id, text) in password.into_iter().chain(texts.iter().map(|(id, text)| (id.clone(), text.as_ref()))) {
            attributes.push(attribute(&id, asn1::encode(&rasn::types::Utf8String::from(text))));
        }
        let names = self.subject_alt_name.as_ref().map(|names| Extension {
            id: oid::SUBJECT_ALT_NAME,
            critical: self.subject.is_empty(),
            value: names.as_der().to_vec(),
        });
        let extensions: SequenceOf<asn1::Extension> =
            names.iter().chain(&self.extensions).map(Extension::to_asn1).collect();
        if !extensions.is_empty() {
            attributes.push(attribute(&oid::EXTENSION_REQUEST, asn1::encode(&extensions)));
        }
        let named = match protection {
            Protection::None => None,
            Protection::Symmetric { key_id, capabilities } => {
                Some((&oid::DECRYPT_KEY_IDENTIFIER, key_id, capabilities))
            }
            Protection::Asymmetric { key_id, capabilities, .. } => {
                Some((&oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, key_id, capabilities))
            }
        };
        if let Some((id, key_id, capabilities)) = named {
            attributes.push(attribute(&oid::SMIME_CAPABILITIES, capabilities.to_der()));
            attributes.push(attribute(id, asn1::encode(&OctetString::from_slice(key_id))));
        }
        asn1::encode(&asn1::CertificationRequestInfo {
            version: Integer::from(0),
            subject: Any::new(self.subject.as_der().to_vec()),
            public_key: Any::new(self.public_key.as_der().to_vec()),
            attributes: SetOf::from_vec(attributes),
        })
    }
}

fn attribute(id: &Oid, value: Vec<u8>) -> asn1::Attribute {
    asn1::Attribute { id: Any::new(id.as_der().to_vec()), values: SetOf::from_vec(alloc::vec![Any::new(value)]) }
}

/// Puts a request together from what was signed, exactly as it was signed.
///
/// `signature_algorithm` is a whole AlgorithmIdentifier, DER.
#[must_use]
pub fn assemble_csr(to_be_signed: Vec<u8>, signature_algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    asn1::encode(&asn1::Signed {
        to_be_signed: Any::new(to_be_signed),
        algorithm: Any::new(signature_algorithm.to_vec()),
        signature: BitString::from_slice(signature),
    })
}
