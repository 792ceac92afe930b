//! Where a proxy says that its client connects from.

use std::net::{IpAddr, SocketAddr};

use host::config::{AddressHeader, ClientAddress};
use http::{HeaderMap, HeaderName};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a proxy passes on; `None` if it cannot be read.
///
/// Each proxy appends its peer, so the address is counted from the end; what is further in front came with the request,
/// and may be made up.
pub(super) fn client(told: ClientAddress, headers: &HeaderMap) -> Option<IpAddr> {
    let name = match told.header {
        AddressHeader::Forwarded => FORWARDED,
        AddressHeader::XForwardedFor => X_FORWARDED_FOR,
    };
    let mut before = told.hops.get() - 1;
    for line in headers.get_all(name).iter().rev() {
        let elements = match told.header {
            AddressHeader::Forwarded => split(line.to_str().ok()?, ',')?.into_iter().map(str::as_bytes).collect(),
            // Not even what cannot be read in front of the last comma takes away what stands behind it.
            AddressHeader::XForwardedFor => line.as_bytes().split(|octet| *octet == b',').collect::<Vec<_>>(),
        };
        let Some(at) = elements.len().checked_sub(before + 1) else {
            before -= elements.len();
            continue;
        };
        let element = str::from_utf8(elements[at]).ok()?;
        return match told.header {
            AddressHeader::Forwarded => node(&forwarded_for(element)?),
            AddressHeader::XForwardedFor => node(element),
        };
    }
    None
}

/// The value of `for` in an element of Forwarded (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<String> {
    let pairs = split(element, ';')?;
    let value = pairs.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    let Some(quoted) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut plain = String::new();
    let mut characters = quoted.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(plain)
}

/// An address with or without a port, one of IPv6 in brackets or not (RFC 7239 §6, and what X-Forwarded-For is seen with).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

/// Splits at `separator`, but not within quotes; `None` if the last of them does not end: it hides what was
/// appended.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                parts.push(&text[start..at]);
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use http::HeaderValue;

    use super::*;

    fn told(header: AddressHeader, hops: usize, lines: &[&[u8]]) -> Option<String> {
        let name = if header == AddressHeader::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        let told = ClientAddress { header, hops: hops.try_into().unwrap() };
        client(told, &headers).map(|address| address.to_string())
    }

    #[test]
    fn the_last_address_counts_or_the_one_so_many_hops_before_it() {
        use AddressHeader::{Forwarded, XForwardedFor};
        for (header, hops, lines, expected) in [
            (XForwardedFor, 1, &[&b"192.0.2.1"[..]][..], Some("192.0.2.1")),
            (XForwardedFor, 1, &[b"1.1.1.1, 192.0.2.1"], Some("192.0.2.1")),
            (XForwardedFor, 1, &[b"1.1.1.1", b"192.0.2.1"], Some("192.0.2.1")),
            (XForwardedFor, 2, &[b"1.1.1.1, 192.0.2.1, 10.0.0.7"], Some("192.0.2.1")),
            (XForwardedFor, 2, &[b"1.1.1.1, 192.0.2.1", b"10.0.0.7"], Some("192.0.2.1")),
            (XForwardedFor, 3, &[b"1.1.1.1", b"192.0.2.1", b"10.0.0.7"], Some("1.1.1.1")),
            // There were fewer proxies than that.
            (XForwardedFor, 2, &[b"192.0.2.1"], None),
            (XForwardedFor, 1, &[b"192.0.2.1:443"], Some("192.0.2.1")),
            (XForwardedFor, 1, &[b"[2001:db8::1]:443"], Some("2001:db8::1")),
            (XForwardedFor, 1, &[b"::ffff:192.0.2.1"], Some("192.0.2.1")),
            // What counts cannot be read: what a client made up before it does not come to count.
            (XForwardedFor, 1, &[b"192.0.2.1, unknown"], None),
            (XForwardedFor, 1, &[b"192.0.2.1,"], None),
            (XForwardedFor, 1, &[], None),
            (Forwarded, 1, &[b"for=192.0.2.1"], Some("192.0.2.1")),
            (Forwarded, 1, &[b"For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            (
                Forwarded,
                2,
                &[b"for=1.1.1.1, for=192.0.2.1;proto=https;by=203.0.113.43, for=10.0.0.7"],
                Some("192.0.2.1"),
            ),
            (Forwarded, 1, &[b"for=1.1.1.1;host=\"a,for=6.6.6.6\""], Some("1.1.1.1")),
            (Forwarded, 1, &[b"for=\"192.0.2.\\1\""], Some("192.0.2.1")),
            (Forwarded, 1, &[b"for=_hidden"], None),
            (Forwarded, 1, &[b"for=192.0.2.1, by=10.0.0.7"], None),
            (Forwarded, 1, &[b"192.0.2.1"], None),
        ] {
            assert_eq!(told(header, hops, lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_client_cannot_hide_or_replace_what_the_proxy_appends() {
        use AddressHeader::{Forwarded, XForwardedFor};
        for begun in [&b"\xff"[..], b"\"", b"\"\\", b"1.1.1.1;x=\""] {
            let line = [begun, b", 192.0.2.8"].concat();
            assert_eq!(told(XForwardedFor, 1, &[&line]).as_deref(), Some("192.0.2.8"), "{line:?}");
        }
        for begun in [&b"for=\xff"[..], b"for=\"x", b"for=1.1.1.1;host=\"a", b"for=1.1.1.1;host=\"a\\"] {
            for appended in [&b", for=192.0.2.9"[..], b", for=\"[2001:db8::9]\""] {
                let line = [begun, appended].concat();
                assert_eq!(told(Forwarded, 1, &[&line]), None, "{line:?}");
            }
        }
    }
}
