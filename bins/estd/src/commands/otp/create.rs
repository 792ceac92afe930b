//! `estd otp create`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use est_store::Database;
use host::otp::{self, Created, Request};
use host::shell;
use serde_json::{Value, json};

use super::entities;
use crate::commands::{Opened, actor};
use crate::output::{self, Printed};
use crate::view::CreatedOtp;

/// How many passwords are made in one transaction.
const BATCH: usize = 64;
/// How often a long run tells how far it is.
const TELL: Duration = Duration::from_secs(2);

/// Which passwords to make.
pub(super) struct Wanted {
    /// What each is good for, as far as a file does not say something else.
    pub(super) request: Request,
    /// How many; one without it.
    pub(super) count: Option<u32>,
    /// The file with the entities.
    pub(super) entities: Option<PathBuf>,
}

/// How passwords are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each on a line, as it is made.
    Lines,
    /// With the entity, as it is made.
    Csv,
    /// All of them in the end: one, or a list.
    Json { list: bool },
}

pub(super) async fn run(config: &Path, wanted: Wanted, as_json: bool) -> Result<()> {
    let Opened { settings, store } = Opened::open_or_make(config).await?;
    let form = match (as_json, &wanted.entities, wanted.count) {
        (true, None, None) => Form::Json { list: false },
        (true, _, _) => Form::Json { list: true },
        (false, Some(_), _) => Form::Csv,
        (false, None, _) => Form::Lines,
    };
    let requests = match &wanted.entities {
        Some(file) => entities::read(file, &wanted.request, |request| otp::check(&settings, request))?,
        None => vec![wanted.request; wanted.count.unwrap_or(1) as usize],
    };
    if !settings.otp.enabled {
        output::error("warning: otp.enabled is not true in the configuration: the server will not take this password");
    }
    let (all, started) = (requests.len(), Instant::now());
    let (mut told, mut printed) = (started, Vec::new());
    let mut outcome = if form == Form::Csv { output::line(HEADING).map_err(Into::into) } else { Ok(()) };
    let mut lost = Vec::new();
    let mut rest = requests.into_iter();
    while outcome.is_ok() {
        let batch: Vec<Request> = rest.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        match otp::create_all(&settings, &store, batch, &actor()).await {
            Ok(created) => {
                // At once: nobody can ask for them again, whatever becomes of the next ones.
                for password in created {
                    match outcome {
                        Ok(()) => {
                            outcome = print(form, &password).map_err(Into::into);
                            if outcome.is_ok() { printed.push(password) } else { lost.push(password.id) }
                        }
                        Err(_) => lost.push(password.id),
                    }
                }
            }
            Err(error) => outcome = Err(error.into()),
        }
        if told.elapsed() >= TELL && printed.len() < all {
            output::error(format!("{} of {all} passwords created", printed.len()));
            told = Instant::now();
        }
    }
    let is_free = printed.iter().any(Created::is_free);
    if let Form::Json { list } = form {
        let ids: Vec<String> = printed.iter().map(|password| password.id.clone()).collect();
        if let Err(error) = print_all(list, printed) {
            lost.extend(ids);
            outcome = outcome.and(Err(error.into()));
        }
    }
    for id in &lost {
        take_back(&store, id).await;
    }
    store.close().await;
    if is_free {
        output::error(
            "warning: anybody with this password may ask for any name that the label allows; --entity or --allow \
             binds it",
        );
    }
    outcome
}

const HEADING: &str = "entity_id,otp,id,est_label,expires,max_uses";

fn print(form: Form, password: &Created) -> Printed {
    match form {
        Form::Lines => output::line(password.clear.reveal()),
        Form::Csv => {
            let [entity, label] =
                [&password.entity, &password.label].map(|text| entities::field(text.as_deref().unwrap_or_default()));
            let (clear, id, expires) = (password.clear.reveal(), &password.id, password.expires);
            output::line(format!("{entity},{clear},{id},{label},{expires},{}", password.max_uses))
        }
        Form::Json { .. } => Ok(()),
    }
}

fn print_all(list: bool, passwords: Vec<Created>) -> Printed {
    let mut passwords: Vec<Value> = passwords.into_iter().map(|password| json!(CreatedOtp::of(password))).collect();
    match (list, passwords.len()) {
        (true, _) => output::json(&json!({ "passwords": passwords })),
        (false, 0) => Ok(()),
        (false, _) => output::json(&passwords.remove(0)),
    }
}

/// Revokes a password that nobody has seen.
async fn take_back(store: &Database, id: &str) {
    match store.revoke_password(id, shell::now(), &actor()).await {
        Ok(_) => output::error(format!("password {id}: revoked, because it could not be printed")),
        Err(error) => output::error(format!(
            "password {id}: it exists, could not be printed, and could not be revoked ({error}): run estd otp revoke {id}"
        )),
    }
}
