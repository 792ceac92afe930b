//! `[[profile]]`, and what a label makes of one.

use std::time::Duration;

use est_core::pkix::{Extension, KeyType, KeyUsage, Oid, der, oid};
use est_core::policy::{
    CommonName, DECIDED, KeyReuse, NameChange, NameKind, NameRule, NameRules, OF_CAS, Pattern, Profile, Requirements,
};
use est_core::{Approval, Linking, Seconds};

use super::ca::{all_of, days, once_each};
use super::{DAY, HOUR, pattern};
use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::value::Given;
use crate::config::{keys, names, value};

fn name_change(given: &Given<'_>) -> Result<NameChange, Fault> {
    if given.text().is_ok_and(|text| text == "any") {
        return Ok(NameChange::Any);
    }
    let changes = value::boolean(given).map_err(|fault| fault.help("write true, false or \"any\""))?;
    Ok(if changes { NameChange::Listed } else { NameChange::Refused })
}

/// A profile, and how a request comes to it.
#[derive(Clone)]
pub(super) struct Issuing {
    pub(super) profile: Profile,
    pub(super) approval: Approval,
    pub(super) linking: Option<Linking>,
}

/// The profiles of the file, as far as they could be read, after the built-in ones.
pub(super) struct Profiles(Vec<(String, Option<Issuing>)>);

impl Profiles {
    fn built_in() -> Self {
        let built_in = Profile::BUILT_IN.iter().filter_map(|name| {
            let profile = Profile::built_in(name)?;
            Some(((*name).to_owned(), Some(Issuing { profile, approval: Approval::Automatic, linking: None })))
        });
        Self(built_in.collect())
    }

    /// The profile that a key names; `Ok(None)` when it has a mistake, which has been reported.
    pub(super) fn named(&self, given: &Given<'_>) -> Result<Option<Issuing>, Fault> {
        let known: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let name = names::existing(given, "profile", "[[profile]]", &known)?;
        Ok(self.0.iter().find(|(known, _)| *known == name).and_then(|(_, issuing)| issuing.clone()))
    }
}

pub(super) fn read(root: &Reader<'_>) -> Profiles {
    let mut profiles = Profiles::built_in();
    for section in root.open_all(&keys::PROFILE) {
        let name = section.get("name", names::identifier);
        let issuing = profile(&section, name.as_deref().unwrap_or_default(), &profiles);
        let Some(name) = name else { continue };
        if Profile::built_in(&name).is_some() {
            let help = format!("call yours otherwise, and begin it with base = {name:?}");
            section.fault("name", Fault::new("is the name of a built-in profile").help(help));
        } else if profiles.0.iter().any(|(known, _)| *known == name) {
            section.fault("name", Fault::new("another [[profile]] has this name"));
        }
        profiles.0.push((name, issuing));
    }
    profiles
}

