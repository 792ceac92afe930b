//! `[[ca]]`.

use std::time::Duration;

use est_core::Seconds;
use est_core::pkix::{Certificate, KeyBlocklist, KeyUsage, Oid, SubjectPublicKeyInfo};

use super::clients::is_same_ca;
use super::tls::key_file;
use crate::config::diagnostic::Fault;
use crate::config::reader::Reader;
use crate::config::settings::{Ca, ClientAuth, ClientAuthMode, CrlRules, KeyFile, RsaPadding};
use crate::config::value::Given;
use crate::config::{files, keys, names, secret, value};

/// The CAs, as far as they could be read.
pub(super) struct Cas(Vec<(Option<String>, Option<Ca>)>);

impl Cas {
    /// All of them, if none has a mistake.
    pub(super) fn all(self) -> Option<Vec<Ca>> {
        let cas: Option<Vec<Ca>> = self.0.into_iter().map(|(_, ca)| ca).collect();
        cas.filter(|cas| !cas.is_empty())
    }

    /// The ids of all of them; `None` when one is not known.
    pub(super) fn ids(&self) -> Option<Vec<&str>> {
        self.0.iter().map(|(id, _)| id.as_deref()).collect()
    }

    /// Those that have no mistake.
    pub(super) fn known(&self) -> impl Iterator<Item = &Ca> {
        self.0.iter().filter_map(|(_, ca)| ca.as_ref())
    }

    /// Whether this is the certificate of one of them.
    pub(super) fn include(&self, certificate: &Certificate) -> bool {
        self.0.iter().any(|(_, ca)| ca.as_ref().is_some_and(|ca| ca.certificate == *certificate))
    }

    /// The CA with this id, if it has no mistake.
    pub(super) fn find(&self, id: &str) -> Option<&Ca> {
        self.0.iter().find(|(known, _)| known.as_deref() == Some(id))?.1.as_ref()
    }
}

pub(super) fn read(root: &Reader<'_>, client_auth: Option<&ClientAuth>) -> Cas {
    let mut cas = Vec::new();
    for section in root.open_all(&keys::CA) {
        let id = section.get("id", names::identifier);
        let ca = ca(&section, id.clone());
        if let (Some(ca), Some(client_auth)) = (&ca, client_auth) {
            warn_if_roots_are_not_trusted(&section, ca, client_auth);
        }
        if id.is_some() && cas.iter().any(|(known, _)| *known == id) {
            section.fault("id", Fault::new("another [[ca]] has this id"));
        }
        if let Some(own) = &ca
            && let Some(other) = same_key(&cas, own)
        {
            let fault = Fault::new(format!("its key is that of the [[ca]] `{}`: a CA is its key", other.id));
            section.fault("cert", fault.help("keep one of the two; labels may share a CA, with profiles of their own"));
        }
        cas.push((id, ca));
    }
    if !root.has("ca") {
        root.fault("ca", Fault::new("missing").help("write at least one [[ca]]"));
    }
    Cas(cas)
}

/// The CA that has the key of `own`: both would make CRLs in one name, each without the other's entries.
fn same_key<'a>(cas: &'a [(Option<String>, Option<Ca>)], own: &Ca) -> Option<&'a Ca> {
    let key = own.certificate.key_digest();
    cas.iter().filter_map(|(_, ca)| ca.as_ref()).find(|ca| ca.certificate.key_digest() == key)
}

