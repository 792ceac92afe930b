//! The rules of what is issued.

use alloc::string::String;
use alloc::vec::Vec;

use super::{NameKind, NameRule, Pattern};
use crate::Seconds;
use crate::pkix::{Extension, KeyType, KeyUsage, Oid, oid};

/// What is issued: every rule that an operator may set. What RFC 5280 says applies, too.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: String,
    /// Whose rules apply beyond RFC 5280.
    pub requirements: Requirements,
    /// The key types it takes; every supported one if `None`.
    pub key_types: Option<Vec<KeyType>>,
    /// Whether a renewal may keep its key.
    pub key_reuse: KeyReuse,
    /// Whether `/serverkeygen` may make the key.
    pub server_key_generation: bool,
    /// What the subject may be.
    pub subject: SubjectRules,
    /// What the subjectAltName may be.
    pub names: NameRules,
    /// What the commonName may be.
    pub common_name: CommonName,
    /// Whether a holder may change the names of the certificate that authenticates (RFC 6402 §2.8).
    pub change_subject_name: NameChange,
    /// The key usages it gives, as far as the key's type can have them.
    pub key_usage: KeyUsage,
    /// The extended key usages it gives; none if empty. A request may ask for fewer.
    pub ext_key_usage: Vec<Oid>,
    /// Those of them that every certificate gets, whatever its request asks for.
    pub required_ext_key_usage: Vec<Oid>,
    /// Whether `/csrattrs` names the key usages and extended key usages too, which requests need not ask for.
    pub tells_extensions: bool,
    /// Whether it gives a subjectKeyIdentifier.
    pub subject_key_identifier: bool,
    /// Extensions that every certificate gets: policies, CRL distribution points, authority information.
    pub extensions: Vec<Extension>,
    /// Requested extensions that pass as they are.
    pub passes: Vec<Oid>,
    /// For how long.
    pub validity: Seconds,
    /// For how long at most.
    pub max_validity: Seconds,
    /// How long before the moment of issuance validity begins, for clocks that are late.
    pub backdate: Seconds,
}

/// Whose rules apply beyond RFC 5280.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirements {
    /// Nobody's.
    Rfc5280,
    /// The CA/Browser Forum's Baseline Requirements for domain-validated TLS server certificates.
    Baseline,
}

/// Whether a renewal may keep its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReuse {
    /// It may.
    Allowed,
    /// It must come with another one.
    Refused,
}

/// To which names a holder may change those of its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameChange {
    /// None.
    Refused,
    /// Those that an [`IdentityRule`](super::IdentityRule) allows to the holder.
    Listed,
    /// As [`Listed`](Self::Listed); where no rule is about the holder, whatever the profile gives.
    Any,
}

/// What the subject may be.
#[derive(Clone, Debug, Default)]
pub struct SubjectRules {
    /// What its RFC 4514 text must match: every one.
    pub patterns: Vec<Pattern>,
    /// The attributes it may have; any if `None`.
    pub attributes: Option<Vec<Oid>>,
    /// The attributes it must have.
    pub required: Vec<Oid>,
}

/// What the subjectAltName may be.
#[derive(Clone, Debug)]
pub struct NameRules {
    /// The kinds of name it may have, each with what it must match; any if `None`.
    pub allowed: Option<Vec<NameRule>>,
    /// Whether there must be one at all.
    pub require_san: bool,
    /// The kinds of which it must have one.
    pub required: Vec<NameKind>,
    /// Whether dNSNames may be wildcards.
    pub wildcards: bool,
}

/// What the commonName may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonName {
    /// Any text.
    Free,
    /// One of the subjectAltName's names, character for character.
    AmongNames,
}

impl Default for NameRules {
    fn default() -> Self {
        Self { allowed: None, require_san: false, required: Vec::new(), wildcards: true }
    }
}

impl NameRules {
    fn only(kinds: &[NameKind]) -> Self {
        let allowed = kinds.iter().map(|kind| NameRule { kind: kind.clone(), pattern: None }).collect();
        Self { allowed: Some(allowed), ..Self::default() }
    }
}

impl Profile {
    /// The names of the built-in profiles.
    pub const BUILT_IN: [&'static str; 6] = ["device", "tls-server", "tls-client", "br-tls", "ra", "smime"];

    /// A profile that takes every name and key and gives digitalSignature and, to RSA keys, keyEncipherment, for a
    /// year: to build others from.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            requirements: Requirements::Rfc5280,
            key_types: None,
            key_reuse: KeyReuse::Allowed,
            server_key_generation: true,
            subject: SubjectRules::default(),
            names: NameRules::default(),
            common_name: CommonName::Free,
            change_subject_name: NameChange::Refused,
            key_usage: KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT),
            ext_key_usage: Vec::new(),
            required_ext_key_usage: Vec::new(),
            tells_extensions: true,
            subject_key_identifier: true,
            extensions: Vec::new(),
            passes: Vec::new(),
            validity: Seconds::from_days(365),
            max_validity: Seconds::from_days(398),
            backdate: Seconds(0),
        }
    }

    /// The built-in profile with this name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let plain = Self::new(name);
        match name {
            "device" | "tls-client" => Some(Self { ext_key_usage: Vec::from([oid::CLIENT_AUTH]), ..plain }),
            "tls-server" => Some(Self {
                names: NameRules {
                    require_san: true,
                    ..NameRules::only(&[NameKind::Dns, NameKind::Ip, NameKind::Uri])
                },
                common_name: CommonName::AmongNames,
                ext_key_usage: Vec::from([oid::SERVER_AUTH]),
                ..plain
            }),
            "br-tls" => Some(Self::baseline(plain)),
            "ra" => Some(Self {
                key_usage: KeyUsage::DIGITAL_SIGNATURE,
                ext_key_usage: Vec::from([oid::CLIENT_AUTH, oid::CMC_RA]),
                required_ext_key_usage: Vec::from([oid::CMC_RA]),
                ..plain
            }),
            "smime" => Some(Self {
                names: NameRules {
                    require_san: true,
                    ..NameRules::only(&[NameKind::Email, NameKind::Other(oid::SMTP_UTF8_MAILBOX)])
                },
                key_usage: plain.key_usage.with(KeyUsage::KEY_AGREEMENT),
                ext_key_usage: Vec::from([oid::EMAIL_PROTECTION]),
                ..plain
            }),
            _ => None,
        }
    }

    /// Baseline Requirements §7.1.2.7: a domain-validated subscriber certificate without what is not recommended.
    fn baseline(plain: Self) -> Self {
        let keys = [
            KeyType::Rsa(2048),
            KeyType::Rsa(3072),
            KeyType::Rsa(4096),
            KeyType::EcdsaP256,
            KeyType::EcdsaP384,
            KeyType::EcdsaP521,
        ];
        Self {
            requirements: Requirements::Baseline,
            key_types: Some(Vec::from(keys)),
            server_key_generation: false,
            names: NameRules { require_san: true, ..NameRules::only(&[NameKind::Dns, NameKind::Ip]) },
            common_name: CommonName::AmongNames,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            ext_key_usage: Vec::from([oid::SERVER_AUTH]),
            required_ext_key_usage: Vec::from([oid::SERVER_AUTH]),
            subject_key_identifier: false,
            extensions: Vec::from([Extension::certificate_policies(&[oid::BR_DOMAIN_VALIDATED])]),
            validity: Seconds::from_days(90),
            ..plain
        }
    }
}
