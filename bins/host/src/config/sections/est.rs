//! `[est]` and `[[est.label]]`.

use est_core::pkix::{KeyUsage, Oid, SubjectPublicKeyInfo, oid};
use est_core::policy::{NameRules, Profile, Requirements, SubjectRules};
use est_core::{Approval, Linking, NameBinding, Operations, PurposeBinding, Seconds};

use super::ca::{Cas, once_each, warn_if_clamped};
use super::profile::{Issuing, OwnRules, Profiles, tightened};
use super::{DAY, Reader, clients, symmetric_key};
use crate::config::diagnostic::Fault;
use crate::config::settings::{Ca, ClientAnchors, ClientAuth, ClientAuthMode, ClientPurpose, Est, Label};
use crate::config::value::Given;
use crate::config::{files, keys, names, value};

pub(super) fn read(section: &Reader<'_>) -> Option<Est> {
    let base_path = section.get("base_path", base_path);
    let cacerts = section.get("cacerts", value::boolean);
    let simpleenroll = section.get("simpleenroll", value::boolean);
    let simplereenroll = section.get("simplereenroll", value::boolean);
    let csrattrs = section.get("csrattrs", value::boolean);
    let serverkeygen = section.get("serverkeygen", value::boolean);
    if section.get("fullcmc", value::boolean) == Some(true) {
        section.fault("fullcmc", Fault::later("/fullcmc is").help("set it to false"));
    }
    let recipients = section.get("recipients", |given| given.one_or_more(files::certificates));
    let symmetric_keys = symmetric_key::read(section);
    for name in ["recipients", "symmetric_key"] {
        if section.has(name) && serverkeygen == Some(false) {
            section.warn(name, Fault::new("does nothing: /serverkeygen is off").help("set est.serverkeygen = true"));
        }
    }
    let linking = section.get("linking", linking);
    let csr_attributes = section.list("csr_attributes", names::csr_attribute);
    warn_if_unlinkable(section, "csr_attributes", linking, csr_attributes.as_deref());
    let csrattrs_auth = section.get("csrattrs_auth", value::boolean);
    let retry_after = section.get("retry_after", |given| given.seconds(DAY));
    let replay_window = section.get("replay_window", |given| given.seconds(7 * DAY));
    let strict_encoding = section.get("strict_encoding", value::boolean);
    let key_blocklists = section.get("key_blocklist", |given| given.one_or_more(files::key_blocklist));
    let base64_line_length = section.optional("base64_line_length", line_length);
    let default_label = section.optional("default_label", value::text);
    let unlabelled = section.optional("unlabelled", value::boolean);
    let client_anchors = client_anchors(section);
    let has_labels = section.has("label");
    if unlabelled == Some(Some(false)) && !has_labels {
        let fault = Fault::new("leaves nothing to serve: there is no label");
        section.fault("unlabelled", fault.help("write an [[est.label]], or leave the key out"));
    }
    if section.has("unlabelled") && section.has("default_label") {
        section.warn("unlabelled", Fault::new("has no effect: default_label serves requests without a label"));
    }
    Some(Est {
        base_path: base_path?,
        operations: Operations {
            cacerts: cacerts?,
            simpleenroll: simpleenroll?,
            simplereenroll: simplereenroll?,
            serverkeygen: serverkeygen?,
            csrattrs: csrattrs?,
        },
        linking: linking?,
        csr_attributes: csr_attributes?,
        csrattrs_auth: csrattrs_auth?,
        retry_after: retry_after?,
        replay_window: replay_window?,
        strict_encoding: strict_encoding?,
        key_blocklists: key_blocklists??,
        recipients: recipients??.concat(),
        symmetric_keys: symmetric_keys?,
        base64_line_length: base64_line_length?,
        default_label: default_label?,
        unlabelled: unlabelled?.unwrap_or(!has_labels),
        client_anchors: client_anchors?.unwrap_or(ClientAnchors::NotOfThisServer),
    })
}

/// The CAs whose certificates authenticate, if the section says.
fn client_anchors(section: &Reader<'_>) -> Option<Option<ClientAnchors>> {
    let read = section.optional("client_anchors", |given| given.one_or_more(files::certificates))?;
    let Some(anchors) = read else { return Some(None) };
    let anchors = anchors?.concat();
    match anchors.iter().find(|anchor| !anchor.is_ca()) {
        Some(anchor) => {
            let fault = Fault::new(format!("the certificate of {} is not a CA's", anchor.subject()));
            section.fault("client_anchors", fault.help("list the CA that issued it"));
            None
        }
        None => Some(Some(ClientAnchors::These(anchors))),
    }
}

pub(super) fn linking(given: &Given<'_>) -> Result<Linking, Fault> {
    given.choice(&[("off", Linking::Off), ("optional", Linking::Optional), ("required", Linking::Required)])
}

