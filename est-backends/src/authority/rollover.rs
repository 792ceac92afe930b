//! A root gets another key (RFC 4210 §4.4): a client that trusts one root can verify what the other one issues.

use std::fmt;

use est_core::pkix::{Certificate, Extension, KeyUsage, TbsCertificate, oid};
use est_core::{PortError, Serial, UnixTime};

use super::{Validity, sign};
use crate::algorithms;
use crate::signer::Signer;

/// The root to be made.
#[derive(Clone, Debug)]
pub struct NewRoot {
    /// When it is valid; it begins with the rollover.
    pub validity: Validity,
    /// The serial numbers of the three certificates of [`Rollover`], in their order.
    pub serials: [Serial; 3],
}

/// What a rollover makes, DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollover {
    /// The new root: the new key, signed by itself.
    pub new_with_new: Vec<u8>,
    /// The old key, signed by the new one: with it, a client that trusts only the new root verifies what the old one issued.
    pub old_with_new: Vec<u8>,
    /// The new key, signed by the old one: with it, a client that trusts only the old root verifies what the new one issues.
    pub new_with_old: Vec<u8>,
}

/// Why a CA's key cannot be rolled over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RolloverError {
    /// The old signer's key is not the CA certificate's.
    OtherKey,
    /// Both signers have the same key.
    SameKey,
    /// The CA is not a root.
    NotSelfSigned {
        /// Who issued its certificate.
        issuer: String,
    },
    /// The old root has ended: what it signs is worth nothing any more.
    Ended {
        /// Its last second.
        not_after: UnixTime,
    },
    /// A signer made no signature, or one that does not verify.
    Signer(PortError),
}

impl fmt::Display for RolloverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey => f.write_str("the private key does not belong to its certificate"),
            Self::SameKey => f.write_str("the new key is the old one"),
            Self::NotSelfSigned { issuer } => write!(
                f,
                "it is no root that signed itself: have {issuer} certify a new key, and put key and certificate in the \
                 place of the old ones"
            ),
            Self::Ended { not_after } => write!(
                f,
                "its certificate ended at {not_after}, and nobody believes what its key signs: make a new CA, and bring \
                 its certificate to every client"
            ),
            Self::Signer(error) => f.write_str(&error.0),
        }
    }
}

impl std::error::Error for RolloverError {}

impl From<PortError> for RolloverError {
    fn from(error: PortError) -> Self {
        Self::Signer(error)
    }
}

/// Makes what clients need to get from the root `old` to one of the same name with another key.
///
/// All three are CA certificates: basicConstraints and keyUsage are critical, keyCertSign and cRLSign are set. The
/// examples in RFC 7030, appendix A.1, are not. What else the old root says of itself (path length, name constraints,
/// policies) is in all of them.
///
/// The old key's certificate is valid as long as the old root, the new key's from the rollover until the old root ends;
/// neither beyond the new root.
///
/// # Errors
/// [`RolloverError`].
pub async fn roll_over(
    old: &Certificate,
    old_signer: &dyn Signer,
    new_signer: &dyn Signer,
    wanted: &NewRoot,
) -> Result<Rollover, RolloverError> {
    if old.public_key_der() != old_signer.public_key().as_der() {
        return Err(RolloverError::OtherKey);
    }
    if old_signer.public_key() == new_signer.public_key() {
        return Err(RolloverError::SameKey);
    }
    if !old.is_issued_by(old, algorithms()) {
        return Err(RolloverError::NotSelfSigned { issuer: old.issuer().to_string() });
    }
    let (begin, end) = (wanted.validity.not_before, wanted.validity.not_after());
    if old.not_after() < begin {
        return Err(RolloverError::Ended { not_after: old.not_after() });
    }
    let cross_end = old.not_after().min(end);
    let old_identifier =
        old.subject_key_identifier().unwrap_or_else(|| old_signer.public_key().key_identifier().to_vec());
    let old_key = Half { signer: old_signer, identifier: old_identifier };
    let new_key = Half { signer: new_signer, identifier: new_signer.public_key().key_identifier().to_vec() };
    let [first, second, third] = wanted.serials;
    Ok(Rollover {
        new_with_new: new_key.certified_by(&new_key, old, first, (begin, end)).await?,
        old_with_new: old_key.certified_by(&new_key, old, second, (old.not_before(), cross_end)).await?,
        new_with_old: new_key.certified_by(&old_key, old, third, (begin, cross_end)).await?,
    })
}

/// One of the two keys, and what certificates call it.
struct Half<'a> {
    signer: &'a dyn Signer,
    identifier: Vec<u8>,
}

impl Half<'_> {
    async fn certified_by(
        &self,
        issuer: &Self,
        old: &Certificate,
        serial: Serial,
        (not_before, not_after): (UnixTime, UnixTime),
    ) -> Result<Vec<u8>, PortError> {
        let mut extensions = extensions_of(old);
        extensions.push(Extension::subject_key_identifier(&self.identifier));
        // The new root too, as every root of ours: see `self_signed_ca`.
        extensions.push(Extension::authority_key_identifier(&issuer.identifier));
        let certificate = TbsCertificate {
            serial,
            signature_algorithm: issuer.signer.signature_algorithm(),
            issuer: old.subject(),
            subject: old.subject(),
            not_before,
            not_after,
            public_key: self.signer.public_key().as_der(),
            extensions: &extensions,
        };
        sign(issuer.signer, &certificate).await
    }
}

/// What a root says of itself, whatever its key: basicConstraints and keyUsage as a CA needs them, and everything else
/// except what is about its issuer.
fn extensions_of(root: &Certificate) -> Vec<Extension> {
    /// cRLDistributionPoints, freshestCRL and authorityInfoAccess (RFC 5280 §4.2.1.13, §4.2.1.15, §4.2.2.1).
    const OF_THE_ISSUER: [&[u8]; 3] =
        [b"\x06\x03\x55\x1d\x1f", b"\x06\x03\x55\x1d\x2e", b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x01"];
    let made = [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::SUBJECT_KEY_IDENTIFIER, oid::AUTHORITY_KEY_IDENTIFIER];

    let find = |id| root.extensions().iter().find(|extension| extension.id == id);
    let constraints = match find(oid::BASIC_CONSTRAINTS) {
        Some(path_length) if root.is_ca() => Extension { critical: true, ..path_length.clone() },
        _ => Extension::certificate_authority(),
    };
    let usage = find(oid::KEY_USAGE).and_then(|usage| KeyUsage::from_der(&usage.value)).unwrap_or_default();
    let mut extensions =
        vec![constraints, Extension::key_usage(usage.with(KeyUsage::KEY_CERT_SIGN).with(KeyUsage::CRL_SIGN))];
    let others = root
        .extensions()
        .iter()
        .filter(|extension| !made.contains(&extension.id) && !OF_THE_ISSUER.contains(&extension.id.as_der()));
    extensions.extend(others.cloned());
    extensions
}
