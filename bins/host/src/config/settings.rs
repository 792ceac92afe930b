//! What a configuration file says, as types that hold nothing else.

mod admin;
mod audit;
mod tls;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use est_auth::{HashAlgorithm, SecretHasher};
use est_backends::SymmetricKey;
use est_core::pkix::{Certificate, Extension, KeyBlocklist, KeyUsage, Oid, oid};
use est_core::policy::{IdentityRule, Profile, RegistrationAuthority};
use est_core::{Approval, Linking, Lockout, NameBinding, Operations, PurposeBinding, Seconds};
use est_store::{DatabaseUrl, Retention};
use tracing::Level;

use super::network::Network;
use super::secret::SecretSource;

pub use admin::{Admin, AdminAuth, AdminCertificate, AdminSecret, AdminToken, Role};
pub(super) use audit::is_named;
pub use audit::{Audit, EventFilter, Syslog, SyslogTls, SyslogTransport};
pub use tls::{ClientAuth, ClientAuthMode, ClientPurpose, ClientRevocation, KeyFile, Tls, TlsCertificate, TlsVersion};

/// A whole configuration. Every file that it names has been read, or for keys found.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`.
    pub server: Server,
    /// `[tls]`.
    pub tls: Tls,
    /// `[limits]`.
    pub limits: Limits,
    /// `[db]`.
    pub db: Db,
    /// `[[ca]]`: at least one, their ids unique.
    pub cas: Vec<Ca>,
    /// `[est]`.
    pub est: Est,
    /// `[[est.label]]`: their names unique, each with a CA that exists.
    pub labels: Vec<Label>,
    /// `[[ra]]`.
    pub ras: Vec<Ra>,
    /// `[[identity]]`.
    pub identities: Vec<IdentityRule>,
    /// `[otp]`.
    pub otp: Otp,
    /// `[audit]`.
    pub audit: Audit,
    /// `[retention]`.
    pub retention: Retention,
    /// How long a request waits whose client does not ask again.
    pub waiting: Seconds,
    /// `[admin]`.
    pub admin: Admin,
    /// `[log]`.
    pub log: Log,
}

/// `[server]`: where the server listens and how it runs.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where EST is served.
    pub listen: SocketAddr,
    /// Where the admin API is served.
    pub admin_listen: SocketAddr,
    /// Where CRLs are served over plain HTTP, if they are.
    pub http_listen: Option<SocketAddr>,
    /// What the server is called among those that share its database.
    pub node: String,
    /// How many threads serve; as many as there are cores if `None`.
    pub workers: Option<NonZeroUsize>,
    /// The longest request body, in octets.
    pub max_body_bytes: usize,
    /// How long requests under way may take once the server is told to stop.
    pub shutdown_timeout: Duration,
    /// `[[server.proxy]]`: those whose word on a client's certificate counts.
    pub proxies: Vec<Proxy>,
}

/// `[[server.proxy]]`: a proxy that ends the clients' TLS.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it connects from.
    pub networks: Vec<Network>,
    /// The client certificates that it may show: this one or that, to the octet.
    pub certificates: Vec<Certificate>,
    /// Where it tells its client's address; `None` if it does not.
    pub client_address: Option<ClientAddress>,
}

/// Where a proxy tells the address that its client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The header.
    pub header: AddressHeader,
    /// Which address it is in there, counted from the end: 1 is the last.
    pub hops: NonZeroUsize,
}

/// A header in which a proxy tells where its client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressHeader {
    /// Forwarded (RFC 7239).
    Forwarded,
    /// X-Forwarded-For.
    XForwardedFor,
}

/// `[limits]`: what one client, or all of them, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest request head, in octets.
    pub header_bytes: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a request may take, from its head to the last octet of its body, and to the answer.
    pub request_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How many connections may be open.
    pub max_connections: NonZeroUsize,
    /// How many of them one source may have; a quarter of those that may be open if `None`.
    pub connections_per_source: Option<NonZeroUsize>,
    /// After how many requests a connection is closed; never if `None`.
    pub requests_per_connection: Option<NonZeroUsize>,
    /// How often one source may ask.
    pub per_source: Frequency,
    /// How often one principal may ask.
    pub per_principal: Frequency,
    /// How many exchanges are answered at once; 64 for each core if `None`.
    pub max_concurrent: Option<NonZeroUsize>,
    /// How many more may wait.
    pub queue: usize,
    /// How long they may wait.
    pub queue_timeout: Duration,
}

