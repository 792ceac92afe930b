//! X.509 as EST needs it: certification requests (RFC 2986) in, certificates (RFC 5280) and certs-only messages
//! (RFC 5652) out.
//!
//! Everything a peer sent passes [`der::check`] first; then `rasn` takes it apart. What was signed, and every name,
//! is kept as the octets that came: nothing is re-encoded that somebody compares or verifies.

mod asn1;
mod certificate;
mod certs_only;
mod challenge;
mod crl;
mod csr;
mod csrattrs;
pub mod der;
mod extension;
mod general_name;
mod key;
mod name;
mod name_constraints;
pub mod oid;
pub mod pem;
mod string;
mod time;

pub use certificate::{Certificate, CertificateError, Fingerprint, TbsCertificate, assemble_certificate};
pub use certs_only::{certs_only, read_certs_only};
pub use challenge::Challenges;
pub use crl::{
    CrlHead, IssuedCrl, IssuedCrlError, RevocationReason, RevokedCertificate, TbsCertList, assemble_cert_list,
};
pub use csr::{ChangeSubjectName, Csr, CsrError, CsrTemplate, KeyRequest, assemble_csr};
pub(crate) use csrattrs::extension_request;
pub use csrattrs::{
    CertificationRequestInfoTemplate, CsrAttr, CsrAttrsError, ExtensionTemplate, KeyRequirement,
    SingleAttributeTemplate, csr_attrs, read_csr_attrs,
};
pub use extension::{Extension, KeyUsage};
pub use general_name::{AlternativeNameError, AlternativeNameFault, GeneralName, GeneralNames};
pub(crate) use general_name::{hardware_module, text_of};
pub use key::{BlocklistError, KeyBlocklist, KeyError, KeyType, SubjectPublicKeyInfo};
pub(crate) use name::keyword;
pub use name::{Name, NameError};
pub use name_constraints::NameConstraints;
pub use oid::Oid;
pub use string::StringType;
