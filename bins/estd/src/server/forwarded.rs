//! Where a proxy says that its client connects from.

use std::net::{IpAddr, SocketAddr};

use host::config::AddressHeader;
use http::{HeaderMap, HeaderName};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address in `header` that no proxy of ours has; `None` if it cannot be told.
///
/// Each proxy appends whom it heard from, so what counts is read from the end; what stands further in front came with
/// the request, and may be made up.
pub(super) fn client(header: AddressHeader, headers: &HeaderMap, is_proxy: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let name = match header {
        AddressHeader::Forwarded => FORWARDED,
        AddressHeader::XForwardedFor => X_FORWARDED_FOR,
    };
    let mut farthest = None;
    for line in headers.get_all(name).iter().rev() {
        let elements = split(line.to_str().ok()?, ',');
        for element in elements.into_iter().rev() {
            let address = match header {
                AddressHeader::Forwarded => node(&forwarded_for(element)?)?,
                AddressHeader::XForwardedFor => node(element)?,
            };
            if !is_proxy(address) {
                return Some(address);
            }
            farthest = Some(address);
        }
    }
    farthest
}

/// The value of `for` in an element of Forwarded (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<String> {
    let pairs = split(element, ';');
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

/// Splits at `separator`, but not within quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
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
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use http::HeaderValue;

    use super::*;

    fn told(header: AddressHeader, lines: &[&str]) -> Option<String> {
        let name = if header == AddressHeader::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        let proxies: IpAddr = "10.0.0.7".parse().unwrap();
        client(header, &headers, |address| address == proxies).map(|address| address.to_string())
    }

    #[test]
    fn the_last_address_counts_that_is_no_proxys() {
        use AddressHeader::{Forwarded, XForwardedFor};
        for (header, lines, expected) in [
            (XForwardedFor, &["192.0.2.1"][..], Some("192.0.2.1")),
            (XForwardedFor, &["1.1.1.1, 192.0.2.1, 10.0.0.7"], Some("192.0.2.1")),
            (XForwardedFor, &["1.1.1.1", "192.0.2.1,10.0.0.7"], Some("192.0.2.1")),
            (XForwardedFor, &["192.0.2.1:443"], Some("192.0.2.1")),
            (XForwardedFor, &["[2001:db8::1]:443"], Some("2001:db8::1")),
            (XForwardedFor, &["10.0.0.7"], Some("10.0.0.7")),
            (XForwardedFor, &["::ffff:192.0.2.1"], Some("192.0.2.1")),
            // What follows counts, and cannot be read: what a client made up before it does not come to count.
            (XForwardedFor, &["192.0.2.1, unknown"], None),
            (XForwardedFor, &["192.0.2.1,"], None),
            (XForwardedFor, &[], None),
            (Forwarded, &["for=192.0.2.1"], Some("192.0.2.1")),
            (Forwarded, &["For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            (Forwarded, &["for=1.1.1.1, for=192.0.2.1;proto=https;by=203.0.113.43, for=10.0.0.7"], Some("192.0.2.1")),
            (Forwarded, &["for=1.1.1.1;host=\"a,for=6.6.6.6\""], Some("1.1.1.1")),
            (Forwarded, &["for=\"192.0.2.\\1\""], Some("192.0.2.1")),
            (Forwarded, &["for=_hidden"], None),
            (Forwarded, &["for=192.0.2.1, by=10.0.0.7"], None),
            (Forwarded, &["192.0.2.1"], None),
        ] {
            assert_eq!(told(header, lines).as_deref(), expected, "{lines:?}");
        }
    }
}