/// Warns where `/csrattrs` makes clients send what is refused then.
fn warn_if_unlinkable(section: &Reader<'_>, key: &'static str, linking: Option<Linking>, listed: Option<&[Oid]>) {
    let lists = listed.is_some_and(|listed| listed.contains(&oid::CHALLENGE_PASSWORD));
    if lists && linking.is_some_and(|linking| linking != Linking::Off) {
        let fault = Fault::new(
            "/csrattrs lists challengePassword here: libest then sends tls-unique there, which gets 400 unless linking is \"off\"",
        );
        let help = "leave it out of csr_attributes, or set linking = \"off\" for clients that put something else there";
        section.warn(key, fault.help(help));
    }
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
    let length = given.integer(0..=1_024)? as usize;
    if length.is_multiple_of(4) {
        Ok(length)
    } else {
        Err(Fault::new("must be a multiple of 4").help("for example 64 or 76; 0 for one line"))
    }
}

/// Reads every label, and checks that `est.default_label` is one of them.
pub(super) fn labels(
    est_section: &Reader<'_>,
    est: Option<&Est>,
    cas: &Cas,
    profiles: &Profiles,
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
        let label = label(&section, name.clone(), est, cas, profiles);
        if let Some(label) = &label {
            warn_if_final(&section, label, needs_client_auth);
            warn_if_avoidable(&section, label, est, cas);
            if let Some(auth) = client_auth {
                clients::check(&section, &label.client_anchors, auth);
                clients::warn_if_names_stay(&section, label, cas, auth);
            }
        }
        labels.push((name, label));
    }
    if let (Some(est), Some(auth)) = (est, client_auth) {
        clients::check(est_section, &est.client_anchors, auth);
        clients::warn_of_other_cas(est_section, est, labels.iter().filter_map(|(_, label)| label.as_ref()), cas, auth);
    }
    if !labels.is_empty() && est.is_some_and(|est| est.default_label.is_none()) && !est_section.has("unlabelled") {
        let fault = Fault::new("missing: requests without a label get 404 (unknown-label)");
        est_section.warn("default_label", fault.help("name the label that serves them, or write unlabelled = false"));
    }
    let names: Option<Vec<&str>> = labels.iter().map(|(name, _)| name.as_deref()).collect();
    if let (Some(names), Some(_)) = (names, est) {
        est_section.optional("default_label", |given| names::existing(given, "label", "[[est.label]]", &names))?;
    }
    labels.into_iter().map(|(_, label)| label).collect()
}

/// Tells when a label's certificates are the last that their holders will get, unless a profile was chosen that says so: that
/// of web servers, for example, which enroll again with a password.
fn warn_if_final(section: &Reader<'_>, label: &Label, needs_client_auth: bool) {
    let purposes = &label.profile.ext_key_usage;
    let lacks_it = !purposes.is_empty() && !purposes.contains(&oid::CLIENT_AUTH);
    if needs_client_auth && lacks_it && !section.has("profile") {
        let fault = Fault::new("certificates of this label cannot renew themselves: they lack clientAuth");
        section.warn("name", fault.help("add it, or set tls.client_auth.ext_key_usage = \"any\""));
    }
    if needs_client_auth && label.profile.key_usage.common(KeyUsage::DIGITAL_SIGNATURE).is_empty() {
        let fault = Fault::new("certificates of this label cannot renew themselves: they lack digitalSignature");
        section.warn("name", fault.help("add it to the key usages: TLS authenticates clients by a signature"));
    }
}

/// Warns when the same CA serves requests without a label, by no label's rules.
fn warn_if_avoidable(section: &Reader<'_>, label: &Label, est: Option<&Est>, cas: &Cas) {
    let profile = &label.profile;
    let links = label.linking == Linking::Required && est.is_some_and(|est| est.linking != Linking::Required);
    let has_rules = links
        || label.approval == Approval::Manual
        || section.has("profile")
        || profile.key_types.is_some()
        || !profile.subject.patterns.is_empty();
    let serves_unlabelled = cas.ids().is_some_and(|ids| ids.first() == Some(&label.ca_id.as_str()));
    let is_open = est.is_some_and(|est| est.unlabelled && est.default_label.is_none());
    if has_rules && serves_unlabelled && is_open {
        let fault =
            Fault::new("a request without a label gets a certificate of the same CA without the rules of this one");
        section.warn("name", fault.help("set est.default_label, leave est.unlabelled out, or list another CA first"));
    }
}

