//! `estd audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Config, Output};

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
    /// The export was filtered: do not report the records that it leaves out.
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
    /// The node of this chain has not signed it, since it runs commands only. May be repeated.
    #[arg(long = "unproven", value_name = "NODE")]
    pub(crate) unproven: Vec<String>,
    /// Compare the tables of the database with what the records say about them.
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
