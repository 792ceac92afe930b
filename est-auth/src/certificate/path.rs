//! From a client's certificate to a trust anchor (RFC 5280 §6).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use est_core::pkix::{Certificate, KeyUsage, oid};
use est_core::{Doubt, UnixTime};
use pki_types::{CertificateDer, TrustAnchor};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, RequiredEkuNotFoundContext,
    anchor_from_trusted_cert,
};

use crate::recent::Recent;

/// A chain with more certificates than this above the client's own is refused.
const MAX_INTERMEDIATES: usize = 8;
/// A chain with a larger certificate is refused. One with an ML-DSA-87 key and signature takes 7.5 KiB.
const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;
/// So many verified paths are remembered.
const REMEMBERED_PATHS: usize = 4096;

/// What a client's certificate must be meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Client authentication: extKeyUsage lists clientAuth or anyExtendedKeyUsage, or is absent, in every certificate
    /// of the path.
    #[default]
    ClientAuth,
    /// Whatever extKeyUsage says.
    Any,
}

/// Finds paths from clients' certificates to trust anchors.
///
/// Remembers the paths that it verified, so that a client that returns costs a hash; that they are still in their time
/// is checked every time. Chains that were not verified are not remembered.
pub struct PathValidator {
    anchors: Vec<TrustAnchor<'static>>,
    intermediates: Vec<CertificateDer<'static>>,
    purpose: Purpose,
    /// By the SHA-256 of the chain that was shown.
    verified: Mutex<Recent<[u8; 32], VerifiedPath>>,
}

/// A path whose signatures, names and purposes were verified.
#[derive(Clone)]
struct VerifiedPath {
    certificate: Arc<Certificate>,
    /// The time in which every certificate of the path is valid.
    not_before: UnixTime,
    not_after: UnixTime,
}

/// A certificate in a list that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadableCertificate {
    /// Its place in the list, from 0.
    pub index: usize,
}

impl fmt::Display for UnreadableCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate number {} of the list cannot be read", self.index + 1)
    }
}

impl std::error::Error for UnreadableCertificate {}

impl PathValidator {
    /// Takes the trust anchors, which need not be self-signed, and intermediates for clients that send only their own
    /// certificate; all DER.
    ///
    /// Of a trust anchor, the name, key and name constraints count; its own time and path length do not
    /// (RFC 5280 §6.1.1 (d) lists what an anchor is).
    ///
    /// # Errors
    /// [`UnreadableCertificate`], the first among the trust anchors.
    pub fn new(
        trust_anchors: &[impl AsRef<[u8]>],
        intermediates: &[impl AsRef<[u8]>],
        purpose: Purpose,
    ) -> Result<Self, UnreadableCertificate> {
        let read = |(index, der): (usize, &CertificateDer<'_>)| {
            anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned()).map_err(|_| UnreadableCertificate { index })
        };
        let owned = |der: &[u8]| CertificateDer::from(der.to_vec());
        let anchors: Vec<_> = trust_anchors.iter().map(|der| owned(der.as_ref())).collect();
        Ok(Self {
            anchors: anchors.iter().enumerate().map(read).collect::<Result<_, _>>()?,
            intermediates: intermediates.iter().map(|der| owned(der.as_ref())).collect(),
            purpose,
            verified: Mutex::new(Recent::new(REMEMBERED_PATHS)),
        })
    }

    /// Finds a path that is valid at `now` for the chain that a client has shown: its own certificate first, the
    /// others in any order. Returns the client's own.
    ///
    /// Asks nobody whether a certificate was revoked. Takes a hash where the chain is known, and otherwise some
    /// signature checks of 20 to 300 µs each, one per certificate; a hostile chain is given up after 100.
    ///
    /// # Errors
    /// Why the chain is not accepted: never [`Doubt::PasswordRejected`] or [`Doubt::CertificateRevoked`].
    pub fn validate(&self, shown: &[Vec<u8>], now: UnixTime) -> Result<Arc<Certificate>, Doubt> {
        if shown.is_empty() {
            return Err(Doubt::NothingShown);
        }
        if shown.len() > 1 + MAX_INTERMEDIATES || shown.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
            return Err(Doubt::CertificateUntrusted);
        }
        let id = chain_id(shown);
        if let Some(path) = self.remembered(&id)
            && path.not_before <= now
            && now <= path.not_after
        {
            return Ok(path.certificate);
        }
        let path = self.verify(shown, now)?;
        let certificate = path.certificate.clone();
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(id, path);
        Ok(certificate)
    }

    /// How many verified paths it remembers: for a gauge.
    #[must_use]
    pub fn remembered_paths(&self) -> usize {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn remembered(&self, id: &[u8; 32]) -> Option<VerifiedPath> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn verify(&self, shown: &[Vec<u8>], now: UnixTime) -> Result<VerifiedPath, Doubt> {
        let certificate = Certificate::parse(&shown[0]).map_err(|_| Doubt::CertificateMalformed)?;
        let leaf = CertificateDer::from(shown[0].as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(doubt)?;
        let sent = shown[1..].iter().map(|der| CertificateDer::from(der.as_slice()));
        let known = self.intermediates.iter().map(|der| CertificateDer::from(der.as_ref()));
        let intermediates: Vec<_> = sent.chain(known).collect();
        let path = leaf
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &self.anchors,
                &intermediates,
                pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.0)),
                self.purpose,
                None,
                None,
            )
            .map_err(doubt)?;
        let (mut not_before, mut not_after) = (certificate.not_before(), certificate.not_after());
        for intermediate in path.intermediate_certificates() {
            let intermediate = Certificate::parse(&intermediate.der()).map_err(|_| Doubt::CertificateUntrusted)?;
            if !may_sign_certificates(&intermediate) {
                return Err(Doubt::CertificateUntrusted);
            }
            not_before = not_before.max(intermediate.not_before());
            not_after = not_after.min(intermediate.not_after());
        }
        Ok(VerifiedPath { certificate: Arc::new(certificate), not_before, not_after })
    }
}