fn label(
    section: &Reader<'_>,
    name: Option<String>,
    est: Option<&Est>,
    cas: &Cas,
    profiles: &Profiles,
) -> Option<Label> {
    let ca_id = section.get("ca_id", |given| match cas.ids() {
        Some(ids) => names::existing(given, "CA", "[[ca]]", &ids),
        None => given.text(),
    });
    let certificate_names =
        section.get("certificate_names", |given| given.choice(&[("own", NameBinding::Own), ("any", NameBinding::Any)]));
    let certificate_purposes = section.optional("certificate_purposes", |given| {
        given.choice(&[("own", PurposeBinding::Own), ("any", PurposeBinding::Any)])
    });
    let client_anchors = client_anchors(section);
    let csr_attributes = section.optional_list("csr_attributes", names::csr_attribute);
    let base64_line_length = section.optional("base64_line_length", line_length);
    let profile = section.optional("profile", |given| profiles.named(given));
    let ca = ca_id.as_deref().and_then(|id| cas.find(id));
    let max_validity = ca.map_or(Seconds(u64::MAX), |ca| ca.max_validity);
    let own = OwnRules::read(section);
    let mut issuing = match profile? {
        Some(profile) => tightened(section, profile?, own?, max_validity),
        None => of_ca(section, name.as_deref(), own?, ca?),
    };
    if let Some(ca) = ca {
        ca.add_crl_urls(&mut issuing.profile);
    }
    if issuing.profile.requirements == Requirements::Baseline {
        check_baseline(section, &issuing.profile, ca?);
    }
    let linking = issuing.linking.or(est.map(|est| est.linking));
    let listed = csr_attributes.as_ref().and_then(Option::as_deref).or(est.map(|est| est.csr_attributes.as_slice()));
    if let Some(key) = ["csr_attributes", "linking", "profile"].into_iter().find(|key| section.has(key)) {
        warn_if_unlinkable(section, key, linking, listed);
    }
    Some(Label {
        name: name?,
        ca_id: ca_id?,
        profile: issuing.profile,
        approval: issuing.approval,
        certificate_names: certificate_names?,
        certificate_purposes: certificate_purposes?.unwrap_or(match certificate_names? {
            NameBinding::Own => PurposeBinding::Own,
            NameBinding::Any => PurposeBinding::Any,
        }),
        linking: linking?,
        client_anchors: client_anchors?.or_else(|| est.map(|est| est.client_anchors.clone()))?,
        csr_attributes: csr_attributes?.or_else(|| est.map(|est| est.csr_attributes.clone()))?,
        base64_line_length: base64_line_length?,
    })
}

/// The Baseline Requirements know RSA and ECDSA alone (§7.1.3.2), and want to know where the CA's certificate is.
fn check_baseline(section: &Reader<'_>, profile: &Profile, ca: &Ca) {
    // A profile of the file's own has been told where it stands.
    let is_built_in = Profile::built_in(&profile.name).is_some();
    if is_built_in && !profile.extensions.iter().any(|extension| extension.id == oid::AUTHORITY_INFO_ACCESS) {
        let fault = Fault::new(format!("{} does not say where the CA's certificate and CRL are", profile.name));
        section.fault("profile", fault.help("write a [[profile]] with base = \"br-tls\", issuer_urls and crl_urls"));
    }
    if section.has("default_ext_key_usage") && !profile.ext_key_usage.contains(&oid::SERVER_AUTH) {
        section.fault("default_ext_key_usage", Fault::new("must have serverAuth (BR §7.1.2.7.10)"));
    }
    let key_type = SubjectPublicKeyInfo::parse(ca.certificate.public_key_der()).map(|key| key.key_type());
    if !key_type.is_ok_and(|key| key.can_encipher() || key.can_agree()) {
        section.fault("ca_id", Fault::new("must be a CA with an RSA key, or one on a NIST curve (BR §7.1.3.2)"));
    }
}

/// What a label without a profile issues: what its CA gives, as its own keys change that.
fn of_ca(section: &Reader<'_>, name: Option<&str>, own: OwnRules, ca: &Ca) -> Issuing {
    let ca_max_days = u32::try_from(ca.max_validity.0 / DAY.as_secs()).unwrap_or(u32::MAX);
    let written_max = own.max_validity_days;
    if let Some(days) = written_max.filter(|days| *days > ca_max_days) {
        let fault = Fault::new(format!("{days} days are more than the {ca_max_days} of the CA"));
        section.warn("max_validity_days", fault.help(format!("certificates will be valid for at most {ca_max_days}")));
    }
    let max_days = written_max.unwrap_or(ca_max_days).min(ca_max_days);
    let written_days = own.validity_days;
    if let Some(days) = written_days {
        warn_if_clamped(section, days, max_days);
    }
    let max_validity = Seconds::from_days(max_days);
    let mut ext_key_usage = own.ext_key_usage.unwrap_or_else(|| ca.ext_key_usage.clone());
    ext_key_usage.extend(own.required_ext_key_usage.iter().cloned());
    let profile = Profile {
        key_types: own.key_types,
        subject: SubjectRules { patterns: own.subject_pattern.into_iter().collect(), ..SubjectRules::default() },
        names: NameRules { require_san: own.require_san.unwrap_or(true), ..NameRules::default() },
        key_usage: own.key_usage.unwrap_or(ca.key_usage),
        ext_key_usage: once_each(ext_key_usage),
        required_ext_key_usage: own.required_ext_key_usage,
        validity: written_days.map_or(ca.validity, Seconds::from_days).min(max_validity),
        max_validity,
        tells_extensions: false,
        ..Profile::new(name.unwrap_or_default())
    };
    Issuing { profile, approval: own.approval.unwrap_or(Approval::Automatic), linking: own.linking }
}
