//! The command line.

mod audit;
mod authority;
mod certs;
mod first_run;
mod otp;
mod requests;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{Audit, AuditCheckpoint, AuditExport, AuditList, AuditSpan, AuditVerify, Outcome};
pub(crate) use authority::{Ca, Certify, Crl, NewRoot, Rollover, Root, RootCrl, Tls, TlsRenew};
pub(crate) use certs::{CertStatus, Certs, CertsImport};
pub(crate) use first_run::{Dev, Init, NewLabel};
pub(crate) use otp::Otp;
pub(crate) use requests::{Decide, Requests};

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
    /// Delete what has been over for longer than the configuration keeps it. What happened stays on record.
    Prune(Prune),
    /// The CAs' own keys and certificates.
    Ca {
        #[command(subcommand)]
        command: Ca,
    },
    /// The server's own TLS certificates.
    Tls {
        #[command(subcommand)]
        command: Tls,
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
    /// Print a manual page.
    Man(Man),
    /// Print what a shell completes commands with.
    Completions(Completions),
}

#[derive(Args)]
pub(crate) struct Man {
    /// Which one.
    #[arg(value_name = "PAGE", default_value = "estd")]
    pub(crate) page: Page,
    /// Write the pages of all commands, and estd.toml.5, into this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub(crate) out: Option<PathBuf>,
}

/// A manual page.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// The program.
    Estd,
    /// The configuration file.
    #[value(name = "estd.toml")]
    Configuration,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// The configuration, unless an option or `ESTD_CONFIG` names another. Never one of the current folder, which may be
/// anybody's.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/ohia/estd.toml";

#[derive(Args)]
pub(crate) struct Config {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "ESTD_CONFIG", default_value = DEFAULT_CONFIG)]
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
    /// The client: a file with its certificate, or `otp` or `otp:ENTITY` for one with a one-time password.
    #[arg(long = "as", value_name = "PRINCIPAL", default_value = "otp")]
    pub(crate) principal: String,
    /// The password gives these names too, as with `estd otp create --allow`.
    #[arg(long = "allow", value_name = "KIND:PATTERN")]
    pub(crate) names: Vec<String>,
    /// The password was created for --label.
    #[arg(long, requires = "label")]
    pub(crate) for_label: bool,
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

#[derive(Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Only tell what would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
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

#[cfg(test)]
mod documented;
