//! `[admin]`, `[[admin.token]]` and `[[admin.certificate]]`.

use std::time::Duration;

use super::ca::Cas;
use super::{pattern, tls};
use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::settings::{Admin, AdminAuth, AdminCertificate, AdminSecret, AdminToken, Role, TlsCertificate};
use crate::config::value::{self, Given};
use crate::config::{files, keys, secret};

pub(super) fn read(section: &Reader<'_>, cas: &Cas) -> Option<Admin> {
    let enabled = section.get("enabled", value::boolean);
    let auth = section.get("auth", |given| {
        given.choice(&[("mtls", AdminAuth::Mtls), ("bearer", AdminAuth::Bearer), ("both", AdminAuth::Both)])
    });
    let trust_anchors = section.optional("trust_anchors", |given| given.one_or_more(files::certificates));
    let from_environment = section.optional("bearer_token_env", |given| {
        let token = AdminSecret::Token(secret::in_variable(given)?);
        Ok(AdminToken { name: "operator".to_owned(), role: Role::Operator, token })
    });
    let certificate = own_certificate(section);
    let dual_control = section.get("dual_control", value::boolean);
    let max_requests = section.get("max_requests", |given| given.integer(1..=1_000_000));
    let max_failures = section.get("max_failures", |given| given.integer(1..=1_000_000));
    let failure_delay = section.get("failure_delay", |given| given.duration(Duration::ZERO..=Duration::from_secs(10)));
    let max_connections = section.get("max_connections", |given| given.count(10_000));
    let title = section.optional("title", name);
    let tokens: Vec<_> = section.open_all(&keys::ADMIN_TOKEN).iter().map(token).collect();
    let certificates: Vec<_> = section.open_all(&keys::ADMIN_CERTIFICATE).iter().map(listed).collect();
    let admin = Admin {
        enabled: enabled?,
        auth: auth?,
        trust_anchors: trust_anchors?.unwrap_or(Some(Vec::new()))?.concat(),
        certificate: certificate?,
        tokens: from_environment?.into_iter().map(Some).chain(tokens).collect::<Option<_>>()?,
        certificates: certificates.into_iter().collect::<Option<_>>()?,
        dual_control: dual_control?,
        max_requests: max_requests?,
        max_failures: max_failures?,
        failure_delay: failure_delay?,
        max_connections: max_connections?,
        title: title?,
    };
    if admin.enabled {
        check(section, &admin, cas);
    }
    Some(admin)
}

/// Somebody must be able to get in, and nobody else.
fn check(section: &Reader<'_>, admin: &Admin, cas: &Cas) {
    let (by_token, by_certificate) = (admin.auth != AdminAuth::Mtls, admin.auth != AdminAuth::Bearer);
    if by_certificate && admin.trust_anchors.is_empty() {
        return section.missing("trust_anchors");
    }
    let enters = by_token && !admin.tokens.is_empty() || by_certificate && !admin.certificates.is_empty();
    if !enters {
        let help = match admin.auth {
            AdminAuth::Mtls => "list who may: [[admin.certificate]]",
            AdminAuth::Bearer => "set bearer_token_env, or list who may: [[admin.token]]",
            AdminAuth::Both => "list who may: [[admin.certificate]] or [[admin.token]]",
        };
        section.fault("auth", Fault::new("lets nobody in").help(help));
    }
    if admin.auth == AdminAuth::Both && enters && admin.certificates.is_empty() {
        let fault = Fault::new("lets nobody in by a certificate");
        section.fault("auth", fault.help("list who may: [[admin.certificate]]; or write auth = \"bearer\""));
    }
    let by_name = admin.certificates.iter().any(|listed| listed.fingerprint.is_none() && !listed.issued_here);
    if by_certificate && by_name && admin.trust_anchors.iter().any(|anchor| cas.include(anchor)) {
        let fault = Fault::new("has a CA of this server, whose certificates fit no [[admin.certificate]] by name");
        section.warn("trust_anchors", fault.help("give each a fingerprint, or say issued_here, or take another CA"));
    }
}

/// `cert` and `key`, both or neither.
fn own_certificate(section: &Reader<'_>) -> Option<Option<TlsCertificate>> {
    match (section.has("cert"), section.has("key")) {
        (false, false) => Some(None),
        (true, false) => {
            section.missing("key");
            None
        }
        (false, true) => {
            section.missing("cert");
            None
        }
        (true, true) => tls::certificate(section).map(Some),
    }
}

fn token(section: &Reader<'_>) -> Option<AdminToken> {
    let name = section.get("name", name);
    let token = section.get("token", source);
    let role = section.get("role", role);
    Some(AdminToken { name: name?, role: role?, token: token? })
}

fn listed(section: &Reader<'_>) -> Option<AdminCertificate> {
    let name = section.optional("name", name);
    let subject = section.optional("subject", pattern::subject);
    let san = section.optional("san", pattern::name_rule);
    let issuer = section.optional("issuer", pattern::subject);
    let fingerprint = section.optional("fingerprint", |given| {
        of_hex(&given.text()?).ok_or_else(|| Fault::new(format!("{} is not a SHA-256", given.quoted())))
    });
    let issued_here = section.get("issued_here", value::boolean);
    let role = section.get("role", role);
    let listed = AdminCertificate {
        name: name?,
        role: role?,
        subject: subject?,
        san: san?,
        issuer: issuer?,
        fingerprint: fingerprint?,
        issued_here: issued_here?,
    };
    if listed.subject.is_none() && listed.san.is_none() && listed.fingerprint.is_none() {
        section.fault("role", Fault::new("would be everybody's").help("say whose: subject, san or fingerprint"));
    }
    Some(listed)
}

fn name(given: &Given<'_>) -> Result<String, Fault> {
    let text = given.text()?;
    let sound = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    sound.then_some(text).ok_or_else(|| Fault::new("must be 1 to 64 characters"))
}

fn role(given: &Given<'_>) -> Result<Role, Fault> {
    given.choice(&[("operator", Role::Operator), ("auditor", Role::Auditor), ("viewer", Role::Viewer)])
}

/// Where a token is, or what its SHA-256 is.
fn source(given: &Given<'_>) -> Result<AdminSecret, Fault> {
    match given.written()?.split_once(':') {
        Some(("sha256", digits)) => of_hex(digits)
            .map(AdminSecret::Digest)
            .ok_or_else(|| Fault::new("is not a SHA-256").help("write 64 hexadecimal digits")),
        _ => secret::source(given).map(AdminSecret::Token),
    }
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    if digits.len() != 64 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mut octets = [0; 32];
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(octets)
}