fn profile(section: &Reader<'_>, name: &str, earlier: &Profiles) -> Option<Issuing> {
    let base = match section.optional("base", |given| earlier.named(given)) {
        Some(Some(base)) => base,
        Some(None) => Some(Issuing { profile: Profile::new(name), approval: Approval::Automatic, linking: None }),
        None => None,
    };
    let key_types = section.optional_list("key_types", names::key_type);
    let key_reuse = section.optional("key_reuse", value::boolean);
    let server_key_generation = section.optional("serverkeygen", value::boolean);
    let key_usage = section.optional_list("key_usage", names::key_usage);
    let ext_key_usage = section.optional_list("ext_key_usage", names::ext_key_usage);
    let validity_days = section.optional("validity_days", days);
    let max_validity_days = section.optional("max_validity_days", days);
    let backdate = section.optional("backdate", |given| given.duration(Duration::ZERO..=48 * HOUR));
    let subject_pattern = section.optional("subject_pattern", pattern::subject);
    let subject_attributes = section.optional_list("subject_attributes", names::name_attribute);
    let required_attributes = section.optional_list("required_subject_attributes", names::name_attribute);
    let allowed_names = section.optional_list("names", pattern::name_rule);
    let required_names = section.optional_list("required_names", pattern::kind);
    let require_san = section.optional("require_san", value::boolean);
    let wildcards = section.optional("wildcards", value::boolean);
    let common_name = section
        .optional("common_name", |given| given.choice(&[("free", CommonName::Free), ("san", CommonName::AmongNames)]));
    let change_subject_name = section.optional("change_subject_name", name_change);
    let subject_key_identifier = section.optional("subject_key_identifier", value::boolean);
    let passes = section.optional_list("pass_extensions", constant_extension);
    let approval = section.optional("approval", approval);
    let linking = section.optional("linking", super::est::linking);
    let extensions = extensions(section, base.as_ref().map_or(&[], |base| base.profile.extensions.as_slice()));
    if matches!(&key_types, Some(Some(types)) if types.is_empty()) {
        let fault = Fault::new("must not be empty: the profile would refuse every request");
        section.fault("key_types", fault.help("leave the key out to allow all"));
    }
    let Issuing { profile: base, approval: base_approval, linking: base_linking } = base?;
    let days = |days: Option<u32>| days.map(Seconds::from_days);
    let mut subject = base.subject;
    subject.patterns.extend(subject_pattern?);
    let profile = Profile {
        name: name.to_owned(),
        requirements: base.requirements,
        key_types: key_types?.or(base.key_types),
        key_reuse: key_reuse?
            .map_or(base.key_reuse, |allowed| if allowed { KeyReuse::Allowed } else { KeyReuse::Refused }),
        server_key_generation: server_key_generation?.unwrap_or(base.server_key_generation),
        subject: est_core::policy::SubjectRules {
            patterns: subject.patterns,
            attributes: subject_attributes?.or(subject.attributes),
            required: required_attributes?.unwrap_or(subject.required),
        },
        names: NameRules {
            allowed: allowed_names?.or(base.names.allowed),
            require_san: require_san?.unwrap_or(base.names.require_san),
            required: required_names?.unwrap_or(base.names.required),
            wildcards: wildcards?.unwrap_or(base.names.wildcards),
        },
        common_name: common_name?.unwrap_or(base.common_name),
        change_subject_name: change_subject_name?.unwrap_or(base.change_subject_name),
        key_usage: key_usage?.map_or(base.key_usage, |usages| all_of(&usages)),
        ext_key_usage: ext_key_usage?.map_or(base.ext_key_usage, once_each),
        required_ext_key_usage: base.required_ext_key_usage,
        tells_extensions: base.tells_extensions,
        subject_key_identifier: subject_key_identifier?.unwrap_or(base.subject_key_identifier),
        extensions: extensions?,
        passes: passes?.unwrap_or(base.passes),
        validity: days(validity_days?).unwrap_or(base.validity),
        max_validity: days(max_validity_days?).unwrap_or(base.max_validity),
        backdate: backdate?.map_or(base.backdate, |backdate| Seconds(backdate.as_secs())),
    };
    if profile.key_usage == KeyUsage::default() {
        section.fault("key_usage", Fault::new("must not be empty: RFC 5280 §4.2.1.3 wants one usage at least"));
    }
    let gives_mailboxes =
        profile.names.allowed.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.kind == NameKind::Email));
    if profile.subject.required.contains(&oid::EMAIL_ADDRESS) && !gives_mailboxes {
        let fault =
            Fault::new("nobody can have an emailAddress that `names` does not allow as email too (RFC 5280 §4.1.2.6)");
        section.fault("required_subject_attributes", fault.help("add \"email\" to names"));
    }
    if profile.requirements == Requirements::Baseline {
        check_baseline(section, &profile);
    }
    Some(Issuing { profile, approval: approval?.unwrap_or(base_approval), linking: linking?.or(base_linking) })
}

