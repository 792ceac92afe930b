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
    /// Who asks: a file with their certificate, `otp` or `otp:ENTITY` for who has a one-time password.
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

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Make the new key and root of a CA, and what leads from each root to the other. Changes nothing that is there.
    Rollover(Rollover),
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

#[derive(Subcommand)]
pub(crate) enum Otp {
    /// Create a password; it is shown this once.
    Create {
        #[command(flatten)]
        config: Config,
        /// Whom it is for: the user name with which alone it is good, and whose names alone it gives.
        #[arg(long, value_name = "NAME", alias = "entity-id")]
        entity: Option<String>,
        /// The label at which alone it is good [default: every label but those that make registration authorities].
        #[arg(long, value_name = "LABEL", alias = "est-label")]
        label: Option<String>,
        /// Names that it also gives, beside the entity's own: 'dns:*.lab.example', 'subject:CN=*,O=Lab', 'uri'; what begins
        /// with ^ is a regular expression. May be repeated.
        #[arg(long = "allow", value_name = "KIND:PATTERN")]
        names: Vec<String>,
        /// How long it is good: 30m, 24h, 7d, or whole seconds [default: otp.default_ttl].
        #[arg(long, value_name = "TIME", value_parser = crate::output::parse_span)]
        ttl: Option<est_core::Seconds>,
        /// For how many different requests it is good [default: otp.max_uses].
        #[arg(long, value_name = "N", alias = "max-uses", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        uses: Option<u32>,
        /// Create so many passwords at once, all for the same.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: Option<u32>,
        /// Create one for each entity of this file, `-` for standard input: a name on each line, or CSV with a heading of
        /// entity_id and any of est_label, names (with semicolons between them), ttl and max_uses. Prints CSV.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["entity", "count"])]
        entities: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// List passwords, without their secrets, and who has failed with one.
    List {
        #[command(flatten)]
        config: Config,
        #[command(flatten)]
        output: Output,
    },
    /// Show one password: what it is good for, its uses, and the failures that count against it.
    Show {
        #[command(flatten)]
        config: Config,
        /// The part before the dot.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Let somebody try again who is locked out.
    Unlock {
        #[command(flatten)]
        config: Config,
        /// A user name, the id of a password or an address, as `estd otp list` shows them.
        who: String,
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
        /// Only those whose subject or names contain this text, or whose serial number begins with it.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        /// Only those that are so now.
        #[arg(long, value_name = "STATUS")]
        status: Option<CertStatus>,
        /// Only those that end before this time: 2027-03-31, 2027-03-31T09:30:00Z, or within so long from now: 30d.
        #[arg(long, value_name = "TIME")]
        ends_before: Option<Before>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// Go on after this one: the `cursor` of a listing before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<est_store::Cursor>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one certificate: who asked for it, who approved that, what it renews, and what its holder got with it.
    Show {
        #[command(flatten)]
        config: Config,
        /// The serial number in hexadecimal, with or without 0x and colons.
        serial: String,
        /// The id of its CA, where several have issued that serial number.
        #[arg(long, value_name = "ID")]
        ca: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a certificate: it can neither enroll nor renew from now on.
    ///
    /// With --reason keyCompromise every other certificate for its key is revoked too, and the key is refused for ever.
    Revoke {
        #[command(flatten)]
        config: Config,
        /// The serial number in hexadecimal, with or without 0x and colons.
        serial: String,
        /// Why, by its RFC 5280 name.
        #[arg(long, value_name = "REASON", default_value = "unspecified")]
        reason: String,
        /// Also revoke what its holder got with it: after keyCompromise as privilegeWithdrawn.
        #[arg(long)]
        with_successors: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Take back a certificateHold: the certificate is good again, and the next CRL does not list it.
    Release {
        #[command(flatten)]
        config: Config,
        /// The serial number in hexadecimal, with or without 0x and colons.
        serial: String,
        #[command(flatten)]
        output: Output,
    },
    /// Take over what another server of the same CA has issued, and its CRL. Again changes nothing.
    Import(CertsImport),
}

#[derive(Args)]
pub(crate) struct CertsImport {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Files with certificates, PEM with any number or DER with one, or folders of such files.
    #[arg(value_name = "FILE", required_unless_present = "crls")]
    pub(crate) files: Vec<PathBuf>,
    /// Which CA, by its id; may be left out when there is only one.
    #[arg(long, value_name = "ID")]
    pub(crate) ca: Option<String>,
    /// The last CRL of that server, PEM or DER: what it lists is revoked here, and the next CRL goes on with its number. May
    /// be repeated, once for each key of the CA.
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) crls: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A time, or a span from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    /// This time.
    Time(est_core::UnixTime),
    /// So long from now.
    Within(est_core::Seconds),
}

impl Before {
    /// The time that it is.
    pub(crate) fn time(self, now: est_core::UnixTime) -> est_core::UnixTime {
        match self {
            Self::Time(time) => time,
            Self::Within(span) => now + span,
        }
    }
}

impl std::str::FromStr for Before {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse::<est_store::UnixMicros>().map(|time| Self::Time(time.seconds()));
        time.or_else(|_| crate::output::parse_span(text).map(Self::Within))
            .map_err(|_| "write 2027-03-31, 2027-03-31T09:30:00Z, or 30d for within 30 days".to_owned())
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CertStatus {
    /// In its time, and not revoked.
    #[value(alias = "valid")]
    Active,
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
    /// Show one request: who asks for what, from where, and what they would get, by which rule.
    Show {
        #[command(flatten)]
        config: Config,
        /// The request's id.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Let the clients have their certificates when they ask again.
    Approve(Decide),
    /// Refuse the requests for good.
    Deny(Decide),
}

#[derive(Args)]
pub(crate) struct Decide {
    #[command(flatten)]
    pub(crate) config: Config,
    /// The ids of the requests.
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Why: kept with the request and in the audit trail.
    #[arg(long, value_name = "TEXT", visible_alias = "reason")]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// List audit records, the newest first.
    #[command(visible_alias = "query")]
    List(AuditList),
    /// Print the chains of audit records, oldest first, as lines of JSON that can be verified elsewhere.
    Export(AuditExport),
    /// Tell whether the audit records are what was written. Exits with 0 if so, 1 if not, 2 if that cannot be told.
    Verify(AuditVerify),
    /// Sign where the chains end at present, print that, and add it to the file of checkpoints.
    Checkpoint(AuditCheckpoint),
}

#[derive(Args)]
pub(crate) struct AuditList {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Go on after this one: the `cursor` of a listing before.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<est_store::Cursor>,
    /// Only those of this event, `cert.issued` say, or of those whose names begin so: `cert`.
    #[arg(long, value_name = "EVENT")]
    pub(crate) event: Option<String>,
    /// Only those that ended so.
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<Outcome>,
    /// Only those about the certificate with this serial number, in hexadecimal.
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: Option<est_store::SerialNumber>,
    /// Only those of this actor, or of those whose name goes on after this: 'password tf5evn8xva', local:alice.
    #[arg(long, value_name = "ACTOR")]
    pub(crate) actor: Option<String>,
    /// Only those with this text in the actor or the reason, or about a certificate with it in its subject or its names.
    #[arg(long, value_name = "TEXT", visible_alias = "subject")]
    pub(crate) find: Option<String>,
    /// Only those from this address.
    #[arg(long, value_name = "ADDR")]
    pub(crate) source: Option<String>,
    /// Only those at this label.
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<String>,
    /// Only those with this CA.
    #[arg(long, value_name = "ID")]
    pub(crate) ca: Option<String>,
    #[command(flatten)]
    pub(crate) span: AuditSpan,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// From when to when.
#[derive(Args)]
pub(crate) struct AuditSpan {
    /// Only those of this time or later: 2026-11-21, or 2026-11-21T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<est_store::UnixMicros>,
    /// Only those of before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<est_store::UnixMicros>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// What was attempted came about.
    Success,
    /// It did not.
    Failure,
}

#[derive(Args)]
pub(crate) struct AuditExport {
    #[command(flatten)]
    pub(crate) config: Config,
    #[command(flatten)]
    pub(crate) span: AuditSpan,
    /// Only the chain of this node.
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Only records of this event, or of those whose names begin so.
    #[arg(long, value_name = "EVENT")]
    pub(crate) event: Option<String>,
}

#[derive(Args)]
pub(crate) struct AuditVerify {
    /// The configuration file: its database is verified, against its checkpoints. Not needed with --from [default:
    /// /etc/ohia/estd.toml].
    #[arg(long, value_name = "FILE", env = "ESTD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Verify this export instead of the database; `-` is standard input.
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from: Option<PathBuf>,
    /// The export has some records only, because it was filtered: what is missing is no mistake.
    #[arg(long, requires = "from")]
    pub(crate) excerpt: bool,
    /// Hold the records against the checkpoints in this file; may be repeated.
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// Only believe checkpoints that were signed with the key that this is the public half of, PEM; may be repeated.
    #[arg(long = "public-key", value_name = "FILE")]
    pub(crate) public_keys: Vec<PathBuf>,
    /// This chain ends at this record because a backup was restored: checkpoints after it are no fault. May be repeated.
    #[arg(long = "restored", value_name = "NODE:SEQUENCE", value_parser = parse_place)]
    pub(crate) restored: Vec<(String, u64)>,
    /// This chain has no checkpoints, for its node makes none; may be repeated.
    #[arg(long = "unproven", value_name = "NODE")]
    pub(crate) unproven: Vec<String>,
    /// Compare certificates, passwords and requests in the database with what the records say about them.
    #[arg(long, requires = "config", conflicts_with = "from")]
    pub(crate) state: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_place(text: &str) -> Result<(String, u64), String> {
    let place = text.rsplit_once(':').and_then(|(node, sequence)| Some((node.to_owned(), sequence.parse().ok()?)));
    place.ok_or_else(|| "write the node and the last record that the backup had: est-1:48211".to_owned())
}

#[derive(Args)]
pub(crate) struct AuditCheckpoint {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Print the public half of the key instead, PEM: what `estd audit verify --public-key` wants.
    #[arg(long)]
    pub(crate) public_key: bool,
}

#[cfg(test)]
mod documented;
