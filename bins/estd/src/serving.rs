//! What is served at a moment: one value, and the place where it is swapped whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use est_auth::{Hashing, PathValidator};
use est_core::Site;
use est_core::tower::Est;
use est_core::{Seconds, UnixTime};
use est_store::Database;
use host::config::{ClientAuthMode, Settings, TlsVersion};
use host::crl_publisher::CrlPublisher;
use host::crls::CrlFiles;
use host::ends::{self, End, What};
use host::metrics::{Metrics, measured};
use host::shell::{self, ServerShell};
use host::spans;
use host::wiring::{self, ClientPaths, Services};
use rustls::ServerConfig;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tracing::error;

use crate::server::{Admission, Bounds, Crls, Limits, Proxies, Tasks};
use crate::tls::{self, ClientCertificates, PathCheck, TlsOptions};

/// How often the CRLs are looked at.
const LOOK_AT_CRLS_EVERY: Duration = Duration::from_secs(2);
/// How long before its end a CRL of others is late.
const CRL_NOTICE: Seconds = Seconds::from_days(1);

/// All that follows from a configuration. A handshake and a request each begin with one of these and end with it,
/// whatever replaces it meanwhile.
pub(crate) struct Serving {
    /// Which one it is, of those that this process has served.
    pub(crate) generation: u64,
    /// The TLS side. It remembers its own sessions only: none outlives the trust anchors that it began under.
    pub(crate) tls: TlsAcceptor,
    /// What EST answers by.
    pub(crate) site: Arc<Site>,
    /// EST.
    pub(crate) est: Est,
    /// The CRLs of the CAs here.
    pub(crate) crls: Crls,
    publisher: Arc<Mutex<CrlPublisher>>,
    /// Bounds on what one client may take.
    pub(crate) limits: Limits,
    /// How many octets a body has at most.
    pub(crate) max_body: usize,
    /// Bounds on how often somebody may ask, and how many at once.
    pub(crate) bounds: Bounds,
    /// Whose word on a client's certificate counts.
    pub(crate) proxies: Proxies,
    /// Without whose word there is no connection.
    pub(crate) demanded: Option<PathCheck>,
    /// How long a shutdown waits for clients to take their answers.
    pub(crate) shutdown_timeout: Duration,
    /// When the certificates of the configuration end.
    ends: Vec<End>,
    /// Validates clients' certificates, where any are asked for.
    validator: Option<Arc<PathValidator>>,
    _crls: Option<Looking>,
}

/// What stays the same, whatever is served.
#[derive(Clone)]
pub(crate) struct Base {
    /// Who remembers.
    pub(crate) store: Database,
    /// Where exchanges run that nobody waits for any more.
    pub(crate) tasks: Arc<Tasks>,
    /// Who gets in.
    pub(crate) admission: Arc<Admission>,
    /// Who computes hashes of passwords.
    pub(crate) hashing: Arc<Hashing>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl Serving {
    /// Puts together what `settings` describe; reads every key. Blocks.
    ///
    /// # Errors
    /// When a key or a CRL cannot be used.
    pub(crate) fn new(settings: &Settings, base: &Base) -> Result<Self> {
        static GENERATIONS: AtomicU64 = AtomicU64::new(0);
        let site = Arc::new(host::site(settings, est_backends::algorithms())?);
        let Services { ports, paths } = wiring::services(settings, &site, &base.store, &base.hashing)?;
        let client_certificates = client_certificates(settings, paths.as_ref());
        let demanded = match &client_certificates {
            ClientCertificates::Required(check) => Some(check.clone()),
            ClientCertificates::Optional | ClientCertificates::None => None,
        };
        let tls = TlsAcceptor::from(Arc::new(tls_config(settings, client_certificates)?));
        let tasks = base.tasks.clone();
        let bounds = Bounds::of(settings);
        let admission = base.admission.clone();
        let shell = ServerShell::new(
            site.clone(),
            move |task| tasks.spawn(spans::inherited(task)),
            move |work| admission.room(work, &bounds),
        );
        let ports = base.admission.around(measured(ports, &base.metrics), bounds);
        let validator = paths.as_ref().map(|paths| paths.validator.clone());
        let crls = match paths {
            Some(ClientPaths { validator, crls: Some(files) }) => Some(Looking::at(files, validator)),
            Some(_) | None => None,
        };
        let publisher = CrlPublisher::new(&settings.cas, &base.store)?;
        Ok(Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            tls,
            site,
            est: Est::new(Arc::new(shell), ports, settings.server.max_body_bytes),
            crls: Crls::new(publisher.published()),
            publisher: Arc::new(Mutex::new(publisher)),
            limits: Limits::of(settings),
            max_body: settings.server.max_body_bytes,
            bounds,
            proxies: Proxies::new(settings.server.proxies.clone()),
            demanded,
            shutdown_timeout: settings.server.shutdown_timeout,
            ends: ends::of_settings(settings),
            validator,
            _crls: crls,
        })
    }