/// What of the Baseline Requirements can be told before anybody asks.
fn check_baseline(section: &Reader<'_>, profile: &Profile) {
    let has = |id: &Oid| profile.extensions.iter().any(|extension| extension.id == *id);
    let is_short_lived = profile.validity <= Seconds::from_days(7);
    if !has(&oid::AUTHORITY_INFO_ACCESS) {
        let fault = Fault::new("missing: the Baseline Requirements want authorityInfoAccess (§7.1.2.7.7)");
        section.fault("issuer_urls", fault.help("write where the CA's certificate is: [\"http://…\"]"));
    }
    if !has(&oid::CRL_DISTRIBUTION_POINTS) && !section.has("ocsp_urls") && !is_short_lived {
        let fault = Fault::new("missing: the Baseline Requirements want a CRL or OCSP (§7.1.2.11.2)");
        section.fault("crl_urls", fault.help("write where the CRL is, or set validity_days to 7 at most"));
    }
    let policy = oid::BR_DOMAIN_VALIDATED;
    let names_policy = |extension: &Extension| {
        let mut parts = extension.value.windows(policy.as_der().len());
        extension.id == oid::CERTIFICATE_POLICIES && parts.any(|part| part == policy.as_der())
    };
    if !profile.extensions.iter().any(names_policy) {
        section.fault("policies", Fault::new("must list 2.23.140.1.2.1, domain validated (BR §7.1.2.7.9)"));
    }
    if !profile.passes.is_empty() {
        let fault = Fault::new("must be empty: what a certificate says is for the CA to know (BR §7.1.2.11)");
        section.fault("pass_extensions", fault);
    }
    let foreign = profile.ext_key_usage.iter().any(|id| *id != oid::SERVER_AUTH && *id != oid::CLIENT_AUTH);
    if foreign || !profile.ext_key_usage.contains(&oid::SERVER_AUTH) {
        let fault = Fault::new("must be serverAuth, with or without clientAuth (BR §7.1.2.7.10)");
        section.fault("ext_key_usage", fault);
    }
    let is_host = |rule: &NameRule| matches!(rule.kind, NameKind::Dns | NameKind::Ip);
    if !profile.names.allowed.as_ref().is_some_and(|rules| rules.iter().all(is_host)) {
        section.fault("names", Fault::new("must be dns and ip alone (BR §7.1.2.7.12)"));
    }
    if !profile.names.require_san {
        section.fault("require_san", Fault::new("must be true (BR §7.1.2.7.12)"));
    }
    if profile.common_name == CommonName::Free {
        section.fault("common_name", Fault::new("must be \"san\": BR §7.1.4.3 wants a name of the subjectAltName"));
    }
    if profile.server_key_generation {
        section.fault("serverkeygen", Fault::new("must be false: BR §6.1.1.3 lets no CA make subscribers' keys"));
    }
    let unfit = |types: &[KeyType]| types.iter().any(|key| !(key.can_encipher() || key.can_agree()));
    if profile.key_types.as_deref().is_none_or(unfit) {
        section.fault("key_types", Fault::new("must be RSA or ECDSA on NIST curves (BR §6.1.5)"));
    }
}

/// The extensions that every certificate gets: those of the base that the file does not replace, and those of the file.
fn extensions(section: &Reader<'_>, base: &[Extension]) -> Option<Vec<Extension>> {
    let policies = section.optional_list("policies", names::object_identifier);
    let crl_urls = section.optional_list("crl_urls", |given| match http_url(given)? {
        url if url.contains("{key}") => {
            let fault = Fault::new("a profile does not know which key signs");
            Err(fault.help("write {key} in `crl_url` of the [[ca]], and leave crl_urls out here"))
        }
        url => Ok(url),
    });
    let issuer_urls = section.optional_list("issuer_urls", http_url);
    let ocsp_urls = section.optional_list("ocsp_urls", http_url);
    let mut constants = Vec::new();
    for section in section.open_all(&keys::PROFILE_EXTENSION) {
        let id = section.get("id", constant_extension);
        let critical = section.get("critical", value::boolean);
        let value = section.get("value", extension_value);
        constants.push(match (id, critical, value) {
            (Some(id), Some(critical), Some(value)) => Some(Extension { id, critical, value }),
            _ => None,
        });
    }
    let mut written: Vec<Extension> = constants.into_iter().collect::<Option<_>>()?;
    let policies = policies?.map(once_each).filter(|policies| !policies.is_empty());
    written.extend(policies.map(|policies| Extension::certificate_policies(&policies)));
    written.extend(crl_urls?.filter(|urls| !urls.is_empty()).map(|urls| Extension::crl_distribution_points(&urls)));
    let (issuers, responders) = (issuer_urls?.unwrap_or_default(), ocsp_urls?.unwrap_or_default());
    if !issuers.is_empty() || !responders.is_empty() {
        written.push(Extension::authority_info_access(&issuers, &responders));
    }
    let mut ids: Vec<&Oid> = written.iter().map(|extension| &extension.id).collect();
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        section.fault("extension", Fault::new(format!("the extension {} stands there twice", pair[0])));
    }
    let kept = base.iter().filter(|extension| !written.iter().any(|new| new.id == extension.id));
    Some(kept.cloned().chain(written.iter().cloned()).collect())
}

