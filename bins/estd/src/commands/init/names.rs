//! The names of a server.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use est_backends::authority;
use est_core::pkix::{GeneralName, GeneralNames};

/// The names that clients use, those that were given first: the first DNS name becomes the commonName. Those of the
/// machine itself follow.
///
/// # Errors
/// When one is neither a DNS name nor an address.
pub(super) fn server_names(given: &[String]) -> Result<GeneralNames> {
    let mut names = authority::local_names().names().to_vec();
    for (index, text) in given.iter().enumerate() {
        let name = server_name(text).with_context(|| format!("--name {text}"))?;
        if !names.contains(&name) {
            names.insert(index.min(names.len()), name);
        }
    }
    GeneralNames::from_names(&names).context("the server's names")
}

/// Reads a DNS name or an address, as strictly as certificates of devices are held to it.
fn server_name(text: &str) -> Result<GeneralName> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return GeneralName::from_text(bare).context("not an address");
    }
    if is_host_name(text) {
        return GeneralName::from_text(text).context("not a name");
    }
    // A URL, or a name with a port, is the likeliest slip.
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.');
    let help = if host != text && (is_host_name(host) || host.parse::<IpAddr>().is_ok()) {
        format!("did you mean {host}?")
    } else {
        "write est.example.com, or an address".to_owned()
    };
    bail!("not a DNS name or an address: {help}")
}

/// Whether it is a host name (RFC 1123 §2.1): labels of letters, digits and hyphens, and not four numbers.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !top.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_addresses_and_says_what_was_meant_by_a_url() {
        for name in [
            "est.example.com",
            "est",
            "a-1.example",
            "192.0.2.1",
            "2001:db8::1",
            "[2001:db8::1]",
            "xn--bcher-kva.example",
        ] {
            assert!(server_name(name).is_ok(), "{name}");
        }
        for (text, meant) in [
            ("https://est.example.com:8443", "did you mean est.example.com?"),
            ("https://est.example.com/.well-known/est", "did you mean est.example.com?"),
            ("est.example.com:8443", "did you mean est.example.com?"),
            ("est.example.com.", "did you mean est.example.com?"),
            ("https://[2001:db8::1]:8443/", "did you mean 2001:db8::1?"),
            ("https://user@est.example.com", "did you mean est.example.com?"),
            ("bad name", "write est.example.com"),
            ("*.example.com", "write est.example.com"),
            ("-est.example.com", "write est.example.com"),
            ("est_1.example.com", "write est.example.com"),
            ("192.0.2.300", "write est.example.com"),
            ("bücher.example", "write est.example.com"),
            ("", "write est.example.com"),
        ] {
            let error = server_name(text).map_or_else(|error| error.to_string(), |_| "taken".to_owned());
            assert!(error.contains(meant), "{text}: {error}");
        }
    }
}
