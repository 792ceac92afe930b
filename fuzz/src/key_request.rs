//! Requests for a certificate and its key, and what in them says how the key is to be encrypted.

use est_core::cms::Capabilities;
use est_core::pkix::{Csr, CsrError, KeyRequest, KeyType};
use est_core::{KeyWish, Protection};
use est_testkit::trusting::TRUSTING;

/// Reads the input as a request and as SMIMECapabilities.
///
/// A request with any key and signature is read, as long as one with a good key is, but for how the new key is to be
/// encrypted; and lists of capabilities come out as they went in.
pub fn run(input: &[u8]) {
    if let Some(capabilities) = Capabilities::parse(input) {
        assert_eq!(capabilities.to_der(), input);
    }
    let plain = Csr::parse(input, &TRUSTING);
    let request = match KeyRequest::parse(input) {
        Ok(request) => request,
        Err(error) => {
            assert!(plain.is_err() || is_about_encryption(&error), "{error}");
            assert!(!matches!(error, CsrError::Key(_) | CsrError::Possession | CsrError::SignatureAlgorithm(_)));
            return;
        }
    };
    let allowed = [KeyType::Ed25519, KeyType::EcdsaP384];
    assert!(allowed.contains(&request.key_type(Some(&allowed))));
    let key_type = request.key_type(None);
    assert!(KeyType::USUAL.contains(&key_type));
    let (csr, KeyWish { protection, .. }) = request.wish(key_type, None);
    assert_eq!((csr.as_der(), csr.public_key().key_type()), (input, key_type));
    if let Ok(plain) = plain {
        assert_eq!((csr.subject(), csr.subject_alt_name()), (plain.subject(), plain.subject_alt_name()));
        assert_ne!(csr.public_key().digest(), plain.public_key().digest());
    }
    if let Protection::Symmetric { capabilities, .. } | Protection::Asymmetric { capabilities, .. } = protection {
        assert_eq!(Capabilities::parse(&capabilities.to_der()), Some(capabilities));
    }
}

fn is_about_encryption(error: &CsrError) -> bool {
    matches!(
        error,
        CsrError::CapabilitiesMissing
            | CsrError::KeyIdentifierMissing
            | CsrError::TwoKeyIdentifiers
            | CsrError::Capabilities
            | CsrError::KeyIdentifier
            | CsrError::Attribute(_)
    )
}
