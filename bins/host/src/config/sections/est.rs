//! `[est]` and `[[est.label]]`.

use est_core::pkix::oid;
use est_core::policy::SubjectPattern;
use est_core::{Approval, Linking, NameBinding, Operations, Seconds};

use super::ca::{Cas, all_of, days, once_each, warn_if_clamped};
use super::{DAY, Reader};
use crate::config::diagnostic::Fault;
use crate::config::settings::{ClientAuth, ClientAuthMode, ClientPurpose, Est, Label};
use crate::config::value::Given;
use crate::config::{keys, names, value};

pub(super) fn read(section: &Reader<'_>) -> Option<Est> {
    let base_path = section.get("base_path", base_path);
    let cacerts = section.get("cacerts", value::boolean);
    let simpleenroll = section.get("simpleenroll", value::boolean);
    let simplereenroll = section.get("simplereenroll", value::boolean);
    let csrattrs = section.get("csrattrs", value::boolean);
    for (name, operation) in [("fullcmc", "/fullcmc is"), ("serverkeygen", "/serverkeygen is")] {
        if section.get(name, value::boolean) == Some(true) {
            section.fault(name, Fault::later(operation).help("set it to false"));
        }
    }
    let linking = section.get("linking", linking);
    let csr_attributes = section.list("csr_attributes", names::csr_attribute);
    let csrattrs_auth = section.get("csrattrs_auth", value::boolean);
    let retry_after = section.get("retry_after", |given| given.seconds(DAY));
    let replay_window = section.get("replay_window", |given| given.seconds(7 * DAY));
    let strict_encoding = section.get("strict_encoding", value::boolean);
    let base64_line_length = section.optional("base64_line_length", line_length);
    let default_label = section.optional("default_label", value::text);
    Some(Est {
        base_path: base_path?,
        operations: Operations {
            cacerts: cacerts?,
            simpleenroll: simpleenroll?,
            simplereenroll: simplereenroll?,
            csrattrs: csrattrs?,
        },
        linking: linking?,
        csr_attributes: csr_attributes?,
        csrattrs_auth: csrattrs_auth?,
        retry_after: retry_after?,
        replay_window: replay_window?,
        strict_encoding: strict_encoding?,
        base64_line_length: base64_line_length?,
        default_label: default_label?,
    })
}

fn linking(given: &Given<'_>) -> Result<Linking, Fault> {
    given.choice(&[("off", Linking::Off), ("optional", Linking::Optional), ("required", Linking::Required)])
}

fn base_path(given: &Given<'_>) -> Result<String, Fault> {
    let path = given.text()?;
    let is_plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet))
    };
    match path.strip_prefix('/') {
        Some(rest) if rest.split('/').all(is_plain) => Ok(path),
        _ => Err(Fault::new(format!("{} is not a path", given.quoted()))
            .help("begin it with a slash, end it without one: \"/.well-known/est\"")),
    }
}

/// Base64 comes in groups of four; RFC 2045 §6.8 has 76, PEM 64.
fn line_length(given: &Given<'_>) -> Result<usize, Fault> {
    let length = given.integer(4..=1_024)? as usize;
    if length.is_multiple_of(4) { Ok(length) } else { Err(Fault::new("must be a multiple of 4").help("64 or 76, say")) }
}

/// Reads every label, and checks that `est.default_label` is one of them.
pub(super) fn labels(
    est_section: &Reader<'_>,
    est: Option<&Est>,
    cas: &Cas,
    client_auth: Option<&ClientAuth>,
) -> Option<Vec<Label>> {
    let needs_client_auth = est.is_some_and(|est| est.operations.simplereenroll)
        && client_auth
            .is_some_and(|auth| auth.mode != ClientAuthMode::None && auth.ext_key_usage == ClientPurpose::ClientAuth);
    let mut labels: Vec<(Option<String>, Option<Label>)> = Vec::new();
    for section in est_section.open_all(&keys::LABEL) {
        let name = section.get("name", names::label);
        if name.is_some() && labels.iter().any(|(known, _)| *known == name) {
            section.fault("name", Fault::new("another [[est.label]] has this name"));
        }
        let label = label(&section, name.clone(), est, cas);
        if let Some(label) = &label {
            warn_if_final(&section, label, needs_client_auth);
            warn_if_avoidable(&section, label, est, cas);
        }
        labels.push((name, label));
    }
    let names: Option<Vec<&str>> = labels.iter().map(|(name, _)| name.as_deref()).collect();
    if let (Some(names), Some(_)) = (names, est) {
        est_section.optional("default_label", |given| names::existing(given, "label", "[[est.label]]", &names))?;
    }
    labels.into_iter().map(|(_, label)| label).collect()
}

/// Tells when a label's certificates are the last that their holders will get.
fn warn_if_final(section: &Reader<'_>, label: &Label, needs_client_auth: bool) {
    let lacks_it = !label.ext_key_usage.is_empty() && !label.ext_key_usage.contains(&oid::CLIENT_AUTH);
    if needs_client_auth && lacks_it {
        let fault = Fault::new("certificates of this label cannot renew themselves: they lack clientAuth");
        section.warn("name", fault.help("add it, or set tls.client_auth.ext_key_usage = \"any\""));
    }
}

