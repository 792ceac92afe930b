//! `estd certs`.

use anyhow::{Result, bail};
use est_core::pkix::pem;
use est_store::{
    CertificateFilter, CertificateStatus, IssuedCertificate, Revocation, RevocationReason, SerialNumber, Withdrawal,
};
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor};
use crate::cli::{CertStatus, Certs};
use crate::output::{self, Printed};

pub(crate) async fn run(command: Certs) -> Result<()> {
    match command {
        Certs::List { config, find, status, limit, after, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let status = status.map(|status| match status {
                CertStatus::Valid => CertificateStatus::Valid,
                CertStatus::Expired => CertificateStatus::Expired,
                CertStatus::Revoked => CertificateStatus::Revoked,
            });
            let filter = CertificateFilter {
                status: status.map(|status| (status, shell::now())),
                containing: find,
                ..CertificateFilter::default()
            };
            let page = store.certificates(filter, limit, after).await?;
            let next = page.next.map(|cursor| cursor.to_string());
            if output.json {
                let certificates: Vec<Value> = page.items.iter().map(to_json).collect();
                output::json(&json!({ "certificates": certificates, "cursor": next }))?;
            } else {
                let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
                output::table(&["SERIAL", "STATE", "NOT AFTER", "SUBJECT", "NAMES"], &rows)?;
                if let Some(next) = next {
                    output::line(format!("there are more: go on with --after {next}"))?;
                }
            }
        }
        Certs::Show { config, serial, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let serial = parse_serial(&serial)?;
            let Some(certificate) = store.certificate(&serial, None).await? else { bail!(unknown(&serial)) };
            let successors = store.successors(&certificate).await?;
            if output.json {
                let mut shown = to_json(&certificate);
                shown["pem"] = pem::encode("CERTIFICATE", &certificate.der).into();
                shown["successors"] = successors.iter().map(to_json).collect();
                output::json(&shown)?;
            } else {
                show(&certificate, &successors)?;
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
                let also: Vec<Value> = withdrawn.others.iter().map(to_json).collect();
                output::json(&json!({ "serial": serial.to_string(), "result": done, "also_revoked": also }))?;
            } else {
                output::line(format!("certificate {serial}: {done}"))?;
                for other in &withdrawn.others {
                    output::line(format!("certificate {}: {}", other.serial, status(other)))?;
                }
            }
        }
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
        CertificateStatus::Valid => "valid",
        CertificateStatus::Expired => "expired",
        CertificateStatus::Revoked => "revoked",
    }
}

fn to_json(certificate: &IssuedCertificate) -> Value {
    json!({
        "serial": certificate.serial.to_string(),
        "ca_id": certificate.ca,
        "fingerprint": certificate.fingerprint.to_string(),
        "subject": certificate.subject,
        "names": certificate.names,
        "not_before": certificate.not_before.to_string(),
        "not_after": certificate.not_after.to_string(),
        "label": certificate.label,
        "profile": certificate.profile,
        "principal": certificate.principal,
        "issued_at": certificate.issued_at.to_string(),
        "status": status(certificate),
        "revoked_at": certificate.revoked.as_ref().map(|revoked| revoked.at.to_string()),
        "revocation_reason": certificate.revoked.as_ref().map(|revoked| revoked.reason.name()),
    })
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

fn show(certificate: &IssuedCertificate, successors: &[IssuedCertificate]) -> Printed {
    let state = match &certificate.revoked {
        Some(revoked) => format!("revoked at {} ({})", revoked.at, revoked.reason.name()),
        None => status(certificate).to_owned(),
    };
    output::fields(&[
        ("serial", certificate.serial.to_string()),
        ("subject", certificate.subject.clone()),
        ("names", certificate.names.clone().unwrap_or_else(|| "-".into())),
        ("not before", certificate.not_before.to_string()),
        ("not after", certificate.not_after.to_string()),
        ("SHA-256", certificate.fingerprint.to_string()),
        ("CA", certificate.ca.clone()),
        ("label", certificate.label.clone().unwrap_or_else(|| "-".into())),
        ("profile", certificate.profile.clone()),
        ("issued to", certificate.principal.clone()),
        ("issued at", certificate.issued_at.to_string()),
        ("state", state),
    ])?;
    for one in successors {
        let text = format!("{} ({}) {}", one.serial, status(one), one.subject);
        output::fields(&[("successor", text)])?;
    }
    output::line(pem::encode("CERTIFICATE", &certificate.der).trim_end())
}
