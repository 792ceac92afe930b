//! `estd ca`, `estd tls` and `estd crl`: the keys, certificates and CRLs of the server and its CAs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use est_core::pkix::KeyType;

use super::{Config, Output};

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Make the new key and root of a CA, and what leads from each root to the other. Changes nothing that is there.
    Rollover(Rollover),
    /// Make a root that is to be kept offline, in a folder of its own: its key, its certificate and its first CRL.
    Root(NewRoot),
    /// Certify the key of a CA below an offline root. A copy stays in the root's folder.
    Certify(Certify),
    /// Make the next CRL of an offline root, in its folder.
    RootCrl(RootCrl),
}

#[derive(Args)]
pub(crate) struct NewRoot {
    /// The folder, on a medium that can be locked away; it is made if need be. It gets root-key.pem, root.pem and
    /// root.crl.
    pub(crate) dir: PathBuf,
    /// The root's subject.
    #[arg(long, value_name = "DN", default_value = "CN=Ohia Root CA")]
    pub(crate) subject: String,
    /// What the key is: ecdsa-p256, ecdsa-p384, rsa-3072, ml-dsa-65, …
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p384", value_parser = key_type)]
    pub(crate) key_type: KeyType,
    /// File whose first line is to be the passphrase of the root's key; without it the key is not encrypted.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// For how many days the root is valid.
    #[arg(long, value_name = "N", default_value_t = 7300, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
}

/// The offline root that a command works with.
#[derive(Args)]
pub(crate) struct Root {
    /// The root's folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// File whose first line is the passphrase of the root's key.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Certify {
    #[command(flatten)]
    pub(crate) root: Root,
    /// The certification request: PEM, DER, or base64 of DER. Its subject is the CA's; nothing else of it is used.
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: PathBuf,
    /// For how many days the CA is valid; not beyond the root.
    #[arg(long, value_name = "N", default_value_t = 1825, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
    /// How many further CAs there may be below it, one under the other.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) path_length: u8,
    /// Where clients find the root's CRL; may be repeated.
    #[arg(long = "crl-url", value_name = "URL")]
    pub(crate) crl_urls: Vec<String>,
    /// Write the certificate here, and the root's after it, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
pub(crate) struct RootCrl {
    #[command(flatten)]
    pub(crate) root: Root,
    /// Revoke this certificate of the root's; may be repeated. What was revoked before stays revoked.
    #[arg(long, value_name = "FILE")]
    pub(crate) revoke: Vec<PathBuf>,
    /// Why, by its RFC 5280 name.
    #[arg(long, value_name = "REASON", requires = "revoke", default_value = "unspecified")]
    pub(crate) reason: est_core::pkix::RevocationReason,
    /// For how many days the CRL is good.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
}

#[derive(Subcommand)]
pub(crate) enum Tls {
    /// Renew the certificates of `[tls]`, `[[tls.additional]]` and `[admin]` that one of the server's own CAs issued, in their
    /// files, with the names and the key that they have. A server that runs shows them from its next reload on.
    Renew(TlsRenew),
}

#[derive(Args)]
pub(crate) struct TlsRenew {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Make new keys, of the same types.
    #[arg(long)]
    pub(crate) new_key: bool,
}

#[derive(Args)]
pub(crate) struct Rollover {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Which CA, by its id; may be left out when there is only one.
    #[arg(long, value_name = "ID")]
    pub(crate) ca: Option<String>,
    /// What the new key is: ecdsa-p256, ecdsa-p384, rsa-3072, ml-dsa-65, … [default: what the old one is].
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// For how many days the new root is valid.
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,
    /// The folder for the files; it is made if need be, and must hold none of them yet.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

pub(super) fn key_type(text: &str) -> Result<KeyType, String> {
    text.parse()
        .map_err(|()| format!("the known types are {}", KeyType::USUAL.map(|known| known.to_string()).join(", ")))
}

#[derive(Args)]
pub(crate) struct Crl {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Which CA, by its id; may be left out when there is only one.
    #[arg(long, value_name = "ID")]
    pub(crate) ca: Option<String>,
    /// The CRL of this key, of those that sign CRLs of the CA: by the beginning of its SHA-256, as in the CRL's address
    /// [default: the key that signs certificates].
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Make the next one first, of every key unless --key names one. A server that runs serves it within seconds.
    #[arg(long)]
    pub(crate) renew: bool,
    /// How long it is good: 7d, 400d [default: crl_validity]. For the last CRL of a key that is to be destroyed.
    #[arg(long, value_name = "TIME", requires = "renew", value_parser = crate::output::parse_span)]
    pub(crate) valid_for: Option<est_core::Seconds>,
    /// Write it here, in DER; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write it in PEM.
    #[arg(long, requires = "out")]
    pub(crate) pem: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
