//! The Baseline Requirements of the CA/Browser Forum for domain-validated TLS server certificates, version 2.2.6, as
//! far as they are about what a request asks for. That somebody controls the domain is for others to find out.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Wanted;
use crate::pkix::{GeneralName, Name, Oid, keyword, oid};
use crate::{Seconds, UnixTime};

/// A rule of the Baseline Requirements that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaselineRule {
    /// Subjects have countryName and commonName at most (§7.1.2.7.2).
    SubjectAttribute(Oid),
    /// An attribute stands there once (§7.1.4.1).
    AttributeTwice(Oid),
    /// An RDN has one attribute (§7.1.4.1).
    JoinedAttributes,
    /// countryName comes before commonName (§7.1.4.2).
    AttributeOrder,
    /// Names are in the public DNS (§7.1.4.2, internal names).
    InternalName(String),
    /// Addresses are global (§7.1.4.2, reserved addresses).
    ReservedAddress(IpAddr),
    /// A public suffix is no host of a subscriber's.
    PublicSuffix(String),
    /// Nobody owns all names below a public suffix (§3.2.2.6).
    WildcardBelowSuffix(String),
    /// Labels have letters, digits and hyphens (§7.1.2.7.12).
    Underscore(String),
    /// `--` as third and fourth letter is for A-labels (§7.1.2.7.12).
    ReservedLabel(String),
}

impl BaselineRule {
    /// A name for logs, metrics and audit records; never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SubjectAttribute(_) => "br-subject-attribute",
            Self::AttributeTwice(_) => "br-attribute-twice",
            Self::JoinedAttributes => "br-joined-attributes",
            Self::AttributeOrder => "br-attribute-order",
            Self::InternalName(_) => "br-internal-name",
            Self::ReservedAddress(_) => "br-reserved-address",
            Self::PublicSuffix(_) => "br-public-suffix",
            Self::WildcardBelowSuffix(_) => "br-wildcard-below-suffix",
            Self::Underscore(_) => "br-underscore",
            Self::ReservedLabel(_) => "br-reserved-label",
        }
    }
}

impl fmt::Display for BaselineRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubjectAttribute(id) => {
                write!(f, "a domain-validated subject has C and CN at most, not {} (BR §7.1.2.7.2)", keyword(id))
            }
            Self::AttributeTwice(id) => {
                write!(f, "the subject has more than one {} (BR §7.1.4.1)", keyword(id))
            }
            Self::JoinedAttributes => f.write_str("an RDN of the subject has several attributes (BR §7.1.4.1)"),
            Self::AttributeOrder => f.write_str("the subject's C must come before its CN (BR §7.1.4.2)"),
            Self::InternalName(name) => write!(f, "{name} is not in the public DNS (BR §7.1.4.2)"),
            Self::ReservedAddress(address) => write!(f, "{address} is a reserved address (BR §7.1.4.2)"),
            Self::PublicSuffix(name) => {
                write!(f, "{name} is a public suffix, below which others register names: ask for a name below it")
            }
            Self::WildcardBelowSuffix(name) => {
                write!(f, "{name} covers a public suffix, which nobody owns alone (BR §3.2.2.6)")
            }
            Self::Underscore(name) => write!(f, "{name} has an underscore (BR §7.1.2.7.12)"),
            Self::ReservedLabel(name) => {
                write!(f, "{name} has a label with -- after two letters that is no A-label (BR §7.1.2.7.12)")
            }
        }
    }
}

pub(super) fn check(wanted: &Wanted<'_>) -> Result<(), BaselineRule> {
    subject(wanted.subject)?;
    let names = wanted.names();
    names.iter().try_for_each(|name| match name {
        GeneralName::Dns(name) => host(name),
        GeneralName::Ip(address) if is_reserved(*address) => Err(BaselineRule::ReservedAddress(*address)),
        // The other kinds are the profile's to refuse.
        GeneralName::Ip(_)
        | GeneralName::Rfc822(_)
        | GeneralName::Directory(_)
        | GeneralName::Uri(_)
        | GeneralName::Other(_) => Ok(()),
    })
}

fn subject(subject: &Name) -> Result<(), BaselineRule> {
    if subject.has_joined_attributes() {
        return Err(BaselineRule::JoinedAttributes);
    }
    let mut before: Option<&Oid> = None;
    for (id, _) in subject.attributes() {
        if *id != oid::COUNTRY && *id != oid::COMMON_NAME {
            return Err(BaselineRule::SubjectAttribute(id.clone()));
        }
        match before {
            Some(earlier) if earlier == id => return Err(BaselineRule::AttributeTwice(id.clone())),
            Some(_) if *id == oid::COUNTRY => return Err(BaselineRule::AttributeOrder),
            Some(_) | None => before = Some(id),
        }
    }
    Ok(())
}

