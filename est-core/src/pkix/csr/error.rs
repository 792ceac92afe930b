//! Why octets are not a request that can be acted on.

use core::fmt;

use crate::pkix::asn1::Malformed;
use crate::pkix::der::DerError;
use crate::pkix::{AlternativeNameError, KeyError, KeyType, NameError, Oid, oid};

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
    /// The signature is made with this hash, which is not supported.
    SignatureHash(&'static str),
    /// The signature algorithm is not supported.
    SignatureAlgorithm(Oid),
    /// The signature algorithm is one of other keys than the request's.
    SignatureKey {
        /// The algorithm.
        algorithm: Oid,
        /// The key in the request.
        key_type: KeyType,
    },
    /// The signature algorithm has parameters that it must not have, or lacks those that it must have.
    SignatureParameters(Oid),
    /// RSASSA-PSS with one hash for the message and another for its mask.
    MaskHash,
    /// RSASSA-PSS with a salt that is not as long as the hash.
    SaltLength {
        /// The salt's octets.
        salt: usize,
        /// The hash, and its octets.
        hash: (&'static str, usize),
    },
    /// The signature does not match: possession of the private key is not proven.
    Possession,
    /// An attribute stands there twice, or has not exactly one value.
    Attribute(Oid),
    /// The attribute's value is not text of 1 to 255 characters.
    NotText(Oid),
    /// The requested extensions are not a list of extensions.
    Extensions,
    /// The two attributes that ask for extensions ask for different ones.
    ExtensionRequestsDiffer,
    /// An extension that is to pass as it is has a value that is not DER.
    ExtensionValue(Oid, DerError),
    /// An extension stands there twice.
    DuplicateExtension(Oid),
    /// The subjectAltName is malformed, empty, or holds a value that contradicts its kind.
    SubjectAltName(AlternativeNameError),
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
            Self::Version => f.write_str("the certification request's version is not 0: write 02 01 00"),
            Self::Subject(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::WeakHash => {
                f.write_str("the certification request is signed with SHA-1 or MD5: use SHA-256 or better")
            }
            Self::SignatureHash(hash) => {
                write!(f, "the certification request is signed with {hash}: use SHA-256, SHA-384 or SHA-512")
            }
            Self::SignatureAlgorithm(algorithm) => {
                write!(f, "the certification request's signature algorithm {algorithm} is not supported")
            }
            Self::SignatureKey { algorithm, key_type } => write!(
                f,
                "the certification request's signature algorithm {algorithm} does not fit its key, which is {key_type}"
            ),
            Self::SignatureParameters(algorithm) => write!(
                f,
                "the certification request's signature algorithm {algorithm} has parameters that it cannot have, or lacks those that it needs"
            ),
            Self::MaskHash => f.write_str(
                "the certification request is signed with RSASSA-PSS and MGF1 with another hash: use the same hash for both",
            ),
            Self::SaltLength { salt, hash: (hash, octets) } => write!(
                f,
                "the certification request is signed with RSASSA-PSS and a salt of {salt} octets: use as many as {hash} has, {octets}"
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
            Self::ExtensionRequestsDiffer => write!(
                f,
                "the certification request asks for extensions in extensionRequest ({}) and for others in Microsoft's attribute ({}): send one of them, or the same in both",
                oid::EXTENSION_REQUEST,
                oid::MS_EXTENSION_REQUEST
            ),
            Self::ExtensionValue(extension, error) => {
                write!(f, "the requested extension {extension} is not DER: {error}")
            }
            Self::DuplicateExtension(extension) => {
                write!(f, "the certification request asks for extension {extension} twice")
            }
            Self::SubjectAltName(error) => error.fmt(f),
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
