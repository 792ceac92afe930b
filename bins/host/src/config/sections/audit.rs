//! `[audit]`.

use std::path::{Path, PathBuf};

use est_core::pkix::Fingerprint;
use est_store::EVENTS;

use crate::config::diagnostic::Fault;
use crate::config::files;
use crate::config::reader::Reader;
use crate::config::settings::{Audit, EventFilter, Syslog, SyslogTls, SyslogTransport, TlsCertificate, is_named};
use crate::config::value::{self, Given};

use super::tls::key_file;
use super::{DAY, MINUTE};

/// The facilities of RFC 5424 §6.2.1.
const FACILITIES: [(&str, u8); 24] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("alert", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// Words for several events.
const WORDS: [(&str, &[&str]); 3] = [
    ("renew", &["reenroll", "cert.renewed"]),
    ("reject", &["cert.denied", "enroll.failure", "reenroll.failure", "request.denied"]),
    ("revoke", &["cert.revoked", "otp.revoked"]),
];

/// The keys that only matter with `tcp+tls`.
const OF_TLS: [&str; 5] = ["syslog_ca", "syslog_fingerprints", "syslog_cert", "syslog_key", "syslog_key_passphrase"];

pub(super) fn read(section: &Reader<'_>, database: Option<&Path>) -> Option<Audit> {
    let file = section.optional("file", new_file);
    let syslog = syslog(section);
    let events = section.optional_list("events", events);
    let include_cert_data = section.get("include_cert_data", value::boolean);
    let beside_database = |suffix: &str| {
        let mut path = database?.as_os_str().to_owned();
        path.push(suffix);
        Some(PathBuf::from(path))
    };
    let checkpoint_key = section.optional("checkpoint_key", new_file);
    let checkpoints = section.optional("checkpoints", new_file);
    let checkpoint_interval = section.get("checkpoint_interval", |given| given.duration(MINUTE..=7 * DAY));
    let checkpoint_key = checkpoint_key?.or_else(|| beside_database(".checkpoint-key.pem"));
    if checkpoint_key.is_none() {
        let fault = Fault::new(
            "no checkpoints are made: an attacker that can write to the database server can write another history",
        );
        section.warn(
            "checkpoint_key",
            fault.help("name a file for the key, which is made: checkpoint_key = \"audit-key.pem\""),
        );
    }
    let beside_key = || checkpoint_key.as_ref().map(|key| key.with_file_name("audit-checkpoints.jsonl"));
    Some(Audit {
        checkpoints: checkpoints?.or_else(|| beside_database(".checkpoints.jsonl")).or_else(beside_key),
        checkpoint_key,
        checkpoint_interval: checkpoint_interval?,
        file: file?,
        syslog: syslog?,
        events: EventFilter(events?.unwrap_or_default().concat()),
        include_cert_data: include_cert_data?,
    })
}

/// A file that is there, or can be made.
fn new_file(given: &Given<'_>) -> Result<PathBuf, Fault> {
    let path = given.path()?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let fault = Fault::new(format!("there is no folder {}", folder.display()));
            Err(fault.help(format!("make it: mkdir -p {}", folder.display())))
        }
        _ if path.is_dir() => Err(Fault::new(format!("{} is a folder", path.display()))),
        _ if path.exists() && !path.is_file() => Err(Fault::new(format!("{} is not a regular file", path.display()))),
        _ => Ok(path),
    }
}

/// How a URL says that a collector is spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Udp,
    Tcp,
    Tls,
}