fn ca(section: &Reader<'_>, id: Option<String>) -> Option<Ca> {
    let name = section.optional("name", value::text);
    let certificate = section.get("cert", own_certificate);
    let key = key_file(section, "key", "key_passphrase");
    let chain = section.optional("chain", files::certificates);
    let rollover_keys = rollover_keys(section);
    let rollover = section.get("rollover", |given| given.one_or_more(files::certificates_of_any_time)).flatten();
    let validity_days = section.get("validity_days", days);
    let max_validity_days = section.get("max_validity_days", days);
    let key_usage = section.list("default_key_usage", names::key_usage);
    let ext_key_usage = section.list("default_ext_key_usage", names::ext_key_usage);
    let check_signatures = section.get("check_signatures", value::boolean);
    let rsa_padding =
        section.get("rsa_padding", |given| given.choice(&[("pkcs1", RsaPadding::Pkcs1), ("pss", RsaPadding::Pss)]));
    let crls = crls(section, certificate.as_ref());
    let crl_urls = section.get("crl_url", |given| given.one_or_more(super::profile::http_url)).flatten();
    if let (Some(certificate), Some(Some(_)), Some(rollover), Some(urls)) = (&certificate, &crls, &rollover, &crl_urls)
    {
        check_rollover_crls(section, certificate, &rollover.concat(), urls);
    }
    if let (Some(certificate), Some(chain)) = (&certificate, &chain) {
        let chain = chain.as_deref().unwrap_or_default();
        check_chain(section, certificate, chain);
        if let Some(rollover) = &rollover {
            check_rollover(section, certificate, chain, &rollover.concat());
        }
    }
    let (validity_days, max_validity_days) = (validity_days?, max_validity_days?);
    warn_if_clamped(section, validity_days, max_validity_days);
    let id = id?;
    let certificate = certificate?;
    let key_id = Ca::key_id(&certificate);
    Some(Ca {
        name: name?.unwrap_or_else(|| id.clone()),
        id,
        certificate,
        chain: chain?.unwrap_or_default(),
        rollover: without_ended(section, rollover?.concat()),
        key: key?,
        rollover_keys: rollover_keys?,
        validity: Seconds::from_days(validity_days.min(max_validity_days)),
        max_validity: Seconds::from_days(max_validity_days),
        key_usage: all_of(&key_usage?),
        ext_key_usage: once_each(ext_key_usage?),
        check_signatures: check_signatures?,
        rsa_padding: rsa_padding?,
        crls: crls?,
        crl_urls: crl_urls?.into_iter().map(|url| url.replace("{key}", &key_id)).collect(),
    })
}

/// The keys of other roots, which make CRLs.
fn rollover_keys(section: &Reader<'_>) -> Option<Vec<KeyFile>> {
    let found = section.get("rollover_key", |given| given.one_or_more(files::key)).flatten();
    let passphrase = section.optional("rollover_key_passphrase", secret::source);
    let (found, passphrase) = (found?, passphrase?);
    if passphrase.is_none()
        && let Some(encrypted) = found.iter().find(|key| key.is_encrypted)
    {
        let fault = Fault::new(format!("{} is encrypted", encrypted.path.display()));
        section.fault("rollover_key", fault.help("set rollover_key_passphrase = \"file:PATH\", or \"env:NAME\""));
        return None;
    }
    let key = |found: files::FoundKey| KeyFile { path: found.path, passphrase: passphrase.clone() };
    Some(found.into_iter().map(key).collect())
}

/// Each key that has issued needs CRLs of its own for as long as its certificates last.
fn check_rollover_crls(section: &Reader<'_>, certificate: &Certificate, rollover: &[Certificate], urls: &[String]) {
    let is_root_before = |one: &&Certificate| {
        one.subject() == certificate.subject()
            && one.public_key_der() != certificate.public_key_der()
            && one.is_issued_by(one, est_backends::algorithms())
            && one.not_before() < certificate.not_before()
    };
    if let Some(before) = rollover.iter().find(is_root_before)
        && !section.has("rollover_key")
        && section.now() <= before.not_after()
    {
        let fault = Fault::new(
            "lists the root before, whose key makes no CRL any more: clients that check CRLs refuse what it issued",
        );
        let help = "set rollover_key to its private key; or to [], once its last CRL lasts as long as its certificates";
        section.warn("rollover", fault.help(help));
    }
    if !rollover.is_empty() && urls.iter().any(|url| !url.contains("{key}")) {
        let fault = Fault::new("is the same for both keys, but a CRL is good for one of them");
        section.warn("crl_url", fault.help("write {key} for the key: http://pki.example.com/crl/main.{key}.crl"));
    }
}

