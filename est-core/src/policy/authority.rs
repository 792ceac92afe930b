//! Registration authorities: holders of our own certificates that enroll for others (RFC 7030 §3.7).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::name::{self, Standing};
use super::rule::subject_matches;
use super::{NameRule, NameRules, Pattern, Profile, SubjectRules, Wanted};
use crate::pkix::Certificate;
use crate::{Algorithms, Ca, Refusal};

/// A client that may enroll for others at a label, and the names that it may ask for.
#[derive(Clone, Debug)]
pub struct RegistrationAuthority {
    /// What audit records call it.
    pub name: String,
    /// What the subject of its own certificate must match.
    pub certificate: Pattern,
    /// What the subjects that it asks for must match; any if `None`.
    pub subject_pattern: Option<Pattern>,
    /// The kinds of name that it may ask for; any if `None`.
    pub names: Option<Vec<NameRule>>,
}

impl RegistrationAuthority {
    /// Whether `certificate` makes its holder this authority: `ca` itself signed it, it is for id-kp-cmcRA, and its
    /// subject is the one that the operator wrote down. The purpose alone, or one that another CA gave, counts for
    /// nothing.
    #[must_use]
    pub fn is(&self, certificate: &Certificate, ca: &Ca, algorithms: Algorithms) -> bool {
        certificate.is_for_ra()
            && subject_matches(&self.certificate, certificate.subject())
            && ca.has_issued(certificate, algorithms)
    }

    /// Its own limits, in addition to those of the profile.
    pub(super) fn check(&self, wanted: &Wanted<'_>) -> Result<(), Refusal> {
        let limits = Profile {
            subject: SubjectRules {
                patterns: self.subject_pattern.iter().cloned().collect(),
                ..SubjectRules::default()
            },
            names: NameRules { allowed: self.names.clone(), ..NameRules::default() },
            ..Profile::new(self.name.as_str())
        };
        name::check(&limits, wanted, Standing::New)
            .map_err(|refusal| Refusal::OutsideOfRa { ra: self.name.clone(), reason: Box::new(refusal) })
    }
}
