//! `estd explain`: what a request would get, and why.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use est_core::pkix::{Certificate, Csr, Extension, GeneralNames, KeyUsage, Oid, der, oid, pem};
use est_core::policy::{Allowance, Plan, decide_for};
use est_core::{Body, Label, Principal, Refusal, Seconds};
use host::{config, shell};
use serde_json::json;

use crate::cli::Explain;
use crate::output::{self, Printed};

pub(crate) fn run(arguments: &Explain) -> Result<()> {
    let settings = super::settings(&arguments.config.config)?;
    let site = host::site(&settings, est_backends::algorithms())?;
    let label = match site.label(arguments.label.as_deref()) {
        Some(label) => label.clone(),
        None => {
            let known: Vec<&str> = site.labels.keys().map(String::as_str).collect();
            bail!("there is no label {:?}; there are: {}", arguments.label.as_deref().unwrap_or(""), known.join(", "));
        }
    };
    let now = shell::now();
    let principal = principal(arguments, now + Seconds(3600))?;
    let renewing = match (arguments.renew, principal.certificate()) {
        (true, None) => bail!("a renewal wants a certificate: give its file with --as"),
        (true, certificate) => certificate,
        (false, _) => None,
    };
    let body = fs::read(&arguments.csr).with_context(|| format!("cannot read {}", arguments.csr.display()))?;
    let der = Body::Text(body).into_der(false);
    let decided = der.and_then(|der| Csr::parse(&der, site.algorithms).map_err(Refusal::Csr)).and_then(|csr| {
        if site.blocks(csr.public_key()) {
            return Err(Refusal::KeyBlocked);
        }
        let ra = principal.certificate().and_then(|own| label.authority(own, site.algorithms));
        label.admit(&principal, site.algorithms)?;
        decide_for(&label, &principal, ra, &csr, renewing, now)
    });
    match decided {
        Ok(plan) => {
            tell_plan(arguments, &label, &principal, &plan)?;
            Ok(())
        }
        Err(refusal) => {
            tell_refusal(arguments, &label, &principal, &refusal)?;
            bail!("the request would be refused");
        }
    }
}

fn principal(arguments: &Explain, expires: est_core::UnixTime) -> Result<Principal> {
    let text = arguments.principal.as_str();
    let allowance = Arc::new(Allowance::parse(&arguments.names).map_err(anyhow::Error::msg).context("--allow")?);
    let password = |entity: Option<&str>| Principal::OneTimePassword {
        id: "explained".to_owned(),
        entity: entity.map(str::to_owned),
        expires,
        label: arguments.for_label.then(|| arguments.label.clone()).flatten(),
        allowance: allowance.clone(),
    };
    match text.split_once(':') {
        None if text == "otp" => return Ok(password(None)),
        Some(("otp", entity)) => return Ok(password(Some(entity))),
        _ => {}
    }
    let octets = fs::read(Path::new(text))
        .with_context(|| format!("--as is a file with a certificate, `otp` or `otp:ENTITY`: cannot read {text}"))?;
    let blocks = std::str::from_utf8(&octets).ok().and_then(pem::decode).unwrap_or_default();
    let der =
        blocks.into_iter().find(|block| block.label == "CERTIFICATE").map_or(octets, |block| block.contents.to_vec());
    let certificate = Certificate::parse(&der).with_context(|| text.to_owned())?;
    Ok(Principal::Certificate(Arc::new(certificate)))
}

fn tell_plan(arguments: &Explain, label: &Label, principal: &Principal, plan: &Plan) -> Printed {
    let extensions: Vec<(String, bool)> =
        plan.extensions.iter().map(|extension| (described(extension), extension.critical)).collect();
    let dropped: Vec<String> = plan.dropped.iter().map(Oid::to_string).collect();
    let subject = plan.subject.to_string();
    if arguments.output.json {
        let extensions: Vec<_> =
            extensions.iter().map(|(text, critical)| json!({"extension": text, "critical": critical})).collect();
        return output::json(&json!({
            "would_be": "issued",
            "explanation": plan.explanation(),
            "ca": label.ca.id,
            "profile": plan.profile,
            "subject": subject,
            "key_type": plan.public_key.key_type().to_string(),
            "not_before": plan.not_before.to_string(),
            "not_after": plan.not_after.to_string(),
            "clamped_from": plan.clamped_from.map(|end| end.to_string()),
            "extensions": extensions,
            "dropped": dropped,
            "approval": approval(label),
            "registration_authority": plan.ra,
        }));
    }
    output::line(format!(
        "A certificate would be issued{}.",
        approval(label).map_or(String::new(), |text| format!(", {text}"))
    ))?;
    let mut rows = vec![
        ("asked by", asker(principal)),
        ("issuer", format!("{} (CA {})", label.ca.certificate.subject(), label.ca.id)),
        ("profile", plan.profile.clone()),
        ("subject", if subject.is_empty() { "none".to_owned() } else { subject }),
        ("key", plan.public_key.key_type().to_string()),
        ("valid", format!("{} to {}", plan.not_before, plan.not_after)),
    ];
    rows.extend(plan.clamped_from.map(|end| ("clamped", format!("the profile would have let it last until {end}"))));
    rows.extend(plan.ra.iter().map(|ra| ("by", format!("the registration authority {ra}, for somebody else"))));
    for (text, critical) in extensions {
        rows.push(("extension", if critical { format!("{text} (critical)") } else { text }));
    }
    rows.push(("extension", "authorityKeyIdentifier of the CA".to_owned()));
    rows.extend(
        dropped.into_iter().map(|id| ("dropped", format!("{id}, which was asked for and the profile does not pass"))),
    );
    print(&rows)
}

