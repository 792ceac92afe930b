//! Absolute URIs (RFC 3986).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::host::is_dns_name;

/// Whether `text` is a URI with a scheme, and with a host's name or address where there is an authority (RFC 5280
/// §4.2.1.6).
pub(super) fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    let may_lack_host = WITHOUT_HOST.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let has_authority = |rest: &str| has_host(rest) || may_lack_host && rest.starts_with('/');
    is_scheme && !rest.is_empty() && is_uri_text(rest) && rest.strip_prefix("//").is_none_or(has_authority)
}

/// The schemes whose URIs may leave the host to the reader, as in `ldap:///CN=CA` (RFC 4516 §2, RFC 8089 §2).
const WITHOUT_HOST: [&str; 3] = ["ldap", "ldaps", "file"];

/// Whether every reader of the URI takes it for the place that its text shows: nothing in it is decoded to a letter, a dot
/// or a slash (§6.2.2.2), no segment of the path is made of dots (§5.2.4) or empty, which some take for one slash, and
/// no userinfo stands where a host is expected (§7.6).
pub(super) fn is_read_alike(text: &str) -> bool {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
    let hierarchy = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match hierarchy.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", hierarchy),
    };
    let is_of_dots = |segment: &str| {
        // Some readers cut a segment's parameters off first.
        let name = segment.split(';').next().unwrap_or_default();
        !name.is_empty() && name.bytes().all(|octet| octet == b'.')
    };
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let is_plain = |segment: &str| !is_of_dots(segment) && !segment.is_empty();
    !authority.contains('@')
        && (inner.is_empty() && path != "//" || inner.split('/').all(is_plain))
        && !hides_text(text)
}

/// Whether an octet is encoded that could be written as it is, or that means something else once it is decoded.
fn hides_text(text: &str) -> bool {
    text.split('%').skip(1).any(|tail| {
        let octet = tail.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octet.is_none_or(|octet| {
            octet.is_ascii_alphanumeric() || octet.is_ascii_control() || b"-._~/\\%;@:?#".contains(&octet)
        })
    })
}

/// Whether every octet may stand in a URI, and each percent sign before two hexadecimal digits (§2).
fn is_uri_text(text: &str) -> bool {
    let may_stand = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&octet);
    let is_encoded = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|octet| octet.is_ascii_hexdigit());
    text.bytes().all(may_stand) && text.split('%').skip(1).all(is_encoded)
}

fn has_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_port =
        |text: &str| text.is_empty() || text.bytes().all(|octet| octet.is_ascii_digit()) && text.parse::<u16>().is_ok();
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }),
        None => match host.split_once(':') {
            Some((host, port)) => is_host(host) && is_port(port),
            None => is_host(host),
        },
    }
}

fn is_host(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok() || is_dns_name(text) && !text.starts_with('*')
}
