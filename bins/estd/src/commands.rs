//! What each command does.

pub(crate) mod audit;
pub(crate) mod ca;
pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod crl;
pub(crate) mod dev;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod otp;
pub(crate) mod prune;
pub(crate) mod requests;
pub(crate) mod run;
pub(crate) mod tls;
mod who;

use std::path::Path;

use anyhow::Result;
use est_store::{Cursor, Database, Options, Page, Pending, ServerEvent, StoreError};
use host::config::{self, Diagnostic, Settings};
use host::shell;

pub(crate) use who::actor;

use crate::cli::DEFAULT_CONFIG;
use crate::output;

/// A configuration and its database.
pub(crate) struct Opened {
    pub(crate) settings: Settings,
    pub(crate) store: Database,
}

impl Opened {
    /// Opens both, the database only if there is one: a listing makes none.
    ///
    /// # Errors
    /// When the configuration has mistakes, which are printed, or the database cannot be opened.
    pub(crate) fn open(config: &Path) -> Result<Self> {
        let settings = settings(config)?;
        if let Some(path) = settings.db.url.file()
            && !path.exists()
        {
            anyhow::bail!("there is no database {} yet: `estd run` makes it, or `estd migrate`", path.display());
        }
        let store = open_as_it_is(&settings)?;
        Ok(Self { settings, store })
    }

    /// As [`open`](Self::open), and makes the database if there is none.
    pub(crate) async fn open_or_make(config: &Path) -> Result<Self> {
        let settings = settings(config)?;
        let is_new = settings.db.url.file().is_some_and(|path| !path.exists());
        let store = if is_new { open_store(&settings).await? } else { open_as_it_is(&settings)? };
        Ok(Self { settings, store })
    }
}

/// Reads the configuration; prints every mistake. Warnings are for `estd check`, and for servers.
pub(crate) fn settings(path: &Path) -> Result<Settings> {
    read(path).map(|(settings, _)| settings)
}

/// As [`settings`], and prints every warning: for servers.
pub(crate) fn settings_to_serve(path: &Path) -> Result<Settings> {
    let (settings, warnings) = read(path)?;
    print("warning", &warnings);
    Ok(settings)
}

fn read(path: &Path) -> Result<(Settings, Vec<Diagnostic>)> {
    anyhow::ensure!(
        path != Path::new(DEFAULT_CONFIG) || path.exists(),
        "the configuration {DEFAULT_CONFIG} does not exist: name another one with --config FILE or the variable ESTD_CONFIG, or \
         make one with estd init"
    );
    match config::load(path, |name| std::env::var(name).ok(), shell::now()) {
        Ok(read) => Ok(read),
        Err(mistakes) => {
            print("error", &mistakes);
            anyhow::bail!("{} has {}", path.display(), count(mistakes.len(), "mistake"));
        }
    }
}

pub(crate) fn print(kind: &str, diagnostics: &[Diagnostic]) {
    diagnostics.iter().for_each(|diagnostic| output::error(format!("{kind}: {diagnostic}")));
}

pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Opens the database, bringing it to this version where the configuration allows that: for servers.
pub(crate) async fn open_store(settings: &Settings) -> Result<Database> {
    if settings.db.auto_migrate { open_migrated(settings).await } else { open_as_it_is(settings) }
}

/// Opens the database, bringing it to this version, which is written down.
pub(crate) async fn open_migrated(settings: &Settings) -> Result<Database> {
    let store = open_database(settings, Pending::Apply)?;
    if !store.migrated().is_empty() {
        store.note_by((&actor()).into(), ServerEvent::Migrated, Some(store.migrated().join(", "))).await?;
        store.fill_in_keys().await?;
    }
    Ok(store)
}

/// Opens the database if it is at this version: a command that only reads must not lock older servers out.
pub(crate) fn open_as_it_is(settings: &Settings) -> Result<Database> {
    open_database(settings, Pending::Refuse)
}

fn open_database(settings: &Settings, pending: Pending) -> Result<Database> {
    let url = &settings.db.url;
    let mut options = Options::default();
    options.pending = pending;
    options.node.clone_from(&settings.server.node);
    options.max_connections = settings.db.max_connections.get();
    options.connect_timeout = settings.db.connect_timeout;
    Database::open_url(url, options).map_err(|error| match error {
        // It names the database itself.
        StoreError::File { .. } | StoreError::Unreachable(_) => error.into(),
        other => anyhow::anyhow!("{url}: {other}"),
    })
}

/// Reads every page of a listing.
pub(crate) async fn all_pages<T, F>(read: impl Fn(Option<Cursor>) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = read(after).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}
