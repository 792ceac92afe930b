//! An exchange that is lent to the request which it answers.

use tokio::sync::oneshot;

use crate::{Body, Refusal, Step, UnixTime, Verdict};

/// An exchange whose client has been looked at.
pub(super) struct Met {
    step: Step,
    /// The verdict on a known client whose body has yet to come.
    verdict: Option<Verdict>,
}

impl Met {
    /// What follows from the verdict.
    pub(super) fn next(step: Step) -> Self {
        Self { step, verdict: None }
    }

    /// The client is known, and its body has yet to come.
    pub(super) fn before_body(step: Step, verdict: Verdict) -> Self {
        Self { step, verdict: Some(verdict) }
    }

    fn with_body(self, body: Result<Body, Refusal>, now: UnixTime) -> Self {
        match self {
            Self { step: Step::Authenticate(step), verdict: Some(verdict) } => {
                Self::next(step.with_body(body, now).answer(Ok(verdict)))
            }
            met => met,
        }
    }

    /// What is left to do where the client has hung up, or there is no room for it: the record of a known client.
    pub(super) fn broken_off(self, now: UnixTime) -> Option<Step> {
        match self.with_body(Err(Refusal::BodyIncomplete), now).step {
            Step::Claim(claim) => Some(claim.give_up(Refusal::Overloaded)),
            Step::Record(record) if record.entry().principal.is_some() => Some(Step::Record(record)),
            Step::Record(_) | Step::Authenticate(_) | Step::GenerateKey(_) | Step::Issue(_) | Step::Done(_) => None,
        }
    }
}

/// Goes back to its lender when it is dropped before it is taken.
pub(super) struct Loan {
    met: Option<Met>,
    lender: Option<oneshot::Sender<Met>>,
}

impl Loan {
    /// Lends `met`, and says where it comes back.
    pub(super) fn of(met: Met) -> (Self, oneshot::Receiver<Met>) {
        let (lender, given_back) = oneshot::channel();
        (Self { met: Some(met), lender: Some(lender) }, given_back)
    }

    pub(super) fn awaits_body(&self) -> bool {
        self.met.as_ref().is_some_and(|met| met.verdict.is_some())
    }

    /// Goes on with the body at the time at which it has arrived, or has not and why.
    pub(super) fn bring(&mut self, body: Result<Body, Refusal>, now: UnixTime) {
        self.met = self.met.take().map(|met| met.with_body(body, now));
    }

    /// What comes next.
    pub(super) fn step(&self) -> &Step {
        &self.met.as_ref().expect("it is here until it is taken").step
    }

    /// Keeps it.
    pub(super) fn take(mut self) -> Step {
        self.met.take().expect("it is taken once").step
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(met), Some(lender)) = (self.met.take(), self.lender.take()) {
            // A lender that is gone has ended with its runtime.
            let _ = lender.send(met);
        }
    }
}
