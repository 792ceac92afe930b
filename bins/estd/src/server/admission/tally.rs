//! What is counted instead of written down one by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use est_store::{Instigator, ServerEvent};
use tracing::warn;

/// So many are told by name within a minute; of the others only how often.
const NAMED: usize = 256;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A source that asked too often.
    Source,
    /// A principal that asked too often.
    Principal,
    /// A label at which there was no room.
    Busy,
    /// A label at which too many waited for an RSA key.
    Keys,
    /// A source whose passwords were not checked, since too many waited for that.
    Passwords,
    /// A principal whose requests were refused.
    Refused,
    /// A source from which nobody known asked.
    Stranger,
    /// A source from which somebody showed the admin API a credential that does not hold.
    Intruder,
    /// A source of failed TLS handshakes.
    Session,
    /// A source of failed TLS handshakes with the admin API.
    AdminSession,
}

impl What {
    pub(super) const COUNT: usize = 10;
    const ALL: [Self; Self::COUNT] = [
        Self::Source,
        Self::Principal,
        Self::Busy,
        Self::Keys,
        Self::Passwords,
        Self::Refused,
        Self::Stranger,
        Self::Intruder,
        Self::Session,
        Self::AdminSession,
    ];
}

/// Counts, in bounded memory, until they are taken.
#[derive(Default)]
pub(super) struct Tally(Mutex<[Counts; What::COUNT]>);

#[derive(Default)]
struct Counts {
    named: HashMap<String, u64>,
    others: u64,
}

impl Tally {
    /// Counts one more.
    pub(super) fn count(&self, what: What, who: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut counts[what as usize];
        let has_room = counts.named.len() < NAMED;
        match counts.named.get_mut(who) {
            Some(count) => *count += 1,
            None if has_room => {
                counts.named.insert(who.to_owned(), 1);
            }
            None => counts.others += 1,
        }
    }

    /// Takes what was counted, and begins again at 0.
    pub(super) fn take(&self) -> Vec<Line> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let lines = What::ALL.into_iter().zip(counts).flat_map(|(what, Counts { named, others })| {
            let others = (others > 0).then_some(Line { what, who: None, count: others });
            named.into_iter().map(move |(who, count)| Line { what, who: Some(who), count }).chain(others)
        });
        lines.collect()
    }
}

/// How often something happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    what: What,
    /// Who or where; `None` for all of those that were not told apart.
    who: Option<String>,
    count: u64,
}

impl Line {
    pub(super) fn event(&self) -> ServerEvent {
        match self.what {
            What::Source | What::Principal | What::Busy | What::Keys | What::Passwords => ServerEvent::LimitExceeded,
            What::Refused => ServerEvent::Refusals,
            What::Stranger | What::Intruder => ServerEvent::AuthFailures,
            What::Session | What::AdminSession => ServerEvent::TlsFailure,
        }
    }

    pub(super) fn instigator(&self) -> Instigator {
        let who = self.who.clone().filter(|who| !who.is_empty());
        match self.what {
            What::Source | What::Passwords | What::Stranger | What::Intruder | What::Session | What::AdminSession => {
                Instigator { source: who, ..Instigator::default() }
            }
            What::Principal | What::Refused => Instigator { name: who, ..Instigator::default() },
            What::Busy | What::Keys => Instigator::default(),
        }
    }

    pub(super) fn reason(&self) -> String {
        let Self { count, .. } = self;
        let others = if self.who.is_none() { " of many others" } else { "" };
        match (self.what, self.who.as_deref()) {
            (What::Source, _) => format!("{count} requests{others} over limits.requests_per_second were refused"),
            (What::Principal, _) => {
                format!("{count} requests{others} over limits.principal_requests_per_second were refused")
            }
            (What::Busy, None | Some("")) => format!("{count} requests found the server busy"),
            (What::Busy, Some(label)) => format!("{count} requests at the label {label} found the server busy"),
            (What::Keys, None | Some("")) => {
                format!("{count} requests for an RSA key were refused: too many waited for one")
            }
            (What::Keys, Some(label)) => {
                format!("{count} requests for an RSA key at the label {label} were refused: too many waited for one")
            }
            (What::Passwords, _) => format!("{count} passwords{others} were not checked: too many waited for that"),
            (What::Refused, _) => format!("{count} more requests{others} were refused"),
            (What::Stranger, _) => format!("{count} more attempts{others} to authenticate failed"),
            (What::Intruder, _) => format!("{count} more attempts{others} to authenticate to the admin API failed"),
            (What::Session, _) => format!("{count} more TLS handshakes{others} failed"),
            (What::AdminSession, _) => {
                format!("{count} more TLS handshakes{others} with the admin API failed")
            }
        }
    }

    pub(super) fn log(&self) {
        let who = self.who.as_deref().unwrap_or_default();
        warn!(who, count = self.count, "{}", self.reason());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_everywhere_takes_no_more_lines_than_there_are_names_for() {
        let tally = Tally::default();
        for number in 0..10_000 {
            tally.count(What::Stranger, &format!("192.0.2.{}", number % 1_000));
        }
        tally.count(What::Source, "198.51.100.7");
        let lines = tally.take();
        assert_eq!(lines.len(), NAMED + 2);
        assert_eq!(lines.iter().map(|line| line.count).sum::<u64>(), 10_001);
        assert!(lines.iter().any(|line| line.reason() == "7440 more attempts of many others to authenticate failed"));
        assert_eq!(tally.take(), []);
    }
}
