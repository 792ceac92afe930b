//! What the operator lets certain principals ask for, and where.

use alloc::string::String;
use alloc::vec::Vec;

use super::rule::subject_matches;
use super::{Allowance, NameRule, Pattern};
use crate::Principal;
use crate::pkix::{Certificate, Fingerprint};

/// Names that certain principals may ask for in addition to their own, and the labels that they may use.
#[derive(Clone, Debug)]
pub struct IdentityRule {
    /// Its name in the configuration.
    pub name: String,
    /// Whom it is about.
    pub who: Who,
    /// What they may ask for in addition to their own names.
    pub allowance: Allowance,
    /// The labels that they may use: no others, and these whatever their certificate is for; every one if `None`. The
    /// allowance is for these alone.
    pub labels: Option<Vec<String>>,
}

/// Whom a rule is about.
#[derive(Clone, Debug)]
pub enum Who {
    /// Those whose password was created for such an entity.
    Entity(Pattern),
    /// Those whose certificate is like this in everything that is said.
    Certificate {
        /// What its subject must match.
        subject: Option<Pattern>,
        /// What one of its names must be.
        name: Option<NameRule>,
        /// What its issuer must match.
        issuer: Option<Pattern>,
        /// Which one it is.
        fingerprint: Option<Fingerprint>,
    },
}

impl Who {
    /// Whether it names the issuer of the certificates, or one certificate.
    pub(crate) fn tells_issuers_apart(&self) -> bool {
        match self {
            Self::Certificate { issuer, fingerprint, .. } => issuer.is_some() || fingerprint.is_some(),
            Self::Entity(_) => false,
        }
    }
}

impl IdentityRule {
    /// Whether it is about this principal.
    #[must_use]
    pub fn is(&self, principal: &Principal) -> bool {
        match (&self.who, principal) {
            (Who::Entity(pattern), Principal::OneTimePassword { entity: Some(entity), .. }) => pattern.matches(entity),
            (Who::Certificate { subject, name, issuer, fingerprint }, Principal::Certificate(own)) => {
                let matches = |pattern: &Option<Pattern>, name| {
                    pattern.as_ref().is_none_or(|pattern| subject_matches(pattern, name))
                };
                matches(subject, own.subject())
                    && matches(issuer, own.issuer())
                    && name.as_ref().is_none_or(|rule| has_name(own, rule))
                    && fingerprint.is_none_or(|fingerprint| fingerprint == own.fingerprint())
            }
            (Who::Entity(_), _) | (Who::Certificate { .. }, Principal::OneTimePassword { .. }) => false,
        }
    }

    /// Whether it gives its names at this label.
    pub(crate) fn is_good_at(&self, label: Option<&str>) -> bool {
        self.labels.is_none() || self.lists(label)
    }

    /// Whether it names this label; `None` for a request without one that no label serves.
    pub(crate) fn lists(&self, label: Option<&str>) -> bool {
        let labels = self.labels.iter().flatten();
        label.is_some_and(|label| labels.into_iter().any(|listed| listed == label))
    }
}

fn has_name(own: &Certificate, rule: &NameRule) -> bool {
    own.subject_alt_name().is_some_and(|names| names.names().iter().any(|name| rule.allows(name)))
}
