//! The search for one path.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use est_core::pkix::Certificate;
use est_core::{CertificatePath, Doubt, Issuers, Seconds, UnixTime};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::{
    CertRevocationList, EndEntityCert, Error, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::budget::Budget;
use super::crl::{Crls, in_order};
use super::memory::VerifiedPath;
use super::path::{PathValidator, RevocationPolicy, RevocationStatus, Usages};
use super::rules::{self, Fault};

/// So many paths are looked for: what a certificate may be used for can depend on which CAs are above it.
const MOST_PATHS: usize = 4;

const THE_CLIENTS: &str = "the client certificate";

/// What a search begins with.
pub(super) struct Search<'a> {
    pub(super) validator: &'a PathValidator,
    pub(super) crls: &'a Crls,
    /// The client's own certificate first; at least that one.
    pub(super) shown: &'a [Vec<u8>],
    pub(super) now: UnixTime,
}

/// The client's certificate, twice read, and those that may lie above it.
struct Chain<'a> {
    certificate: &'a Certificate,
    leaf: &'a EndEntityCert<'a>,
    intermediates: &'a [CertificateDer<'a>],
}

/// What there is to say of the paths that were found.
#[derive(PartialEq)]
struct Found {
    paths: Vec<Issuers>,
    /// The time in which all of them are valid.
    not_before: UnixTime,
    not_after: UnixTime,
    /// Whether an own CA issued the client's certificate.
    is_own: bool,
}

