//! Another configuration while the server runs: all of it, or nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use est_core::UnixTime;
use est_core::pkix::Certificate;
use est_store::{Actor, CaNote, Instigator, ServerEvent, StoreError};
use host::config::{self, Ca, Diagnostic, Footprint, Settings};
use host::{own_certificates, shell};
use serde_json::Value;
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use crate::admin::{self, Admin, Reload, Reloaded};
use crate::commands::run;
use crate::serving::{Base, Current, Serving};
use crate::tls::renewal;
use crate::{notify, trail};

/// How often it is looked whether a certificate of the server's own is to be renewed.
const LOOK_AT_CERTIFICATES_EVERY: Duration = Duration::from_secs(3_600);

/// Reads the configuration again, and swaps what is served.
pub(crate) struct Reloader {
    path: PathBuf,
    base: Base,
    current: Arc<Current>,
    /// The admin API, where there is one.
    admin: Option<Arc<Admin>>,
    /// What is in force. Held while somebody reloads: one at a time.
    in_force: Mutex<InForce>,
}

struct InForce {
    settings: Settings,
    footprint: Footprint,
    renewed: Renewed,
}

/// The chains that are shown instead of those in the files, by what those begin with.
type Renewed = BTreeMap<[u8; 32], Vec<Certificate>>;

/// All that a reload puts in the place of what there is.
struct Prepared {
    serving: Serving,
    admin: Option<admin::Current>,
    in_force: InForce,
    changed: Changed,
}

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The sections of the file that say something else than before, or name a file that does.
    pub(crate) sections: Vec<String>,
    /// Keys that say something else, which only a restart takes up: `server.listen`.
    pub(crate) after_restart: Vec<&'static str>,
}

impl Reloader {
    /// Reloads the file at `path`, which says `text` so far, of which `settings` were made.
    pub(crate) fn new(
        path: PathBuf,
        text: &str,
        settings: Settings,
        base: Base,
        current: Arc<Current>,
        admin: Option<Arc<Admin>>,
    ) -> Self {
        let footprint = Footprint::of(&path, text, environment);
        Self {
            path,
            base,
            current,
            admin,
            in_force: Mutex::new(InForce { settings, footprint, renewed: Renewed::new() }),
        }
    }

    /// Reads the configuration and every file that it names again, and serves by it from the next handshake and the next
    /// request on. What is under way ends as it began.
    ///
    /// # Errors
    /// Every mistake. Then nothing has changed.
    pub(crate) async fn reload(&self, actor: &Actor) -> Result<Changed, Vec<Diagnostic>> {
        let mut in_force = self.in_force.lock().await;
        let outcome = self.prepare(&in_force).await;
        let (event, reason) = match &outcome {
            Ok(Prepared { changed, .. }) => (ServerEvent::ConfigReloaded, changed.to_string()),
            Err(mistakes) => (ServerEvent::ConfigRejected, summary(mistakes)),
        };
        let cas = outcome.as_ref().map(|prepared| started(&in_force.settings, &prepared.in_force.settings));
        // Before it takes effect: nothing is done that is not written down.
        let store = &self.base.store;
        let recorded = async {
            let known = match &outcome {
                Ok(prepared) => Some(run::register(&prepared.in_force.settings, store).await?),
                Err(_) => None,
            };
            store.note_cas(cas.unwrap_or_default(), Some(actor)).await?;
            store.note_by(Instigator::from(actor), event, Some(reason)).await?;
            Ok::<_, StoreError>(known)
        };
        let recorded = recorded.await;
        let Prepared { serving, admin, in_force: next, changed } = match outcome {
            Ok(prepared) => prepared,
            Err(mistakes) => {
                mistakes.iter().for_each(|mistake| error!(actor = actor.name, %mistake, "not reloaded"));
                return Err(mistakes);
            }
        };
        match recorded {
            Ok(known) => known.into_iter().for_each(|known| run::go_by(&next.settings, known, store)),
            Err(error) => {
                error!(actor = actor.name, %error, "not reloaded: it cannot be recorded");
                // A CA may have been given its next id in the database already.
                if let Err(error) = run::register(&in_force.settings, store).await {
                    error!(actor = actor.name, %error, "the ids of the CAs may be those of the file until the next reload");
                }
                return Err(vec![mistake(format!("the reload cannot be recorded: {error}"))]);
            }
        }
        // Whoever asks for a CRL at once gets it.
        serving.publish_crls().await;
        self.base.admission.resize(serving.bounds);
        self.current.replace(serving);
        if let Some((running, next)) = self.admin.as_ref().zip(admin) {
            running.replace(next);
        }
        *in_force = next;
        info!(actor = actor.name, sections = changed.sections.join(" "), "configuration reloaded");
        for key in &changed.after_restart {
            warn!(key, "changed; takes effect after a restart");
        }
        Ok(changed)
    }

