//! `estd otp`.

use anyhow::Result;
use est_core::Seconds;
use est_store::{Database, PasswordSummary, Revocation};
use host::shell;
use serde_json::{Value, json};

use super::{Opened, actor, all_pages};
use crate::cli::Otp;
use crate::output;

/// A password that was just created.
pub(crate) struct Created {
    pub(crate) clear: est_core::Secret,
    id: String,
    entity: Option<String>,
    expires: est_core::UnixTime,
    uses: u32,
}

pub(crate) async fn run(command: Otp) -> Result<()> {
    match command {
        Otp::Create { config, entity, ttl, uses, count, output } => {
            let Opened { settings, store } = Opened::open_or_make(&config.config)?;
            let ttl = ttl.unwrap_or(settings.otp.default_ttl);
            let uses = uses.unwrap_or(settings.otp.max_uses);
            if !settings.otp.enabled {
                tracing::warn!("otp.enabled is not true in the configuration: the server will not take this password");
            }
            let mut created = Vec::new();
            for _ in 0..count.unwrap_or(1) {
                created.push(create(&store, entity.as_deref(), ttl, uses).await?);
            }
            store.close().await;
            match (output.json, count) {
                (false, _) => created.iter().for_each(|password| output::line(password.clear.reveal())),
                (true, None) => created.iter().for_each(|password| output::json(&password.to_json())),
                (true, Some(_)) => {
                    let passwords: Vec<Value> = created.iter().map(Created::to_json).collect();
                    output::json(&json!({ "passwords": passwords }));
                }
            }
        }
        Otp::List { config, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            let passwords = all_pages(|after| store.list_passwords(1000, after)).await?;
            if output.json {
                let passwords: Vec<Value> = passwords.iter().map(to_json).collect();
                output::json(&json!({ "passwords": passwords }));
            } else {
                output::table(
                    &["ID", "ENTITY", "USES", "EXPIRES", "STATE"],
                    &passwords.iter().map(row).collect::<Vec<_>>(),
                );
            }
        }
        Otp::Revoke { config, id, output } => {
            let Opened { store, .. } = Opened::open(&config.config)?;
            // Whoever has the whole password at hand may give that.
            let id = id.split('.').next().unwrap_or(&id);
            let revocation = store.revoke_password(id, shell::now(), &actor()).await?;
            store.close().await;
            let done = match revocation {
                Revocation::Revoked => "revoked",
                Revocation::AlreadyRevoked => "already revoked",
                Revocation::Unknown => anyhow::bail!("there is no password {id}: `estd otp list` shows them"),
            };
            if output.json {
                output::json(&json!({ "id": id, "result": done }));
            } else {
                output::line(format!("password {id}: {done}"));
            }
        }
    }
    Ok(())
}

/// Creates a password and stores its hash.
pub(crate) async fn create(store: &Database, entity: Option<&str>, ttl: Seconds, uses: u32) -> Result<Created> {
    let made = host::otp::create(store, entity, ttl, uses, &actor()).await.map_err(anyhow::Error::from_boxed)?;
    let entity = entity.map(str::to_owned);
    Ok(Created { clear: made.clear, id: made.id, entity, expires: made.expires, uses })
}

impl Created {
    fn to_json(&self) -> Value {
        json!({
            "password": self.clear.reveal(),
            "id": self.id,
            "entity_id": self.entity,
            "expires_at": self.expires.to_string(),
            "max_uses": self.uses,
        })
    }
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
        "created_at": password.created.to_string(),
        "expires_at": password.expires.to_string(),
        "max_uses": password.max_uses,
        "uses": password.uses,
        "revoked_at": password.revoked_at.map(|at| at.to_string()),
        "state": state(password),
    })
}

fn row(password: &PasswordSummary) -> Vec<String> {
    vec![
        password.id.clone(),
        password.entity.clone().unwrap_or_else(|| "(any)".into()),
        format!("{}/{}", password.uses, password.max_uses),
        password.expires.to_string(),
        state(password).into(),
    ]
}
