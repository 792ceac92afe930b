//! From a client's certificate to a trust anchor (RFC 5280 §6).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use est_core::pkix::{Certificate, Name};
use est_core::policy::MAX_CERTIFICATE_BYTES;
use est_core::{Algorithms, CertificatePath, Doubt, Seconds, UnixTime};
use pki_types::{CertificateDer, TrustAnchor};
use webpki::{
    Error, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, RequiredEkuNotFoundContext,
    anchor_from_trusted_cert,
};

use super::crl::{Crl, Crls};
use super::memory::{ChainId, Memory, VerifiedPath};
use super::search::Search;

/// A chain with more certificates than this above the client's own is refused.
const MAX_INTERMEDIATES: usize = 4;
/// A chain with more octets than this is refused: a connection keeps it for as long as it lasts. Four certificates with
/// ML-DSA-87 keys and signatures fit.
const MAX_CHAIN_BYTES: usize = 32 * 1024;

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

/// What becomes of a client whose certificate no CRL tells anything about that is still current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationPolicy {
    /// It is refused: [`Doubt::RevocationUnknown`].
    #[default]
    Hard,
    /// It is accepted: [`RevocationStatus::Unknown`]. An expired CRL still refuses the certificates that it lists.
    Soft,
}

/// What CRLs told about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// Nothing: none were asked.
    NotAsked,
    /// None of its certificates was revoked.
    Good,
    /// Nothing, of one of its certificates at least.
    Unknown,
}

/// A certificate that leads to a trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The client's own, and those above it.
    pub path: CertificatePath,
    /// What CRLs told.
    pub revocation: RevocationStatus,
    /// Whether it has expired, which [`PathValidator::with_expired_grace`] let pass.
    pub has_expired: bool,
}

/// Finds paths from clients' certificates to trust anchors.
///
/// Remembers the paths that it verified, so that a client that returns costs a hash; that they are still in their time
/// is checked every time. It remembers what it refused too, for a minute. Neither outlives the CRLs that were asked.
pub struct PathValidator {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// The certificates of the anchors, in the same order.
    pub(super) anchor_certificates: Vec<Arc<Certificate>>,
    pub(super) intermediates: Vec<CertificateDer<'static>>,
    pub(super) purpose: Purpose,
    pub(super) own_cas: Vec<Certificate>,
    pub(super) expired_grace: Seconds,
    pub(super) revocation: Option<RevocationPolicy>,
    pub(super) algorithms: Algorithms,
    crls: RwLock<Arc<Crls>>,
    memory: Memory,
}

