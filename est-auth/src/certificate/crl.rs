//! Certificate revocation lists (RFC 5280 §5).

use std::fmt;

use est_core::pkix::{Certificate, CrlHead, Name, pem};
use est_core::{Seconds, UnixTime};
use webpki::{CertRevocationList, OwnedCertRevocationList};

/// How far the clock of a CRL's issuer may run ahead.
const CLOCK_SKEW: Seconds = Seconds(300);

/// A list that can be asked. Its signature has not been verified: that happens when somebody's path is.
#[derive(Debug)]
pub struct Crl {
    list: CertRevocationList<'static>,
    head: CrlHead,
}

/// Octets that are no CRL which can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableCrl(&'static str);

impl fmt::Display for UnusableCrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnusableCrl {}

impl Crl {
    /// Reads what a file holds: one CRL in DER, or PEM with any number of them; other PEM blocks are skipped.
    ///
    /// # Errors
    /// [`UnusableCrl`] when one cannot be read or there is none.
    pub fn read_all(octets: &[u8]) -> Result<Vec<Self>, UnusableCrl> {
        if octets.first() == Some(&0x30) {
            return Ok(vec![Self::from_der(octets)?]);
        }
        let text = std::str::from_utf8(octets).map_err(|_| UnusableCrl("it is neither PEM nor DER"))?;
        let blocks = pem::decode(text).ok_or(UnusableCrl("it has a broken PEM block"))?;
        let crls = blocks.iter().filter(|block| block.label == "X509 CRL").map(|block| Self::from_der(&block.contents));
        match crls.collect::<Result<Vec<_>, _>>()? {
            none if none.is_empty() => Err(UnusableCrl("it has no CRL")),
            crls => Ok(crls),
        }
    }

    /// Reads a CRL: of version 2, whole (no delta), direct, for every reason, with nextUpdate and cRLNumber.
    ///
    /// # Errors
    /// [`UnusableCrl`] when it is something else.
    pub fn from_der(der: &[u8]) -> Result<Self, UnusableCrl> {
        use webpki::Error::{
            UnsupportedCriticalExtension, UnsupportedCrlIssuingDistributionPoint, UnsupportedCrlVersion,
            UnsupportedDeltaCrl, UnsupportedIndirectCrl, UnsupportedRevocationReasonsPartitioning,
        };

        let list = OwnedCertRevocationList::from_der(der).map_err(|error| match error {
            UnsupportedCrlVersion => UnusableCrl("it holds a CRL of version 1, without extensions"),
            UnsupportedDeltaCrl => UnusableCrl("it holds a delta CRL"),
            UnsupportedIndirectCrl => UnusableCrl("it holds an indirect CRL"),
            UnsupportedRevocationReasonsPartitioning => UnusableCrl("it holds a CRL for some reasons only"),
            UnsupportedCriticalExtension | UnsupportedCrlIssuingDistributionPoint => {
                UnusableCrl("it holds a CRL with a critical extension that is not known here")
            }
            _ => UnusableCrl("it holds a CRL that is malformed"),
        })?;
        let head =
            CrlHead::parse(der).ok_or(UnusableCrl("it holds a CRL without a cRLNumber, or with a critical one"))?;
        Ok(Self { list: list.into(), head })
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        self.head.issuer()
    }

    /// From when on it says nothing.
    #[must_use]
    pub fn next_update(&self) -> UnixTime {
        self.head.next_update()
    }

    /// Who issued it, when, and by when there is to be another one.
    pub(super) fn span(&self) -> (Name, UnixTime, UnixTime) {
        (self.issuer().clone(), self.head.this_update(), self.next_update())
    }

    /// Whether the key that signed this certificate seems to have signed the CRL.
    fn has_the_issuer_of(&self, certificate: &Certificate) -> bool {
        self.issuer() == certificate.issuer()
            && self.head.authority_key_identifier() == certificate.authority_key_identifier().as_deref()
    }
}

/// The CRLs of a time.
#[derive(Debug, Default)]
pub(super) struct Crls {
    /// The newest first.
    crls: Vec<Crl>,
    /// Another one for each set.
    pub(super) generation: u64,
}

impl Crls {
    pub(super) fn new(mut crls: Vec<Crl>, generation: u64) -> Self {
        crls.sort_by_key(|crl| std::cmp::Reverse(crl.head.this_update()));
        Self { crls, generation }
    }

    /// Those that are neither over at `now` nor from the future, beyond what clocks differ: one that was made while a
    /// clock ran ahead must not outlive the next one.
    pub(super) fn current(&self, now: UnixTime) -> impl Iterator<Item = &Crl> {
        self.crls.iter().filter(move |crl| now < crl.next_update() && crl.head.this_update() <= now + CLOCK_SKEW)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Crl> {
        self.crls.iter()
    }
}

/// In the order in which webpki is to see them: it asks the first that is its issuer's by name, and a CA that has
/// changed its key has two by the same name.
pub(super) fn in_order<'a>(
    crls: impl Iterator<Item = &'a Crl>,
    chain: &[Certificate],
) -> Vec<&'a CertRevocationList<'static>> {
    let mut crls: Vec<&Crl> = crls.collect();
    if crls.len() > 1 {
        let place = |crl: &&Crl| chain.iter().position(|certificate| crl.has_the_issuer_of(certificate));
        crls.sort_by_cached_key(|crl| place(crl).unwrap_or(usize::MAX));
    }
    crls.iter().map(|crl| &crl.list).collect()
}
