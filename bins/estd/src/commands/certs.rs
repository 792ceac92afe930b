//! `estd certs`.

mod import;
mod story;

use std::path::Path;

use anyhow::{Result, bail};
use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use est_store::{
    AuditFilter, AuditRecord, CertificateFilter, CertificateStatus, Chapter, IssuedCertificate, Release, Revocation,
    RevocationReason, SerialNumber, Story, Withdrawal,
};
use host::shell;
use serde_json::json;

use super::{Opened, actor};
use crate::cli::{CertStatus, Certs, Output};
use crate::output::{self, Printed};
use crate::view::{CertificateDetail, CertificateSummary, Record};

/// So many of the audit records about a certificate are shown.
const SHOWN_EVENTS: u32 = 100;

pub(crate) async fn run(command: Certs) -> Result<()> {
    match command {
        Certs::List { config, find, status, ends_before, limit, after, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let now = shell::now();
            let status = status.map(|status| match status {
                CertStatus::Active => CertificateStatus::Valid,
                CertStatus::Expired => CertificateStatus::Expired,
                CertStatus::Revoked => CertificateStatus::Revoked,
            });
            let filter = CertificateFilter {
                status: status.map(|status| (status, now)),
                containing: find,
                ends_before: ends_before.map(|end| end.time(shell::now())),
                ..CertificateFilter::default()
            };
            let page = store.certificates(filter, limit, after).await?;
            let next = page.next.map(|cursor| cursor.to_string());
            if output.json {
                let certificates = page.items.into_iter().map(|found| CertificateSummary::of(found, now));
                output::json(&json!({ "certificates": certificates.collect::<Vec<_>>(), "cursor": next }))?;
            } else {
                let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
                output::table(&["SERIAL", "STATUS", "NOT AFTER", "SUBJECT", "NAMES"], &rows)?;
                if let Some(next) = next {
                    output::line(format!("there are more: go on with --after {next}"))?;
                }
            }
        }
        Certs::Show { config, serial, ca, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let serial = parse_serial(&serial)?;
            let Some(story) = store.story(&serial, ca.as_deref()).await? else { bail!(unknown(&serial)) };
            if output.json {
                // Not by the id of the CA, which may have had another one at the time.
                let filter = AuditFilter { serial: Some(serial), ..AuditFilter::default() };
                let events = store.audit(filter, SHOWN_EVENTS, None).await?.items.into_iter();
                let found = &story.this.certificate;
                let is_its = |event: &AuditRecord| {
                    event.ca.as_ref() == Some(&found.ca) || event.fingerprint == Some(found.fingerprint)
                };
                let events = Some(events.filter(is_its).map(Record::of).collect());
                output::json(&json!(CertificateDetail::of(story, events, shell::now())))?;
            } else {
                show(&story)?;
            }
        }
        Certs::Revoke { config, serial, reason, with_successors, output } => {
            let reason: RevocationReason = reason.parse().map_err(|_| {
                let known: Vec<&str> = RevocationReason::ALL.iter().map(|reason| reason.name()).collect();
                anyhow::anyhow!("--reason {reason}: use one of {}", known.join(", "))
            })?;
            let Opened { store, .. } = Opened::open(&config.config)?;
            let serial = parse_serial(&serial)?;
            let withdrawal = Withdrawal { serial: serial.clone(), ca: None, reason, with_successors };
            let withdrawn = store.withdraw(withdrawal, shell::now(), &actor()).await?;
            store.close().await;
            let done = match withdrawn.revocation {
                Revocation::Revoked => "revoked",
                Revocation::AlreadyRevoked => "already revoked",
                Revocation::NowCompromised => "already revoked; from now on because its key is compromised",
                Revocation::Unknown => bail!(unknown(&serial)),
            };
            if output.json {
                let also = withdrawn.others.iter().cloned().map(|one| CertificateSummary::of(one, shell::now()));
                let also: Vec<CertificateSummary> = also.collect();
                output::json(&json!({ "serial": serial.to_string(), "result": done, "also_revoked": also }))?;
            } else {
                output::line(format!("certificate {serial}: {done}"))?;
                for other in &withdrawn.others {
                    output::line(format!("certificate {}: {}", other.serial, status(other)))?;
                }
            }
        }
        Certs::Release { config, serial, output } => release(&config.config, &serial, &output).await?,
        Certs::Import(options) => import::run(&options).await?,
    }
    Ok(())
}

/// Takes back a certificateHold.
async fn release(config: &Path, serial: &str, output: &Output) -> Result<()> {
    let Opened { store, .. } = Opened::open(config)?;
    let serial = parse_serial(serial)?;
    let release = store.release(&serial, None, &actor()).await?;
    store.close().await;
    match release {
        Release::Released if output.json => {
            output::json(&json!({ "serial": serial.to_string(), "result": "released" }))?;
        }
        Release::Released => output::line(format!("certificate {serial}: released"))?,
        Release::NotRevoked => bail!("certificate {serial} is not revoked"),
        Release::ForGood(reason) => bail!(
            "certificate {serial} is revoked for {}, which is for good: only a certificateHold can be taken back",
            reason.name()
        ),
        Release::Unknown => bail!(unknown(&serial)),
    }
    Ok(())
}

fn parse_serial(text: &str) -> Result<SerialNumber> {
    text.parse().map_err(|error| anyhow::anyhow!("`{text}` is {error}"))
}

fn unknown(serial: &SerialNumber) -> String {
    format!("no certificate with serial number {serial} was issued here: `estd certs list` shows them")
}

fn status(certificate: &IssuedCertificate) -> &'static str {
    match certificate.status(shell::now()) {
        CertificateStatus::Valid => "active",
        CertificateStatus::Expired => "expired",
        CertificateStatus::Revoked => "revoked",
    }
}

fn row(certificate: &IssuedCertificate) -> Vec<String> {
    vec![
        certificate.serial.to_string(),
        status(certificate).into(),
        certificate.not_after.to_string(),
        certificate.subject.clone(),
        certificate.names.clone().unwrap_or_default(),
    ]
}

/// A certificate, what it goes back to, and what followed.
fn show(story: &Story) -> Printed {
    let Chapter { certificate, .. } = &story.this;
    let status = match &certificate.revoked {
        Some(revoked) => format!("revoked at {} ({})", revoked.at, revoked.reason.name()),
        None => status(certificate).to_owned(),
    };
    let parsed = est_core::pkix::Certificate::parse(&certificate.der).ok();
    let key = parsed.and_then(|parsed| SubjectPublicKeyInfo::parse(parsed.public_key_der()).ok());
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let mut fields = vec![
        ("serial", certificate.serial.to_string()),
        ("subject", certificate.subject.clone()),
        ("names", or_dash(&certificate.names)),
        ("key", key.map_or("-".to_owned(), |key| KeyType::to_string(&key.key_type()))),
        ("not before", certificate.not_before.to_string()),
        ("not after", certificate.not_after.to_string()),
        ("SHA-256", certificate.fingerprint.to_string()),
        ("CA", certificate.ca.clone()),
        ("label", or_dash(&certificate.label)),
        ("profile", certificate.profile.clone()),
        ("status", status),
    ];
    fields.extend(story::origin(&story.this));
    output::fields(&fields)?;
    output::line("")?;
    output::line("story")?;
    for (at, what) in story::told(story) {
        output::line(format!("  {at}  {what}"))?;
    }
    output::line("")?;
    output::line(est_core::pkix::pem::encode("CERTIFICATE", &certificate.der).trim_end())
}
