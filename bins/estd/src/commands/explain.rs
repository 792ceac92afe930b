//! `estd explain`: what a request would get, and why.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use est_core::pkix::{Certificate, pem};
use est_core::policy::Allowance;
use est_core::{Body, Doubt, Label, Operation, Principal, Refusal, Seconds, UnixTime};
use host::config::Settings;
use host::{config, shell, wiring};
use serde_json::json;

use crate::cli::Explain;
use crate::explanation::{self, Described, Explanation};
use crate::output::{self, Printed};

pub(crate) fn run(arguments: &Explain) -> Result<()> {
    let settings = super::settings(&arguments.config.config)?;
    let site = host::site(&settings, est_backends::algorithms())?;
    let label = match site.label(arguments.label.as_deref()) {
        Some(label) => label.clone(),
        None => {
            let known: Vec<&str> = site.labels.keys().map(String::as_str).collect();
            match &arguments.label {
                Some(label) => bail!("the label {label:?} is not known: take one of {}", known.join(", ")),
                None => {
                    bail!("requests without a label get 404 (unknown-label): say --label, one of {}", known.join(", "))
                }
            }
        }
    };
    let now = shell::now();
    let (principal, doubt) = principal(arguments, &settings, now)?;
    let operation = if arguments.renew { Operation::SimpleReenroll } else { Operation::SimpleEnroll };
    if arguments.renew && principal.certificate().is_none() {
        bail!("a renewal wants a certificate: give its file with --as");
    }
    let body = fs::read(&arguments.csr).with_context(|| format!("cannot read {}", arguments.csr.display()))?;
    let der = Body::Text(body).into_der(false);
    let decided = match doubt {
        Some(doubt) => Err(Refusal::from(doubt)),
        None => der.and_then(|der| explanation::decide(&site, &label, &principal, operation, &der, now)),
    };
    let explained = Explanation::of(&label, &decided);
    match decided {
        Ok(_) => Ok(tell_plan(arguments, &label, &principal, &explained)?),
        Err(refusal) => {
            tell_refusal(arguments, &label, &principal, &refusal, &explained)?;
            bail!("the request would be refused");
        }
    }
}

/// Who asks, and why their certificate would not authenticate them, if it would not. Whether it was revoked is not
/// looked at.
fn principal(arguments: &Explain, settings: &Settings, now: UnixTime) -> Result<(Principal, Option<Doubt>)> {
    let text = arguments.principal.as_str();
    let allowance = Arc::new(Allowance::parse(&arguments.names).map_err(anyhow::Error::msg).context("--allow")?);
    let password = |entity: Option<&str>| Principal::OneTimePassword {
        id: "explained".to_owned(),
        entity: entity.map(str::to_owned),
        expires: now + Seconds(3600),
        label: arguments.for_label.then(|| arguments.label.clone()).flatten(),
        allowance: allowance.clone(),
    };
    match text.split_once(':') {
        None if text == "otp" => return Ok((password(None), None)),
        Some(("otp", entity)) => return Ok((password(Some(entity)), None)),
        _ => {}
    }
    let octets = fs::read(Path::new(text))
        .with_context(|| format!("--as is a file with a certificate, `otp` or `otp:ENTITY`: cannot read {text}"))?;
    let blocks = std::str::from_utf8(&octets).ok().and_then(pem::decode).unwrap_or_default();
    let mut chain: Vec<Vec<u8>> =
        blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.contents.to_vec()).collect();
    if chain.is_empty() {
        chain.push(octets);
    }
    let certificate = Arc::new(Certificate::parse(&chain[0]).with_context(|| text.to_owned())?);
    let shown = |doubt| Ok((Principal::Certificate(certificate.clone().into()), Some(doubt)));
    let Some(paths) = wiring::client_paths(settings)? else { return shown(Doubt::NothingShown) };
    match paths.validator.validate(&chain, now) {
        Ok(validated) if validated.has_expired && !arguments.renew => {
            shown(Doubt::CertificateExpired { not_after: certificate.not_after() })
        }
        Ok(validated) => Ok((Principal::Certificate(validated.path), None)),
        Err(doubt) => shown(doubt),
    }
}