fn host(name: &str) -> Result<(), BaselineRule> {
    let (is_wildcard, host) = name.strip_prefix("*.").map_or((false, name), |host| (true, host));
    let lower = host.to_ascii_lowercase();
    if lower.contains('_') {
        return Err(BaselineRule::Underscore(name.to_string()));
    }
    let is_reserved = |label: &str| label.get(2..4) == Some("--") && !label.starts_with("xn--");
    if lower.split('.').any(is_reserved) {
        return Err(BaselineRule::ReservedLabel(name.to_string()));
    }
    let suffix = psl::suffix(lower.as_bytes()).filter(|suffix| suffix.is_known());
    // Reverse zones have been out since March 2026; the names of RFC 6761 and RFC 7686 are nobody's.
    let is_special = ["arpa", "onion", "test", "invalid", "example", "localhost", "local"]
        .iter()
        .any(|special| lower.rsplit('.').next() == Some(special));
    let Some(suffix) = suffix.filter(|_| !is_special) else {
        return Err(BaselineRule::InternalName(name.to_string()));
    };
    let is_suffix = suffix.as_bytes() == lower.as_bytes();
    if is_wildcard && (is_suffix || has_suffixes_below(&lower)) {
        return Err(BaselineRule::WildcardBelowSuffix(name.to_string()));
    }
    if is_suffix && lower.contains('.') {
        return Err(BaselineRule::PublicSuffix(name.to_string()));
    }
    // A top-level domain alone is no host of anybody's.
    if lower.contains('.') { Ok(()) } else { Err(BaselineRule::InternalName(name.to_string())) }
}

/// Whether a rule of the list makes every name directly below this one a public suffix, as `*.kobe.jp` does.
fn has_suffixes_below(host: &str) -> bool {
    // A label that no rule and no exception from one names.
    let below = format!("any-label-at-all.{host}");
    psl::suffix(below.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == below.as_bytes())
}

/// Whether the address is in one of IANA's special-purpose registries (RFC 6890), or for many receivers at once.
fn is_reserved(address: IpAddr) -> bool {
    const V4: [(Ipv4Addr, u32); 16] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 31, 196, 0), 24),
        (Ipv4Addr::new(192, 52, 193, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    /// Within 2000::/3, outside of which nothing is global.
    const V6: [(Ipv6Addr, u32); 5] = [
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];

    match address {
        IpAddr::V4(address) => {
            V4.iter().any(|(network, bits)| (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0)
        }
        IpAddr::V6(address) => {
            address.to_bits() >> 125 != 1
                || V6.iter().any(|(network, bits)| (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0)
        }
    }
}

/// For how long a certificate issued at `now` may be valid at most (§6.3.2), less the day that is recommended to leave.
pub(super) fn max_validity(now: UnixTime) -> Seconds {
    /// The days from which on a limit holds, at midnight UTC, and the limit.
    const SCHEDULE: [(UnixTime, u32); 3] = [
        // 2029-03-15, 2027-03-15, 2026-03-15.
        (UnixTime(1_868_227_200), 46),
        (UnixTime(1_805_068_800), 99),
        (UnixTime(1_773_532_800), 199),
    ];

    let days = SCHEDULE.iter().find(|(from, _)| now >= *from).map_or(397, |(_, days)| *days);
    Seconds::from_days(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_validity_by_the_day_of_issuance() {
        for (day, secs, days) in [
            ("2026-03-14T23:59:59Z", 1_773_532_799, 397),
            ("2026-03-15T00:00:00Z", 1_773_532_800, 199),
            ("2027-03-14T23:59:59Z", 1_805_068_799, 199),
            ("2027-03-15T00:00:00Z", 1_805_068_800, 99),
            ("2029-03-14T23:59:59Z", 1_868_227_199, 99),
            ("2029-03-15T00:00:00Z", 1_868_227_200, 46),
        ] {
            assert_eq!(UnixTime(secs).to_string(), day);
            assert_eq!(max_validity(UnixTime(secs)), Seconds::from_days(days), "{day}");
        }
    }

    #[test]
    fn takes_names_of_the_public_dns_alone() {
        for name in [
            "example.com",
            "a.example.co.uk",
            "*.example.org",
            "city.kobe.jp",
            "*.city.kobe.jp",
            "b.a.kobe.jp",
            "xn--bcher-kva.ch",
            "A.Example.COM",
        ] {
            assert_eq!(host(name), Ok(()), "{name}");
        }
        for (name, rule) in [
            ("server", BaselineRule::InternalName("server".into())),
            ("com", BaselineRule::InternalName("com".into())),
            ("a.corp", BaselineRule::InternalName("a.corp".into())),
            ("a.local", BaselineRule::InternalName("a.local".into())),
            ("1.2.0.192.in-addr.arpa", BaselineRule::InternalName("1.2.0.192.in-addr.arpa".into())),
            ("*.co.uk", BaselineRule::WildcardBelowSuffix("*.co.uk".into())),
            ("*.kobe.jp", BaselineRule::WildcardBelowSuffix("*.kobe.jp".into())),
            ("*.a.kobe.jp", BaselineRule::WildcardBelowSuffix("*.a.kobe.jp".into())),
            ("co.uk", BaselineRule::PublicSuffix("co.uk".into())),
            ("CO.UK", BaselineRule::PublicSuffix("CO.UK".into())),
            ("github.io", BaselineRule::PublicSuffix("github.io".into())),
            ("a.kobe.jp", BaselineRule::PublicSuffix("a.kobe.jp".into())),
            ("_a.example.com", BaselineRule::Underscore("_a.example.com".into())),
            ("ab--c.example.com", BaselineRule::ReservedLabel("ab--c.example.com".into())),
        ] {
            assert_eq!(host(name), Err(rule), "{name}");
        }
    }

    #[test]
    fn takes_global_addresses_alone() {
        for address in ["8.8.8.8", "2606:4700::1111", "100.63.255.255", "172.32.0.1"] {
            assert!(!is_reserved(address.parse().expect("an address")), "{address}");
        }
        let reserved = [
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.51.100.7",
            "239.1.1.1",
            "255.255.255.255",
            "::1",
            "::ffff:8.8.8.8",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2002::1",
        ];
        for address in reserved {
            assert!(is_reserved(address.parse().expect("an address")), "{address}");
        }
    }
}
