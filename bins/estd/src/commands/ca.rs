//! `estd ca`.

pub(crate) mod root;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use est_backends::authority::{NewRoot, Rollover as RolledOver, Validity, roll_over};
use est_backends::{FileSigner, Signer as _};
use est_core::Seconds;
use est_core::pkix::{Certificate, pem};
use est_store::{CaEvent, CaNote};
use host::config::{self, Settings};
use host::{shell, wiring};

use super::init::serial;
use crate::cli::{Ca, Rollover};
use crate::file::{self, Readers};
use crate::output::{self, Printed};
use crate::trail;

const NEW_KEY: &str = "new-key.pem";
const NEW: &str = "new.pem";
const OLD: &str = "old.pem";
const OLD_WITH_NEW: &str = "old-with-new.pem";
const NEW_WITH_OLD: &str = "new-with-old.pem";

pub(crate) async fn run(command: Ca) -> Result<()> {
    match command {
        Ca::Rollover(options) => roll(&options).await,
        Ca::Root(options) => root::make(&options).await,
        Ca::Certify(options) => root::certify(&options).await,
        Ca::RootCrl(options) => root::next_crl(&options).await,
    }
}

/// Makes a root's successor and what leads from each to the other; changes nothing that is there.
async fn roll(options: &Rollover) -> Result<()> {
    let settings = super::settings(&options.config.config)?;
    let ca = find(&settings.cas, options.ca.as_deref())?;
    file::refuse_existing(&options.out, &[NEW_KEY, NEW, OLD, OLD_WITH_NEW, NEW_WITH_OLD])?;

    let old = wiring::ca_signer(ca)?;
    let new_key_type = options.key_type.unwrap_or(old.public_key().key_type());
    let (new, new_key_pem) = FileSigner::generate(new_key_type).context("--key-type of the new key")?;
    let new = new.with_rsa_padding(wiring::rsa_padding(ca));
    let validity = Validity { not_before: shell::now(), span: Seconds::from_days(options.days) };
    let wanted = NewRoot { validity, serials: [serial()?, serial()?, serial()?] };
    let made = roll_over(&ca.certificate, &old, &new, &wanted)
        .await
        .with_context(|| format!("the key of CA `{}` cannot be rolled over", ca.id))?;

    record(&settings, ca, &made, &new_key_type.to_string()).await?;
    fs::create_dir_all(&options.out).with_context(|| format!("cannot make the folder {}", options.out.display()))?;
    let folder = fs::canonicalize(&options.out).with_context(|| options.out.display().to_string())?;
    file::write_new(&folder.join(NEW_KEY), &new_key_pem, Readers::Owner)?;
    for (name, der) in [
        (NEW, made.new_with_new.as_slice()),
        (OLD, ca.certificate.as_der()),
        (OLD_WITH_NEW, &made.old_with_new),
        (NEW_WITH_OLD, &made.new_with_old),
    ] {
        file::write_new(&folder.join(name), &pem::encode("CERTIFICATE", der), Readers::All)?;
    }
    tell(&settings, ca, &Certificate::parse(&made.new_with_new)?, &Made { folder, config: &options.config.config })?;
    Ok(())
}

/// Writes down what was made, before it is in any file. Before the first start nothing is written down: the audit trail is in the database.
async fn record(settings: &Settings, ca: &config::Ca, made: &RolledOver, key_type: &str) -> Result<()> {
    if settings.db.url.file().is_some_and(|path| !path.exists()) {
        return Ok(());
    }
    let note =
        |event, certificate: Option<Certificate>, reason| CaNote { ca: ca.id.clone(), event, certificate, reason };
    let mut notes = Vec::new();
    for (name, der) in
        [(NEW, &made.new_with_new), (OLD_WITH_NEW, &made.old_with_new), (NEW_WITH_OLD, &made.new_with_old)]
    {
        let certificate = Certificate::parse(der)?;
        let key = trail::key_of(&certificate);
        if notes.is_empty() {
            notes.push(note(CaEvent::KeyGenerated, None, format!("{key_type}, {key}")));
        }
        let reason = format!("{name}: {}, {key}", certificate.subject());
        notes.push(note(CaEvent::CertificateIssued, Some(certificate), reason));
    }
    let store = super::open_as_it_is(settings)?;
    store.note_cas(notes, Some(&super::actor())).await.context("what was made cannot be recorded")?;
    store.close().await;
    Ok(())
}

