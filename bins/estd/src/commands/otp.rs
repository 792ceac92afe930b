//! `estd otp`.

mod create;
mod entities;

use anyhow::{Result, bail};
use est_core::Guess;
use est_store::{Database, Failures, PasswordSummary, Revocation};
use host::otp::Request;
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor, all_pages};
use crate::cli::Otp;
use crate::output;
use crate::view::{self, OtpDetail};
use create::Wanted;

/// So many of the certificates that were issued for a password are shown.
const MOST_CERTIFICATES: u32 = 100;

/// So many entries with failures are listed.
const LISTED_FAILURES: u32 = 1000;

pub(crate) async fn run(command: Otp) -> Result<()> {
    match command {
        Otp::Create { config, entity, label, names, ttl, uses, count, entities, output } => {
            let wanted = Wanted { request: Request { entity, label, names, ttl, uses }, count, entities };
            create::run(&config.config, wanted, output.json).await?;
        }
        Otp::List { config, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let passwords = all_pages(|after| store.list_passwords(None, 1000, after)).await?;
            let failures = store.failures(LISTED_FAILURES).await?;
            if output.json {
                let passwords = passwords.into_iter().map(|password| view::Otp::of(password, shell::now()));
                let passwords: Vec<view::Otp> = passwords.collect();
                let failures: Vec<Value> = failures.iter().map(failures_json).collect();
                output::json(&json!({ "passwords": passwords, "failures": failures }))?;
            } else {
                output::table(
                    &["ID", "ENTITY", "LABEL", "USES", "EXPIRES", "STATE"],
                    &passwords.iter().map(row).collect::<Vec<_>>(),
                )?;
                if !failures.is_empty() {
                    output::line("")?;
                    output::table(
                        &["FAILURES OF", "COUNT", "LAST", "LOCKED OUT UNTIL"],
                        &failures.iter().map(failures_row).collect::<Vec<_>>(),
                    )?;
                }
            }
        }
        Otp::Show { config, id, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            show(&store, public_half(&id), output.json).await?;
        }
        Otp::Revoke { config, id, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let id = public_half(&id);
            let revocation = store.revoke_password(id, shell::now(), &actor()).await?;
            store.close().await;
            let done = match revocation {
                Revocation::Revoked => "revoked",
                Revocation::AlreadyRevoked | Revocation::NowCompromised => "already revoked",
                Revocation::Unknown => bail!("there is no password {id}: `estd otp list` shows them"),
            };
            if output.json {
                output::json(&json!({ "id": id, "result": done }))?;
            } else {
                output::line(format!("password {id}: {done}"))?;
            }
        }
        Otp::Unlock { config, who, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let mut names = ["user", "password", "address"].map(|kind| format!("{kind} {who}")).to_vec();
            names.extend([Guess::against_user(&who), who.clone()]);
            let unlocked = store.unlock(names, &actor()).await?;
            store.close().await;
            if unlocked.is_empty() {
                bail!("no failures count against {who}: `estd otp list` shows what they count against");
            }
            if output.json {
                output::json(&json!({ "unlocked": unlocked }))?;
            } else {
                unlocked.iter().try_for_each(|who| output::line(format!("{who}: no failures count any more")))?;
            }
        }
    }
    Ok(())
}

async fn show(store: &Database, id: &str, as_json: bool) -> Result<()> {
    let Some(password) = store.password_summary(id).await? else {
        bail!("there is no password {id}: `estd otp list` shows them");
    };
    let certificates = store.certificates_of_password(id, MOST_CERTIFICATES).await?;
    let user = password.entity.as_deref().map(Guess::against_user);
    let counted = [Some(format!("password {id}")), user];
    let mut failures = store.failures(LISTED_FAILURES).await?;
    failures.retain(|failures| counted.iter().flatten().any(|who| *who == failures.who));
    if as_json {
        let mut shown = json!(OtpDetail::of(password, certificates, shell::now()));
        shown["failures"] = failures.iter().map(failures_json).collect();
        return Ok(output::json(&shown)?);
    }
    let names = if password.names.is_empty() { "-".to_owned() } else { password.names.join(", ") };
    for (name, value) in [
        ("id", password.id.clone()),
        ("entity", password.entity.clone().unwrap_or_else(|| "(any)".into())),
        ("label", password.label.clone().unwrap_or_else(|| "(any)".into())),
        ("more names", names),
        ("created", password.created.to_string()),
        ("created by", password.created_by.clone().unwrap_or_else(|| "-".into())),
        ("expires", password.expires.to_string()),
        ("uses", format!("{}/{}", password.uses, password.max_uses)),
        ("state", state(&password).to_owned()),
    ] {
        output::line(format!("{name:<10} {value}"))?;
    }
    for failures in &failures {
        let locked = failures.locked_until.filter(|until| *until > shell::now());
        let locked = locked.map_or(String::new(), |until| format!(", locked out until {until}"));
        output::line(format!(
            "{:<10} {} of {}, last at {}{locked}",
            "failures", failures.count, failures.who, failures.last
        ))?;
    }
    for certificate in &certificates {
        let (serial, at) = (&certificate.serial, certificate.issued_at);
        output::line(format!("{:<10} {serial} for {}, at {at}", "issued", certificate.subject))?;
    }
    Ok(())
}

/// Whoever has the whole password at hand may give that.
fn public_half(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

fn state(password: &PasswordSummary) -> &'static str {
    if password.revoked_at.is_some() {
        "revoked"
    } else if password.expires <= shell::now() {
        "expired"
    } else if password.uses >= password.max_uses {
        "spent"
    } else {
        "good"
    }
}

fn failures_json(failures: &Failures) -> Value {
    json!({
        "who": failures.who,
        "failures": failures.count,
        "last_at": failures.last.to_string(),
        "locked_until": failures.locked_until.map(|until| until.to_string()),
    })
}

fn row(password: &PasswordSummary) -> Vec<String> {
    vec![
        password.id.clone(),
        password.entity.clone().unwrap_or_else(|| "(any)".into()),
        password.label.clone().unwrap_or_else(|| "(any)".into()),
        format!("{}/{}", password.uses, password.max_uses),
        password.expires.to_string(),
        state(password).into(),
    ]
}

fn failures_row(failures: &Failures) -> Vec<String> {
    let locked = failures.locked_until.filter(|until| *until > shell::now());
    vec![
        failures.who.clone(),
        failures.count.to_string(),
        failures.last.to_string(),
        locked.map_or("-".into(), |until| until.to_string()),
    ]
}
