//! Guesses at passwords: whom they count against, and when those are locked out.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::{Principal, Seconds};

/// The longest user name that is written down as it is.
const LONGEST_USER: usize = 64;

/// When somebody is locked out, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// After how many failures; at least one.
    pub max_failures: u32,
    /// Within which time.
    pub window: Seconds,
    /// For how long.
    pub duration: Seconds,
}

/// A wrong password, as it is to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// Against whom it counts.
    pub against: Vec<String>,
    /// What becomes of them.
    pub lockout: Lockout,
}

impl Guess {
    /// Counts a try against the user name that was claimed, the password that was tried and the address that it came
    /// from: who tries one password under many names, or many under one, counts as who tries one.
    ///
    /// An IPv6 address counts with its /64: whoever has one has them all.
    #[must_use]
    pub fn new(user: &str, password_id: Option<&str>, origin: Option<IpAddr>, lockout: Lockout) -> Self {
        let user = (!user.is_empty()).then(|| format!("user {}", shortened(user)));
        let password = password_id.map(|id| format!("password {id}"));
        let origin = origin.map(|origin| format!("address {}", network(origin)));
        Self { against: [user, password, origin].into_iter().flatten().collect(), lockout }
    }
}

impl Principal {
    /// What no longer counts against anybody once this principal was known: the tries at its user name and at its
    /// password, and never those from its address.
    #[must_use]
    pub fn clears(&self) -> Vec<String> {
        match self {
            Self::OneTimePassword { id, entity, .. } => {
                let user = entity.as_ref().map(|entity| format!("user {}", shortened(entity)));
                user.into_iter().chain([format!("password {id}")]).collect()
            }
            Self::Certificate(_) => Vec::new(),
        }
    }
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// A name that is too long, or has characters that do not belong in one, by its SHA-256.
fn shortened(user: &str) -> String {
    if user.len() <= LONGEST_USER && !user.chars().any(char::is_control) {
        return user.to_owned();
    }
    Sha256::digest(user.as_bytes()).iter().fold("sha256:".to_owned(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn against(user: &str, id: Option<&str>, origin: Option<&str>) -> Vec<String> {
        let lockout = Lockout { max_failures: 5, window: Seconds(900), duration: Seconds(1800) };
        Guess::new(user, id, origin.map(|address| address.parse().unwrap()), lockout).against
    }

    #[test]
    fn counts_against_user_password_and_address() {
        let all = ["user device-7", "password abc", "address 192.0.2.7"];
        assert_eq!(against("device-7", Some("abc"), Some("192.0.2.7")), all);
        assert_eq!(against("", None, None), [""; 0]);
    }

    #[test]
    fn counts_the_addresses_of_a_network_as_one() {
        for (address, network) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(against("", None, Some(address)), [format!("address {network}")]);
        }
    }

    #[test]
    fn writes_down_no_name_that_is_long_or_strange() {
        for user in ["x".repeat(65), "a\nb".to_owned()] {
            let counted = against(&user, None, None);
            assert!(counted[0].starts_with("user sha256:") && counted[0].len() == 76, "{counted:?}");
        }
    }
}