/// How often somebody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// In each second, for as long as they like; at least 1.
    pub per_second: u32,
    /// At once; at least 1.
    pub burst: u32,
}

/// `[db]`: where everything is remembered.
#[derive(Clone, Debug)]
pub struct Db {
    /// Where it is.
    pub url: DatabaseUrl,
    /// How many connections there are at most: with SQLite, that read.
    pub max_connections: NonZeroUsize,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// Whether the schema is brought up to date at the start.
    pub auto_migrate: bool,
}

/// `[[ca]]`: a certification authority.
#[derive(Clone, Debug)]
pub struct Ca {
    /// What labels call it.
    pub id: String,
    /// What people call it; the id, unless the file says otherwise.
    pub name: String,
    /// Its certificate: a CA's.
    pub certificate: Certificate,
    /// The certificates above it, each the issuer of the one before.
    pub chain: Vec<Certificate>,
    /// What clients also need while a root gets another key; none has ended.
    pub rollover: Vec<Certificate>,
    /// Its private key.
    pub key: KeyFile,
    /// Private keys of other roots in `rollover`, which make CRLs too.
    pub rollover_keys: Vec<KeyFile>,
    /// For how long a certificate is valid; at most `max_validity`.
    pub validity: Seconds,
    /// For how long at most.
    pub max_validity: Seconds,
    /// The key usages given.
    pub key_usage: KeyUsage,
    /// The extended key usages given.
    pub ext_key_usage: Vec<Oid>,
    /// Whether signatures are checked that need not be.
    pub check_signatures: bool,
    /// How an RSA key pads what it signs.
    pub rsa_padding: RsaPadding,
    /// When CRLs are made, if they are; then the certificate may sign them.
    pub crls: Option<CrlRules>,
    /// Where clients find the CRL.
    pub crl_urls: Vec<String>,
}

impl Ca {
    /// What tells a key of a CA from its others, in the address of its CRL: the beginning of its SHA-256.
    #[must_use]
    pub fn key_id(certificate: &Certificate) -> String {
        certificate.key_digest()[..8].iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Has certificates of `profile` tell where the CRL is, unless they do already.
    pub(crate) fn add_crl_urls(&self, profile: &mut Profile) {
        let tells = |extension: &Extension| extension.id == oid::CRL_DISTRIBUTION_POINTS;
        if !self.crl_urls.is_empty() && !profile.extensions.iter().any(tells) {
            profile.extensions.push(Extension::crl_distribution_points(&self.crl_urls));
        }
    }
}

/// When a CA makes CRLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlRules {
    /// For how long one is good.
    pub validity: Seconds,
    /// How often one is made though nothing was revoked; at most `validity`.
    pub interval: Seconds,
}

/// How an RSA key pads what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    Pkcs1,
    /// RSASSA-PSS (RFC 8017 §8.1).
    Pss,
}

/// `[est]`: which operations are served, and how.
#[derive(Clone, Debug)]
pub struct Est {
    /// The path that the operations lie below: a slash first, none at the end.
    pub base_path: String,
    /// Which operations are served.
    pub operations: Operations,
    /// What requests without a label must say of their connections.
    pub linking: Linking,
    /// What `/csrattrs` lists for requests without a label.
    pub csr_attributes: Vec<Oid>,
    /// Whether `/csrattrs` needs authentication.
    pub csrattrs_auth: bool,
    /// When a client that has to wait is to come back.
    pub retry_after: Seconds,
    /// For how long the same request gets the same certificate again.
    pub replay_window: Seconds,
    /// Whether request bodies must be base64 of DER.
    pub strict_encoding: bool,
    /// Keys that get no certificate.
    pub key_blocklists: Vec<KeyBlocklist>,
    /// Certificates of the keys that generated keys may be encrypted to.
    pub recipients: Vec<Certificate>,
    /// The keys that generated keys may be encrypted with.
    pub symmetric_keys: Vec<SharedKey>,
    /// Characters in a line of base64 in answers; one line if `None` or 0.
    pub base64_line_length: Option<usize>,
    /// The label that serves requests without one, if one does.
    pub default_label: Option<String>,
    /// Whether the first CA serves requests without a label, by no label's rules, where there is no default label.
    pub unlabelled: bool,
    /// The CAs whose certificates authenticate requests without a label, in addition to those of the CA that issues.
    pub client_anchors: ClientAnchors,
}