/// keyUsage, where it stands, must have keyCertSign (RFC 5280 §6.1.4 (n)): webpki does not look.
fn may_sign_certificates(ca: &Certificate) -> bool {
    let usage = ca.extensions().iter().find(|extension| extension.id == oid::KEY_USAGE);
    usage.is_none_or(|extension| {
        KeyUsage::from_der(&extension.value).is_some_and(|usage| !usage.common(KeyUsage::KEY_CERT_SIGN).is_empty())
    })
}

/// What a chain is remembered by: a hash of every certificate and its length, in their order.
fn chain_id(shown: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for der in shown {
        hash.update(&(der.len() as u64).to_be_bytes());
        hash.update(der);
    }
    hash.finish().as_ref().try_into().expect("32 octets")
}

impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        /// id-kp-clientAuth and anyExtendedKeyUsage, the contents of their DER.
        const FITTING: [KeyPurposeId<'_>; 2] =
            [KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 2]), KeyPurposeId::new(&[0x55, 0x1d, 0x25, 0])];

        let (mut any, mut fitting) = (false, false);
        for purpose in purposes {
            any = true;
            fitting |= FITTING.contains(&purpose?);
        }
        match self {
            Self::ClientAuth if any && !fitting => Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
                required: webpki::KeyUsage::client_auth(),
                present: Vec::new(),
            })),
            Self::ClientAuth | Self::Any => Ok(()),
        }
    }
}

fn doubt(error: Error) -> Doubt {
    match error {
        Error::CertExpired { not_after, .. } => Doubt::CertificateExpired { not_after: UnixTime(not_after.as_secs()) },
        Error::CertNotValidYet { not_before, .. } => {
            Doubt::CertificateNotYetValid { not_before: UnixTime(not_before.as_secs()) }
        }
        // A CA's own certificate is for signing others.
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension | Error::CaUsedAsEndEntity => {
            Doubt::CertificatePurpose
        }
        Error::BadDer
        | Error::BadDerTime
        | Error::TrailingData(_)
        | Error::ExtensionValueInvalid
        | Error::InvalidCertValidity
        | Error::InvalidSerialNumber
        | Error::MalformedExtensions
        | Error::SignatureAlgorithmMismatch
        | Error::UnsupportedCertVersion => Doubt::CertificateMalformed,
        _ => Doubt::CertificateUntrusted,
    }
}