fn syslog(section: &Reader<'_>) -> Option<Option<Syslog>> {
    let url = section.optional("syslog", url);
    let facility = section.get("syslog_facility", |given| given.choice(&FACILITIES));
    let enterprise = section.get("syslog_enterprise", |given| given.integer(1..=u32::MAX));
    let tls = tls(section);
    let Some((scheme, host, port)) = url? else { return Some(None) };
    for name in OF_TLS.iter().filter(|name| scheme != Scheme::Tls && section.has(name)) {
        section.warn(name, Fault::new("does nothing: `syslog` is not a tcp+tls:// URL"));
    }
    let transport = match scheme {
        Scheme::Udp => SyslogTransport::Udp,
        Scheme::Tcp => SyslogTransport::Tcp,
        Scheme::Tls => {
            let tls = tls?;
            if tls.anchors.is_empty() && tls.fingerprints.is_empty() {
                let fault = Fault::new("nothing tells the collector from somebody else");
                section.fault("syslog", fault.help("set syslog_ca, or syslog_fingerprints"));
                return None;
            }
            SyslogTransport::Tls(tls)
        }
    };
    Some(Some(Syslog { transport, host, port, facility: facility?, enterprise: enterprise? }))
}

fn url(given: &Given<'_>) -> Result<(Scheme, String, u16), Fault> {
    let text = given.text()?;
    let help = "write \"tcp+tls://host:6514\", \"tcp://host:601\" or \"udp://host:514\"";
    let not_one = || Fault::new(format!("{} is not the URL of a collector", given.quoted())).help(help);
    let (scheme, address) = text.split_once("://").ok_or_else(not_one)?;
    let (scheme, usual_port) = match scheme {
        "udp" => (Scheme::Udp, 514),
        "tcp" => (Scheme::Tcp, 601),
        "tcp+tls" => (Scheme::Tls, 6_514),
        _ => return Err(not_one()),
    };
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(not_one)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| not_one())?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(not_one)?) })
        }
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    rustls::pki_types::ServerName::try_from(host).map_err(|_| not_one())?;
    let port = port.map_or(Some(usual_port), |port| port.parse().ok().filter(|port| *port > 0));
    Ok((scheme, host.to_owned(), port.ok_or_else(not_one)?))
}

fn tls(section: &Reader<'_>) -> Option<SyslogTls> {
    let anchors = section.optional("syslog_ca", files::certificates);
    let fingerprints = section.optional_list("syslog_fingerprints", fingerprint);
    let certificate = match (section.has("syslog_cert"), section.has("syslog_key")) {
        (false, false) => Some(None),
        _ => {
            let file = section.get("syslog_cert", files::certificate_file);
            let key = key_file(section, "syslog_key", "syslog_key_passphrase");
            file.zip(key).map(|((path, chain), key)| Some(TlsCertificate { path, chain, key }))
        }
    };
    Some(SyslogTls {
        anchors: anchors?.unwrap_or_default(),
        fingerprints: fingerprints?.unwrap_or_default(),
        certificate: certificate?,
    })
}

fn fingerprint(given: &Given<'_>) -> Result<Fingerprint, Fault> {
    let text = given.text()?;
    let help = "write \"sha-256:\" and what `openssl x509 -noout -fingerprint -sha256` prints behind the `=`";
    let wrong = || Fault::new(format!("{} is not a fingerprint", given.quoted())).help(help);
    if text.starts_with("sha-1:") {
        return Err(Fault::new("SHA-1 does not tell certificates apart any more").help(help));
    }
    let digits = text.strip_prefix("sha-256:").ok_or_else(wrong)?;
    let octets = digits.split(':').map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2));
    let octets = octets.collect::<Option<Vec<u8>>>().and_then(|octets| octets.try_into().ok());
    octets.map(Fingerprint).ok_or_else(wrong)
}

/// The names, or beginnings of names, of the events that a word covers.
fn events(given: &Given<'_>) -> Result<Vec<String>, Fault> {
    let text = given.text()?;
    if let Some((_, names)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(names.iter().map(|name| (*name).to_owned()).collect());
    }
    if !EVENTS.iter().any(|event| is_named(event.name, &text)) {
        let names = EVENTS.iter().flat_map(|event| {
            let dots = event.name.match_indices('.').map(|(dot, _)| &event.name[..dot]);
            dots.chain([event.name])
        });
        let words = WORDS.iter().map(|(word, _)| *word);
        let fault = given.not_one_of(&text, names.chain(words));
        let message = format!("no event's name is {} or begins with it and a dot", given.quoted());
        return Err(Fault { message, ..fault });
    }
    Ok(vec![text])
}