fn tell_plan(arguments: &Explain, label: &Label, principal: &Principal, explained: &Explanation) -> Printed {
    if arguments.output.json {
        return output::json(&json!(explained));
    }
    let when = explained.approval.map_or(String::new(), |text| format!(", {text}"));
    output::line(format!("A certificate would be issued{when}."))?;
    let issuer = format!("{} (CA {})", label.ca.certificate.subject(), label.ca.id);
    let mut rows = vec![("asked by", asker(principal)), ("issuer", issuer)];
    rows.extend(planned(explained));
    print(&rows)
}

/// What would be issued, in rows.
pub(super) fn planned(explained: &Explanation) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let subject = Some(text(&explained.subject)).filter(|subject| !subject.is_empty());
    let mut rows = vec![
        ("profile", explained.profile.clone()),
        ("subject", subject.unwrap_or_else(|| "none".to_owned())),
        ("key", text(&explained.key_type)),
        ("valid", format!("{} to {}", text(&explained.not_before), text(&explained.not_after))),
    ];
    let clamped = explained.clamped_from.as_ref();
    rows.extend(clamped.map(|end| ("clamped", format!("the profile would have let it last until {end}"))));
    let ra = explained.registration_authority.as_ref();
    rows.extend(ra.map(|ra| ("by", format!("the registration authority {ra}, for somebody else"))));
    for Described { extension, critical } in explained.extensions.iter().flatten() {
        rows.push(("extension", if *critical { format!("{extension} (critical)") } else { extension.clone() }));
    }
    rows.push(("extension", "authorityKeyIdentifier of the CA".to_owned()));
    let dropped = explained.dropped.iter().flatten();
    rows.extend(
        dropped.map(|id| ("dropped", format!("{id}, which was asked for and which the profile does not pass"))),
    );
    rows
}

fn tell_refusal(
    arguments: &Explain,
    label: &Label,
    principal: &Principal,
    refusal: &Refusal,
    explained: &Explanation,
) -> Printed {
    let written = written(&arguments.config.config, label, refusal);
    if arguments.output.json {
        let mut told = json!(explained);
        told["written"] = json!(written);
        return output::json(&told);
    }
    output::line("The request would be refused.")?;
    let mut rows = vec![("asked by", asker(principal))];
    rows.extend(refused(explained));
    rows.extend(written.map(|written| ("written", written)));
    rows.extend(explained.standard.map(|standard| ("standard", standard.to_owned())));
    print(&rows)
}

/// Why nothing would be issued, in rows.
pub(super) fn refused(explained: &Explanation) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("refusal", explained.code.unwrap_or_default().to_owned()),
        ("status", explained.status.unwrap_or_default().to_string()),
        ("text", explained.text.clone().unwrap_or_default()),
    ];
    rows.extend(explained.pattern.clone().map(|pattern| ("pattern", pattern)));
    rows
}

/// Where the configuration says so.
fn written(config: &Path, label: &Label, refusal: &Refusal) -> Option<String> {
    let rule = refusal.rule()?;
    let text = fs::read_to_string(config).unwrap_or_default();
    match config::locate(&text, label.name.as_deref(), rule.keys) {
        Some(place) => {
            Some(format!("{} in {}, {}:{}", place.key, place.section, config.display(), place.position.line))
        }
        None if rule.keys.is_empty() => None,
        None => {
            Some(format!("{}: by default, or built into the profile {}", rule.keys.join(" or "), label.profile.name))
        }
    }
}

fn print(rows: &[(&str, String)]) -> Printed {
    rows.iter().try_for_each(|(name, value)| output::line(format!("  {name:<10} {value}")))
}

fn asker(principal: &Principal) -> String {
    match principal {
        Principal::OneTimePassword { entity: None, .. } => "somebody with a one-time password".to_owned(),
        Principal::OneTimePassword { entity: Some(entity), .. } => format!("{entity}, with a one-time password"),
        Principal::Certificate(_) => principal.to_string(),
    }
}
