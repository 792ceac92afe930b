//! `estd requests`.

use clap::{Args, Subcommand};

use super::{Config, Output};

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
    /// Show one request: the client and its address, what it asks for, what it would get, and by which rule.
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
