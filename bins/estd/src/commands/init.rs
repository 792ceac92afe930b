//! The files of a first run.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_backends::authority::{self, ServerCertificate, Validity};
use est_backends::{FileSigner, Signer as _};
use est_core::pkix::{Certificate, GeneralName, GeneralNames, KeyType, Name, pem};
use est_core::{Entropy, Seconds, Serial, UnixTime};
use host::shell;
use zeroize::Zeroizing;

use crate::file::{self, Readers};

/// The configuration's name in the folder.
pub(crate) const CONFIG: &str = "estd.toml";
/// The CA certificate's.
pub(crate) const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";
/// The file with the token of the admin API.
pub(crate) const ADMIN_TOKEN: &str = "admin-token";

const CA_VALIDITY: Seconds = Seconds::from_days(3650);
const SERVER_VALIDITY: Seconds = Seconds::from_days(825);

const TEMPLATE: &str = r#"# Ohia EST server. Paths are relative to this file; a key that is left out has its default.
# `estd check --config FILE` reports every mistake; docs/configuration.md lists every key.

[server]
listen = "0.0.0.0:8443"
admin_listen = "127.0.0.1:9443"

[tls]
cert = "server.pem"
key = "server-key.pem"

# Clients may show a certificate of this CA, or use a one-time password instead.
[tls.client_auth]
trust_anchors = "ca.pem"
mode = "optional"

[db]
url = "sqlite://estd.db"

[[ca]]
id = "main"
name = "Main CA"
cert = "ca.pem"
key = "ca-key.pem"
validity_days = 365

[otp]
enabled = true

# The operator's page and API, for those who have the token.
[admin]
enabled = true
auth = "bearer"

[[admin.token]]
name = "operator"
token = "file:admin-token"
role = "operator"

# One more path, /.well-known/est/<name>/…, with rules of its own. As soon as there is one, requests without a label
# are refused, unless a label serves them:
# [est]
# default_label = "servers"
#
# [[est.label]]
# name = "servers"
# ca_id = "main"
# require_san = true
# allowed_key_types = ["ecdsa-p256", "ecdsa-p384"]
# max_validity_days = 90
# approval = "manual"
"#;

/// What `estd init` needs to know.
pub(crate) struct FirstRun<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) names: &'a [String],
    pub(crate) subject: &'a str,
}

impl FirstRun<'_> {
    /// Makes keys, certificates and configuration; the configuration comes last, so that its presence tells that
    /// everything is there.
    ///
    /// # Errors
    /// When a file is there already: nothing is overwritten.
    pub(crate) async fn make(&self, now: UnixTime) -> Result<()> {
        let subject = Name::from_text(self.subject).context("--subject")?;
        let names = self.server_names()?;
        fs::create_dir_all(self.dir).with_context(|| format!("cannot make the folder {}", self.dir.display()))?;
        file::refuse_existing(self.dir, &[CA, CA_KEY, SERVER, SERVER_KEY, ADMIN_TOKEN, CONFIG])?;

        let (ca_key, ca_key_pem) = FileSigner::generate(KeyType::EcdsaP256)?;
        let (server_key, server_key_pem) = FileSigner::generate(KeyType::EcdsaP256)?;
        let validity = Validity { not_before: now, span: CA_VALIDITY };
        let ca_der = authority::self_signed_ca(&subject, &ca_key, validity, serial()?).await?;
        let ca = Certificate::parse(&ca_der).context("the CA certificate just made")?;
        let server = ServerCertificate {
            names: &names,
            public_key: server_key.public_key(),
            validity: Validity { not_before: now, span: SERVER_VALIDITY },
            serial: serial()?,
        };
        let server_der = authority::server_certificate(&ca, &ca_key, &server).await?;

        self.write(CA_KEY, &ca_key_pem, Readers::Owner)?;
        self.write(SERVER_KEY, &server_key_pem, Readers::Owner)?;
        self.write(CA, &pem::encode("CERTIFICATE", &ca_der), Readers::All)?;
        self.write(SERVER, &pem::encode("CERTIFICATE", &server_der), Readers::All)?;
        self.write(ADMIN_TOKEN, &token()?, Readers::Owner)?;
        self.write(CONFIG, TEMPLATE, Readers::All)
    }

    fn server_names(&self) -> Result<GeneralNames> {
        let mut names = authority::local_names().names().to_vec();
        for (index, text) in self.names.iter().enumerate() {
            let name = server_name(text).with_context(|| format!("--name {text}"))?;
            if !names.contains(&name) {
                // The names that were asked for come first: the first DNS name becomes the commonName.
                names.insert(index.min(names.len()), name);
            }
        }
        GeneralNames::from_names(&names).context("the server's names")
    }

    fn write(&self, name: &str, text: &str, readers: Readers) -> Result<()> {
        file::write_new(&self.dir.join(name), text, readers)
    }
}

/// Reads a DNS name or an address, as strictly as certificates of devices are held to it.
fn server_name(text: &str) -> Result<GeneralName> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return GeneralName::from_text(bare).context("not an address");
    }
    if is_host_name(text) {
        return GeneralName::from_text(text).context("not a name");
    }
    // A URL, or a name with a port, is the likeliest slip.
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.');
    let help = if host != text && (is_host_name(host) || host.parse::<IpAddr>().is_ok()) {
        format!("did you mean {host}?")
    } else {
        "write est.example.com, or an address".to_owned()
    };
    bail!("not a DNS name or an address: {help}")
}

/// Whether it is a host name (RFC 1123 §2.1): labels of letters, digits and hyphens, and not four numbers.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !top.bytes().all(|octet| octet.is_ascii_digit())
}

/// A bearer token that nobody can guess, and a line's end.
fn token() -> Result<Zeroizing<String>> {
    let entropy: Entropy = shell::entropy()?;
    let digits: String = entropy.0.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Zeroizing::new(digits + "\n"))
}

/// A serial number that nobody can guess.
pub(crate) fn serial() -> Result<Serial> {
    let entropy: Entropy = shell::entropy()?;
    Ok(Serial::from_entropy(&entropy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses_and_says_what_was_meant_by_a_url() {
        for name in [
            "est.example.com",
            "est",
            "a-1.example",
            "192.0.2.1",
            "2001:db8::1",
            "[2001:db8::1]",
            "xn--bcher-kva.example",
        ] {
            assert!(server_name(name).is_ok(), "{name}");
        }
        for (text, meant) in [
            ("https://est.example.com:8443", "did you mean est.example.com?"),
            ("https://est.example.com/.well-known/est", "did you mean est.example.com?"),
            ("est.example.com:8443", "did you mean est.example.com?"),
            ("est.example.com.", "did you mean est.example.com?"),
            ("https://[2001:db8::1]:8443/", "did you mean 2001:db8::1?"),
            ("https://user@est.example.com", "did you mean est.example.com?"),
            ("bad name", "write est.example.com"),
            ("*.example.com", "write est.example.com"),
            ("-est.example.com", "write est.example.com"),
            ("est_1.example.com", "write est.example.com"),
            ("192.0.2.300", "write est.example.com"),
            ("bücher.example", "write est.example.com"),
            ("", "write est.example.com"),
        ] {
            let error = server_name(text).map_or_else(|error| error.to_string(), |_| "taken".to_owned());
            assert!(error.contains(meant), "{text}: {error}");
        }
    }
}