    /// When everything ends that the server depends on: certificates, its own CRLs, and those that it asks.
    pub(crate) fn ends(&self) -> Vec<End> {
        let asked = self.validator.iter().flat_map(|validator| validator.crl_spans());
        let asked = asked.map(|(issuer, this_update, next_update)| {
            let third = Seconds(next_update.0.saturating_sub(this_update.0) / 3);
            let notice = UnixTime(next_update.0.saturating_sub(third.0.min(CRL_NOTICE.0)));
            End::of_crl(What::ClientCrl, issuer.to_string(), next_update, notice)
        });
        self.ends.iter().cloned().chain(self.crls.published().late()).chain(asked).collect()
    }

    /// Makes the CRLs that are due, and has the others at hand.
    pub(crate) async fn publish_crls(&self) {
        // Reading a key and listing what was revoked may take a while.
        let (publisher, runtime) = (self.publisher.clone(), Handle::current());
        let look = tokio::task::spawn_blocking(move || {
            runtime.block_on(async { publisher.lock().await.look(shell::now()).await });
        });
        if let Err(error) = look.await {
            error!(%error, "no CRLs were made");
        }
    }
}

/// The TLS side of `settings`.
///
/// # Errors
/// When a key cannot be used.
pub(crate) fn check_tls(settings: &Settings) -> Result<()> {
    let paths = wiring::client_paths(settings)?;
    tls_config(settings, client_certificates(settings, paths.as_ref())).map(|_| ())
}

fn client_certificates(settings: &Settings, paths: Option<&ClientPaths>) -> ClientCertificates {
    match (settings.tls.client_auth.mode, paths) {
        (ClientAuthMode::Required, Some(paths)) => {
            let validator = paths.validator.clone();
            ClientCertificates::Required(Arc::new(move |chain, now| validator.validate(chain, now).map(|_| ())))
        }
        (ClientAuthMode::Optional | ClientAuthMode::RequiredForReenroll, Some(_)) => ClientCertificates::Optional,
        (_, None) | (ClientAuthMode::None, _) => ClientCertificates::None,
    }
}

fn tls_config(settings: &Settings, client_certificates: ClientCertificates) -> Result<ServerConfig> {
    let tls = &settings.tls;
    let options = TlsOptions {
        certificates: wiring::tls_certificates(tls)?,
        only_tls13: tls.min_version == TlsVersion::V1_3,
        tls12_suites: tls.cipher_suites.clone(),
        client_certificates,
        session_tickets: tls.session_tickets,
    };
    tls::server_config(options).context("[tls]")
}

/// What is served now.
pub(crate) struct Current(RwLock<Arc<Serving>>);

impl Current {
    pub(crate) fn new(serving: Serving) -> Self {
        Self(RwLock::new(Arc::new(serving)))
    }

    /// What is served now.
    pub(crate) fn get(&self) -> Arc<Serving> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves something else from the next handshake and the next request on.
    pub(crate) fn replace(&self, serving: Serving) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, Arc::new(serving));
        drop(current);
        // Dropping it may take long: readers do not wait for that.
        drop(before);
    }
}

/// Looks at CRLs again and again, until it is dropped.
struct Looking(AbortHandle);

impl Looking {
    fn at(files: CrlFiles, validator: Arc<PathValidator>) -> Self {
        Self(tokio::spawn(keep_crls_fresh(files, validator)).abort_handle())
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_crls_fresh(mut files: CrlFiles, validator: Arc<PathValidator>) {
    let mut ticks = tokio::time::interval(LOOK_AT_CRLS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let validator = validator.clone();
        let look = tokio::task::spawn_blocking(move || {
            files.look_for(&validator);
            files
        });
        match look.await {
            Ok(looked) => files = looked,
            Err(error) => return error!(%error, "CRLs are no longer read"),
        }
    }
}
