//! `estd otp`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Config, Output};

#[derive(Subcommand)]
pub(crate) enum Otp {
    /// Create a password; it is shown this once.
    Create {
        #[command(flatten)]
        config: Config,
        /// The client's name. The password is good with this user name only, and gives this client's names only.
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
    /// List passwords, without their secrets, and failures with passwords.
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
    /// End a lockout.
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