impl fmt::Debug for PathValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathValidator").field("anchors", &self.anchors.len()).finish_non_exhaustive()
    }
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
    /// Of a trust anchor, the name, key, name constraints and time count; its path length does not, and neither does
    /// its issuer (RFC 5280 §6.1.1 (d) lists what an anchor is).
    ///
    /// # Errors
    /// [`UnreadableCertificate`], the first among the trust anchors.
    pub fn new(
        trust_anchors: &[impl AsRef<[u8]>],
        intermediates: &[impl AsRef<[u8]>],
        purpose: Purpose,
    ) -> Result<Self, UnreadableCertificate> {
        let owned = |der: &[u8]| CertificateDer::from(der.to_vec());
        let (mut anchors, mut anchor_certificates) = (Vec::new(), Vec::new());
        for (index, der) in trust_anchors.iter().enumerate() {
            let unreadable = UnreadableCertificate { index };
            anchor_certificates.push(Arc::new(Certificate::parse(der.as_ref()).map_err(|_| unreadable)?));
            anchors.push(anchor_from_trusted_cert(&owned(der.as_ref())).map_err(|_| unreadable)?.to_owned());
        }
        Ok(Self {
            anchors,
            anchor_certificates,
            intermediates: intermediates.iter().map(|der| owned(der.as_ref())).collect(),
            purpose,
            own_cas: Vec::new(),
            expired_grace: Seconds(0),
            revocation: None,
            algorithms: webpki::ALL_VERIFICATION_ALGS,
            crls: RwLock::default(),
            memory: Memory::new(),
        })
    }

    /// Accepts signatures by these algorithms, on certificates and CRLs, in place of those of webpki.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: Algorithms) -> Self {
        self.algorithms = algorithms;
        self
    }

    /// Asks these CRLs about every certificate of a path from now on, and all that
    /// [`replace_crls`](Self::replace_crls) brings.
    #[must_use]
    pub fn with_crls(mut self, crls: Vec<Crl>, policy: RevocationPolicy) -> Self {
        self.revocation = Some(policy);
        self.replace_crls(crls);
        self
    }

    /// Knows the CAs whose certificates an [`Inventory`](crate::Inventory) knows: of those that they issued, CRLs need
    /// not tell anything. One that does is believed.
    #[must_use]
    pub fn with_own_cas(mut self, own_cas: Vec<Certificate>) -> Self {
        self.own_cas = own_cas;
        self
    }

    /// Accepts certificates that an own CA issued for so long after their end, said by [`Validated::has_expired`].
    #[must_use]
    pub fn with_expired_grace(mut self, grace: Seconds) -> Self {
        self.expired_grace = grace;
        self
    }

    /// Asks these CRLs, and no others, from the next [`validate`](Self::validate) on. Does nothing for a validator that was
    /// made without [`with_crls`](Self::with_crls).
    pub fn replace_crls(&self, crls: Vec<Crl>) {
        let mut current = self.crls.write().unwrap_or_else(PoisonError::into_inner);
        let generation = current.generation + 1;
        *current = Arc::new(Crls::new(crls, generation));
    }

    /// Of each CRL that it asks: its issuer, when it was made, and by when there is to be another one.
    #[must_use]
    pub fn crl_spans(&self) -> Vec<(Name, UnixTime, UnixTime)> {
        self.crls.read().unwrap_or_else(PoisonError::into_inner).all().map(Crl::span).collect()
    }

    /// Finds a path that is valid at `now` for the chain that a client has shown: its own certificate first, the
    /// others in any order.
    ///
    /// Asks no inventory. Takes a hash where the chain is known, and otherwise some signature checks of 20 to 300 µs
    /// each, one per certificate and CRL; a hostile chain is given up after 12 that are wrong.
    ///
    /// # Errors
    /// Why the chain is not accepted: never [`Doubt::PasswordRejected`].
    pub fn validate(&self, shown: &[Vec<u8>], now: UnixTime) -> Result<Validated, Doubt> {
        if shown.is_empty() {
            return Err(Doubt::NothingShown);
        }
        let too_much = |fault| Doubt::CertificateNonconforming { which: "the client certificate's chain", fault };
        if shown.len() > 1 + MAX_INTERMEDIATES {
            return Err(too_much("has more than 4 certificates above it: send those that lead to the trust anchor"));
        }
        if shown.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
            return Err(too_much("has a certificate larger than 16 KiB"));
        }
        if shown.iter().map(Vec::len).sum::<usize>() > MAX_CHAIN_BYTES {
            return Err(too_much("is larger than 32 KiB: send what leads to the trust anchor"));
        }
        let crls = self.crls.read().unwrap_or_else(PoisonError::into_inner).clone();
        let id = ChainId::of(shown);
        let found = self.memory.recall(&id, crls.generation, now).unwrap_or_else(|| {
            let found = Search { validator: self, crls: &crls, shown, now }.run();
            self.memory.keep(id, crls.generation, now, &found);
            found
        });
        let VerifiedPath { path, revocation, .. } = found?;
        let has_expired = path.not_after() < now;
        Ok(Validated { path, revocation, has_expired })
    }

    /// Whether it looks at a chain of certificates that are so many octets long each.
    #[must_use]
    pub fn takes(lengths: impl IntoIterator<Item = usize>) -> bool {
        let (mut count, mut octets) = (0, 0_usize);
        lengths.into_iter().all(|length| {
            count += 1;
            octets = octets.saturating_add(length);
            length <= MAX_CERTIFICATE_BYTES && octets <= MAX_CHAIN_BYTES && count <= 1 + MAX_INTERMEDIATES
        })
    }

    /// How many verified paths it remembers: for a gauge.
    #[must_use]
    pub fn remembered_paths(&self) -> usize {
        self.memory.paths()
    }

    /// How many refused chains it remembers: for a gauge.
    #[must_use]
    pub fn remembered_refusals(&self) -> usize {
        self.memory.refusals()
    }
}

/// What webpki asks about the extended key usages of a path.
pub(super) struct Usages(pub(super) Purpose);

impl ExtendedKeyUsageValidator for Usages {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        /// id-kp-clientAuth and anyExtendedKeyUsage, the contents of their DER.
        const FITTING: [KeyPurposeId<'_>; 2] =
            [KeyPurposeId::new(&[0x2b, 6, 1, 5, 5, 7, 3, 2]), KeyPurposeId::new(&[0x55, 0x1d, 0x25, 0])];

        let (mut any, mut fitting) = (false, false);
        for purpose in purposes {
            any = true;
            fitting |= FITTING.contains(&purpose?);
        }
        match self.0 {
            Purpose::ClientAuth if any && !fitting => {
                Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
                    required: webpki::KeyUsage::client_auth(),
                    present: Vec::new(),
                }))
            }
            Purpose::ClientAuth | Purpose::Any => Ok(()),
        }
    }
}
