//! Certification requests (PKCS #10, RFC 2986).

mod attributes;
mod change;
mod error;
mod key_request;
mod signature;
mod template;

use alloc::vec::Vec;
use core::fmt;

use pki_types::SignatureVerificationAlgorithm;
use rasn::types::Integer;

use super::{Challenges, Extension, GeneralNames, Name, SubjectPublicKeyInfo, asn1, der, oid};

use attributes::{other_attributes, requested_extensions, single_value};

pub use change::ChangeSubjectName;
pub use error::CsrError;
pub use key_request::KeyRequest;
pub use template::{CsrTemplate, assemble_csr};

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
        signature::prove_possession(&signed, &public_key, algorithms)?;
        Self::with(der, info, subject, public_key)
    }

    /// Reads what is asked for apart from the key.
    fn with(
        der: &[u8],
        info: asn1::CertificationRequestInfo,
        subject: Name,
        public_key: SubjectPublicKeyInfo,
    ) -> Result<Self, CsrError> {
        let attributes = info.attributes.unwrap_or_default();
        let extensions = requested_extensions(&attributes)?;
        let subject_alt_name = match extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME) {
            Some(extension) => Some(GeneralNames::requested(&extension.value).map_err(CsrError::SubjectAltName)?),
            None => None,
        };
        let change_subject_name = match single_value(&attributes, &oid::CHANGE_SUBJECT_NAME)? {
            Some(value) => Some(ChangeSubjectName::parse(value.as_bytes()).ok_or(CsrError::ChangeSubjectName)?),
            None => None,
        };
        let challenges = Challenges::read(&attributes)?;
        Ok(Self {
            der: der.to_vec(),
            subject,
            public_key,
            extensions,
            subject_alt_name,
            change_subject_name,
            challenges,
            other_attributes: other_attributes(&attributes),
        })
    }

    /// The request as it came.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The requested subject, in DER whatever the request wrote.
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

    /// The requested subjectAltName, in DER whatever the request wrote, each name once.
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
    let signed: asn1::Signed = asn1::decode(der).map_err(|fault| version_fault(der).unwrap_or(fault.into()))?;
    let info: asn1::CertificationRequestInfo = asn1::decode_checked(signed.to_be_signed.as_bytes())?;
    if info.version != Integer::from(0) {
        return Err(CsrError::Version);
    }
    // Without the attributes, [0] could stand in the key's place.
    if info.public_key.as_bytes().first() != Some(&0x30) {
        return Err(CsrError::NotACsr);
    }
    let subject = Name::requested(info.subject.as_bytes()).map_err(CsrError::Subject)?;
    Ok((signed, info, subject))
}

/// Whether it is the version that is not DER: `02 00` is what some clients write for 0.
fn version_fault(der: &[u8]) -> Option<CsrError> {
    const VERSION_0: &[u8] = b"\x02\x01\x00";
    let info = der::parts(der::contents(der)).next()?;
    let version = der::parts(der::contents(info)).next()?;
    (version.first() == Some(&0x02) && version != VERSION_0).then_some(CsrError::Version)
}