fn tell_refusal(arguments: &Explain, label: &Label, principal: &Principal, refusal: &Refusal) -> Printed {
    let rule = refusal.rule();
    let text = fs::read_to_string(&arguments.config.config).unwrap_or_default();
    let place = rule.and_then(|rule| config::locate(&text, label.name.as_deref(), rule.keys));
    let written = match (&place, rule) {
        (Some(place), _) => Some(format!(
            "{} in {}, {}:{}",
            place.key,
            place.section,
            arguments.config.config.display(),
            place.position.line
        )),
        (None, Some(rule)) if rule.keys.is_empty() => None,
        (None, Some(rule)) => {
            Some(format!("{}: by default, or built into the profile {}", rule.keys.join(" or "), label.profile.name))
        }
        (None, None) => None,
    };
    let standard = rule.map(|rule| rule.standard).filter(|standard| !standard.is_empty());
    if arguments.output.json {
        return output::json(&json!({
            "would_be": "refused",
            "explanation": refusal.explanation(&label.profile),
            "code": refusal.row().code,
            "status": refusal.row().http_status,
            "text": refusal.to_string(),
            "pattern": refusal.pattern(),
            "profile": label.profile.name,
            "written": written,
            "standard": standard,
        }));
    }
    output::line("The request would be refused.")?;
    let mut rows = vec![
        ("asked by", asker(principal)),
        ("refusal", refusal.row().code.to_owned()),
        ("status", refusal.row().http_status.to_string()),
        ("text", refusal.to_string()),
    ];
    rows.extend(refusal.pattern().map(|pattern| ("pattern", pattern.to_owned())));
    rows.extend(written.map(|written| ("written", written)));
    rows.extend(standard.map(|standard| ("standard", standard.to_owned())));
    print(&rows)
}

fn print(rows: &[(&str, String)]) -> Printed {
    rows.iter().try_for_each(|(name, value)| output::line(format!("  {name:<10} {value}")))
}

fn approval(label: &Label) -> Option<&'static str> {
    match label.approval {
        est_core::Approval::Manual => Some("once somebody has approved the request"),
        est_core::Approval::Automatic => None,
    }
}

fn asker(principal: &Principal) -> String {
    match principal {
        Principal::OneTimePassword { entity: None, .. } => "who has a one-time password".to_owned(),
        Principal::OneTimePassword { entity: Some(entity), .. } => format!("{entity}, with a one-time password"),
        Principal::Certificate(_) => principal.to_string(),
    }
}

/// The uniformResourceIdentifiers in a value, wherever they stand.
fn urls(der: &[u8]) -> Vec<String> {
    der::parts(der::contents(der))
        .flat_map(|part| match part.first() {
            Some(0x86) => vec![String::from_utf8_lossy(der::contents(part)).into_owned()],
            Some(tag) if tag & 0x20 != 0 => urls(part),
            _ => Vec::new(),
        })
        .collect()
}

/// An extension in words, as far as there are any.
fn described(extension: &Extension) -> String {
    let value = extension.value.as_slice();
    let hex = || value.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    match &extension.id {
        id if *id == oid::BASIC_CONSTRAINTS => "basicConstraints: not a CA".to_owned(),
        id if *id == oid::KEY_USAGE => {
            format!("keyUsage: {}", KeyUsage::from_der(value).map_or_else(hex, |usage| usage.to_string()))
        }
        id if *id == oid::EXT_KEY_USAGE => {
            format!(
                "extKeyUsage: {}",
                Extension::read_ext_key_usage(value)
                    .map_or_else(hex, |ids| { ids.iter().map(config::purpose).collect::<Vec<_>>().join(", ") })
            )
        }
        id if *id == oid::SUBJECT_ALT_NAME => {
            format!("subjectAltName: {}", GeneralNames::parse(value).map_or_else(hex, |names| names.to_string()))
        }
        id if *id == oid::SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier of the key".to_owned(),
        id if *id == oid::CRL_DISTRIBUTION_POINTS => format!("cRLDistributionPoints: {}", urls(value).join(", ")),
        id if *id == oid::AUTHORITY_INFO_ACCESS => format!("authorityInfoAccess: {}", urls(value).join(", ")),
        id if *id == oid::CERTIFICATE_POLICIES => format!("certificatePolicies: {}", hex()),
        id => format!("{id}: {}", hex()),
    }
}