/// An extension that neither the profile's other keys nor the CA decide.
fn constant_extension(given: &Given<'_>) -> Result<Oid, Fault> {
    let id = names::object_identifier(given)?;
    if DECIDED.contains(&id) {
        return Err(Fault::new(format!("{} is decided by other keys of the profile, and the request", given.quoted())));
    }
    if OF_CAS.contains(&id) {
        return Err(Fault::new(format!("{} is for the certificates of CAs alone", given.quoted())));
    }
    Ok(id)
}

fn extension_value(given: &Given<'_>) -> Result<Vec<u8>, Fault> {
    let text = given.text()?;
    let digits: Vec<u32> = text.chars().filter_map(|letter| letter.to_digit(16)).collect();
    let octets: Vec<u8> = digits.chunks(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair.get(1)?).ok()).collect();
    let is_hex = text.chars().all(|letter| letter.is_ascii_hexdigit() || matches!(letter, ' ' | ':'));
    if !is_hex || !digits.len().is_multiple_of(2) {
        return Err(Fault::new("is not made of pairs of hexadecimal digits"));
    }
    match der::check_distinguished(&octets) {
        Ok(()) => Ok(octets),
        Err(error) => Err(Fault::new(format!("is not DER: {error}"))),
    }
}

pub(super) fn http_url(given: &Given<'_>) -> Result<String, Fault> {
    let url = given.text()?;
    let is_plain = url.bytes().all(|octet| octet.is_ascii_graphic());
    match url.strip_prefix("http://") {
        Some(rest) if is_plain && !rest.is_empty() && !rest.starts_with('/') => Ok(url),
        _ => {
            // RFC 5280 §4.2.1.13 and §8: to fetch it over HTTPS, a client would have to validate a certificate first.
            let fault = Fault::new(format!("{} is not an http:// URL", given.quoted()));
            Err(fault.help("plain HTTP on purpose: what lies there is signed, and HTTPS would need it first"))
        }
    }
}

pub(super) fn approval(given: &Given<'_>) -> Result<Approval, Fault> {
    given.choice(&[("automatic", Approval::Automatic), ("manual", Approval::Manual)])
}

/// What a label says of its own about what is issued.
pub(super) struct OwnRules {
    pub(super) key_types: Option<Vec<KeyType>>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) ext_key_usage: Option<Vec<Oid>>,
    pub(super) required_ext_key_usage: Vec<Oid>,
    pub(super) max_validity_days: Option<u32>,
    pub(super) validity_days: Option<u32>,
    pub(super) require_san: Option<bool>,
    pub(super) subject_pattern: Option<Pattern>,
    pub(super) approval: Option<Approval>,
    pub(super) linking: Option<Linking>,
}

