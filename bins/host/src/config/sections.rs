//! The sections, each read downward like the table of its keys.

mod admin;
mod audit;
mod ca;
mod clients;
mod est;
mod identity;
mod otp;
mod pattern;
mod profile;
mod ra;
mod retention;
mod symmetric_key;
mod tls;

use std::time::Duration;

use est_store::{DatabaseUrl, UrlError};
use toml_edit::Table;
use tracing::Level;

use super::diagnostic::Fault;
use super::network::Network;
use super::reader::{Context, Reader};
use super::settings::{
    AddressHeader, ClientAddress, ClientAuthMode, Db, Frequency, Limits, Log, LogFormat, Proxy, Server, Settings,
};
use super::value::{self, Given};
use super::{files, keys, secret};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads every section; `None` when a mistake has been reported that leaves a hole.
pub(super) fn read(context: &Context<'_>, root: &Table) -> Option<Settings> {
    let root = Reader::root(context, root);
    let tls = tls::read(&root.open(&keys::TLS));
    let server = server(&root.open(&keys::SERVER), tls.as_ref().map(|tls| tls.client_auth.mode));
    let limits = limits(&root.open(&keys::LIMITS));
    let db = db(&root.open(&keys::DB));
    let renews_with = tls.as_ref().map(|tls| &tls.client_auth);
    let cas = ca::read(&root, renews_with);
    let est_reader = root.open(&keys::EST);
    let est = est::read(&est_reader);
    let profiles = profile::read(&root);
    let labels = est::labels(&est_reader, est.as_ref(), &cas, &profiles, renews_with);
    let ras = ra::read(&root, labels.as_deref());
    let identities = identity::read(&root, labels.as_deref());
    let otp = otp::read(&root.open(&keys::OTP), tls.as_ref().map(|tls| tls.client_auth.mode));
    let audit = audit::read(&root.open(&keys::AUDIT), db.as_ref().and_then(|db| db.url.file()));
    let grace = tls.as_ref().map(|tls| tls.client_auth.expired_grace);
    let retention = retention::read(&root.open(&keys::RETENTION), grace);
    let admin = admin::read(&root.open(&keys::ADMIN), &cas);
    let log = log(&root.open(&keys::LOG));
    Some(Settings {
        server: server?,
        tls: tls?,
        limits: limits?,
        db: db?,
        cas: cas.all()?,
        est: est?,
        labels: labels?,
        ras: ras?,
        identities: identities?,
        otp: otp?,
        audit: audit?,
        retention: retention?.0,
        waiting: retention?.1,
        admin: admin?,
        log: log?,
    })
}

fn server(section: &Reader<'_>, mode: Option<ClientAuthMode>) -> Option<Server> {
    let listen = section.get("listen", value::address);
    let admin_listen = section.get("admin_listen", value::address);
    let http_listen = section.optional("http_listen", value::address);
    let node = section.optional("node", |given| {
        let node = given.text()?;
        let good = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if node.is_empty() || node.len() > 64 || !node.chars().all(good) {
            return Err(Fault::new("must be 1 to 64 letters, digits, `.`, `_` or `-`"));
        }
        Ok(node)
    });
    let workers = section.optional("workers", |given| given.count(1_024));
    let max_body_bytes = section.get("max_body_size", |given| given.size(1 << 10..=64 << 20));
    let shutdown_timeout = section.get("shutdown_timeout", |given| given.duration(Duration::ZERO..=HOUR));
    if listen.is_some_and(|listen| listen.port() != 0 && admin_listen == Some(listen)) {
        section.fault("admin_listen", Fault::new("is the same address as `listen`"));
    }
    for (name, taken) in [("listen", listen), ("admin_listen", admin_listen)] {
        if http_listen.flatten().is_some_and(|http| http.port() != 0 && taken == Some(http)) {
            section.fault("http_listen", Fault::new(format!("is the same address as `{name}`")));
        }
    }
    let proxies: Vec<_> = section.open_all(&keys::PROXY).iter().map(|section| proxy(section, mode)).collect();
    Some(Server {
        listen: listen?,
        admin_listen: admin_listen?,
        http_listen: http_listen?,
        node: node?.unwrap_or_else(machine),
        workers: workers?,
        max_body_bytes: max_body_bytes?,
        shutdown_timeout: shutdown_timeout?,
        proxies: proxies.into_iter().collect::<Option<_>>()?,
    })
}

/// The name of the machine.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let good = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
    let name: String = name.chars().filter(good).take(64).collect();
    if name.is_empty() { "local".to_owned() } else { name }
}

fn proxy(section: &Reader<'_>, mode: Option<ClientAuthMode>) -> Option<Proxy> {
    let networks = section.list("addresses", |given| {
        Network::parse(&given.text()?).ok_or_else(|| {
            let fault = Fault::new(format!("{} is neither an IP address nor a network", given.quoted()));
            fault.help("write \"10.0.0.7\", \"10.0.0.0/24\" or \"fd00::/64\", with no bit set beyond the prefix")
        })
    });
    let certificates = section.get("certificate", |given| given.one_or_more(files::certificates));
    if networks.as_ref().is_some_and(Vec::is_empty) {
        section.fault("addresses", Fault::new("must not be empty"));
    }
    if mode == Some(ClientAuthMode::None) {
        let fault = Fault::new("the proxy is not asked for its certificate, so that it is never believed");
        section.fault("certificate", fault.help("set tls.client_auth.mode to anything but \"none\""));
    }
    let client_address = section.optional("client_address", |given| {
        given.choice(&[("forwarded", AddressHeader::Forwarded), ("x-forwarded-for", AddressHeader::XForwardedFor)])
    });
    let hops = section.get("hops", |given| given.count(16));
    let (told, hops) = (client_address?, hops?);
    let client_address = told.map(|header| ClientAddress { header, hops });
    Some(Proxy { networks: networks?, certificates: certificates??.concat(), client_address })
}

