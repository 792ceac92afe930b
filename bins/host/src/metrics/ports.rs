//! Ports that are counted and timed.

use std::sync::Arc;

use est_core::{
    Authenticator, CaBackend, Claimed, Entry, Evidence, Generated, Intent, Issuance, KeyGenerator, KeyWish, Operation,
    Order, Outcome, PortFuture, Ports, Principal, Store, UnixTime, Verdict,
};

use super::Metrics;
use crate::shell;

/// Counts what goes through the ports, and how long each of them takes.
#[must_use]
pub fn measured(ports: Ports, metrics: &Arc<Metrics>) -> Ports {
    Ports {
        authenticator: Arc::new(Measured { port: ports.authenticator, metrics: metrics.clone() }),
        ca: Arc::new(Measured { port: ports.ca, metrics: metrics.clone() }),
        keys: Arc::new(Measured { port: ports.keys, metrics: metrics.clone() }),
        store: Arc::new(Measured { port: ports.store, metrics: metrics.clone() }),
    }
}

/// A port that is measured.
struct Measured<P: ?Sized> {
    port: Arc<P>,
    metrics: Arc<Metrics>,
}

impl Authenticator for Measured<dyn Authenticator> {
    fn authenticate<'a>(&'a self, evidence: &'a Evidence, now: UnixTime) -> PortFuture<'a, Verdict> {
        Box::pin(async move {
            let call = self.metrics.call("authenticate");
            let verdict = self.port.authenticate(evidence, now).await;
            call.end();
            let labels = match &verdict {
                Ok(Verdict::Known(principal) | Verdict::KnownDespite(principal, _)) => match principal {
                    Principal::Certificate(_) => ["certificate", "success"],
                    Principal::OneTimePassword { .. } => ["otp", "success"],
                },
                Ok(Verdict::Throttled(_)) => ["none", "throttled"],
                Ok(Verdict::Crowded) => ["otp", "crowded"],
                Ok(Verdict::Unknown(_)) => ["none", "failure"],
                Ok(Verdict::Guessed(..)) => ["otp", "failure"],
                Err(_) => ["none", "error"],
            };
            self.metrics.authentications.with_label_values(&labels).inc();
            verdict
        })
    }
}

impl CaBackend for Measured<dyn CaBackend> {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        Box::pin(async move {
            let call = self.metrics.call("issue");
            let issuance = self.port.issue(order).await;
            let took = call.end();
            self.metrics.vitals.note(&order.ca.id, issuance.is_ok(), took, shell::now());
            issuance
        })
    }
}

impl KeyGenerator for Measured<dyn KeyGenerator> {
    fn generate<'a>(&'a self, wish: &'a KeyWish) -> PortFuture<'a, Generated> {
        Box::pin(async move {
            let call = self.metrics.call("generate");
            let generated = self.port.generate(wish).await;
            call.end();
            generated
        })
    }
}

impl Store for Measured<dyn Store> {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        Box::pin(async move {
            let call = self.metrics.call("claim");
            let claimed = self.port.claim(intent).await;
            call.end();
            claimed
        })
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        Box::pin(async move {
            let call = self.metrics.call("record");
            let recorded = self.port.record(entry).await;
            call.end();
            if recorded.is_ok() {
                self.metrics.count(entry);
            }
            recorded
        })
    }
}

impl Metrics {
    /// Counts an exchange that was recorded.
    fn count(&self, entry: &Entry) {
        let result = match &entry.outcome {
            Outcome::Issued { .. } => "issued",
            Outcome::Replayed(_) => "replayed",
            Outcome::Pending(..) => "pending",
            Outcome::AwaitingApproval => "awaiting_approval",
            Outcome::CsrAttrs(_) => "attributes",
            Outcome::Refused(_) => "refused",
            Outcome::Interrupted(_) => "interrupted",
        };
        let counters = match entry.operation {
            Operation::SimpleEnroll | Operation::ServerKeyGen => &self.enrollments,
            Operation::SimpleReenroll => &self.reenrollments,
            Operation::CaCerts | Operation::CsrAttrs => return,
        };
        counters.with_label_values(&[entry.ca.as_str(), result]).inc();
        let by_password = matches!(entry.principal, Some(Principal::OneTimePassword { .. }));
        if by_password && matches!(entry.outcome, Outcome::Issued { .. }) {
            self.otp_consumed.inc();
        }
    }
}
