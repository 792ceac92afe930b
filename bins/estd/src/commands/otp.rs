//! `estd otp`.

use anyhow::{Result, bail};
use est_core::Guess;
use est_store::{Database, Failures, PasswordSummary, Revocation};
use host::otp::{Created, Request};
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor, all_pages};
use crate::cli::Otp;
use crate::output;

/// So many of those whom failures count against are listed.
const LISTED_FAILURES: u32 = 1000;

pub(crate) async fn run(command: Otp) -> Result<()> {
    match command {
        Otp::Create { config, entity, label, names, ttl, uses, count, output } => {
            let Opened { settings, store } = Opened::open_or_make(&config.config).await?;
            if !settings.otp.enabled {
                output::error(
                    "warning: otp.enabled is not true in the configuration: the server will not take this password",
                );
            }
            let request = Request { entity, label, names, ttl, uses };
            let mut created = Vec::new();
            let mut failed: Option<anyhow::Error> = None;
            // Those that nobody has seen.
            let mut lost = Vec::new();
            for _ in 0..count.unwrap_or(1) {
                match host::otp::create(&settings, &store, request.clone(), &actor()).await {
                    // At once: nobody can ask for it again, whatever becomes of the next one.
                    Ok(password) if !output.json => match output::line(password.clear.reveal()) {
                        Ok(()) => created.push(password),
                        Err(error) => {
                            failed = Some(error.into());
                            lost.push(password.id);
                            break;
                        }
                    },
                    Ok(password) => created.push(password),
                    Err(error) => {
                        failed = Some(error.into());
                        break;
                    }
                }
            }
            if output.json {
                let passwords: Vec<Value> = created.iter().map(created_json).collect();
                let printed = match (count, passwords.as_slice()) {
                    (None, []) => Ok(()),
                    (None, [password, ..]) => output::json(password),
                    (Some(_), _) => output::json(&json!({ "passwords": passwords })),
                };
                if let Err(error) = printed {
                    lost.extend(created.drain(..).map(|password| password.id));
                    failed = failed.or(Some(error.into()));
                }
            }
            for id in &lost {
                match store.revoke_password(id, shell::now(), &actor()).await {
                    Ok(_) => output::error(format!("password {id}: revoked, because it could not be printed")),
                    Err(error) => output::error(format!(
                        "password {id}: it exists, could not be printed, and could not be revoked ({error}): run \
                         estd otp revoke {id}"
                    )),
                }
            }
            store.close().await;
            if created.iter().any(Created::is_free) {
                output::error(
                    "warning: whoever has this password may ask for any name that the label allows; --entity or --allow binds it",
                );
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Otp::List { config, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let passwords = all_pages(|after| store.list_passwords(None, 1000, after)).await?;
            let failures = store.failures(LISTED_FAILURES).await?;
            if output.json {
                let passwords: Vec<Value> = passwords.iter().map(to_json).collect();
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
                bail!("no failures count against {who}: `estd otp list` shows against whom they do");
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
    let Some(password) = &store.password_summary(id).await? else {
        bail!("there is no password {id}: `estd otp list` shows them");
    };
    let user = password.entity.as_deref().map(Guess::against_user);
    let counted = [Some(format!("password {id}")), user];
    let mut failures = store.failures(LISTED_FAILURES).await?;
    failures.retain(|failures| counted.iter().flatten().any(|who| *who == failures.who));
    if as_json {
        let mut shown = to_json(password);
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
        ("expires", password.expires.to_string()),
        ("uses", format!("{}/{}", password.uses, password.max_uses)),
        ("state", state(password).to_owned()),
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
    Ok(())
}

/// Whoever has the whole password at hand may give that.
fn public_half(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

fn created_json(created: &Created) -> Value {
    json!({
        "password": created.clear.reveal(),
        "id": created.id,
        "entity_id": created.entity,
        "label": created.label,
        "names": created.names,
        "expires_at": created.expires.to_string(),
        "max_uses": created.max_uses,
    })
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

fn to_json(password: &PasswordSummary) -> Value {
    json!({
        "id": password.id,
        "entity_id": password.entity,
        "label": password.label,
        "names": password.names,
        "created_at": password.created.to_string(),
        "expires_at": password.expires.to_string(),
        "max_uses": password.max_uses,
        "uses": password.uses,
        "revoked_at": password.revoked_at.map(|at| at.to_string()),
        "state": state(password),
    })
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
