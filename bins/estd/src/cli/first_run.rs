//! `estd dev` and `estd init`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use est_core::Operation;
use est_core::pkix::KeyType;
use est_core::policy::Profile;

use super::authority::key_type;

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
    /// What the CA's key is: ecdsa-p256, ecdsa-p384, rsa-3072, ed25519, ml-dsa-65, … The server's own TLS key is RSA with an
    /// RSA CA, and ecdsa-p256 otherwise [default: ecdsa-p256].
    #[arg(long, value_name = "TYPE", value_parser = key_type)]
    pub(crate) key_type: Option<KeyType>,
    /// Put the CA below the offline root in this folder, which is made if it holds none: `estd ca root` says what is in it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["csr", "ca_cert"])]
    pub(crate) root: Option<PathBuf>,
    /// The subject of a root that is made.
    #[arg(long, value_name = "DN", requires = "root", default_value = "CN=Ohia Root CA")]
    pub(crate) root_subject: String,
    /// Where clients find the root's CRL; it goes into the CA's certificate. May be repeated.
    #[arg(long = "root-crl-url", value_name = "URL", requires = "root")]
    pub(crate) root_crl_urls: Vec<String>,
    /// File whose first line is the passphrase of the root's key, also if the root is made.
    #[arg(long, value_name = "FILE", requires = "root")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Make the CA's key and a certification request for a root elsewhere, and stop. Go on with --ca-cert.
    #[arg(long, conflicts_with_all = ["ca_cert", "names", "db", "labels"])]
    pub(crate) csr: bool,
    /// Use the key that DIR/ca-key.pem holds already, with this certificate of it. Those above it follow in the same file or
    /// are in --chain.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "key_type"])]
    pub(crate) ca_cert: Option<PathBuf>,
    /// The certificates above --ca-cert, up to the root.
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    pub(crate) chain: Option<PathBuf>,
    /// The database: sqlite:///var/lib/ohia/estd.db, postgres://user:password@host/database, mariadb://…, or file:PATH or
    /// env:NAME of such a URL. A database server must answer. [default: sqlite://estd.db, in DIR]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// A path of its own, /.well-known/est/NAME/…, with this profile: device, tls-client, tls-server, ra or smime. May be
    /// repeated. Requests without a label are refused then.
    #[arg(long = "label", value_name = "NAME[=PROFILE]")]
    pub(crate) labels: Vec<NewLabel>,
}

/// A label to be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewLabel {
    pub(crate) name: String,
    /// A profile that is built in.
    pub(crate) profile: String,
}

impl std::str::FromStr for NewLabel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, profile) = text.split_once('=').unwrap_or((text, "device"));
        // What no URL has to encode (RFC 3986 §2.3).
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
        if name.is_empty() || !name.chars().all(is_plain) || matches!(name, "." | "..") {
            return Err("a label is letters, digits, and - . _ ~".into());
        }
        if Operation::from_segment(name).is_some() || matches!(name, "fullcmc" | "serverkeygen") {
            return Err(format!("{name} is the name of an operation (RFC 7030 §3.2.2)"));
        }
        if profile == "br-tls" {
            return Err("br-tls needs a [[profile]] with issuer_urls and crl_urls: write it into estd.toml".into());
        }
        if Profile::built_in(profile).is_none() {
            return Err(format!("the profile {profile} is not known: take one of {}", Profile::BUILT_IN.join(", ")));
        }
        Ok(Self { name: name.into(), profile: profile.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_labels_that_are_path_segments_with_profiles_that_there_are() {
        let label = |name: &str, profile: &str| Ok(NewLabel { name: name.into(), profile: profile.into() });
        assert_eq!("servers=tls-server".parse(), label("servers", "tls-server"));
        assert_eq!("plc_1.north".parse(), label("plc_1.north", "device"));
        for (text, why) in [
            ("", "letters"),
            ("=device", "letters"),
            ("a/b", "letters"),
            ("a b", "letters"),
            ("..", "letters"),
            ("cacerts", "operation"),
            ("fullcmc", "operation"),
            ("a=tls", "device, tls-server"),
            ("a=", "is not known"),
            ("a=br-tls", "issuer_urls"),
        ] {
            let told = text.parse::<NewLabel>().expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