impl OwnRules {
    /// Reads every key, so that every mistake is told; `None` when there is one.
    pub(super) fn read(section: &Reader<'_>) -> Option<Self> {
        let key_types = section.optional_list("allowed_key_types", names::key_type);
        let key_usage = section.optional_list("default_key_usage", names::key_usage);
        let ext_key_usage = section.optional_list("default_ext_key_usage", names::ext_key_usage);
        let required_ext_key_usage = section.list("required_ext_key_usage", names::ext_key_usage);
        let max_validity_days = section.optional("max_validity_days", days);
        let validity_days = section.optional("validity_days", days);
        let require_san = section.optional("require_san", value::boolean);
        let subject_pattern = section.optional("subject_pattern", pattern::subject);
        let approval = section.optional("approval", approval);
        let linking = section.optional("linking", super::est::linking);
        if matches!(&key_types, Some(Some(types)) if types.is_empty()) {
            let fault = Fault::new("must not be empty: the label would refuse every request");
            section.fault("allowed_key_types", fault.help("leave the key out to allow all"));
        }
        Some(Self {
            key_types: key_types?,
            key_usage: key_usage?.map(|usages| all_of(&usages)),
            ext_key_usage: ext_key_usage?,
            required_ext_key_usage: required_ext_key_usage?,
            max_validity_days: max_validity_days?,
            validity_days: validity_days?,
            require_san: require_san?,
            subject_pattern: subject_pattern?,
            approval: approval?,
            linking: linking?,
        })
    }
}

/// What a label makes of its profile: tighter, never looser.
pub(super) fn tightened(section: &Reader<'_>, issuing: Issuing, own: OwnRules, max_validity: Seconds) -> Issuing {
    let Issuing { mut profile, approval: base_approval, linking: base_linking } = issuing;
    let loosens = |name: &str, what: String| {
        section.fault(name, Fault::new(format!("a label may tighten its profile, not loosen it: {what}")));
    };
    if let Some(types) = own.key_types {
        let taken = profile.key_types.as_deref();
        if let Some(foreign) = types.iter().find(|key_type| taken.is_some_and(|taken| !taken.contains(key_type))) {
            loosens("allowed_key_types", format!("{} does not take {foreign}", profile.name));
        }
        profile.key_types = Some(types);
    }
    if let Some(usages) = own.key_usage {
        let foreign = usages.without(profile.key_usage);
        if !foreign.is_empty() {
            loosens("default_key_usage", format!("{} does not give {foreign}", profile.name));
        }
        profile.key_usage = usages;
    }
    let (wanted, required) = (own.ext_key_usage, own.required_ext_key_usage);
    for (name, ids) in [("required_ext_key_usage", Some(&required)), ("default_ext_key_usage", wanted.as_ref())] {
        if let Some(foreign) = ids.into_iter().flatten().find(|id| !profile.ext_key_usage.contains(id)) {
            loosens(name, format!("{} does not give {foreign}", profile.name));
        }
    }
    profile.required_ext_key_usage.extend(required.iter().cloned());
    if let Some(wanted) = wanted {
        let wanted = once_each([wanted, required].concat());
        if wanted.is_empty() && !profile.ext_key_usage.is_empty() {
            loosens("default_ext_key_usage", "without any, certificates are good for every purpose".to_owned());
        }
        profile.ext_key_usage = wanted;
    }
    let max_days = own.max_validity_days.map(Seconds::from_days);
    let validity = own.validity_days.map(Seconds::from_days);
    let in_days = |span: Seconds| span.0 / DAY.as_secs();
    for (name, written) in [("max_validity_days", max_days), ("validity_days", validity)] {
        if let Some(written) = written.filter(|written| *written > profile.max_validity) {
            let (written, allowed) = (in_days(written), in_days(profile.max_validity));
            loosens(name, format!("{written} days are more than the {allowed} of {}", profile.name));
        }
    }
    profile.max_validity = max_days.unwrap_or(profile.max_validity).min(max_validity);
    profile.validity = validity.unwrap_or(profile.validity).min(profile.max_validity);
    match own.require_san {
        Some(false) if profile.names.require_san => {
            loosens("require_san", format!("{} requires a subjectAltName", profile.name));
        }
        Some(required) => profile.names.require_san = required,
        None => {}
    }
    profile.subject.patterns.extend(own.subject_pattern);
    let (approval, linking) = (own.approval, own.linking);
    if approval == Some(Approval::Automatic) && base_approval == Approval::Manual {
        loosens("approval", format!("{} wants a person to look first", profile.name));
    }
    if let (Some(written), Some(base)) = (linking, base_linking)
        && written < base
    {
        loosens("linking", format!("{} is stricter about it", profile.name));
    }
    Issuing { profile, approval: approval.unwrap_or(base_approval), linking: linking.or(base_linking) }
}
