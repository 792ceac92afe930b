//! Where a database is, as an operator writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use est_core::Secret;

/// Where a database is. Neither `Debug` nor `Display` shows a password.
#[derive(Clone, Debug)]
pub struct DatabaseUrl(pub(crate) Place);

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// An SQLite file.
    File(PathBuf),
    /// A database server.
    Server(Address),
}

/// A database of a server, and how to get in.
#[derive(Clone, Debug)]
#[cfg_attr(not(any(feature = "postgres", feature = "mariadb")), expect(dead_code, reason = "no server can be used"))]
pub(crate) struct Address {
    pub(crate) product: Product,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
}

/// Which kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Postgres,
    Mariadb,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A host name or an IP address.
    Name(String),
    /// A Unix socket, or for PostgreSQL the folder that it is in.
    Socket(PathBuf),
}

/// Whether a connection is encrypted, and whose certificate the server has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Disable,
    /// Where the server can. Whoever sits between can make it look as if it could not.
    Prefer,
    /// With any certificate. Whoever sits between can show one.
    Require,
    /// With a certificate of a CA in this file.
    VerifyCa(PathBuf),
    /// With a certificate of a CA in this file that names the host.
    VerifyFull(PathBuf),
}

/// Why a text is not the URL of a database, and what to write. Quotes nothing of it but the names of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// What is wrong, as the end of a sentence that begins with what the URL is called.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

const ANY: &str = "write \"sqlite://relative.db\", \"postgres://user:password@host/database\" or \
                   \"mariadb://user:password@host/database\"";
const SQLITE: &str = "write \"sqlite://relative.db\" or \"sqlite:///absolute.db\"";
const POSTGRES: &str = "write \"postgres://user:password@host:5432/database\"";
const MARIADB: &str = "write \"mariadb://user:password@host:3306/database\"";
const ENCODE: &str = "write the characters @ : / ? # % of a user name or password as %40 %3A %2F %3F %23 %25";
const SSL_MODE: &str = "write sslmode=disable, prefer, require, verify-ca or verify-full";
const SSL_MODE_OF_MARIADB: &str = "write ssl-mode=disabled, preferred, required, verify_ca or verify_identity";
const ROOT: &str = "add sslrootcert=FILE, the certificate of the CA that the database's is of, in PEM";
const ROOT_OF_MARIADB: &str = "add ssl-ca=FILE, the certificate of the CA that the database's is of, in PEM";

impl DatabaseUrl {
    /// The SQLite file at this path.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// Reads `sqlite://`, `postgres://`, `postgresql://`, `mysql://` and `mariadb://` URLs. Files that it names are
    /// relative to `base`.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(url: &str, base: &Path) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("is not a database URL", ANY))?;
        match scheme {
            "sqlite" => sqlite(rest, base).map(|path| Self(Place::File(path))),
            "postgres" | "postgresql" => server(Product::Postgres, rest, base).map(|at| Self(Place::Server(at))),
            "mysql" | "mariadb" => server(Product::Mariadb, rest, base).map(|at| Self(Place::Server(at))),
            _ => Err(wrong("is not the URL of a database that is known", ANY)),
        }
    }

    /// The file, of an SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// The file with the CAs that the certificate of a server has to be of, if there is one.
    #[must_use]
    pub fn trust_anchors(&self) -> Option<&Path> {
        match &self.0 {
            Place::Server(Address { tls: Tls::VerifyCa(file) | Tls::VerifyFull(file), .. }) => Some(file),
            Place::Server(_) | Place::File(_) => None,
        }
    }

    /// What kind of database it is: `sqlite`, `postgres` or `mariadb`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.0 {
            Place::File(_) => "sqlite",
            Place::Server(Address { product: Product::Postgres, .. }) => "postgres",
            Place::Server(Address { product: Product::Mariadb, .. }) => "mariadb",
        }
    }

    /// What to add to the URL of a server on another machine, so that nobody on the way can read or change what goes
    /// over the connection; `None` where nobody can.
    #[must_use]
    pub fn weakness(&self) -> Option<&'static str> {
        let Place::Server(Address { host: Host::Name(host), tls, product, .. }) = &self.0 else { return None };
        if host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) {
            return None;
        }
        match (tls, product) {
            (Tls::VerifyCa(_) | Tls::VerifyFull(_), _) => None,
            (Tls::Disable | Tls::Prefer | Tls::Require, Product::Postgres) => {
                Some("add sslmode=verify-full&sslrootcert=FILE")
            }
            (Tls::Disable | Tls::Prefer | Tls::Require, Product::Mariadb) => {
                Some("add ssl-mode=verify_identity&ssl-ca=FILE")
            }
        }
    }
}

impl From<Address> for DatabaseUrl {
    fn from(address: Address) -> Self {
        Self(Place::Server(address))
    }
}

