//! What limits add to the ports.

use std::sync::Arc;

use est_auth::Line;
use est_core::pkix::KeyType;
use est_core::tower;
use est_core::{
    Authenticator, Claimed, Entry, Evidence, Intent, Outcome, PortFuture, Ports, Refusal, Store, UnixTime, Verdict,
};

use super::tally::What;
use super::{Admission, Bounds, Source};

impl Admission {
    /// Waits for room, as [`tower::Shell::admit`] wants it.
    pub(crate) fn room(self: &Arc<Self>, work: &tower::Work<'_>, bounds: &Bounds) -> tower::Admission {
        let label = work.label.unwrap_or_default().to_owned();
        // Known clients wait apart from unknown ones.
        let who = match work.principal {
            Some(principal) => ["known".to_owned(), principal.id()],
            None => ["unknown".to_owned(), work.source.unwrap_or_default().to_owned()],
        };
        let key = match work.key {
            Some(KeyType::Rsa(_)) => Some(Line::new(who.to_vec())),
            Some(_) | None => None,
        };
        Box::pin(self.clone().seat(label, who, key, bounds.queue_timeout))
    }

    /// The ports, with a limit on how often one principal may ask, and on how many refusals are written down.
    pub(crate) fn around(self: &Arc<Self>, ports: Ports, bounds: Bounds) -> Ports {
        let admission = self.clone();
        Ports {
            authenticator: Arc::new(Metered { authenticator: ports.authenticator, admission, bounds }),
            store: Arc::new(Sparing { store: ports.store, admission: self.clone() }),
            ..ports
        }
    }
}

/// Refuses clients that ask too often.
struct Metered {
    authenticator: Arc<dyn Authenticator>,
    admission: Arc<Admission>,
    bounds: Bounds,
}

impl Authenticator for Metered {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(async move {
            let verdict = self.authenticator.authenticate(evidence, now).await?;
            let admission = &self.admission;
            if let Verdict::Crowded = &verdict {
                let source = Source::of(evidence.source.as_deref()).map(|source| source.to_string());
                admission.refuse(What::Passwords, &source.unwrap_or_default(), Refusal::Overloaded);
            }
            let Some(principal) = verdict.principal() else { return Ok(verdict) };
            match admission.take(&admission.principals, &principal.id(), self.bounds.per_principal) {
                Err(Refusal::TooManyRequests { retry_after }) => {
                    let who = principal.to_string();
                    admission.refuse(What::Principal, &who, Refusal::TooManyRequests { retry_after });
                    Ok(Verdict::Throttled(retry_after))
                }
                Ok(()) | Err(_) => Ok(verdict),
            }
        })
    }
}

/// Writes refusals down one by one only while they are few. They changed nothing; a wrong password always counts towards a
/// lockout, a good one always ends that count, and a lockout is written down.
struct Sparing {
    store: Arc<dyn Store>,
    admission: Arc<Admission>,
}

impl Store for Sparing {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        self.store.claim(intent)
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        let is_refused = matches!(entry.outcome, Outcome::Refused(_)) && entry.intent.is_none();
        let source = entry.source.as_deref();
        let is_written_down = match (&entry.principal, &entry.guess) {
            _ if !is_refused => true,
            (Some(principal), _) => self.admission.is_refusal_written_down(principal),
            (None, Some(_)) => self.admission.is_guess_written_down(source),
            (None, None) => self.admission.is_written_down(source),
        };
        if is_written_down {
            return self.store.record(entry);
        }
        let clears = entry.principal.as_ref().is_some_and(|principal| !principal.clears().is_empty());
        if entry.guess.is_none() && !clears {
            return Box::pin(async { Ok(()) });
        }
        let counted = Entry { events: Vec::new(), ..entry.clone() };
        Box::pin(async move { self.store.record(&counted).await })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Rate;
    use super::*;

    /// Has no turn for anybody.
    struct Full;

    impl Authenticator for Full {
        fn authenticate<'a>(&'a self, _: &'a Evidence, _: UnixTime) -> PortFuture<'a, Verdict> {
            Box::pin(async { Ok(Verdict::Crowded) })
        }
    }

    #[tokio::test]
    async fn passwords_that_found_no_turn_are_counted_and_not_written_down_one_by_one() {
        let (rate, second) = (Rate::new(1, 1), Duration::from_secs(1));
        let bounds =
            Bounds { per_source: rate, per_principal: rate, max_concurrent: 1, queue: 1, queue_timeout: second };
        let admission = Admission::new(bounds, 1);
        let port = Metered { authenticator: Arc::new(Full), admission: admission.clone(), bounds };
        let evidence = Evidence { source: Some("192.0.2.7".into()), ..Evidence::default() };
        for _ in 0..1000 {
            assert!(matches!(port.authenticate(&evidence, UnixTime(0)).await, Ok(Verdict::Crowded)));
        }
        let lines = admission.tally.take();
        let reasons: Vec<_> = lines.iter().map(|line| line.reason()).collect();
        assert_eq!(reasons, ["1000 passwords were not checked: too many waited for that"]);
    }
}
