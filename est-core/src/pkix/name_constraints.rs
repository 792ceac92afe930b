//! nameConstraints (RFC 5280 §4.2.1.10): the names that a CA may certify.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use rasn::types::{Integer, SequenceOf};

use super::{GeneralName, Name, asn1, der};

/// A CA's nameConstraints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameConstraints {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// All names at or below one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subtree {
    Rfc822(String),
    Dns(String),
    Uri(String),
    Directory(Name),
    Ip {
        network: Vec<u8>,
        mask: Vec<u8>,
    },
    /// A form that is not understood, by its tag.
    Other(u8),
}

impl NameConstraints {
    /// Reads the extension's value; `None` when it is malformed, empty, has a minimum or a maximum, or a constraint of
    /// a form that RFC 5280 does not define: a domain with a dot before it or a wildcard in it, a mask with holes.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let constraints: asn1::NameConstraints = asn1::decode(der).ok()?;
        let subtrees = |list: Option<SequenceOf<asn1::GeneralSubtree>>| match list {
            Some(list) if list.is_empty() => None,
            Some(list) => list.iter().map(Subtree::read).collect(),
            None => Some(Vec::new()),
        };
        let (permitted, excluded) = (subtrees(constraints.permitted)?, subtrees(constraints.excluded)?);
        (!permitted.is_empty() || !excluded.is_empty()).then_some(Self { permitted, excluded })
    }

    /// Whether `name` may be certified: below none of the excluded subtrees, and below one of the permitted ones where
    /// there are any of its form.
    #[must_use]
    pub fn allow(&self, name: &GeneralName) -> bool {
        let mut permitted = self.permitted.iter().filter(|subtree| subtree.has_form_of(name)).peekable();
        let is_permitted = permitted.peek().is_none() || permitted.any(|subtree| subtree.holds(name));
        is_permitted && !self.excluded.iter().any(|subtree| subtree.has_form_of(name) && subtree.meets(name))
    }
}

impl Subtree {
    fn read(subtree: &asn1::GeneralSubtree) -> Option<Self> {
        if subtree.minimum != Integer::from(0) || subtree.maximum.is_some() {
            return None;
        }
        let base = subtree.base.as_bytes();
        let contents = der::contents(base);
        let text = || core::str::from_utf8(contents).ok().filter(|text| text.is_ascii()).map(ToString::to_string);
        match base.first()? {
            0x81 => {
                text().filter(|base| has_host(base.rsplit_once('@').map_or(base, |(_, host)| host))).map(Self::Rfc822)
            }
            0x82 => text().filter(|domain| domain.is_empty() || is_domain(domain)).map(Self::Dns),
            0x86 => text().filter(|base| has_host(base)).map(Self::Uri),
            0x87 if matches!(contents.len(), 8 | 32) => {
                let (network, mask) = contents.split_at(contents.len() / 2);
                let bits = mask.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1));
                let is_contiguous = bits.collect::<Vec<u8>>().is_sorted_by(|one, next| one >= next);
                is_contiguous.then(|| Self::Ip { network: network.to_vec(), mask: mask.to_vec() })
            }
            0x87 => None,
            0xa4 => Name::parse(contents).ok().map(Self::Directory),
            tag @ (0x88 | 0xa0 | 0xa3 | 0xa5) => Some(Self::Other(*tag)),
            _ => None,
        }
    }

    fn has_form_of(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Rfc822(_), GeneralName::Rfc822(_))
            | (Self::Dns(_), GeneralName::Dns(_))
            | (Self::Uri(_), GeneralName::Uri(_))
            | (Self::Directory(_), GeneralName::Directory(_))
            | (Self::Ip { .. }, GeneralName::Ip(_)) => true,
            (Self::Other(tag), GeneralName::Other(der)) => der.first() == Some(tag),
            _ => false,
        }
    }

    /// Whether everything that `name` stands for lies within.
    fn holds(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Dns(base), GeneralName::Dns(host)) => is_at_or_below(host, base),
            (Self::Rfc822(base), GeneralName::Rfc822(mailbox)) => holds_mailbox(base, mailbox),
            (Self::Uri(base), GeneralName::Uri(uri)) => host_of(uri).is_some_and(|host| holds_host(base, host)),
            (Self::Directory(base), GeneralName::Directory(name)) => name.is_below(base),
            (Self::Ip { network, mask }, GeneralName::Ip(address)) => {
                let octets = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                octets.len() == mask.len()
                    && octets.iter().zip(network).zip(mask).all(|((octet, base), mask)| octet & mask == base & mask)
            }
            _ => false,
        }
    }

    /// Whether anything that `name` may stand for lies within: what cannot be told counts.
    fn meets(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (Self::Other(_), _) => true,
            (Self::Uri(_), GeneralName::Uri(uri)) if host_of(uri).is_none() => true,
            (Self::Rfc822(_), GeneralName::Rfc822(mailbox)) if mailbox.ends_with(']') => true,
            (Self::Dns(base), GeneralName::Dns(host)) => {
                // `*.example.org` stands for a.example.org too.
                let wildcard = host.strip_prefix("*.").is_some_and(|parent| is_at_or_below(base, parent));
                wildcard || is_at_or_below(host, base)
            }
            _ => self.holds(name),
        }
    }
}

/// A host, or all hosts below a domain, as constraints on mailboxes and URIs name them.
fn has_host(base: &str) -> bool {
    is_domain(base.strip_prefix('.').unwrap_or(base))
}

/// Labels of letters, digits, hyphens and underscores, the last of which is no number.
fn is_domain(text: &str) -> bool {
    let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(is_letter) && label.trim_matches('-') == label
    };
    let is_number = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit());
    text.len() <= 253 && text.split('.').all(is_label) && !text.rsplit('.').next().is_some_and(is_number)
}

