//! Who runs a command, as far as the system knows.

use est_store::Actor;
use nix::unistd::{Uid, User};

/// A login that was never set (`AUDIT_UID_UNSET` of linux/audit.h).
const NO_LOGIN: u32 = u32::MAX;

/// The user of the command, for the audit record: the user of the process, the user that logged in where the kernel knows
/// that, and the one that sudo names. The last is an environment variable, which anybody can set: it is recorded as a claim.
pub(crate) fn actor() -> Actor {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse().ok());
    let claim = claimed(|name| std::env::var(name).ok(), user_name);
    Actor::local(described(Uid::current().as_raw(), login, claim, user_name))
}

/// Whom sudo names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    Uid(u32),
    Name(String),
}

fn claimed(env: impl Fn(&str) -> Option<String>, name_of: impl Fn(u32) -> Option<String>) -> Option<Claim> {
    let uid = env("SUDO_UID").and_then(|text| text.parse().ok());
    let name = env("SUDO_USER").filter(|name| is_plain(name));
    match (uid, name) {
        (Some(uid), Some(name)) if name_of(uid).as_ref() == Some(&name) => Some(Claim::Uid(uid)),
        // Where the two do not fit, it is a claim that the system knows nothing of.
        (_, Some(name)) => Some(Claim::Name(name)),
        (Some(uid), None) => Some(Claim::Uid(uid)),
        (None, None) => None,
    }
}

/// Whether it may be a user's name: nothing that could be read as the rest of a sentence.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-@\\$".contains(&octet))
}

fn described(uid: u32, login: Option<u32>, claim: Option<Claim>, name_of: impl Fn(u32) -> Option<String>) -> String {
    let person = |uid: u32| name_of(uid).map_or(format!("uid {uid}"), |name| format!("{name} (uid {uid})"));
    let mut text = format!("local:{}", person(uid));
    let login = login.filter(|login| *login != NO_LOGIN);
    if let Some(login) = login.filter(|login| *login != uid) {
        text.push_str(&format!(", logged in as {}", person(login)));
    }
    match claim {
        Some(Claim::Uid(claimed)) if Some(claimed) == login || claimed == uid => {}
        Some(Claim::Uid(claimed)) => text.push_str(&format!(", sudo by {} as claimed", person(claimed))),
        Some(Claim::Name(name)) => text.push_str(&format!(", sudo by {name} as claimed")),
        None => {}
    }
    text
}

/// The name of a user, from whatever the system keeps users in.
fn user_name(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(uid: u32) -> Option<String> {
        [(0, "root"), (995, "ohia"), (1000, "alice")]
            .into_iter()
            .find(|(known, _)| *known == uid)
            .map(|(_, name)| name.into())
    }

    #[test]
    fn tells_what_the_system_knows_from_what_is_claimed() {
        let claim = |uid: Option<&str>, name: Option<&str>| {
            let of = |wanted: &str| if wanted == "SUDO_UID" { uid } else { name };
            claimed(|wanted| of(wanted).map(str::to_owned), name_of)
        };
        let told = |uid, login, claim| described(uid, login, claim, name_of);
        assert_eq!(told(1000, Some(1000), None), "local:alice (uid 1000)");
        assert_eq!(told(4711, None, None), "local:uid 4711");
        assert_eq!(told(995, Some(1000), None), "local:ohia (uid 995), logged in as alice (uid 1000)");
        assert_eq!(told(995, Some(NO_LOGIN), None), "local:ohia (uid 995)");
        // What the kernel knows needs no claim.
        let alice = claim(Some("1000"), Some("alice"));
        assert_eq!(told(0, Some(1000), alice.clone()), "local:root (uid 0), logged in as alice (uid 1000)");
        assert_eq!(told(0, None, alice), "local:root (uid 0), sudo by alice (uid 1000) as claimed");
        assert_eq!(told(0, None, claim(Some("77"), None)), "local:root (uid 0), sudo by uid 77 as claimed");
        assert_eq!(told(0, None, claim(Some("1000"), Some("mia"))), "local:root (uid 0), sudo by mia as claimed");
        assert_eq!(told(0, None, claim(None, Some("mia"))), "local:root (uid 0), sudo by mia as claimed");
    }

    #[test]
    fn takes_no_claim_that_reads_as_something_else() {
        for name in ["", "alice (uid 1000)", "alice, logged in as root", "a\nb", &"a".repeat(65)] {
            assert_eq!(claimed(|wanted| (wanted == "SUDO_USER").then(|| name.to_owned()), name_of), None, "{name:?}");
        }
    }
}