fn limits(section: &Reader<'_>) -> Option<Limits> {
    let shortest = Duration::from_millis(100);
    let header_bytes = section.get("header_bytes", |given| given.size(8 << 10..=1 << 20));
    let handshake_timeout = section.get("handshake_timeout", |given| given.duration(shortest..=10 * MINUTE));
    let request_timeout = section.get("request_timeout", |given| given.duration(shortest..=HOUR));
    let idle_timeout = section.get("idle_timeout", |given| given.duration(shortest..=DAY));
    let max_connections = section.get("max_connections", |given| given.count(1_000_000));
    let connections_per_source = section.optional("connections_per_source", |given| given.count(1_000_000));
    let requests_per_connection = section.optional("requests_per_connection", |given| given.count(1_000_000));
    let per_source = frequency(section, "requests_per_second", "burst");
    let per_principal = frequency(section, "principal_requests_per_second", "principal_burst");
    let max_concurrent = section.optional("max_concurrent", |given| given.count(100_000));
    let queue = section.get("queue", |given| given.integer(0..=100_000));
    let queue_timeout = section.get("queue_timeout", |given| given.duration(Duration::ZERO..=10 * MINUTE));
    Some(Limits {
        header_bytes: header_bytes?,
        handshake_timeout: handshake_timeout?,
        request_timeout: request_timeout?,
        idle_timeout: idle_timeout?,
        max_connections: max_connections?,
        connections_per_source: connections_per_source?,
        requests_per_connection: requests_per_connection?,
        per_source: per_source?,
        per_principal: per_principal?,
        max_concurrent: max_concurrent?,
        queue: queue? as usize,
        queue_timeout: queue_timeout?,
    })
}

fn frequency(section: &Reader<'_>, rate: &'static str, burst: &'static str) -> Option<Frequency> {
    let per_second = section.get(rate, |given| given.integer(1..=1_000_000));
    let burst = section.optional(burst, |given| given.integer(1..=10_000_000));
    let (per_second, burst) = (per_second?, burst?);
    Some(Frequency { per_second, burst: burst.unwrap_or(10 * per_second) })
}

fn db(section: &Reader<'_>) -> Option<Db> {
    let url = section.get("url", database);
    if let Some(help) = url.as_ref().and_then(DatabaseUrl::weakness) {
        let fault = Fault::new("others on the network can read, or change, what the database is asked and answers");
        section.warn("url", fault.help(help));
    }
    let max_connections = section.get("max_connections", |given| given.count(1_000));
    let connect_timeout =
        section.get("connect_timeout", |given| given.duration(Duration::from_millis(100)..=10 * MINUTE));
    let auto_migrate = section.get("auto_migrate", value::boolean);
    Some(Db {
        url: url?,
        max_connections: max_connections?,
        connect_timeout: connect_timeout?,
        auto_migrate: auto_migrate?,
    })
}

/// Where the database is. No message quotes the URL: it may hold a password.
fn database(given: &Given<'_>) -> Result<DatabaseUrl, Fault> {
    let url = DatabaseUrl::parse(secret::url(given)?.reveal(), given.context.base_dir);
    let url = url.map_err(|UrlError { what, help }| Fault::new(what).help(help))?;
    if let Some(file) = url.trust_anchors()
        && !file.is_file()
    {
        return Err(Fault::new(format!("there is no file {}", file.display())));
    }
    let Some(path) = url.file() else { return Ok(url) };
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let fault = Fault::new(format!("there is no folder {}", folder.display()));
            Err(fault.help(format!("make it: mkdir -p {}", folder.display())))
        }
        _ if path.is_dir() => Err(Fault::new(format!("{} is a folder", path.display()))),
        _ => Ok(url),
    }
}

fn log(section: &Reader<'_>) -> Option<Log> {
    let level = section.get("level", |given| {
        given.choice(&[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ])
    });
    let format = section.get("format", |given| given.choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]));
    let otlp_endpoint = section.optional("otlp_endpoint", collector);
    Some(Log { level: level?, format: format?, otlp_endpoint: otlp_endpoint? })
}

fn collector(given: &Given<'_>) -> Result<String, Fault> {
    let url = given.text()?;
    if cfg!(not(feature = "otel")) {
        return Err(Fault::new("this estd sends no spans").help("build it with `--features otel`"));
    }
    let help = "write \"http://127.0.0.1:4318\": a collector on this machine, which sends the spans on";
    match url.strip_prefix("http://") {
        Some(host) if !host.is_empty() && !host.trim_end_matches('/').contains(['/', '@', '?', ' ']) => Ok(url),
        _ => Err(Fault::new("is not http:// and a host").help(help)),
    }
}