/// Whole labels count: `example.org` is not above `badexample.org`. Everything is below the empty domain.
fn is_at_or_below(host: &str, base: &str) -> bool {
    let Some(cut) = host.len().checked_sub(base.len()) else { return false };
    let (above, tail) = host.split_at(cut);
    tail.eq_ignore_ascii_case(base) && (base.is_empty() || above.is_empty() || above.ends_with('.'))
}

/// A mailbox, all mailboxes of a host, or with a dot before it those of all hosts below a domain.
fn holds_mailbox(base: &str, mailbox: &str) -> bool {
    let Some((local, host)) = mailbox.rsplit_once('@') else { return false };
    match base.rsplit_once('@') {
        Some((base_local, base_host)) => base_local == local && base_host.eq_ignore_ascii_case(host),
        None => holds_host(base, host),
    }
}

/// A host, or with a dot before it all hosts below a domain.
fn holds_host(base: &str, host: &str) -> bool {
    match base.strip_prefix('.') {
        Some(domain) => host.len() > domain.len() && is_at_or_below(host, domain),
        None => base.eq_ignore_ascii_case(host),
    }
}

/// The host of a URI with an authority, unless that is an address (RFC 3986 §3.2.2).
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once(':')?;
    let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return None;
    }
    let host = host.split(':').next()?;
    (!host.is_empty() && host.parse::<IpAddr>().is_err()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints(permitted: &[Subtree], excluded: &[Subtree]) -> NameConstraints {
        NameConstraints { permitted: permitted.to_vec(), excluded: excluded.to_vec() }
    }

    fn allowed(constraints: &NameConstraints, name: &str) -> bool {
        constraints.allow(&GeneralName::from_text(name).expect("a name"))
    }

    #[test]
    fn a_permitted_domain_lets_through_itself_and_what_is_below() {
        let constraints = constraints(&[Subtree::Dns("example.org".into())], &[]);
        for name in ["DNS:example.org", "DNS:a.Example.ORG", "DNS:*.example.org", "IP:192.0.2.1"] {
            assert!(allowed(&constraints, name), "{name}");
        }
        for name in ["DNS:badexample.org", "DNS:org", "DNS:*.org", "DNS:example.org.test"] {
            assert!(!allowed(&constraints, name), "{name}");
        }
    }

    #[test]
    fn an_excluded_domain_stops_the_wildcard_that_covers_it() {
        let constraints = constraints(&[], &[Subtree::Dns("a.example.org".into())]);
        for name in ["DNS:a.example.org", "DNS:x.a.example.org", "DNS:*.example.org", "DNS:*.a.example.org"] {
            assert!(!allowed(&constraints, name), "{name}");
        }
        for name in ["DNS:b.example.org", "DNS:*.b.example.org", "DNS:example.org"] {
            assert!(allowed(&constraints, name), "{name}");
        }
    }

    #[test]
    fn hosts_and_domains_of_mailboxes_and_uris_are_told_apart() {
        let host = constraints(
            &[Subtree::Rfc822("example.org".into()), Subtree::Uri("example.org".into())],
            &[Subtree::Rfc822("root@example.org".into())],
        );
        for name in ["email:a@example.org", "URI:https://example.org/x", "URI:https://u@example.org:1/"] {
            assert!(allowed(&host, name), "{name}");
        }
        for name in [
            "email:root@example.org",
            "email:a@b.example.org",
            "URI:https://b.example.org/",
            "URI:urn:a:b",
            "URI:urn:a://example.org",
        ] {
            assert!(!allowed(&host, name), "{name}");
        }
        let below = constraints(&[Subtree::Rfc822(".example.org".into()), Subtree::Uri(".example.org".into())], &[]);
        assert!(allowed(&below, "email:a@b.example.org") && allowed(&below, "URI:https://b.example.org"));
        assert!(!allowed(&below, "email:a@example.org") && !allowed(&below, "URI:https://example.org"));
    }

    #[test]
    fn networks_hold_their_addresses() {
        let network = Subtree::read(&asn1::GeneralSubtree {
            base: rasn::types::Any::new(b"\x87\x08\x0a\0\0\0\xff\0\0\0".to_vec()),
            minimum: Integer::from(0),
            maximum: None,
        });
        let constraints = constraints(&[network.expect("a network")], &[]);
        assert!(allowed(&constraints, "IP:10.1.2.3") && allowed(&constraints, "DNS:a"));
        assert!(!allowed(&constraints, "IP:11.1.2.3") && !allowed(&constraints, "IP:::1"));
    }

    #[test]
    fn refuses_what_rfc_5280_does_not_define() {
        // Empty; an empty list; a leading dot; a wildcard; a URI instead of its host; a mask with a hole; a minimum; a
        // host instead of a network.
        for der in [
            &b"\x30\x00"[..],
            b"\x30\x02\xa0\x00",
            b"\x30\x08\xa0\x06\x30\x04\x82\x02.a",
            b"\x30\x09\xa0\x07\x30\x05\x82\x03*.a",
            b"\x30\x09\xa0\x07\x30\x05\x86\x03a:b",
            b"\x30\x0e\xa0\x0c\x30\x0a\x87\x08\x0a\0\0\0\xff\0\xff\0",
            b"\x30\x0b\xa0\x09\x30\x07\x82\x02ab\x80\x01\x01",
            b"\x30\x0a\xa0\x08\x30\x06\x87\x04\x0a\0\0\0",
        ] {
            assert_eq!(NameConstraints::parse(der), None, "{der:02x?}");
        }
        assert!(NameConstraints::parse(b"\x30\x08\xa0\x06\x30\x04\x82\x02ab").is_some());
    }
}