/// The CAs whose certificates authenticate, in addition to those of the CA that issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAnchors {
    /// Those of `tls.client_auth.trust_anchors` that are not another CA of this server.
    NotOfThisServer,
    /// These.
    These(Vec<Certificate>),
}

/// `[[est.symmetric_key]]`: a key that a client shares with the server.
#[derive(Clone, Debug)]
pub struct SharedKey {
    /// Its name in a DecryptKeyIdentifier.
    pub id: Vec<u8>,
    /// The key.
    pub key: SymmetricKey,
}

/// `[[est.label]]`: a path segment with a CA and rules of its own. What the file leaves out has been taken from the CA.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its path segment.
    pub name: String,
    /// The CA that issues.
    pub ca_id: String,
    /// What is issued: never more than the CA's longest validity.
    pub profile: Profile,
    /// Whether a person looks at each request first.
    pub approval: Approval,
    /// Which names somebody with a certificate may ask for.
    pub certificate_names: NameBinding,
    /// Which purposes somebody with a certificate may get.
    pub certificate_purposes: PurposeBinding,
    /// The CAs whose certificates authenticate, in addition to those of the CA that issues.
    pub client_anchors: ClientAnchors,
    /// What requests must say of their connections.
    pub linking: Linking,
    /// What `/csrattrs` lists.
    pub csr_attributes: Vec<Oid>,
    /// Characters in a line of base64 in answers; one line if 0, that of `[est]` if `None`.
    pub base64_line_length: Option<usize>,
}

/// `[[ra]]`: a registration authority.
#[derive(Clone, Debug)]
pub struct Ra {
    /// The labels that it may use.
    pub labels: Vec<String>,
    /// Its certificate, and the names that it may ask for.
    pub authority: RegistrationAuthority,
}

/// `[otp]`: one-time passwords.
#[derive(Clone, Debug)]
pub struct Otp {
    /// Whether clients may authenticate with them.
    pub enabled: bool,
    /// Characters in the secret part of a password.
    pub token_length: usize,
    /// For how long a password is good, unless it is created otherwise.
    pub default_ttl: Seconds,
    /// How often a password is good, unless it is created otherwise.
    pub max_uses: u32,
    /// How passwords are kept.
    pub hash_algorithm: HashAlgorithm,
    /// Where the pepper is; there is one with [`HashAlgorithm::Sha256Hmac`].
    pub pepper: Option<SecretSource>,
    /// When somebody is locked out, and for how long.
    pub lockout: Lockout,
}

impl Otp {
    /// The fewest octets of a pepper.
    const SHORTEST_PEPPER: usize = 16;

    /// What hashes and checks passwords. Reads the pepper, if there is one.
    ///
    /// # Errors
    /// What is wrong with the pepper, for the operator.
    pub fn hasher(&self) -> Result<SecretHasher, String> {
        let pepper = self.pepper.as_ref().map(SecretSource::read).transpose().map_err(|error| error.to_string())?;
        if pepper.as_ref().is_some_and(|pepper| pepper.reveal().len() < Self::SHORTEST_PEPPER) {
            return Err(format!("otp.pepper: the secret is shorter than {} octets", Self::SHORTEST_PEPPER));
        }
        SecretHasher::new(self.hash_algorithm, pepper).map_err(|error| error.to_string())
    }
}

/// `[log]`: what is written to standard error.
#[derive(Clone, Debug)]
pub struct Log {
    /// How much.
    pub level: Level,
    /// In which form.
    pub format: LogFormat,
    /// The OpenTelemetry collector that gets spans.
    pub otlp_endpoint: Option<String>,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object in each line.
    Json,
}