    /// Renews those of the server's own certificates whose time has come, and shows them from the next handshake on.
    pub(crate) async fn renew_certificates(&self, now: UnixTime) {
        let mut in_force = self.in_force.lock().await;
        if !in_force.settings.tls.renew {
            return;
        }
        let mut renewed = Renewed::new();
        for own in own_certificates::of_settings(&in_force.settings).into_iter().filter(|own| own.is_due(now)) {
            let path = &own.certificate.path;
            match renewal::renew(&own, now, &self.base.store).await {
                Ok(chain) => drop(renewed.insert(own.certificate.chain[0].fingerprint().0, chain)),
                Err(error) => {
                    error!(error = format!("{error:#}"), file = %path.display(), "the certificate is not renewed")
                }
            }
        }
        if renewed.is_empty() {
            return;
        }
        let mut settings = in_force.settings.clone();
        show(&renewed, &mut settings);
        let (base, shown) = (self.base.clone(), self.admin.as_ref().map(|admin| admin.shown()));
        let made = tokio::task::spawn_blocking(move || {
            let serving = Serving::new(&settings, &base)?;
            let admin = shown.map(|shown| admin::Current::of(Arc::new(settings.clone()), shown)).transpose()?;
            anyhow::Ok((serving, admin, settings))
        });
        let (serving, admin, settings) = match made.await.map_err(anyhow::Error::from).and_then(|made| made) {
            Ok(made) => made,
            Err(error) => {
                return error!(
                    error = format!("{error:#}"),
                    "the renewed certificates are in their files, and not shown"
                );
            }
        };
        serving.publish_crls().await;
        self.current.replace(serving);
        if let Some((running, next)) = self.admin.as_ref().zip(admin) {
            running.replace(next);
        }
        in_force.settings = settings;
        in_force.renewed.extend(renewed);
    }

    /// Looks again and again whether a certificate of the server's own is to be renewed.
    pub(crate) async fn keep_certificates(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_AT_CERTIFICATES_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.renew_certificates(shell::now()).await;
        }
    }

    /// Reloads at every `hangup`, until the server ends.
    pub(crate) async fn reload_at(self: Arc<Self>, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            notify::reloading();
            // What came of it is in the log.
            let outcome = self.reload(&Actor::local("SIGHUP")).await;
            notify::ready(if outcome.is_ok() { "serving, reloaded" } else { "serving as before: not reloaded" });
        }
    }

    /// What `POST /admin/reload` does.
    pub(crate) fn for_admin(self: Arc<Self>) -> Reload {
        Box::new(move |actor| {
            let reloader = self.clone();
            Box::pin(async move {
                // If it ended with the caller, it could be recorded and not done.
                let reloading = tokio::spawn(async move { reloader.reload(&actor).await });
                let changed = reloading.await.unwrap_or_else(|error| Err(vec![mistake(error.to_string())]));
                let changed =
                    changed.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
                let warnings = changed.after_restart.iter().map(|key| format!("{key} changes with a restart only"));
                Ok(Reloaded { status: "reloaded", warnings: warnings.collect() })
            })
        })
    }

    async fn prepare(&self, in_force: &InForce) -> Result<Prepared, Vec<Diagnostic>> {
        let (path, base) = (self.path.clone(), self.base.clone());
        let (before, footprint) = (in_force.settings.clone(), in_force.footprint.clone());
        let mut renewed = in_force.renewed.clone();
        let shown_before = self.admin.as_ref().map(|admin| admin.shown());
        let prepared = tokio::task::spawn_blocking(move || {
            let text = config::text_of(&path)?;
            let next = footprint.again(&path, &text, environment);
            let (mut settings, warnings) = config::load_text(&path, &text, environment, shell::now())?;
            warnings.iter().for_each(|warning| warn!(%warning, "configuration"));
            let sections = footprint.changes(&next);
            let after_restart = keep(&before, &mut settings, &sections);
            renewed = show(&renewed, &mut settings);
            let failed = |error: anyhow::Error| vec![mistake(format!("{error:#}"))];
            let serving = Serving::new(&settings, &base).map_err(failed)?;
            let admin = shown_before.map(|before| {
                let shown = in_force_of(config::shown(&text), &before);
                admin::Current::of(Arc::new(settings.clone()), shown).context("[admin]")
            });
            let admin = admin.transpose().map_err(failed)?;
            let changed = Changed { sections, after_restart };
            Ok(Prepared { serving, admin, in_force: InForce { settings, footprint: next, renewed }, changed })
        });
        prepared.await.unwrap_or_else(|error| Err(vec![mistake(error.to_string())]))
    }
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.sections.is_empty() {
            f.write_str("nothing changed")?;
        } else {
            write!(f, "changed: {}", self.sections.join(", "))?;
        }
        if !self.after_restart.is_empty() {
            write!(f, "; not before a restart: {}", self.after_restart.join(", "))?;
        }
        Ok(())
    }
}

/// The chain that is shown in the place of the one that begins with this certificate in a file: what was renewed may have
/// been renewed again.
fn latest(renewed: &Renewed, in_file: [u8; 32]) -> Option<&Vec<Certificate>> {
    let mut latest = renewed.get(&in_file)?;
    // None is its own successor, but nothing here depends on that.
    for _ in 0..renewed.len() {
        let next = latest.first().and_then(|leaf| renewed.get(&leaf.fingerprint().0));
        latest = next.unwrap_or(latest);
    }
    Some(latest)
}

