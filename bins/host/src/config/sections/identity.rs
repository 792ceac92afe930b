//! `[[identity]]`.

use est_core::pkix::Fingerprint;
use est_core::policy::{Allowance, IdentityRule, NameChange, NameRule, Pattern, Who};

use super::pattern;
use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::settings::Label;
use crate::config::value::Given;
use crate::config::{keys, names};

pub(super) fn read(root: &Reader<'_>, labels: Option<&[Label]>) -> Option<Vec<IdentityRule>> {
    let known: Option<Vec<&str>> = labels.map(|labels| labels.iter().map(|label| label.name.as_str()).collect());
    let mut rules: Vec<Option<IdentityRule>> = Vec::new();
    for section in root.open_all(&keys::IDENTITY) {
        let name = section.get("name", names::identifier);
        if rules.iter().flatten().any(|rule| Some(&rule.name) == name.as_ref()) {
            section.fault("name", Fault::new("another [[identity]] has this name"));
        }
        rules.push(rule(&section, name, known.as_deref()));
    }
    for label in labels.unwrap_or_default() {
        warn_if_names_cannot_change(root, label, rules.iter().flatten());
    }
    rules.into_iter().collect()
}

/// Warns when a label lets holders change their names, to those that an `[[identity]]` allows, and there is none.
fn warn_if_names_cannot_change<'a>(
    root: &Reader<'_>,
    label: &Label,
    mut rules: impl Iterator<Item = &'a IdentityRule>,
) {
    let allows = |rule: &IdentityRule| {
        matches!(rule.who, Who::Certificate { .. })
            && !rule.allowance.is_empty()
            && rule.labels.as_ref().is_none_or(|labels| labels.contains(&label.name))
    };
    if label.profile.change_subject_name == NameChange::Listed && !rules.any(allows) {
        let what = format!(
            "nobody may change names at the label {:?}: change_subject_name = true wants an [[identity]]",
            label.name
        );
        let help = "write one with the names that certificates may change to, or change_subject_name = \"any\"";
        root.warn("identity", Fault::new(what).help(help));
    }
}

fn rule(section: &Reader<'_>, name: Option<String>, known: Option<&[&str]>) -> Option<IdentityRule> {
    let who = who(section);
    let subject_pattern = section.optional("subject_pattern", pattern::subject);
    let allowed = section.optional_list("names", |given| Ok((pattern::name_rule(given)?, given.text()?)));
    let labels = section.optional_list("labels", |given| match known {
        Some(known) => names::existing(given, "label", "[[est.label]]", known),
        None => given.text(),
    });
    if matches!((&subject_pattern, &allowed, &labels), (Some(None), Some(None), Some(None))) {
        section.fault("name", Fault::new("changes nothing").help("set subject_pattern, names or labels"));
    }
    Some(IdentityRule { name: name?, who: who?, allowance: allowance(subject_pattern?, allowed?), labels: labels? })
}

fn allowance(subject: Option<Pattern>, names: Option<Vec<(NameRule, String)>>) -> Allowance {
    let written = subject.iter().map(|pattern| format!("subject:{}", pattern.as_str())).collect::<Vec<_>>();
    let (names, texts): (Vec<_>, Vec<_>) = names.unwrap_or_default().into_iter().unzip();
    Allowance::new(subject.into_iter().collect(), names, [written, texts].concat())
}

fn who(section: &Reader<'_>) -> Option<Who> {
    const OF_CERTIFICATES: [&str; 4] = ["certificate", "certificate_name", "issuer", "fingerprint"];
    let entity = section.optional("entity", pattern::subject);
    let subject = section.optional("certificate", pattern::subject);
    let name = section.optional("certificate_name", pattern::name_rule);
    let issuer = section.optional("issuer", pattern::subject);
    let fingerprint = section.optional("fingerprint", fingerprint);
    let of_certificates = OF_CERTIFICATES.into_iter().find(|key| section.has(key));
    match (entity?, of_certificates) {
        (Some(entity), None) => Some(Who::Entity(entity)),
        (Some(_), Some(key)) => {
            let fault = Fault::new("is about certificates, and `entity` about passwords");
            section.fault(key, fault.help("write an [[identity]] for each"));
            None
        }
        (None, None) => {
            let fault = Fault::new("does not say whom it is about");
            section.fault("name", fault.help("set entity, certificate, certificate_name, issuer or fingerprint"));
            None
        }
        (None, Some(_)) => {
            Some(Who::Certificate { subject: subject?, name: name?, issuer: issuer?, fingerprint: fingerprint? })
        }
    }
}

fn fingerprint(given: &Given<'_>) -> Result<Fingerprint, Fault> {
    let text = given.text()?;
    let digits: Vec<char> = text.chars().filter(|letter| *letter != ':').collect();
    let octets: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8),
            _ => None,
        })
        .collect();
    let octets = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    octets.map(Fingerprint).ok_or_else(|| {
        let fault = Fault::new("is not the SHA-256 of a certificate");
        fault.help("`openssl x509 -noout -fingerprint -sha256` tells it")
    })
}