impl Search<'_> {
    pub(super) fn run(&self) -> Result<VerifiedPath, Doubt> {
        let leaf = CertificateDer::from(self.shown[0].as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(unreadable)?;
        let certificate = Certificate::parse(&self.shown[0]).map_err(|_| Doubt::CertificateMalformed)?;
        rules::of_a_client(&certificate)
            .map_err(|fault| Doubt::CertificateNonconforming { which: THE_CLIENTS, fault })?;
        let sent = self.shown[1..].iter().map(|der| CertificateDer::from(der.as_slice()));
        let known = self.validator.intermediates.iter().map(|der| CertificateDer::from(der.as_ref()));
        let intermediates: Vec<_> = sent.chain(known).collect();
        let chain = Chain { certificate: &certificate, leaf: &leaf, intermediates: &intermediates };
        let (found, revocation, next_update) = match self.validator.revocation {
            None => (self.find(&chain, None)?, RevocationStatus::NotAsked, UnixTime(u64::MAX)),
            Some(policy) => {
                let (found, status) = self.find_unrevoked(&chain, policy)?;
                let ends = self.crls.current(self.now).map(|crl| crl.next_update());
                (found, status, ends.min().unwrap_or(UnixTime(u64::MAX)))
            }
        };
        let Found { paths, not_before, not_after, .. } = found;
        let path = CertificatePath::of_paths(Arc::new(certificate), paths);
        Ok(VerifiedPath { path, revocation, not_before, not_after, next_update })
    }

    /// Finds a path of which CRLs tell that it is good, or which `policy` lets pass.
    fn find_unrevoked(&self, chain: &Chain<'_>, policy: RevocationPolicy) -> Result<(Found, RevocationStatus), Doubt> {
        let read = chain.intermediates.iter().filter_map(|der| Certificate::parse(der).ok());
        let certificates: Vec<_> = std::iter::once(chain.certificate.clone()).chain(read).collect();
        let current = in_order(self.crls.current(self.now), &certificates);
        let good = match ask(&current, UnknownStatusPolicy::Deny) {
            Some(options) => self.find(chain, Some(options)),
            None => self.find(chain, None).and(Err(Doubt::RevocationUnknown)),
        };
        if good != Err(Doubt::RevocationUnknown) {
            return good.map(|found| (found, RevocationStatus::Good));
        }
        // What the CRLs do tell counts against a client whatever else is unknown; for one whose certificate an own CA
        // issued, the inventory tells the rest.
        match (self.find(chain, ask(&current, UnknownStatusPolicy::Allow)), policy) {
            (Err(Doubt::CertificateRevoked), _) => Err(Doubt::CertificateRevoked),
            (Ok(found), _) if found.is_own => Ok((found, RevocationStatus::Good)),
            (_, RevocationPolicy::Hard) => Err(Doubt::RevocationUnknown),
            (_, RevocationPolicy::Soft) => {
                let all = in_order(self.crls.all(), &certificates);
                let found = match self.find(chain, ask(&all, UnknownStatusPolicy::Allow)) {
                    Err(Doubt::RevocationUnknown) => self.find(chain, None),
                    found => found,
                };
                found.map(|found| (found, RevocationStatus::Unknown))
            }
        }
    }

    /// Finds paths. A certificate that may have its grace is looked at as in its last second; the CAs above it are
    /// not.
    fn find(&self, chain: &Chain<'_>, revocation: Option<RevocationOptions<'_>>) -> Result<Found, Doubt> {
        let end = chain.certificate.not_after();
        let in_grace = end < self.now && self.now <= end + self.validator.expired_grace;
        let at = if in_grace { end } else { self.now };
        let (found, broken) = (RefCell::<Option<Found>>::default(), Cell::new(None));
        let judge = |path: &webpki::VerifiedPath<'_>| {
            let judged = self.judge(chain.certificate, path, revocation.is_some(), &broken)?;
            let mut found = found.borrow_mut();
            match found.as_mut() {
                Some(found) => found.add(judged),
                None => *found = Some(judged),
            }
            let count = found.as_ref().map_or(0, |found| found.paths.len());
            // Where there may be another, this one is for webpki as if it led nowhere.
            if count < MOST_PATHS { Err(Error::UnknownIssuer) } else { Ok(()) }
        };
        let budget = Budget::default();
        let algorithms = budget.algorithms(self.validator.algorithms);
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> = algorithms.iter().map(|one| one as _).collect();
        let path = chain.leaf.verify_for_usage(
            &algorithms,
            &self.validator.anchors,
            chain.intermediates,
            webpki_time(at),
            Usages(self.validator.purpose),
            revocation,
            Some(&judge),
        );
        if let Some(found) = found.take() {
            return Ok(found);
        }
        match (path.map(drop), broken.take()) {
            (Ok(()), _) => Err(Doubt::CertificateUntrusted),
            (Err(Error::UnknownIssuer), Some(doubt)) => Err(doubt),
            (Err(Error::CaUsedAsEndEntity), _) if chain.certificate.is_self_issued() => {
                Err(Doubt::CertificateUntrusted)
            }
            (Err(Error::UnsupportedSignatureAlgorithmContext(context)), _) => {
                Err(unsupported(chain.certificate, &context.signature_algorithm_id))
            }
            (Err(error), _) => Err(doubt(error)),
        }
    }

    /// Looks at what webpki does not. `broken` becomes the doubt about a rule that is broken.
    fn judge(
        &self,
        certificate: &Certificate,
        path: &webpki::VerifiedPath<'_>,
        crls_were_asked: bool,
        broken: &Cell<Option<Doubt>>,
    ) -> Result<Found, Error> {
        let breaks = |which| {
            move |fault: Fault| {
                broken.set(Some(Doubt::CertificateNonconforming { which, fault }));
                Error::UnknownIssuer
            }
        };
        let intermediates = path.intermediate_certificates().map(|one| Certificate::parse(&one.der()).map(Arc::new));
        let intermediates = intermediates.collect::<Result<Vec<_>, _>>().map_err(|_| Error::UnknownIssuer)?;
        let place = self.validator.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = &self.validator.anchor_certificates[place.expect("a path ends at one of the anchors")];
        let issuers: Issuers = intermediates.iter().chain([anchor]).cloned().collect();
        rules::of_an_anchor(anchor).map_err(breaks("the trust anchor of the client certificate"))?;
        if crls_were_asked && !rules::may_sign_crls(anchor) {
            return Err(Error::IssuerNotCrlSigner);
        }
        for (ca, issuer) in intermediates.iter().zip(&issuers[1..]) {
            let kept = rules::of_a_ca(ca).and_then(|()| rules::names_the_key_of(issuer, ca));
            kept.map_err(breaks("a CA certificate above the client certificate"))?;
        }
        let is_own =
            self.validator.own_cas.iter().any(|own| {
                own.subject() == issuers[0].subject() && own.public_key_der() == issuers[0].public_key_der()
            });
        let grace = if is_own { self.validator.expired_grace } else { Seconds(0) };
        let (mut not_before, mut not_after) = (certificate.not_before(), certificate.not_after() + grace);
        for issuer in issuers.iter() {
            not_before = not_before.max(issuer.not_before());
            not_after = not_after.min(issuer.not_after());
        }
        let (time, now) = (webpki_time(self.now), self.now);
        if now < not_before {
            return Err(Error::CertNotValidYet { time, not_before: webpki_time(not_before) });
        }
        if now > not_after {
            return Err(Error::CertExpired { time, not_after: webpki_time(not_after.min(certificate.not_after())) });
        }
        Ok(Found { paths: vec![issuers], not_before, not_after, is_own })
    }
}