/// When CRLs are made, if they are.
fn crls(section: &Reader<'_>, certificate: Option<&Certificate>) -> Option<Option<CrlRules>> {
    let wanted = section.optional("crl", value::boolean);
    let validity = section.get("crl_validity", crl_span);
    let interval = section.get("crl_interval", crl_span);
    let allowed = certificate.map(|certificate| certificate.allows(KeyUsage::CRL_SIGN));
    if wanted == Some(Some(true)) && allowed == Some(false) {
        let fault = Fault::new("the certificate may not sign CRLs: its keyUsage lacks cRLSign");
        section.fault("crl", fault.help("leave `crl` out, or certify the CA anew (RFC 5280 §4.2.1.3)"));
    }
    let (validity, interval) = (validity?, interval?);
    if interval > validity {
        // Of the two, the one that is written.
        let name = if section.has("crl_interval") { "crl_interval" } else { "crl_validity" };
        let fault = Fault::new("a CRL would end before the next one is made");
        section.fault(name, fault.help("make crl_interval shorter than crl_validity: \"24h\" and \"7d\" say"));
        return None;
    }
    Some(wanted?.unwrap_or(allowed?).then_some(CrlRules { validity, interval }))
}

fn crl_span(given: &Given<'_>) -> Result<Seconds, Fault> {
    const MINUTE: Duration = Duration::from_secs(60);
    let span = given.duration(MINUTE..=400 * 1_440 * MINUTE)?;
    Ok(Seconds(span.as_secs()))
}

/// A number of days that a certificate may be valid for.
pub(super) fn days(given: &Given<'_>) -> Result<u32, Fault> {
    given.integer(1..=36_500)
}

/// Tells when a written `validity_days` will never be reached.
pub(super) fn warn_if_clamped(section: &Reader<'_>, validity_days: u32, max_validity_days: u32) {
    if validity_days > max_validity_days && (section.has("validity_days") || section.has("max_validity_days")) {
        let name = if section.has("validity_days") { "validity_days" } else { "max_validity_days" };
        let fault = Fault::new(format!("{validity_days} days are more than the {max_validity_days} allowed"));
        section.warn(name, fault.help(format!("certificates will be valid for {max_validity_days}")));
    }
}

pub(super) fn all_of(usages: &[KeyUsage]) -> KeyUsage {
    usages.iter().fold(KeyUsage::default(), |all, usage| all.with(*usage))
}

/// Keeps the first of each; RFC 5280 §4.2.1.12 has no use for a purpose twice.
pub(super) fn once_each(ids: Vec<Oid>) -> Vec<Oid> {
    let mut kept = Vec::with_capacity(ids.len());
    for id in ids {
        if !kept.contains(&id) {
            kept.push(id);
        }
    }
    kept
}

fn own_certificate(given: &Given<'_>) -> Result<Certificate, Fault> {
    let certificates = files::certificates(given)?;
    let [certificate] = <[Certificate; 1]>::try_from(certificates)
        .map_err(|_| Fault::new("the file has more than one certificate").help("put those above it into `chain`"))?;
    if !certificate.is_ca() {
        let fault = Fault::new(format!("the certificate of {} is not a CA's", certificate.subject()));
        return Err(fault.help("its basicConstraints must say CA:TRUE (RFC 5280 §4.2.1.9)"));
    }
    let key = SubjectPublicKeyInfo::parse(certificate.public_key_der());
    if let Err(error) = key.and_then(|key| KeyBlocklist::refuse_known(&key)) {
        let fault = Fault::new(format!("{} must not sign anything: {error}", certificate.subject()));
        return Err(fault.help("make the CA another key, and revoke what this one issued"));
    }
    Ok(certificate)
}

