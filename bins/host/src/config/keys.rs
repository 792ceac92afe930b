//! Every section and key, said once: what is read, what is told to be unknown, and what the reference page lists.

mod admin;
mod audit;
mod ca;
mod db;
mod est;
mod identity;
mod log;
mod otp;
mod profile;
mod server;
mod tls;

pub(super) use admin::{ADMIN, ADMIN_CERTIFICATE, ADMIN_TOKEN};
pub(super) use audit::AUDIT;
pub(super) use ca::CA;
pub(super) use db::DB;
pub(super) use est::{EST, LABEL, RA, SYMMETRIC_KEY};
pub(super) use identity::IDENTITY;
pub(super) use log::LOG;
pub(super) use otp::OTP;
pub(super) use profile::{PROFILE, PROFILE_EXTENSION};
pub(super) use server::{LIMITS, PROXY, SERVER};
pub(super) use tls::{CLIENT_AUTH, TLS, TLS_ADDITIONAL};

/// A section of the file.
pub(super) struct Section {
    /// Its name with those above it: `tls.client_auth`.
    pub(super) name: &'static str,
    /// Whether it is written `[[name]]`, once for each thing.
    pub(super) repeated: bool,
    /// What it is about.
    pub(super) about: &'static str,
    /// Its keys, in the order of the reference page.
    pub(super) keys: &'static [Key],
    /// Keys of other versions, refused with a word of their own.
    pub(super) later: &'static [&'static str],
}

/// A key.
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value looks like.
    pub(super) kind: &'static str,
    /// What its absence means.
    pub(super) absent: Absent,
    /// What it does.
    pub(super) about: &'static str,
    /// What people call it elsewhere.
    pub(super) other_names: &'static [&'static str],
}

/// What the absence of a key means.
pub(super) enum Absent {
    /// A mistake.
    Mistake,
    /// The value that this TOML text stands for.
    Default(&'static str),
    /// What these words say.
    Means(&'static str),
}

const fn key(name: &'static str, kind: &'static str, absent: Absent, about: &'static str) -> Key {
    Key { name, kind, absent, about, other_names: &[] }
}

impl Key {
    const fn also(self, other_names: &'static [&'static str]) -> Self {
        Self { other_names, ..self }
    }
}

impl Section {
    /// The last part of the name.
    pub(super) fn leaf(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The names of the sections above, empty at the top.
    pub(super) fn parent(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// As it is written in a file.
    pub(super) fn header(&self) -> String {
        if self.repeated { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }

    /// The key with this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// Sections of other versions.
pub(super) const LATER: [&str; 6] = ["hsm", "ha", "coap", "kerberos", "gssapi", "star"];

/// What people call the sections at the top elsewhere.
pub(super) const OTHER_NAMES: [(&str, &str); 18] = [
    ("database", "[db]"),
    ("store", "[db]"),
    ("storage", "[db]"),
    ("logging", "[log]"),
    ("logs", "[log]"),
    ("audit_log", "[audit]"),
    ("syslog", "[audit]"),
    ("label", "[[est.label]]"),
    ("labels", "[[est.label]]"),
    ("client_auth", "[tls.client_auth]"),
    ("limit", "[limits]"),
    ("listener", "[server]"),
    ("http", "[server]"),
    ("cas", "[[ca]]"),
    ("profiles", "[[profile]]"),
    ("registration_authority", "[[ra]]"),
    ("identities", "[[identity]]"),
    ("principal", "[[identity]]"),
];

/// The file itself.
pub(super) static ROOT: Section = Section { name: "", repeated: false, about: "", keys: &[], later: &[] };

pub(super) static SECTIONS: [&Section; 21] = [
    &SERVER,
    &PROXY,
    &TLS,
    &TLS_ADDITIONAL,
    &CLIENT_AUTH,
    &LIMITS,
    &DB,
    &CA,
    &PROFILE,
    &PROFILE_EXTENSION,
    &EST,
    &SYMMETRIC_KEY,
    &LABEL,
    &RA,
    &IDENTITY,
    &OTP,
    &AUDIT,
    &ADMIN,
    &ADMIN_TOKEN,
    &ADMIN_CERTIFICATE,
    &LOG,
];
