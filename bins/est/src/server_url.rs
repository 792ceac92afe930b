//! Where a server is.

use std::fmt;
use std::str::FromStr;

use est_core::client::DEFAULT_BASE_PATH;
use rustls::pki_types::ServerName;

/// `https://host[:port][/base-path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with a slash and does not end in one.
    pub(crate) base_path: String,
}

impl ServerUrl {
    /// The name that the server's certificate must have.
    pub(crate) fn name(&self) -> ServerName<'static> {
        ServerName::try_from(self.host.clone()).expect("parsing has checked it")
    }

    /// What the Host header says.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }

    /// The path of `location` when it is at this very server, `None` when it is elsewhere (RFC 6454 §5).
    pub(crate) fn path_at_same_origin(&self, location: &str) -> Option<String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return is_path(location).then(|| location.to_string());
        }
        let rest = location.strip_prefix("https://")?;
        let (authority, path) = rest.split_at(rest.find('/')?);
        let (host, port) = split_authority(authority)?;
        let is_here = host.eq_ignore_ascii_case(&self.host) && port == self.port;
        (is_here && is_path(path)).then(|| path.to_string())
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("https://") else {
            return Err("it must begin with https:// (EST is never spoken without TLS)".into());
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Some((host, port)) = split_authority(authority) else {
            return Err(format!("`{authority}` is not host, host:port, address:port or [address]:port"));
        };
        let path = path.trim_end_matches('/');
        if !path.is_empty() && !is_path(path) {
            return Err(format!("`{path}` is not the path of a URL, percent-encoded, without query and fragment"));
        }
        let base_path = if path.is_empty() { DEFAULT_BASE_PATH } else { path };
        Ok(Self { host: host.to_string(), port, base_path: base_path.to_string() })
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.base_path == DEFAULT_BASE_PATH { "" } else { &self.base_path };
        write!(f, "https://{}{path}", self.authority())
    }
}

fn split_authority(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None if port.is_empty() => 443,
        None => return None,
    };
    ServerName::try_from(host).ok().map(|_| (host, port))
}

/// Whether it can be in a request line as it is.
fn is_path(path: &str) -> bool {
    path.bytes().all(|octet| octet.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&octet))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn reads_host_port_and_base_path() {
        for (text, host, port, base_path) in [
            ("https://est.example", "est.example", 443, "/.well-known/est"),
            ("https://est.example/", "est.example", 443, "/.well-known/est"),
            ("https://localhost:8443", "localhost", 8443, "/.well-known/est"),
            ("https://192.0.2.1:8443/ca/est/", "192.0.2.1", 8443, "/ca/est"),
            ("https://[::1]:8443/est", "::1", 8443, "/est"),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!((url.host.as_str(), url.port, url.base_path.as_str()), (host, port, base_path), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_could_misread() {
        for text in [
            "",
            "est.example",
            "http://est.example",
            "https://",
            "https://:8443",
            "https://user@est.example",
            "https://est.example:port",
            "https://est.example:+1",
            "https://est.example:65536",
            "https://est.example:",
            "https://[::1",
            "https://[::1]8443",
            "https://est.example/a?b",
            "https://est.example/a b",
            "https://est.example/a\r\nHost:x",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn stays_at_the_same_origin() {
        let url: ServerUrl = "https://est.example:8443".parse().unwrap();
        assert_eq!(url.path_at_same_origin("/est/cacerts").as_deref(), Some("/est/cacerts"));
        assert_eq!(url.path_at_same_origin("https://EST.example:8443/x").as_deref(), Some("/x"));
        for elsewhere in
            ["//other.example/x", "https://est.example/x", "http://est.example:8443/x", "https://a.example:8443/x", "x"]
        {
            assert_eq!(url.path_at_same_origin(elsewhere), None, "{elsewhere}");
        }
    }
}