/// The CA with this id; the only one if none is named.
pub(super) fn find<'a>(cas: &'a [config::Ca], id: Option<&str>) -> Result<&'a config::Ca> {
    let ids = || cas.iter().map(|ca| ca.id.as_str()).collect::<Vec<_>>().join(", ");
    match (id, cas) {
        (None, [ca]) => Ok(ca),
        (None, _) => bail!("say which CA: --ca with one of {}", ids()),
        (Some(id), _) => cas
            .iter()
            .find(|ca| ca.id == id)
            .with_context(|| format!("--ca {id}: there is no such [[ca]], but {}", ids())),
    }
}

/// Where the files are, and which configuration is to name them.
struct Made<'a> {
    folder: PathBuf,
    config: &'a Path,
}

/// A TOML string: JSON's escapes are among TOML's.
pub(super) fn toml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Made<'_> {
    fn toml(&self, name: &str) -> String {
        toml(&self.folder.join(name).display().to_string())
    }

    /// The paths as a TOML array.
    fn array(&self, names: [&str; 3]) -> String {
        format!("[{}]", names.map(|name| self.toml(name)).join(", "))
    }
}

/// Says what to write into the configuration, and when.
fn tell(settings: &Settings, ca: &config::Ca, new: &Certificate, made: &Made<'_>) -> Printed {
    let client_auth = &settings.tls.client_auth;
    output::line(format!(
        r#"made the new root of {subject} in {folder}
its SHA-256 fingerprint is {fingerprint}

Step 1: let every client learn it, while the old key goes on signing. Add to [[ca]] with id = "{id}":

  rollover = {with_new}
  rollover_key = {key}

then `estd check --config {config}`, and reload (SIGHUP). Wait until the clients have asked for /cacerts once more.

Step 2: let the new key sign. In the same [[ca]], put this in the place of cert, key and rollover:

  cert = {cert}
  key = {key}
  rollover = {with_old}
  rollover_key = {old_key}

The old key goes on making CRLs for what it has issued, and must be there as long as the certificates of it are in use.
"#,
        subject = new.subject(),
        folder = made.folder.display(),
        fingerprint = new.fingerprint(),
        id = ca.id,
        config = made.config.display(),
        with_new = made.array([NEW, OLD_WITH_NEW, NEW_WITH_OLD]),
        cert = made.toml(NEW),
        key = made.toml(NEW_KEY),
        old_key = toml(&fs::canonicalize(&ca.key.path).unwrap_or_else(|_| ca.key.path.clone()).display().to_string()),
        with_old = made.array([OLD, OLD_WITH_NEW, NEW_WITH_OLD]),
    ))?;
    if ca.key.passphrase.is_some() {
        output::line(format!(
            "Call key_passphrase rollover_key_passphrase from then on: it is the old key's, and {NEW_KEY} is not encrypted; \
             `openssl pkcs8 -topk8` does that.\n"
        ))?;
    }
    if client_auth.trust_anchors.contains(&ca.certificate) {
        output::line(format!(
            "In [tls.client_auth], let certificates of either key renew; keep the other files that are there:\n\n  \
             trust_anchors = [{}, {}]\n",
            made.toml(NEW),
            made.toml(OLD)
        ))?;
    }
    let shown = settings.tls.certificates.first().and_then(|shown| shown.chain.first());
    if shown.is_some_and(|tls| tls.is_issued_by(&ca.certificate, est_backends::algorithms())) {
        output::line(format!(
            "Append {OLD_WITH_NEW} to the file of tls.cert: clients that trust the new root alone reach the server by it.\n"
        ))?;
    }
    output::line(format!(
        "Step 3: the old root ends at {}. When no certificate of the old key is in use any more, take rollover and \
         rollover_key out.",
        ca.certificate.not_after()
    ))?;
    if new.not_after() <= ca.certificate.not_after() {
        output::error(format!(
            "warning: the new root ends at {}, before the old one: clients take the root that lasts longest for the \
             newest (RFC 7030 §4.1.3); more --days help",
            new.not_after()
        ));
    }
    Ok(())
}
