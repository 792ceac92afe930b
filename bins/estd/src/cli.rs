//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use est_core::pkix::KeyType;

/// The Ohia EST server: gives devices, routers, workloads and people their certificates, and renews them.
///
/// Begin with `estd dev` to try it out, with `estd init DIR` and `estd run --config DIR/estd.toml` to operate it.
#[derive(Parser)]
#[command(name = "estd", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve at once: makes a CA, a TLS certificate, a configuration and one-time passwords where there are none.
    Dev(Dev),
    /// Make a CA, a TLS certificate and a configuration in a folder, and stop.
    Init(Init),
    /// Serve.
    Run(Run),
    /// Report every mistake in a configuration file.
    Check(Check),
    /// Succeed when the server answers: for the health check of a container.
    Health(Health),
    /// The configuration file.
    Config {
        #[command(subcommand)]
        command: ConfigFile,
    },
    /// Tell what a request would get, or which rule refuses it and where that is written. Issues nothing.
    Explain(Explain),
    /// Bring the database to this version.
    Migrate(Migrate),
    /// The CAs' own keys and certificates.
    Ca {
        #[command(subcommand)]
        command: Ca,
    },
    /// One-time passwords.
    Otp {
        #[command(subcommand)]
        command: Otp,
    },
    /// Issued certificates.
    Certs {
        #[command(subcommand)]
        command: Certs,
    },
    /// Print the last CRL of a CA, write it to a file, or make the next one.
    Crl(Crl),
    /// Requests that wait for somebody to decide.
    Requests {
        #[command(subcommand)]
        command: Requests,
    },
    /// What has happened.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Print the manual page.
    Man(Man),
    /// Print what a shell completes commands with.
    Completions(Completions),
}

#[derive(Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this folder instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args)]
pub(crate) struct Dev {
    /// Where keys, certificates, configuration and database lie; used again when it is there.
    #[arg(long, value_name = "DIR", default_value = "ohia-dev")]
    pub(crate) dir: PathBuf,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// Address and port for the admin API.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9443")]
    pub(crate) admin_listen: SocketAddr,
}

#[derive(Args)]
pub(crate) struct Init {
    /// The folder; it is made if need be, and must hold none of the files yet.
    pub(crate) dir: PathBuf,
    /// A DNS name or address by which clients reach the server; may be repeated. localhost always is one.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The CA's subject.
    #[arg(long, value_name = "DN", default_value = "CN=Ohia CA")]
    pub(crate) subject: String,
}

#[derive(Args)]
pub(crate) struct Config {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Listen here instead of on server.listen.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Serve the admin API here instead of on server.admin_listen.
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
}

#[derive(Args)]
pub(crate) struct Health {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Ask here instead of on server.listen.
    #[arg(long, value_name = "ADDR")]
    pub(crate) address: Option<SocketAddr>,
}

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: Config,
}

#[derive(Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) config: Config,
    /// The label; the unlabelled path without it.
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<String>,
    /// The certification request: PEM, DER, or base64 of DER.
    #[arg(long, value_name = "FILE")]
    pub(crate) csr: PathBuf,
    /// Who asks: a file with their certificate, `otp` or `otp:ENTITY` for who has a one-time password.
    #[arg(long = "as", value_name = "PRINCIPAL", default_value = "otp")]
    pub(crate) principal: String,
    /// Explain a renewal (/simplereenroll) of the certificate of --as.
    #[arg(long)]
    pub(crate) renew: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Only tell what would be done.
    #[arg(long)]
    pub(crate) status: bool,
}

/// What every listing and every answer of a command can be printed as.
#[derive(Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ConfigFile {
    /// Print the JSON Schema of configuration files, for editors.
    Schema,
}

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Make the new key and root of a CA, and what leads from each root to the other. Changes nothing that is there.
    Rollover(Rollover),
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

fn key_type(text: &str) -> Result<KeyType, String> {
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
    /// Make the next one first. A server that runs serves it within seconds.
    #[arg(long)]
    pub(crate) renew: bool,
    /// Write it here, in DER; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write it in PEM.
    #[arg(long, requires = "out")]
    pub(crate) pem: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Subcommand)]
pub(crate) enum Otp {
    /// Create a password; it is shown this once.
    Create {
        #[command(flatten)]
        config: Config,
        /// Whom it is for: the user name with which alone it is good.
        #[arg(long, value_name = "NAME")]
        entity: Option<String>,
        /// How long it is good: 30m, 24h, 7d, or whole seconds [default: otp.default_ttl].
        #[arg(long, value_name = "TIME", value_parser = crate::output::parse_span)]
        ttl: Option<est_core::Seconds>,
        /// For how many different requests it is good [default: otp.max_uses].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        uses: Option<u32>,
        /// Create so many passwords at once.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: Option<u32>,
        #[command(flatten)]
        output: Output,
    },
    /// List passwords, without their secrets.
    List {
        #[command(flatten)]
        config: Config,
        #[command(flatten)]
        output: Output,
    },
    /// Make a password useless.
    Revoke {
        #[command(flatten)]
        config: Config,
        /// The part before the dot.
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum Certs {
    /// List issued certificates, the newest first.
    List {
        #[command(flatten)]
        config: Config,
        /// Only those whose subject or names contain this text.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        /// Only those in this state.
        #[arg(long, value_name = "STATE")]
        status: Option<CertStatus>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// Go on after this one: the `cursor` of a listing before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<est_store::Cursor>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one certificate.
    Show {
        #[command(flatten)]
        config: Config,
        /// The serial number in hexadecimal, with or without 0x and colons.
        serial: String,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a certificate: it can neither enroll nor renew from now on.
    Revoke {
        #[command(flatten)]
        config: Config,
        /// The serial number in hexadecimal, with or without 0x and colons.
        serial: String,
        /// Why, by its RFC 5280 name.
        #[arg(long, value_name = "REASON", default_value = "unspecified")]
        reason: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CertStatus {
    /// In its time, and not revoked.
    Valid,
    /// Past its end.
    Expired,
    /// Revoked.
    Revoked,
}

#[derive(Subcommand)]
pub(crate) enum Requests {
    /// List requests.
    List {
        #[command(flatten)]
        config: Config,
        /// Decided ones too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Let the client have its certificate when it asks again.
    Approve {
        #[command(flatten)]
        config: Config,
        /// The request's id.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Refuse the request for good.
    Deny {
        #[command(flatten)]
        config: Config,
        /// The request's id.
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// List audit records, the newest first.
    List {
        #[command(flatten)]
        config: Config,
        /// Go on after this one: the `cursor` of a listing before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<est_store::Cursor>,
        /// Only those of this event, `cert.issued` say.
        #[arg(long, value_name = "EVENT")]
        event: Option<String>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        output: Output,
    },
}
