//! `estd certs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Config, Output};

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
    /// Show one certificate and its story: the request, the approval, what it renews, and what its holder got with it.
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
