//! Places where a test can have the process killed. Compiled only with the feature `fault-points`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use est_core::{CaBackend, Claimed, Entry, Intent, Issuance, Order, PortFuture, Ports, Store};
use std::sync::Arc;

/// The environment variable that chooses: `claim:after=7` kills at the seventh passage.
pub const VARIABLE: &str = "OHIA_FAULT";

/// Every point, in the order in which an exchange passes them.
pub const POINTS: [&str; 7] =
    ["claim:before", "claim:after", "issue:before", "issue:after", "record:before", "record:after", "reply:before"];

struct Chosen {
    point: String,
    passages_left: AtomicU64,
}

static CHOSEN: LazyLock<Option<Chosen>> = LazyLock::new(|| {
    let value = std::env::var(VARIABLE).ok()?;
    let (point, passage) = value.split_once('=')?;
    Some(Chosen { point: point.to_owned(), passages_left: AtomicU64::new(passage.parse().ok()?) })
});

/// Passes a point: the end of the process, as by `kill -9`, if it is the chosen one and this the chosen passage.
pub fn pass(point: &str) {
    let Some(chosen) = CHOSEN.as_ref().filter(|chosen| chosen.point == point) else { return };
    if chosen.passages_left.fetch_sub(1, Ordering::SeqCst) == 1 {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// Puts points around the store and the CA.
#[must_use]
pub fn around(ports: Ports) -> Ports {
    let points = Arc::new(Points { store: ports.store.clone(), ca: ports.ca.clone() });
    Ports { ca: points.clone(), store: points, ..ports }
}

struct Points {
    store: Arc<dyn Store>,
    ca: Arc<dyn CaBackend>,
}

impl Store for Points {
    fn claim<'a>(&'a self, intent: &'a Intent) -> PortFuture<'a, Claimed> {
        Box::pin(async move {
            pass("claim:before");
            let claimed = self.store.claim(intent).await;
            pass("claim:after");
            claimed
        })
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> PortFuture<'a, ()> {
        Box::pin(async move {
            pass("record:before");
            let recorded = self.store.record(entry).await;
            pass("record:after");
            recorded
        })
    }
}

impl CaBackend for Points {
    fn issue<'a>(&'a self, order: &'a Order) -> PortFuture<'a, Issuance> {
        Box::pin(async move {
            pass("issue:before");
            let issuance = self.ca.issue(order).await;
            pass("issue:after");
            issuance
        })
    }
}
