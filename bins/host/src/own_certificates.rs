//! The server's own TLS certificates, renewed by the CA here that issued them.

use std::fmt;
use std::path::Path;

use est_backends::authority::{Successor, Validity, succeed};
use est_core::pkix::{Certificate, SubjectPublicKeyInfo, pem};
use est_core::{Seconds, Serial, UnixTime};

use crate::config::{Ca, Settings, TlsCertificate};
use crate::shell;
use crate::wiring;

/// A certificate of the server that one of its own CAs issued.
#[derive(Clone, Copy, Debug)]
pub struct OwnCertificate<'a> {
    /// The certificate.
    pub certificate: &'a TlsCertificate,
    /// The CA.
    pub ca: &'a Ca,
}

/// Why a certificate is not renewed. Its text is for the operator.
#[derive(Debug)]
pub struct RenewalError(String);

impl fmt::Display for RenewalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RenewalError {}

/// Those of `settings` that one of the CAs there issued, each file once: of `[tls]`, `[[tls.additional]]` and `[admin]`.
#[must_use]
pub fn of_settings(settings: &Settings) -> Vec<OwnCertificate<'_>> {
    let mut own: Vec<OwnCertificate<'_>> = Vec::new();
    for certificate in settings.tls.certificates.iter().chain(&settings.admin.certificate) {
        let is_there = own.iter().any(|known| known.certificate.path == certificate.path);
        let issuer = certificate.chain.first().and_then(|leaf| issuer(&settings.cas, leaf));
        if let (false, Some(ca)) = (is_there, issuer) {
            own.push(OwnCertificate { certificate, ca });
        }
    }
    own
}

/// The CA that issued this certificate, also by the key before a rollover.
fn issuer<'a>(cas: &'a [Ca], leaf: &Certificate) -> Option<&'a Ca> {
    let issued = |by: &Certificate| leaf.is_issued_by(by, est_backends::algorithms());
    cas.iter().find(|ca| issued(&ca.certificate) || ca.rollover.iter().any(issued))
}

impl OwnCertificate<'_> {
    /// Whether the last third of its validity has begun.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        self.leaf().is_some_and(|leaf| {
            let span = leaf.not_after().0.saturating_sub(leaf.not_before().0);
            leaf.not_after() <= now + Seconds(span / 3)
        })
    }

    /// What is in its file now, where that is a later certificate for the same key: somebody else has renewed it.
    #[must_use]
    pub fn replaced(&self) -> Option<Vec<Certificate>> {
        let chain = self.in_file()?;
        let (before, after) = (self.leaf()?, chain.first()?);
        let is_later = after.not_after() > before.not_after() && after.not_before() <= shell::now();
        (is_later && after.public_key_der() == before.public_key_der()).then_some(chain)
    }

    /// Whether its file holds a certificate for another key: somebody has put it there, and a reload is to come.
    #[must_use]
    pub fn has_another_key(&self) -> bool {
        let key = |certificate: &Certificate| certificate.public_key_der().to_vec();
        let found = self.in_file().and_then(|chain| chain.first().map(key));
        found.is_some_and(|found| self.leaf().map(key) != Some(found))
    }

    fn in_file(&self) -> Option<Vec<Certificate>> {
        let text = std::fs::read_to_string(&self.certificate.path).ok()?;
        let blocks = pem::decode(&text)?;
        let certificates = blocks.iter().filter(|block| block.label == "CERTIFICATE");
        certificates.map(|block| Certificate::parse(&block.contents)).collect::<Result<_, _>>().ok()
    }

    /// Makes its successor, with the same names, purposes and span, for `key` or else for the same key. Returns the chain
    /// to show, the new certificate first. Reads the CA's key, and so may block a while.
    ///
    /// # Errors
    /// [`RenewalError`] when the key cannot be read, or a new certificate would not last longer.
    pub async fn renew(
        &self,
        key: Option<&SubjectPublicKeyInfo>,
        now: UnixTime,
    ) -> Result<Vec<Certificate>, RenewalError> {
        let Self { certificate, ca } = self;
        let failed = |error: &dyn fmt::Display| RenewalError(format!("{}: {error}", certificate.path.display()));
        let before = self.leaf().ok_or_else(|| failed(&"it has no certificate"))?;
        let same = SubjectPublicKeyInfo::parse(before.public_key_der()).map_err(|error| failed(&error))?;
        let signer = wiring::ca_signer(ca).map_err(|error| failed(&error))?;
        let wanted = Successor {
            before,
            public_key: key.unwrap_or(&same),
            validity: Validity {
                not_before: now,
                // Both ends count.
                span: Seconds(before.not_after().0.saturating_sub(before.not_before().0) + 1),
            },
            serial: Serial::from_entropy(&shell::entropy().map_err(|error| failed(&error))?),
            crl_urls: &ca.crl_urls,
        };
        let made = succeed(&ca.certificate, &signer, &wanted).await.map_err(|error| failed(&error))?;
        let made = Certificate::parse(&made).map_err(|error| failed(&error))?;
        if key.is_none() && made.not_after() <= before.not_after() && made.not_after() == ca.certificate.not_after() {
            let text =
                format!("CA `{}` ends at {}: nothing that it issues lasts longer", ca.id, ca.certificate.not_after());
            return Err(failed(&text));
        }
        let above = certificate.chain.iter().skip(1).cloned();
        Ok(with_rollover(std::iter::once(made).chain(above).collect(), before, ca))
    }

    fn leaf(&self) -> Option<&Certificate> {
        self.certificate.chain.first()
    }
}

/// During a rollover what leads to the new key from the old root takes the place of what led to the old key from the new
/// one.
fn with_rollover(mut chain: Vec<Certificate>, before: &Certificate, ca: &Ca) -> Vec<Certificate> {
    if before.is_issued_by(&ca.certificate, est_backends::algorithms()) {
        return chain;
    }
    chain.retain(|above| !before.is_issued_by(above, est_backends::algorithms()));
    let leads_here =
        |one: &&Certificate| one.public_key_der() == ca.certificate.public_key_der() && **one != ca.certificate;
    let missing: Vec<_> = ca.rollover.iter().filter(leads_here).filter(|one| !chain.contains(one)).cloned().collect();
    chain.extend(missing);
    chain
}

/// The text of a file with this chain.
#[must_use]
pub fn to_pem(chain: &[Certificate]) -> String {
    chain.iter().map(|certificate| pem::encode("CERTIFICATE", certificate.as_der())).collect()
}

/// What there is to say of a renewal in the trail.
#[must_use]
pub fn told(path: &Path, made: &Certificate) -> String {
    format!("{}: {}, until {}", path.display(), made.subject(), made.not_after())
}
