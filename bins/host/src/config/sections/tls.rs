//! `[tls]` and `[tls.client_auth]`.

use std::mem::discriminant;
use std::time::Duration;

use est_core::Seconds;
use est_core::pkix::{KeyType, SubjectPublicKeyInfo};
use rustls::CipherSuite;
use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;

use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::settings::{
    ClientAuth, ClientAuthMode, ClientPurpose, ClientRevocation, KeyFile, Tls, TlsCertificate, TlsVersion,
};
use crate::config::value::{self, Given};
use crate::config::{files, keys, secret};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn read(section: &Reader<'_>) -> Option<Tls> {
    let own = certificate(section);
    let additional = additional(section, own.as_ref());
    let min_version =
        section.get("min_version", |given| given.choice(&[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)]));
    let cipher_suites = section.optional("cipher_suites", cipher_suites);
    if section.has("cipher_suites") && min_version == Some(TlsVersion::V1_3) {
        section.warn("cipher_suites", Fault::new("does nothing: these are suites of TLS 1.2, and min_version is 1.3"));
    }
    let session_tickets = section.get("session_tickets", value::boolean);
    let renew = section.get("renew", value::boolean);
    let client_auth = client_auth(&section.open(&keys::CLIENT_AUTH));
    Some(Tls {
        certificates: std::iter::once(own?).chain(additional?).collect(),
        min_version: min_version?,
        cipher_suites: cipher_suites?.flatten(),
        session_tickets: session_tickets?,
        renew: renew?,
        client_auth: client_auth?,
    })
}

pub(super) fn certificate(section: &Reader<'_>) -> Option<TlsCertificate> {
    let file = section.get("cert", files::certificate_file);
    let key = key_file(section, "key", "key_passphrase");
    let (path, chain) = file?;
    Some(TlsCertificate { path, chain, key: key? })
}

/// The certificates other than `own`.
fn additional(section: &Reader<'_>, own: Option<&TlsCertificate>) -> Option<Vec<TlsCertificate>> {
    let mut seen: Vec<KeyType> = own.and_then(key_type).into_iter().collect();
    let sections = section.open_all(&keys::TLS_ADDITIONAL);
    let read = sections.iter().map(|section| {
        let certificate = certificate(section)?;
        let key_type = key_type(&certificate);
        // Two sizes of RSA are one type here: a client that verifies the one verifies the other.
        if key_type.is_some_and(|key_type| seen.iter().any(|seen| discriminant(seen) == discriminant(&key_type))) {
            let fault = Fault::new("is never shown: an earlier certificate has a key of the same type");
            section.warn("cert", fault.help("leave it out, or take a key of another type"));
        }
        seen.extend(key_type);
        Some(certificate)
    });
    // Every one is read before one with a mistake ends it all.
    read.collect::<Vec<_>>().into_iter().collect()
}

fn key_type(certificate: &TlsCertificate) -> Option<KeyType> {
    let leaf = certificate.chain.first()?;
    SubjectPublicKeyInfo::parse(leaf.public_key_der()).ok().map(|key| key.key_type())
}

/// A key, and what it is encrypted with.
pub(super) fn key_file(section: &Reader<'_>, key: &'static str, passphrase_key: &'static str) -> Option<KeyFile> {
    let found = section.get(key, files::key);
    let passphrase = section.optional(passphrase_key, secret::source);
    let (found, passphrase) = (found?, passphrase?);
    if found.is_encrypted && passphrase.is_none() {
        let fault = Fault::new(format!("{} is encrypted", found.path.display()));
        let help = format!("set {passphrase_key} = \"file:PATH\", or \"env:NAME\" and the environment variable");
        section.fault(key, fault.help(help));
        return None;
    }
    Some(KeyFile { path: found.path, passphrase })
}

/// `Ok(None)` when mistakes in the list have been reported.
fn cipher_suites(given: &Given<'_>) -> Result<Option<Vec<CipherSuite>>, Fault> {
    let suites = given.elements(|given| {
        let name = given.text()?;
        if is_of_tls13(&name) {
            given.warn(Fault::new("is always on: the suites of TLS 1.3 cannot be chosen"));
            return Ok(None);
        }
        let named = || tls12_suites().filter_map(|suite| Some((suite.as_str()?, suite)));
        match named().find(|(known, _)| *known == name) {
            Some((_, suite)) => Ok(Some(suite)),
            None => Err(given.not_one_of(&name, named().map(|(known, _)| known))),
        }
    })?;
    let Some(suites) = suites else { return Ok(None) };
    if suites.is_empty() {
        return Err(Fault::new("must not be empty").help("leave the key out to allow all"));
    }
    let suites: Vec<CipherSuite> = suites.into_iter().flatten().collect();
    Ok((!suites.is_empty()).then_some(suites))
}

fn tls12_suites() -> impl Iterator<Item = CipherSuite> {
    ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_none()).map(|suite| suite.suite())
}

fn is_of_tls13(name: &str) -> bool {
    let tls13 = ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_some());
    let names = tls13.filter_map(|suite| suite.suite().as_str());
    names.map(|known| known.replace("TLS13_", "TLS_")).any(|known| known == name.replace("TLS13_", "TLS_"))
}

fn client_auth(section: &Reader<'_>) -> Option<ClientAuth> {
    let bundle = |given: &Given<'_>| given.one_or_more(files::certificates);
    let trust_anchors = section.optional("trust_anchors", bundle);
    let intermediates = section.get("intermediates", bundle);
    let mode = section.get("mode", |given| {
        given.choice(&[
            ("required", ClientAuthMode::Required),
            ("optional", ClientAuthMode::Optional),
            ("required_for_reenroll", ClientAuthMode::RequiredForReenroll),
            ("none", ClientAuthMode::None),
        ])
    });
    let ext_key_usage = section.get("ext_key_usage", |given| {
        given.choice(&[("clientAuth", ClientPurpose::ClientAuth), ("any", ClientPurpose::Any)])
    });
    let crls = section.get("crls", |given| given.one_or_more(files::file_or_folder));
    let revocation = section
        .get("revocation", |given| given.choice(&[("hard", ClientRevocation::Hard), ("soft", ClientRevocation::Soft)]));
    if section.has("revocation") && matches!(&crls, Some(Some(crls)) if crls.is_empty()) {
        section.warn("revocation", Fault::new("does nothing without crls"));
    }
    let expired_grace = section.optional("expired_grace", |given| given.seconds(365 * DAY));
    match mode {
        Some(ClientAuthMode::None) => {
            let fault = Fault::new("no client's certificate is looked at, so that nobody can renew");
            section.warn("mode", fault.help("\"optional\" lets in clients without one"));
        }
        Some(_) if trust_anchors.as_ref().is_some_and(Option::is_none) => {
            section.missing("trust_anchors");
            return None;
        }
        _ => {}
    }
    let trust_anchors: Vec<_> = trust_anchors?.unwrap_or(Some(Vec::new()))?.concat();
    if mode.is_some_and(|mode| mode != ClientAuthMode::None) && trust_anchors.is_empty() {
        section.fault("trust_anchors", Fault::new("must not be empty"));
        return None;
    }
    Some(ClientAuth {
        trust_anchors,
        intermediates: intermediates??.concat(),
        mode: mode?,
        ext_key_usage: ext_key_usage?,
        crls: crls??,
        revocation: revocation?,
        expired_grace: expired_grace?.unwrap_or(Seconds(0)),
    })
}
