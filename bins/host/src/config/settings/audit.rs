//! `[audit]`.

use std::path::PathBuf;
use std::time::Duration;

use est_core::pkix::{Certificate, Fingerprint};

use super::TlsCertificate;

/// `[audit]`: where audit records go apart from the database.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The syslog collector, if there is one.
    pub syslog: Option<Syslog>,
    /// Which events go there.
    pub events: EventFilter,
    /// Whether records have the certificate in them that they are about.
    pub include_cert_data: bool,
    /// The key that checkpoints are signed with, made when it is not there; no checkpoints without it.
    pub checkpoint_key: Option<PathBuf>,
    /// The file that checkpoints are appended to.
    pub checkpoints: Option<PathBuf>,
    /// How often one is made.
    pub checkpoint_interval: Duration,
}

/// Which events go out of the database.
#[derive(Clone, Debug, Default)]
pub struct EventFilter(pub(in crate::config) Vec<String>);

impl EventFilter {
    /// Whether it lets an event with this name through: all of them where it names none, else those that it names and
    /// those whose names begin with one that it names and a dot.
    #[must_use]
    pub fn lets_through(&self, event: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| is_named(event, name))
    }
}

/// Whether `name` is an event's, or what its name begins with before a dot.
pub(in crate::config) fn is_named(event: &str, name: &str) -> bool {
    event.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A syslog collector, and what it is sent.
#[derive(Clone, Debug)]
pub struct Syslog {
    /// By what transport.
    pub transport: SyslogTransport,
    /// The name or the address that it has.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The facility of the messages, 0 to 23 (RFC 5424 §6.2.1).
    pub facility: u8,
    /// The private enterprise number in the name of the structured data (RFC 5424 §7.2.2).
    pub enterprise: u32,
}

/// How messages get to a collector.
#[derive(Clone, Debug)]
pub enum SyslogTransport {
    /// RFC 5426.
    Udp,
    /// RFC 6587, with octet counting.
    Tcp,
    /// RFC 5425.
    Tls(SyslogTls),
}

/// How a collector is known, and the server to it. There is an anchor or a fingerprint at least.
#[derive(Clone, Debug)]
pub struct SyslogTls {
    /// Where the path of the collector's certificate must end; not looked at where there is none.
    pub anchors: Vec<Certificate>,
    /// The collector's certificate must have one of these; not looked at where there is none.
    pub fingerprints: Vec<Fingerprint>,
    /// What the collector is shown when it asks.
    pub certificate: Option<TlsCertificate>,
}
