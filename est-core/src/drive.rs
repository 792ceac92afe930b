//! Runs an exchange against [`Ports`].

use crate::{Ports, Reply, Step};

/// Answers every step from `ports` until the exchange is done.
///
/// # Cancel safety
/// Not cancel safe after [`Step::Claim`]: spawn it, so that a client that hangs up cannot drop a certificate between
/// signing and recording.
pub async fn drive(mut step: Step, ports: &Ports) -> Reply {
    loop {
        step = match step {
            Step::Authenticate(s) => {
                let verdict = ports.authenticator.authenticate(s.evidence(), s.now()).await;
                s.answer(verdict)
            }
            Step::Claim(s) => {
                let claimed = ports.store.claim(s.intent()).await;
                s.answer(claimed)
            }
            Step::GenerateKey(s) => {
                let generated = ports.keys.generate(s.wish()).await;
                s.answer(generated)
            }
            Step::Issue(s) => {
                let issuance = ports.ca.issue(s.order()).await;
                s.answer(issuance)
            }
            Step::Record(s) => {
                let recorded = ports.store.record(s.entry()).await;
                s.answer(recorded)
            }
            Step::Done(reply) => return reply,
        };
    }
}