/// Without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(path) => path.display().fmt(f),
            Place::Server(Address { product, host, port, user, database, .. }) => {
                let scheme = match product {
                    Product::Postgres => "postgres",
                    Product::Mariadb => "mariadb",
                };
                match host {
                    Host::Name(name) if name.contains(':') => write!(f, "{scheme}://{user}@[{name}]:{port}/{database}"),
                    Host::Name(name) => write!(f, "{scheme}://{user}@{name}:{port}/{database}"),
                    Host::Socket(path) => write!(f, "{scheme}://{user}@/{database} at {}", path.display()),
                }
            }
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.help)
    }
}

impl std::error::Error for UrlError {}

fn wrong(what: impl Into<String>, help: &'static str) -> UrlError {
    UrlError { what: what.into(), help }
}

fn sqlite(rest: &str, base: &Path) -> Result<PathBuf, UrlError> {
    let (file, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if file.is_empty() || file.ends_with('/') {
        return Err(wrong("names no file", SQLITE));
    }
    if file == ":memory:" {
        return Err(wrong("a database in memory forgets what was promised", SQLITE));
    }
    if !matches!(parameters, "" | "mode=rwc") {
        return Err(wrong("has parameters that are not known", "leave out what follows the `?`"));
    }
    Ok(base.join(file))
}

fn server(product: Product, rest: &str, base: &Path) -> Result<Address, UrlError> {
    let (form, usual_port, available) = match product {
        Product::Postgres => (POSTGRES, 5432, cfg!(feature = "postgres")),
        Product::Mariadb => (MARIADB, 3306, cfg!(feature = "mariadb")),
    };
    if !available {
        return Err(wrong("is of a database that this program was built without", "build it with that feature"));
    }
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').ok_or_else(|| wrong("names no database", form))?;
    let database = decoded(database)?;
    if database.is_empty() {
        return Err(wrong("names no database", form));
    }
    if database.contains('/') {
        return Err(wrong("has a / too many", ENCODE));
    }
    let (login, at) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    if user.is_empty() {
        return Err(wrong("names no user", form));
    }
    let (name, port) = match at.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            // Also where a password has a character that ends it too early: its rest is not repeated.
            (name, port.parse().map_err(|_| wrong("has no port number where one belongs", ENCODE))?)
        }
        _ => (at, usual_port),
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let more = Parameters::read(product, parameters, base)?;
    let host = match more.socket {
        Some(path) => Host::Socket(path),
        None if name.is_empty() => return Err(wrong("names no host", form)),
        None => Host::Name(decoded(name)?),
    };
    Ok(Address {
        product,
        host,
        port,
        user: decoded(user)?,
        password: password.map(|password| decoded(password).map(Secret::new)).transpose()?,
        database,
        tls: more.tls,
    })
}

/// What follows the `?`.
struct Parameters {
    tls: Tls,
    socket: Option<PathBuf>,
}

impl Parameters {
    fn read(product: Product, text: &str, base: &Path) -> Result<Self, UrlError> {
        let (mut mode, mut root, mut socket) = (None, None, None);
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match (product, name) {
                (Product::Postgres, "sslmode") | (Product::Mariadb, "ssl-mode" | "sslmode") => mode = Some(value),
                (Product::Postgres, "sslrootcert") | (Product::Mariadb, "ssl-ca" | "sslrootcert") => {
                    root = Some(base.join(value));
                }
                (Product::Postgres, "host") | (Product::Mariadb, "socket") if value.starts_with('/') => {
                    socket = Some(PathBuf::from(value));
                }
                // What the client libraries of others want to be told; here it is so anyway.
                (_, "application_name" | "charset") => {}
                _ => {
                    let help = match product {
                        Product::Postgres => "the parameters sslmode, sslrootcert and host=/FOLDER are known",
                        Product::Mariadb => "the parameters ssl-mode, ssl-ca and socket=/FILE are known",
                    };
                    return Err(wrong(format!("has the parameter {}, which is not known", printable(name)), help));
                }
            }
        }
        Ok(Self { tls: tls(product, mode.as_deref(), root)?, socket })
    }
}

fn tls(product: Product, mode: Option<&str>, root: Option<PathBuf>) -> Result<Tls, UrlError> {
    let (modes, wants_root) = match product {
        Product::Postgres => (SSL_MODE, ROOT),
        Product::Mariadb => (SSL_MODE_OF_MARIADB, ROOT_OF_MARIADB),
    };
    let rooted = |root: Option<PathBuf>| root.ok_or_else(|| wrong("names no CA to trust", wants_root));
    let mode = mode.map(|mode| mode.to_ascii_lowercase().replace('_', "-"));
    match mode.as_deref() {
        Some("disable" | "disabled") => Ok(Tls::Disable),
        None | Some("allow" | "prefer" | "preferred") => Ok(root.map_or(Tls::Prefer, Tls::VerifyCa)),
        // A CA that is named is meant: libpq takes it so too.
        Some("require" | "required") => Ok(root.map_or(Tls::Require, Tls::VerifyCa)),
        Some("verify-ca") => rooted(root).map(Tls::VerifyCa),
        Some("verify-full" | "verify-identity") => rooted(root).map(Tls::VerifyFull),
        Some(_) => Err(wrong("has an sslmode that is not known", modes)),
    }
}