/// Tells when the rules of a label are those of its path alone: the same CA serves requests without a label by none.
fn warn_if_avoidable(section: &Reader<'_>, label: &Label, est: Option<&Est>, cas: &Cas) {
    let links = label.linking == Linking::Required && est.is_some_and(|est| est.linking != Linking::Required);
    let has_rules =
        links || label.approval == Approval::Manual || label.key_types.is_some() || label.subject_pattern.is_some();
    let serves_unlabelled = cas.ids().is_some_and(|ids| ids.first() == Some(&label.ca_id.as_str()));
    if has_rules && serves_unlabelled && est.is_some_and(|est| est.default_label.is_none()) {
        let fault =
            Fault::new("a request without a label gets a certificate of the same CA without the rules of this one");
        section.warn("name", fault.help("set est.default_label, or list another CA first"));
    }
}

fn label(section: &Reader<'_>, name: Option<String>, est: Option<&Est>, cas: &Cas) -> Option<Label> {
    let ca_id = section.get("ca_id", |given| match cas.ids() {
        Some(ids) => names::existing(given, "CA", "[[ca]]", &ids),
        None => given.text(),
    });
    let key_types = section.optional_list("allowed_key_types", names::key_type);
    let required = section.list("required_ext_key_usage", names::ext_key_usage);
    let key_usage = section.optional_list("default_key_usage", names::key_usage);
    let ext_key_usage = section.optional_list("default_ext_key_usage", names::ext_key_usage);
    let max_validity_days = section.optional("max_validity_days", days);
    let validity_days = section.optional("validity_days", days);
    let require_san = section.get("require_san", value::boolean);
    let subject_pattern = section.optional("subject_pattern", subject_pattern);
    let approval = section
        .get("approval", |given| given.choice(&[("automatic", Approval::Automatic), ("manual", Approval::Manual)]));
    let certificate_names =
        section.get("certificate_names", |given| given.choice(&[("own", NameBinding::Own), ("any", NameBinding::Any)]));
    let linking = section.optional("linking", linking);
    let csr_attributes = section.optional_list("csr_attributes", names::csr_attribute);
    if matches!(&key_types, Some(Some(types)) if types.is_empty()) {
        let fault = Fault::new("must not be empty: the label would refuse every request");
        section.fault("allowed_key_types", fault.help("leave the key out to allow all"));
    }
    let ca_id = ca_id?;
    let ca = cas.find(&ca_id)?;
    let ca_max_days = u32::try_from(ca.max_validity.0 / DAY.as_secs()).unwrap_or(u32::MAX);
    let written_max = max_validity_days?;
    if let Some(days) = written_max.filter(|days| *days > ca_max_days) {
        let fault = Fault::new(format!("{days} days are more than the {ca_max_days} of the CA"));
        section.warn("max_validity_days", fault.help(format!("certificates will be valid for at most {ca_max_days}")));
    }
    let max_days = written_max.unwrap_or(ca_max_days).min(ca_max_days);
    let written_days = validity_days?;
    if let Some(days) = written_days {
        warn_if_clamped(section, days, max_days);
    }
    let max_validity = Seconds::from_days(max_days);
    let mut ext_key_usage = ext_key_usage?.unwrap_or_else(|| ca.ext_key_usage.clone());
    ext_key_usage.extend(required?);
    Some(Label {
        name: name?,
        ca_id,
        key_types: key_types?,
        key_usage: key_usage?.map_or(ca.key_usage, |usages| all_of(&usages)),
        ext_key_usage: once_each(ext_key_usage),
        validity: written_days.map_or(ca.validity, Seconds::from_days).min(max_validity),
        max_validity,
        require_san: require_san?,
        subject_pattern: subject_pattern?,
        approval: approval?,
        certificate_names: certificate_names?,
        linking: linking?.or(est.map(|est| est.linking))?,
        csr_attributes: csr_attributes?.or_else(|| est.map(|est| est.csr_attributes.clone()))?,
    })
}

fn subject_pattern(given: &Given<'_>) -> Result<SubjectPattern, Fault> {
    let text = given.text()?;
    let pattern = SubjectPattern::new(&text).map_err(|error| {
        // The engine draws the pattern over several lines; its last one says what is wrong.
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Fault::new(format!("{} is not a regular expression: {reason}", given.quoted()))
    })?;
    if !is_anchored(&text) {
        let fault = Fault::new(format!("{} matches subjects that merely contain it", given.quoted()));
        given.warn(fault.help("begin it with `^` and end it with `$`; put alternatives into parentheses"));
    }
    Ok(pattern)
}

/// Whether a pattern visibly has to match from end to end.
fn is_anchored(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut escaped, mut alternatives) = (0_u32, false, false, false);
    for letter in pattern.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if !in_class => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            '|' if !in_class && depth == 0 => alternatives = true,
            _ => {}
        }
    }
    let backslashes = |text: &str| text.chars().rev().take_while(|letter| *letter == '\\').count();
    let begins = pattern.starts_with('^') || pattern.starts_with("\\A");
    let ends = pattern.strip_suffix('$').is_some_and(|rest| backslashes(rest).is_multiple_of(2))
        || pattern.strip_suffix('z').is_some_and(|rest| !backslashes(rest).is_multiple_of(2));
    begins && ends && !alternatives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_whether_a_pattern_is_anchored() {
        for pattern in ["^CN=a$", r"\ACN=a\z", "^(CN=a|CN=b)$", "^CN=[|]$", r"^CN=a\|b$", r"^CN=a\\$"] {
            assert!(is_anchored(pattern), "{pattern}");
        }
        for pattern in ["CN=a", "^CN=a", "CN=a$", r"^CN=a\$", "^CN=a|CN=b$", r"^CN=a\\z", ""] {
            assert!(!is_anchored(pattern), "{pattern}");
        }
    }
}
