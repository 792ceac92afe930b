//! The commands and their flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use est_core::pkix::{GeneralName, KeyType, Name, Oid};

use crate::file;
use crate::server_url::ServerUrl;

const EXIT_CODES: &str = "Exit codes: 0 done, or nothing to do; 1 failure; 2 usage; 3 refused by the server; 4 still pending; \
                          5 the files are in place, but the command of --exec failed.";

const RENEW_HELP: &str = "Trouble that passes (no connection, 429, 503) is tried again after growing pauses, or when the server says. \
                          What the server refuses (400, 401, 403) is tried again after hours, since only somebody can change \
                          it; every time a line says why and when.";

/// Gets certificates from any EST server (RFC 7030).
#[derive(Debug, Parser)]
#[command(name = "est", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetches the CA certificates, to trust the server by from then on.
    ///
    /// Without --cacert the server is NOT authenticated: another machine may have answered. Compare the fingerprints
    /// that are shown with those that the CA's operator tells you in another way, or give --fingerprint, which keeps only
    /// the certificates that have it.
    Cacerts(CacertsArguments),
    /// Shows what the server wants to see in a certification request.
    Csrattrs(CsrattrsArguments),
    /// Makes a key and gets a certificate for it.
    ///
    /// Asks the server first what it wants to see in the request (/csrattrs): the type of key unless --key-type says it,
    /// and the extensions. What it wants and only you know has to be in --subject and --san.
    ///
    /// The key is written before anything is sent. If the answer is lost, or the server needs time to decide, the same
    /// command sends the same key again, so that the server can tell that it is the same request.
    Enroll(EnrollArguments),
    /// Has the server make a key, and gets it with its certificate.
    ///
    /// For devices that cannot make keys themselves; use `est enroll` where they can. The key comes within TLS
    /// alone, unless --decrypt-key or --kek-id name a key to encrypt it with. It is sent once: if the answer is lost, the
    /// certificate has to be revoked and another asked for.
    Serverkeygen(ServerkeygenArguments),
    /// Replaces a certificate by a new one with the same names.
    ///
    /// Asks with the certificate in --cert for one with the same subject and subject alternative names, octet for octet,
    /// and by default for a new key. The files of --cert and --key then hold the new pair, and the same names with .old
    /// the old one, all with the owner, group and mode that the files had. Until both are there, the new ones wait under
    /// names that end in .new; whatever interrupts that, the same command carries on from there.
    #[command(mut_arg("cert", own_certificate), mut_arg("key", own_key))]
    Reenroll(ReenrollArguments),
    /// Keeps a certificate from ending: renews it in time, again and again.
    ///
    /// Runs until it is stopped, or with --once looks once, for a timer. Renews as `est reenroll` does, at a moment in the
    /// last third of the certificate's validity that is another for each certificate, so that a fleet does not come all at
    /// once. Once a day, and before each renewal, it fetches the CA certificates over a connection that --cacert
    /// verifies, and adds a root to that file when a CA in there vouches for it: so a root can get another key.
    #[command(mut_arg("cert", own_certificate), mut_arg("key", own_key), after_help = RENEW_HELP)]
    Renew(RenewArguments),
    /// Measures how many enrollments a server answers.
    ///
    /// Sends certification requests to /simpleenroll as fast as the server answers them. Every request has a P-256 key of
    /// its own, made before the clock starts. With --cert the names asked for are those of that certificate; with a
    /// password they are CN=bench-1, CN=bench-2, and so on.
    Bench(BenchArguments),
    /// Prints the manual page.
    Man {
        /// Write the pages of all commands into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Prints what a shell completes commands with.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which server, and how it is known.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// The server: https://HOST:PORT, with a path where its base path is not /.well-known/est
    #[arg(long, value_name = "URL", env = "EST_SERVER")]
    pub(crate) server: ServerUrl,
    /// The CA label (RFC 7030 §3.2.2)
    #[arg(long, env = "EST_LABEL")]
    pub(crate) label: Option<String>,
    /// PEM file with the CA certificates that the server is trusted by
    #[arg(long, value_name = "FILE", env = "EST_CACERT")]
    pub(crate) cacert: Option<PathBuf>,
    /// How long one request may take: 500ms, 30s, 2m
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = span)]
    pub(crate) timeout: Duration,
}

