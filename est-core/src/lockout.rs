//! Guesses at passwords: what they count against, and when that is locked out.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::{Principal, Seconds, is_hidden};

/// The longest user name that is written down as it is.
const LONGEST_USER: usize = 64;

/// When somebody is locked out, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// After how many failures of a user name or a password; at least one.
    pub max_failures: u32,
    /// After how many failures from an address, or a /64 where that is IPv6; at least one. Wider networks have four times
    /// (a /56) or sixteen times (a /48, a /24) as many.
    pub max_address_failures: u32,
    /// Within which time.
    pub window: Seconds,
    /// For how long.
    pub duration: Seconds,
}

/// A wrong password, as it is to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// What it counts against.
    pub against: Vec<Counted>,
    /// What becomes of them.
    pub lockout: Lockout,
}

/// A user name, password or network that wrong passwords count against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// `user NAME`, `password ID` or `address NETWORK`.
    pub who: String,
    /// After how many failures they are locked out.
    pub max_failures: u32,
}

impl Guess {
    /// Counts a try against the user name that was claimed, the password that was tried and the address that it came
    /// from: an attacker that tries one password under many names, or many under one, counts like one that tries one.
    ///
    /// It also counts against the [`networks`] of that address, of which each may have more failures than those within it:
    /// many share one, and one may have many.
    #[must_use]
    pub fn new(user: &str, password_id: Option<&str>, origin: Option<IpAddr>, lockout: Lockout) -> Self {
        let user = (!user.is_empty()).then(|| Self::against_user(user));
        let password = password_id.map(|id| format!("password {id}"));
        let one = [user, password].into_iter().flatten().map(|who| Counted { who, max_failures: lockout.max_failures });
        let networks = origin.into_iter().flat_map(networks).map(|network| Counted {
            max_failures: lockout.max_address_failures.saturating_mul(network.share),
            who: format!("address {}", network.text),
        });
        Self { against: one.chain(networks).collect(), lockout }
    }

    /// What it counts against, by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.against.iter().map(|counted| counted.who.clone()).collect()
    }

    /// As what tries at a user name are counted: `user NAME`, or by its SHA-256 where the name is longer than 64 octets
    /// or reads as something else than it is.
    #[must_use]
    pub fn against_user(user: &str) -> String {
        format!("user {}", shortened(user))
    }
}

impl Principal {
    /// What no longer counts against anybody once this principal was known: the tries at its user name and at its
    /// password, and never those from its address.
    #[must_use]
    pub fn clears(&self) -> Vec<String> {
        match self {
            Self::OneTimePassword { id, entity, .. } => {
                let user = entity.as_deref().map(Guess::against_user);
                user.into_iter().chain([format!("password {id}")]).collect()
            }
            Self::Certificate(_) => Vec::new(),
        }
    }
}

/// A network that somebody at an address may have for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address, or the network's first address and the length of its prefix: `192.0.2.7`, `2001:db8::/48`.
    pub text: String,
    /// How many times as much as the narrowest it may take.
    pub share: u32,
}

/// The networks of an address from the narrowest to the widest: an IPv4 address and its /24; the /64, the /56 and the /48 of
/// an IPv6 address, which are what a machine, a home and a company are given.
#[must_use]
pub fn networks(address: IpAddr) -> Vec<Network> {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            vec![
                Network { text: format!("{address}"), share: 1 },
                Network { text: format!("{}/24", Ipv4Addr::new(a, b, c, 0)), share: 16 },
            ]
        }
        IpAddr::V6(address) => [(64, 1), (56, 4), (48, 16)]
            .map(|(length, share)| {
                let first = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - length)));
                Network { text: format!("{first}/{length}"), share }
            })
            .into(),
    }
}

/// A name that is too long, has characters that do not belong in one, or may be a password, by its SHA-256.
fn shortened(user: &str) -> String {
    if user.len() <= LONGEST_USER && !user.chars().any(is_hidden) && !may_be_a_password(user) {
        return user.to_owned();
    }
    Sha256::digest(user.as_bytes()).iter().fold("sha256:".to_owned(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Whether somebody may have written a one-time password, whose second half is its secret, in the place of the user name.
fn may_be_a_password(user: &str) -> bool {
    user.rsplit_once('.').is_some_and(|(_, secret)| {
        secret.len() >= 16
            && secret.bytes().all(|octet| octet.is_ascii_alphanumeric())
            && secret.bytes().any(|octet| octet.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const LOCKOUT: Lockout =
        Lockout { max_failures: 5, max_address_failures: 50, window: Seconds(900), duration: Seconds(1800) };

    fn guess(user: &str, id: Option<&str>, origin: Option<&str>) -> Guess {
        Guess::new(user, id, origin.map(|address| address.parse().unwrap()), LOCKOUT)
    }

    fn against(user: &str, id: Option<&str>, origin: Option<&str>) -> Vec<String> {
        guess(user, id, origin).names()
    }

    #[test]
    fn counts_against_user_password_and_address() {
        let all = ["user device-7", "password abc", "address 192.0.2.7", "address 192.0.2.0/24"];
        assert_eq!(against("device-7", Some("abc"), Some("192.0.2.7")), all);
        assert_eq!(against("", None, None), [""; 0]);
    }

    #[test]
    fn a_network_may_fail_more_often_than_those_within_it() {
        let limits =
            |address: &str| guess("u", Some("p"), Some(address)).against.into_iter().map(|one| one.max_failures);
        assert_eq!(limits("192.0.2.7").collect::<Vec<_>>(), [5, 5, 50, 800]);
        assert_eq!(limits("2001:db8::7").collect::<Vec<_>>(), [5, 5, 50, 200, 800]);
    }

    #[test]
    fn counts_the_addresses_of_a_network_as_one() {
        for (address, networks) in [
            ("2001:db8:1:2345:6:7:8:9", &["2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"][..]),
            ("2001:db8:1:2::", &["2001:db8:1:2::/64", "2001:db8:1::/56", "2001:db8:1::/48"]),
            ("::ffff:192.0.2.7", &["192.0.2.7", "192.0.2.0/24"]),
        ] {
            let networks: Vec<_> = networks.iter().map(|network| format!("address {network}")).collect();
            assert_eq!(against("", None, Some(address)), networks);
        }
    }

    #[test]
    fn writes_a_name_down_that_reads_as_what_it_is() {
        for user in ["device-7", "gerät-7", "設備", "دستگاه"] {
            assert_eq!(against(user, None, None), [format!("user {user}")]);
        }
    }

    #[test]
    fn writes_down_no_name_that_is_long_or_strange() {
        let strange =
            ["a\nb", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{200b}b", "a\u{ad}b", "a\u{feff}", "a\u{e0041}"];
        let misplaced = "3sfx2vzmxm.61rw6pj4k2m8q0vt7xyz".to_owned();
        for user in strange.map(ToOwned::to_owned).into_iter().chain(["x".repeat(65), misplaced]) {
            let counted = against(&user, None, None);
            assert!(counted[0].starts_with("user sha256:") && counted[0].len() == 76, "{counted:?}");
        }
    }
}