/// A parameter's name, as far as it can be repeated.
fn printable(name: &str) -> String {
    name.chars().take(32).map(|letter| if letter.is_ascii_graphic() { letter } else { '?' }).collect()
}

/// Takes the percent-encoding of RFC 3986 §2.1 out.
fn decoded(text: &str) -> Result<String, UrlError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        (octets, rest) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let octet = digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low);
                octets.push(octet.ok_or_else(|| wrong("has a % that stands for nothing", ENCODE))?);
                (octets, after)
            }
            (b'%', _) => return Err(wrong("has a % that stands for nothing", ENCODE)),
            (octet, after) => {
                octets.push(*octet);
                (octets, after)
            }
        };
    }
    match String::from_utf8(octets) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(wrong("is not UTF-8", ENCODE)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn parse(url: &str) -> Result<DatabaseUrl, UrlError> {
        DatabaseUrl::parse(url, Path::new("/etc/ohia"))
    }

    fn address(url: &str) -> Address {
        match parse(url).unwrap().0 {
            Place::Server(address) => address,
            Place::File(_) => panic!("{url} is not of a file"),
        }
    }

    #[test]
    fn a_file_is_relative_to_the_configuration() {
        assert_eq!(parse("sqlite://ohia.db").unwrap().file(), Some(Path::new("/etc/ohia/ohia.db")));
        assert_eq!(parse("sqlite:///var/ohia.db?mode=rwc").unwrap().file(), Some(Path::new("/var/ohia.db")));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_server_has_everything_that_the_url_says() {
        let at = address("postgres://est:p%25w%2Frd%401@db.example/ohia?sslmode=verify-full&sslrootcert=ca.pem");
        assert_eq!((at.host, at.port), (Host::Name("db.example".into()), 5432));
        assert_eq!((at.user.as_str(), at.database.as_str()), ("est", "ohia"));
        assert_eq!(at.password.unwrap().reveal(), "p%w/rd@1");
        assert_eq!(at.tls, Tls::VerifyFull("/etc/ohia/ca.pem".into()));
        let at = address("postgresql://est@[::1]:6000/ohia");
        assert_eq!((at.host, at.port, at.tls), (Host::Name("::1".into()), 6000, Tls::Prefer));
        assert!(at.password.is_none());
        let at = address("postgres://est@/ohia?host=/run/postgresql");
        assert_eq!(at.host, Host::Socket("/run/postgresql".into()));
    }

    #[cfg(feature = "mariadb")]
    #[test]
    fn mariadb_has_its_own_words() {
        let at = address("mysql://est:x@db.example/ohia?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem");
        assert_eq!((at.product, at.port, at.tls), (Product::Mariadb, 3306, Tls::VerifyFull("/ca.pem".into())));
        assert_eq!(address("mariadb://est:x@db/ohia?ssl-mode=REQUIRED").tls, Tls::Require);
        assert_eq!(
            address("mariadb://est:x@db/ohia?ssl-mode=required&ssl-ca=c").tls,
            Tls::VerifyCa("/etc/ohia/c".into())
        );
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn no_password_is_shown() {
        let url = parse("postgres://est:hunter2@db.example/ohia").unwrap();
        assert_eq!(url.to_string(), "postgres://est@db.example:5432/ohia");
        assert!(!format!("{url:?}").contains("hunter2"));
        for url in [
            "postgres://est:hunter2/x@db.example/ohia",
            "postgres://est:hunter2%@db.example/ohia",
            "postgres://est:hunter2@db.example:port/ohia",
            "postgres://est:hunter2@db.example/",
            "postgres://est:hunter2@db.example",
            "postgres://est:hunter2@db.example/ohia?sslmode=hunter2",
            "postgres://:hunter2@db.example/ohia",
            "postgres://est:hunter2@/ohia",
            "oracle://est:hunter2@db.example/ohia",
            "postgres:est:hunter2",
        ] {
            let refused = parse(url).unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn refuses_what_it_would_not_honour() {
        let refused = |url| parse(url).unwrap_err().to_string();
        assert!(refused("postgres://a@b/c?target_session_attrs=any").contains("target_session_attrs"));
        assert!(refused("postgres://a@b/c?sslmode=verify-full").contains("sslrootcert=FILE"));
        assert!(refused("postgres://a@b/c?sslmode=yes").contains("verify-full"));
        assert!(refused("postgres://a@b/c/d").contains("%2F"));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn tells_when_others_can_listen() {
        for url in ["postgres://a@db.example/c", "postgres://a@db.example/c?sslmode=require"] {
            assert!(parse(url).unwrap().weakness().unwrap().contains("verify-full"), "{url}");
        }
        for url in ["postgres://a@127.0.0.1/c", "postgres://a@db/c?sslmode=verify-ca&sslrootcert=x", "sqlite://x"] {
            assert_eq!(parse(url).unwrap().weakness(), None, "{url}");
        }
    }
}
