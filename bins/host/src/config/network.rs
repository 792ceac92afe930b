//! IP addresses that belong together.

use std::net::IpAddr;

/// An address, or all those that share their first bits with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many of its last bits may differ.
    host_bits: u32,
}

impl Network {
    /// Reads `10.0.0.7`, `10.0.0.0/24` or `fd00::/64`; `None` for anything else, bits beyond the prefix included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let all_bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) if prefix.starts_with('+') => return None,
            Some(prefix) => prefix.parse().ok()?,
            None => all_bits,
        };
        let network = Self { address, host_bits: u32::checked_sub(all_bits, prefix_bits)? };
        (network.prefix(address).checked_shl(network.host_bits).unwrap_or(0) == number(address)).then_some(network)
    }

    /// Whether `address` is one of them; an IPv4 address may come in the form that an IPv6 socket gives it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.prefix(address) == self.prefix(self.address)
    }

    fn prefix(&self, address: IpAddr) -> u128 {
        number(address).checked_shr(self.host_bits).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn contains_what_shares_its_prefix() {
        for (network, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.128/25", "::ffff:10.0.0.200", "10.0.0.127"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "192.0.2.7", "::1"),
            ("fd00::/64", "fd00::1", "fd00:0:0:1::"),
            ("::/0", "fd00::1", "10.0.0.1"),
            ("::1", "::1", "0.0.0.1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network:?} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network:?} {outside}");
        }
    }

    #[test]
    fn takes_nothing_but_addresses_and_networks() {
        for text in
            ["", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/+8", "10.0.0.0/", "::1/64"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