/// Who asks.
#[derive(Clone, Args)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct IdentityArguments {
    /// PEM file with the client certificate, its intermediates after it
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file with the client certificate's private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// User name for a password; may be left out where the password alone counts (RFC 7030 §3.2.3)
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The password or one-time password. Other users of this machine can see arguments: better put it in the
    /// environment variable EST_PASSWORD or in a file
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) password: Option<String>,
    /// File whose first line is the password; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Leaves the password out.
impl std::fmt::Debug for IdentityArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityArguments")
            .field("cert", &self.cert)
            .field("key", &self.key)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(crate) struct CacertsArguments {
    /// SHA-256 fingerprint of a certificate that must be there, with or without colons; may be given several times.
    /// Nothing is written if one is missing, and only what has one of these fingerprints is
    #[arg(long, value_name = "SHA256", value_parser = fingerprint)]
    pub(crate) fingerprint: Vec<[u8; 32]>,
    /// PEM file to write; - writes to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CsrattrsArguments {
    /// Print it as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArguments {
    /// The subject to ask for: CN=device-1,O=Example
    #[arg(long, value_name = "NAME", value_parser = subject, required_unless_present = "san", default_value = "", hide_default_value = true)]
    pub(crate) subject: Name,
    /// A subject alternative name to ask for: DNS:name, IP:address, email:address or URI:uri; may be given several times
    #[arg(long, value_name = "NAME", value_parser = san)]
    pub(crate) san: Vec<GeneralName>,
    /// The type of key to make [default: what the server asks for, or ecdsa-p256]: rsa-2048, rsa-3072, rsa-4096,
    /// ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// PEM file of the new certificate's key [default: the common name with .key]. A key that is there already is
    /// used; otherwise one is made, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    pub(crate) key_out: Option<PathBuf>,
    /// PEM file to write the certificate to [default: the common name with .pem]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Do not ask the server first what it wants to see in a request
    #[arg(long)]
    pub(crate) no_csrattrs: bool,
    #[command(flatten)]
    pub(crate) linking: LinkingArguments,
    #[command(flatten)]
    pub(crate) patience: PatienceArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ServerkeygenArguments {
    /// The subject to ask for: CN=device-1,O=Example
    #[arg(long, value_name = "NAME", value_parser = subject, required_unless_present = "san", default_value = "", hide_default_value = true)]
    pub(crate) subject: Name,
    /// A subject alternative name to ask for: DNS:name, IP:address, email:address or URI:uri; may be given several times
    #[arg(long, value_name = "NAME", value_parser = san)]
    pub(crate) san: Vec<GeneralName>,
    /// The type of key to ask for, as for enroll; the server has the last word [default: ecdsa-p256]
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// PEM file to write the key to, readable by its owner alone [default: the common name with .key]. It must not be
    /// there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) key_out: Option<PathBuf>,
    /// PEM file to write the certificate to [default: the common name with .pem]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) protection: ProtectionArguments,
    #[command(flatten)]
    pub(crate) linking: LinkingArguments,
    #[command(flatten)]
    pub(crate) patience: PatienceArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

/// How the key is encrypted within TLS.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Encryption of the key")]
pub(crate) struct ProtectionArguments {
    /// PEM file with a private key to encrypt the new one to: RSA, P-256, P-384, P-521, X25519 or ML-KEM, in PKCS #8
    #[arg(long, value_name = "FILE", requires = "decrypt_cert")]
    pub(crate) decrypt_key: Option<PathBuf>,
    /// PEM file with that key's certificate, which the server has to know: the one in --cert, or one that its operator
    /// has put in place. Its subjectKeyIdentifier names the key
    #[arg(long, value_name = "FILE", requires = "decrypt_key")]
    pub(crate) decrypt_cert: Option<PathBuf>,
    /// The name of a key that the server has too, to encrypt the new one with: text, or hex: and hexadecimal digits
    #[arg(long, value_name = "ID", requires = "kek_file", conflicts_with = "decrypt_key", value_parser = key_id)]
    pub(crate) kek_id: Option<KeyId>,
    /// File with that key, 16 or 32 octets in hexadecimal
    #[arg(long, value_name = "FILE", requires = "kek_id")]
    pub(crate) kek_file: Option<PathBuf>,
    /// An algorithm to list in place of the usual ones, by its object identifier; may be given several times, the
    /// preferred one first
    #[arg(long, value_name = "OID", value_parser = oid)]
    pub(crate) capability: Vec<Oid>,
}

/// The name of a shared key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) Vec<u8>);

#[derive(Debug, Args)]
pub(crate) struct ReenrollArguments {
    /// Do nothing, successfully, unless the certificate ends within this span: 30d, 12h
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) if_expires_within: Option<Duration>,
    #[command(flatten)]
    pub(crate) renewal: RenewalArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RenewArguments {
    /// Renew if it is time, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Which new roots that the server lists are added to --cacert: those that a CA in the file vouches for by a
    /// certificate of the new root's key (RFC 4210 §4.4), any, since the connection was verified, or none
    #[arg(long, value_name = "WHICH", value_enum, default_value = "vouched-for", env = "EST_NEW_ROOTS")]
    pub(crate) new_roots: NewRoots,
    #[command(flatten)]
    pub(crate) renewal: RenewalArguments,
}

/// Which roots of a server's answer become trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewRoots {
    VouchedFor,
    Any,
    None,
}

/// How a certificate is renewed.
#[derive(Debug, Args)]
pub(crate) struct RenewalArguments {
    /// Ask for a certificate of the key that is there, instead of a new key
    #[arg(long, conflicts_with = "key_type")]
    pub(crate) keep_key: bool,
    /// The type of key to make [default: that of the key in use]
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// Command for /bin/sh to run after files have changed: `systemctl reload nginx`. EST_CERT, EST_KEY and EST_CACERT
    /// are their paths, EST_CHANGED says which have changed: cacert, certificate, key. It is run again until it has
    /// succeeded once
    #[arg(long, value_name = "COMMAND", env = "EST_EXEC")]
    pub(crate) exec: Option<String>,
    #[command(flatten)]
    pub(crate) linking: LinkingArguments,
    #[command(flatten)]
    pub(crate) patience: PatienceArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LinkingArguments {
    /// Whether the request says that it was made on the connection that sends it (RFC 7030 §3.5), by tls-exporter
    /// (RFC 9266): if /csrattrs asks for it, always, or never
    #[arg(long, value_name = "WHEN", value_enum, default_value = "asked", default_missing_value = "always", num_args = 0..=1, require_equals = true)]
    pub(crate) link: Linking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Linking {
    Asked,
    Always,
    Never,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PatienceArguments {
    /// How long to try in all while the server cannot be reached, is overloaded or has not decided yet: 90s, 10m, 2h; 0s
    /// asks once
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    pub(crate) max_wait: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// How long to measure
    #[arg(long, value_name = "SPAN", default_value = "8s", value_parser = span)]
    pub(crate) duration: Duration,
    /// How many requests are under way at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) concurrency: u32,
    /// Make a new TLS 1.3 connection with a full handshake for every request
    #[arg(long)]
    pub(crate) new_connections: bool,
    /// How many requests to prepare; the measurement ends early when they are used up [default: by duration and cores]
    #[arg(long, value_name = "N")]
    pub(crate) prepare: Option<usize>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    #[command(flatten)]
    pub(crate) identity: IdentityArguments,
}

fn own_certificate(arg: Arg) -> Arg {
    arg.required(true).env("EST_CERT")
}

fn own_key(arg: Arg) -> Arg {
    arg.required(true).env("EST_KEY")
}

/// Reads `500ms`, `30s`, `10m`, `2h`, `30d`; a bare number is seconds.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write a number and a unit: 500ms, 30s, 10m, 2h, 30d".to_string())?;
    let in_seconds = |unit: u64| number.checked_mul(unit).map(Duration::from_secs);
    match &text[digits.len()..] {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => in_seconds(1),
        "m" => in_seconds(60),
        "h" => in_seconds(3600),
        "d" => in_seconds(86_400),
        _ => None,
    }
    .filter(|span| *span <= Duration::from_secs(100 * 366 * 86_400))
    .ok_or_else(|| "write a number and a unit: 500ms, 30s, 10m, 2h, 30d".to_string())
}

fn subject(text: &str) -> Result<Name, String> {
    Name::from_text(text).map_err(|error| error.to_string())
}

fn san(text: &str) -> Result<GeneralName, String> {
    GeneralName::from_text(text)
        .ok_or_else(|| "write DNS:name, IP:address, email:address, URI:uri, upn:name or smtp-utf8:address".to_string())
}

fn key_id(text: &str) -> Result<KeyId, String> {
    let octets = match text.strip_prefix("hex:") {
        Some(digits) => file::from_hex(digits).map(|octets| octets.to_vec()),
        None => Some(text.as_bytes().to_vec()),
    };
    let octets = octets.filter(|octets| !octets.is_empty());
    octets.map(KeyId).ok_or_else(|| "write text, or hex: and hexadecimal digits".to_string())
}

fn oid(text: &str) -> Result<Oid, String> {
    Oid::from_dotted(text).ok_or_else(|| "write an object identifier: 2.16.840.1.101.3.4.1.45".to_string())
}

fn key_type(text: &str) -> Result<KeyType, String> {
    text.parse()
        .map_err(|()| format!("the known types are {}", KeyType::USUAL.map(|known| known.to_string()).join(", ")))
}

fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let octets: Option<Vec<u8>> = (digits.len() == 64 && digits.bytes().all(|octet| octet.is_ascii_hexdigit()))
        .then(|| (0..32).filter_map(|index| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()).collect());
    octets
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| "a SHA-256 fingerprint has 64 hexadecimal digits".to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let arguments = ["est"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(|error| error.kind())
    }

    #[test]
    fn has_no_contradiction_in_its_flags() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_spans() {
        for (text, span_ms) in
            [("500ms", 500), ("8s", 8_000), ("8", 8_000), ("2m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000)]
        {
            assert_eq!(span(text), Ok(Duration::from_millis(span_ms)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_fingerprints_with_and_without_colons() {
        assert_eq!(fingerprint(&"0a".repeat(32)), Ok([10; 32]));
        assert_eq!(fingerprint(&["0A"; 32].join(":")), Ok([10; 32]));
        assert!(fingerprint(&"0a".repeat(31)).is_err());
        assert!(fingerprint(&"é".repeat(32)).is_err());
    }

    #[test]
    fn wants_a_name_to_enroll() {
        let base = "enroll --server https://localhost:8443 --cacert ca.pem";
        assert!(matches!(parse(base), Err(ErrorKind::MissingRequiredArgument)));
        assert!(matches!(parse(&format!("{base} --subject CN")), Err(ErrorKind::ValueValidation)));
        let Ok(Command::Enroll(enroll)) = parse(&format!("{base} --san DNS:a --san IP:::1")) else {
            panic!("a name is there")
        };
        assert!(enroll.subject.is_empty());
        assert_eq!(enroll.san.iter().map(ToString::to_string).collect::<Vec<_>>(), ["DNS:a", "IP:::1"]);
    }

    #[test]
    fn wants_certificates_and_passwords_whole() {
        let base = "csrattrs --server https://localhost";
        assert!(parse(base).is_ok());
        assert!(matches!(parse(&format!("{base} --cert a")), Err(ErrorKind::MissingRequiredArgument)));
        assert!(parse(&format!("{base} --password a")).is_ok());
        let both = format!("{base} --user u --password a --password-file b");
        assert!(matches!(parse(&both), Err(ErrorKind::ArgumentConflict)));
        let renewal = "reenroll --server https://localhost --cacert ca.pem";
        assert!(matches!(parse(renewal), Err(ErrorKind::MissingRequiredArgument)));
        assert!(parse(&format!("{renewal} --cert a --key b")).is_ok());
    }

    #[test]
    fn keeps_the_password_out_of_debug() {
        let command = parse("csrattrs --server https://localhost --user u --password sesame").unwrap();
        assert!(!format!("{command:?}").contains("sesame"));
    }
}