impl Found {
    fn add(&mut self, other: Self) {
        let new = other.paths.into_iter().filter(|path| !self.paths.contains(path)).collect::<Vec<_>>();
        self.paths.extend(new);
        self.not_before = self.not_before.max(other.not_before);
        self.not_after = self.not_after.min(other.not_after);
    }
}

/// Asks the first of these that is the issuer's; `None` when there are none at all.
fn ask<'a>(crls: &'a [&'a CertRevocationList<'static>], unknown: UnknownStatusPolicy) -> Option<RevocationOptions<'a>> {
    RevocationOptionsBuilder::new(crls).ok().map(|builder| builder.with_status_policy(unknown).build())
}

/// A certificate of the path is signed with an algorithm that is not accepted: the contents of its AlgorithmIdentifier.
fn unsupported(certificate: &Certificate, algorithm: &[u8]) -> Doubt {
    const ABOVE: &str = "a CA certificate above the client certificate";
    /// md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1 and dsa-with-sha1, DER.
    const OLD: [(&[u8], Fault); 4] = [
        (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "is signed with MD5, which is not accepted"),
        (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", SHA_1),
        (b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", SHA_1),
        (b"\x06\x07\x2a\x86\x48\xce\x38\x04\x03", SHA_1),
    ];
    const SHA_1: Fault = "is signed with SHA-1, which is not accepted";
    /// What the identifiers ecdsa-with-SHA224 to ecdsa-with-SHA512 begin with.
    const ECDSA: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03";

    let old = OLD.iter().find(|(id, _)| algorithm.starts_with(id)).map(|(_, fault)| *fault);
    let fault = match old {
        Some(fault) => fault,
        None if algorithm.starts_with(ECDSA) && algorithm.ends_with(&[5, 0]) => {
            "is signed with ECDSA whose identifier has NULL for parameters, which are to be absent (RFC 5758 §3.2)"
        }
        None => "is signed with an algorithm that is not accepted",
    };
    let is_the_clients = certificate.as_der().windows(algorithm.len()).any(|part| part == algorithm);
    Doubt::CertificateNonconforming { which: if is_the_clients { THE_CLIENTS } else { ABOVE }, fault }
}

fn webpki_time(at: UnixTime) -> pki_types::UnixTime {
    pki_types::UnixTime::since_unix_epoch(Duration::from_secs(at.0))
}

/// Why webpki does not read the client's certificate.
fn unreadable(error: Error) -> Doubt {
    let fault = match error {
        Error::UnsupportedCertVersion => "is not of version 3 (RFC 5280 §4.1.2.1)",
        Error::UnsupportedCriticalExtension => "has a critical extension that is not known here (RFC 5280 §4.2)",
        error => return doubt(error),
    };
    Doubt::CertificateNonconforming { which: THE_CLIENTS, fault }
}

fn doubt(error: Error) -> Doubt {
    match error {
        Error::CertExpired { not_after, .. } => Doubt::CertificateExpired { not_after: UnixTime(not_after.as_secs()) },
        Error::CertNotValidYet { not_before, .. } => {
            Doubt::CertificateNotYetValid { not_before: UnixTime(not_before.as_secs()) }
        }
        Error::CertRevoked => Doubt::CertificateRevoked,
        Error::UnknownRevocationStatus
        | Error::CrlExpired { .. }
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Doubt::RevocationUnknown,
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