/// Every certificate must have issued the one before; the last should be the root, which RFC 7030 §4.1.3 wants clients
/// to get.
fn check_chain(section: &Reader<'_>, certificate: &Certificate, chain: &[Certificate]) {
    if chain.first() == Some(certificate) {
        let fault = Fault::new("begins with the CA's own certificate");
        return section.fault("chain", fault.help("leave it out: the first one is the issuer of it"));
    }
    let mut last = certificate;
    for issuer in chain {
        if last.issuer() != issuer.subject() {
            let fault = Fault::new(format!("{} did not issue {}", issuer.subject(), last.subject()));
            return section.fault("chain", fault.help("the order is: the CA's issuer first, the root last"));
        }
        if !issuer.is_ca() {
            return section.fault("chain", Fault::new(format!("{} is not a CA", issuer.subject())));
        }
        last = issuer;
    }
    if !last.is_self_issued() {
        let name = if chain.is_empty() { "cert" } else { "chain" };
        let fault = Fault::new(format!("/cacerts will lack the root: {} issued {}", last.issuer(), last.subject()));
        section.warn(name, fault.help("add it at the end of `chain`"));
    }
}

/// Every certificate must be a CA's, belong to this CA or to one above it, and be signed by one that is listed: clients
/// can do nothing with another.
fn check_rollover(section: &Reader<'_>, certificate: &Certificate, chain: &[Certificate], rollover: &[Certificate]) {
    let own: Vec<&Certificate> = std::iter::once(certificate).chain(chain).collect();
    let listed: Vec<&Certificate> = own.iter().copied().chain(rollover).collect();
    let issued = |one: &Certificate, other: &Certificate| other.is_issued_by(one, est_backends::algorithms());
    for one in rollover {
        let subject = one.subject();
        let fault = |text: String, help: &str| section.fault("rollover", Fault::new(text).help(help));
        let is_of_the_ca = own.iter().any(|own| own.subject() == subject)
            || listed.iter().any(|other| *other != one && issued(one, other));
        if !one.is_ca() {
            fault(format!("the certificate of {subject} is not a CA's"), "its basicConstraints must say CA:TRUE");
        } else if !is_of_the_ca {
            fault(format!("{subject} is neither this CA nor one above it"), "give what `estd ca rollover` made for it");
        } else if !listed.iter().any(|other| issued(other, one)) {
            let text = format!(
                "none of the listed certificates has issued that of {subject}, serial number {}",
                one.serial_text()
            );
            fault(text, "list the root that signed it too");
        }
    }
}

/// Warns when certificates that this CA issues, or has issued, will not authenticate: a root of its rollover is not
/// trusted.
fn warn_if_roots_are_not_trusted(section: &Reader<'_>, ca: &Ca, client_auth: &ClientAuth) {
    let is_trusted =
        |certificate: &Certificate| client_auth.trust_anchors.iter().any(|anchor| is_same_ca(anchor, certificate));
    let is_root = |one: &&Certificate| one.is_self_issued() && one.is_issued_by(one, est_backends::algorithms());
    let stands_alone = !ca.certificate.is_self_issued() && is_trusted(&ca.certificate);
    if ca.rollover.is_empty() || client_auth.mode == ClientAuthMode::None || stands_alone {
        return;
    }
    // A root that is announced has issued nothing yet.
    let earlier = ca.rollover.iter().filter(|other| other.not_before() < ca.certificate.not_before());
    for root in std::iter::once(&ca.certificate).chain(&ca.chain).chain(earlier).filter(is_root) {
        if !is_trusted(root) {
            let fault = Fault::new(format!(
                "certificates below the root {}, serial number {}, cannot renew: tls.client_auth.trust_anchors lacks it",
                root.subject(),
                root.serial_text()
            ));
            section.warn("rollover", fault.help("list both roots there until the rollover is complete"));
        }
    }
}

/// Leaves out what clients would choke on.
fn without_ended(section: &Reader<'_>, rollover: Vec<Certificate>) -> Vec<Certificate> {
    let (kept, ended): (Vec<_>, Vec<_>) =
        rollover.into_iter().partition(|certificate| section.now() <= certificate.not_after());
    for certificate in ended {
        let text = format!("the certificate of {} ended at {}", certificate.subject(), certificate.not_after());
        section.warn("rollover", Fault::new(text).help("/cacerts leaves it out: take it out here too"));
    }
    kept
}