/// Puts what was renewed in the place of what the files hold, where they could not be written; which of it that was.
fn show(renewed: &Renewed, settings: &mut Settings) -> Renewed {
    let mut shown = Renewed::new();
    for certificate in settings.tls.certificates.iter_mut().chain(&mut settings.admin.certificate) {
        let Some(in_file) = certificate.chain.first().map(|leaf| leaf.fingerprint().0) else { continue };
        if let Some(chain) = latest(renewed, in_file) {
            certificate.chain.clone_from(chain);
            shown.insert(in_file, chain.clone());
        }
    }
    shown
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn mistake(message: String) -> Diagnostic {
    Diagnostic { file: None, position: None, key: String::new(), message, help: None }
}

/// The first mistake, and how many more there are.
fn summary(mistakes: &[Diagnostic]) -> String {
    let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
    match mistakes.len().saturating_sub(1) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// What there is to write down of the CAs that sign with another certificate than before.
fn started(before: &Settings, after: &Settings) -> Vec<CaNote> {
    let is_known = |ca: &&Ca| before.cas.iter().any(|known| known.id == ca.id && known.certificate == ca.certificate);
    after.cas.iter().filter(|ca| !is_known(ca)).map(trail::started).collect()
}

/// Whether a key says something else.
type Differs = fn(&Settings, &Settings) -> bool;

/// What a running server cannot change: keys, each with whether it says something else.
const KEPT: [(&str, Differs); 6] = [
    ("server.listen", |before, after| before.server.listen != after.server.listen),
    ("server.admin_listen", |before, after| before.server.admin_listen != after.server.admin_listen),
    ("server.http_listen", |before, after| before.server.http_listen != after.server.http_listen),
    ("server.node", |before, after| before.server.node != after.server.node),
    ("server.workers", |before, after| before.server.workers != after.server.workers),
    ("admin.enabled", |before, after| before.admin.enabled != after.admin.enabled),
];
/// And whole sections.
const KEPT_SECTIONS: [&str; 3] = ["db", "audit", "log"];

/// Keeps what a running server cannot change, and tells which keys and sections that is.
fn keep(before: &Settings, after: &mut Settings, sections: &[String]) -> Vec<&'static str> {
    let keys = KEPT.iter().filter(|(_, differs)| differs(before, after)).map(|(key, _)| *key);
    let whole = KEPT_SECTIONS.into_iter().filter(|section| sections.iter().any(|changed| changed == section));
    let kept = keys.chain(whole).collect();
    after.server.listen = before.server.listen;
    after.server.admin_listen = before.server.admin_listen;
    after.server.http_listen = before.server.http_listen;
    after.server.node.clone_from(&before.server.node);
    after.server.workers = before.server.workers;
    after.admin.enabled = before.admin.enabled;
    after.db = before.db.clone();
    after.audit = before.audit.clone();
    after.log = before.log.clone();
    kept
}

/// What is in force of a configuration as it is shown: what [`keep`] keeps is as `before`.
fn in_force_of(mut shown: Value, before: &Value) -> Value {
    for (section, key) in KEPT.iter().filter_map(|(key, _)| key.split_once('.')) {
        let Some(keys) = shown.get_mut(section).and_then(Value::as_object_mut) else { continue };
        match before.get(section).and_then(|keys| keys.get(key)) {
            Some(value) => keys.insert(key.to_owned(), value.clone()),
            None => keys.remove(key),
        };
    }
    for section in KEPT_SECTIONS {
        if let Some(shown) = shown.get_mut(section) {
            *shown = before.get(section).cloned().unwrap_or_default();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use est_testkit::pki::{Key, TestCa};

    use super::*;

    /// What is between backticks in the paragraph of the operator's page that begins like this.
    fn named(beginning: &str) -> BTreeSet<String> {
        let page = include_str!("../../../docs/operate.md");
        let paragraph = page.split("\n\n").find(|paragraph| paragraph.starts_with(beginning)).unwrap_or_default();
        paragraph.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_operators_page_lists_what_needs_a_restart() {
        let keys = KEPT.iter().map(|(key, _)| (*key).to_owned());
        let sections = KEPT_SECTIONS.iter().map(|section| format!("[{section}]"));
        assert_eq!(named("These need a restart"), keys.chain(sections).collect());
    }
    #[test]
    fn what_was_renewed_twice_is_shown_as_it_was_renewed_last() {
        let ca = TestCa::new();
        let [first, second, third, other] =
            ["CN=1", "CN=2", "CN=3", "CN=4"].map(|name| Certificate::clone(&ca.device(&Key::p256(), name, &[])));
        let name = |certificate: &Certificate| certificate.fingerprint().0;
        let renewed =
            Renewed::from([(name(&first), vec![second.clone()]), (name(&second), vec![third.clone(), other.clone()])]);
        assert_eq!(latest(&renewed, name(&first)), Some(&vec![third.clone(), other.clone()]));
        assert_eq!(latest(&renewed, name(&second)), Some(&vec![third.clone(), other]));
        assert_eq!(latest(&renewed, name(&third)), None);
    }
}
