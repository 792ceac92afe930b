//! Where the rule is written that turned a request down.

use super::Refusal;
use crate::Operation;
use crate::policy::Held;

/// Where a rule is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The keys of the configuration that state it, of the label, the profile or the authority; none where no
    /// operator has a say.
    pub keys: &'static [&'static str],
    /// The standard that states it, or lets an operator; empty where it is the operator's alone.
    pub standard: &'static str,
}

impl Refusal {
    /// The rule that a request for a certificate breaks; `None` for what is not about the request: the client, how it asks, and
    /// what is out of order here.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not about the request has no rule")]
    pub fn rule(&self) -> Option<Rule> {
        let (keys, standard): (&'static [&'static str], _) = match self {
            Self::Csr(_) | Self::NoRequestInPem | Self::SeveralRequests => (&[], "RFC 2986 §4"),
            Self::LinkingRequired | Self::LinkingMismatch | Self::LinkingTlsUnique | Self::LinkingUnavailable => {
                (&["linking"], "RFC 7030 §3.5")
            }
            Self::KeyTypeNotAllowed { .. } => (&["allowed_key_types", "key_types"], ""),
            Self::KeyBlocked => (&["key_blocklist"], ""),
            Self::KeyOfCa => (&[], "a key certifies others or is certified, not both"),
            Self::KeyReuse => (&["key_reuse"], "RFC 7030 §4.2.2"),
            Self::KeyCompromised => (&[], "RFC 5280 §5.3.1, keyCompromise"),
            Self::NoName => (&[], "RFC 5280 §4.1.2.6"),
            Self::Subject(_) => (&[], "RFC 5280 §4.1.2.4"),
            Self::SubjectAttributeNotAllowed(_) => (&["subject_attributes"], ""),
            Self::SubjectAttributeRequired(_) => (&["required_subject_attributes"], ""),
            Self::SubjectAltNameRequired => (&["require_san"], ""),
            Self::MalformedName(_) | Self::NameForm { .. } => (&[], "RFC 5280 §4.2.1.6"),
            Self::NameKindNotAllowed { .. } | Self::NamePattern { .. } => (&["names"], ""),
            Self::NameRequired(_) => (&["required_names"], ""),
            Self::Wildcard(_) => (&["wildcards"], ""),
            Self::CommonNameNotInSan(_) | Self::SeveralCommonNames => (&["common_name"], "RFC 9525 §2"),
            Self::NameConstraint { .. } => (&[], "RFC 5280 §4.2.1.10"),
            Self::Baseline(_) => (&["base"], "Baseline Requirements"),
            Self::ChangeSubjectName => (&["change_subject_name"], "RFC 6402 §2.8"),
            Self::SubjectPattern { .. } => (&["subject_pattern"], ""),
            Self::CaCertificate => (&[], "RFC 5280 §4.2.1.9: CA certificates are not issued here"),
            Self::KeyUsage { .. } => (&["default_key_usage", "key_usage"], "RFC 5280 §4.2.1.3"),
            Self::MalformedKeyUsage => (&[], "RFC 5280 §4.2.1.3"),
            Self::ExtKeyUsage { .. } => {
                (&["default_ext_key_usage", "required_ext_key_usage", "ext_key_usage"], "RFC 5280 §4.2.1.12")
            }
            Self::MalformedExtKeyUsage => (&[], "RFC 5280 §4.2.1.12"),
            Self::NamesDiffer { held: Held::Renewing, .. } => (&[], "RFC 7030 §4.2.2"),
            Self::NamesDiffer { held: Held::IssuedHere, .. } => {
                (&[], "a certificate vouches for its own names, and an [[identity]] for others")
            }
            Self::NamesDiffer { held: Held::IssuedElsewhere, .. } => (&["certificate_names"], ""),
            Self::OtherCa { operation: Operation::SimpleReenroll, .. } => (&[], "RFC 7030 §4.2.2"),
            Self::OtherCa { .. } => (&["client_anchors"], ""),
            Self::ServerKeyGenerationForbidden => (&["serverkeygen"], "RFC 7030 §4.4"),
            Self::KeyGeneration(_) => (&["recipients", "symmetric_key"], "RFC 7030 §4.4.1"),
            Self::NameNotBound { .. } | Self::NotForLabel { .. } => {
                (&[], "the binding of the password, or an [[identity]]")
            }
            Self::PurposeNotHeld(_) => (&["certificate_purposes"], ""),
            Self::NoAuthority => (&["ext_key_usage"], "RFC 7030 §3.7"),
            Self::OutsideOfRa { .. } => (&["subject_pattern", "names"], "RFC 7030 §3.7"),
            _ => return None,
        };
        Some(Rule { keys, standard })
    }
}
