//! The database of a first run: is it there?

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use est_store::{DatabaseUrl, UrlError, migrations};

use super::super::count;

/// The file with the URL of a database server: there may be a password in it.
pub(super) const URL_FILE: &str = "db-url";

/// A database, as the configuration is to name it.
pub(super) struct FirstDatabase {
    /// What `db.url` says.
    pub(super) setting: String,
    /// What goes into the file [`URL_FILE`], which only its owner may read.
    pub(super) secret: Option<String>,
    /// What was found there, for the operator.
    pub(super) found: Option<String>,
}

impl FirstDatabase {
    /// Reads a URL, or where one is, and asks the database that it names. Changes nothing there.
    ///
    /// # Errors
    /// When it is not a URL, or a database server does not answer or does not let us in.
    pub(super) fn find(text: Option<&str>, folder: &Path) -> Result<Self> {
        let Some(text) = text else {
            return Ok(Self { setting: "sqlite://estd.db".to_owned(), secret: None, found: None });
        };
        let (setting, url) = match text.split_once(':') {
            Some(("file", path)) => {
                let path = std::fs::canonicalize(path).with_context(|| format!("--db: cannot read {path}"))?;
                let url =
                    std::fs::read_to_string(&path).with_context(|| format!("--db: cannot read {}", path.display()));
                (Some(format!("file:{}", path.display())), url?)
            }
            Some(("env", name)) => {
                let url = std::env::var(name).with_context(|| format!("--db: the environment variable {name}"))?;
                (Some(text.to_owned()), url)
            }
            _ => (None, text.to_owned()),
        };
        let url = url.trim_end_matches(['\r', '\n']);
        let parsed = DatabaseUrl::parse(url, folder);
        let database = parsed.map_err(|UrlError { what, help }| anyhow::anyhow!("--db {what}: {help}"))?;
        let (setting, secret) = match (setting, database.file()) {
            (Some(setting), _) => (setting, None),
            (None, Some(_)) => (url.to_owned(), None),
            (None, None) => (format!("file:{URL_FILE}"), Some(format!("{url}\n"))),
        };
        Ok(Self { setting, secret, found: Some(found(&database, folder)?) })
    }
}

fn found(database: &DatabaseUrl, own: &Path) -> Result<String> {
    if let Some(path) = database.file() {
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        if path.is_dir() {
            bail!("--db: {} is a folder", path.display());
        }
        return Ok(match path.exists() {
            true => format!("{} is there already", path.display()),
            // The command makes the folder of the configuration itself.
            false if folder.is_dir() || folder == own => format!("{} is made by the first start", path.display()),
            false => format!("{} cannot be made yet: the folder {} does not exist", path.display(), folder.display()),
        });
    }
    let status = migrations::status(database).with_context(|| format!("--db {database}"))?;
    Ok(if status.applied.is_empty() {
        format!("{database} answers, and is empty: the first start fills it")
    } else {
        let pending = count(status.pending.len(), "pending migration");
        format!("{database} answers, and has the tables of a server already, with {pending}")
    })
}
