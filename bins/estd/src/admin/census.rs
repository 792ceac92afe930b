//! How many certificates there are, and requests that wait, counted again and again.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use est_core::UnixTime;
use est_store::Census;
use host::shell;
use tracing::warn;

use super::Admin;

/// Counting never takes more than one part in so many of the time.
const SHARE: u32 = 50;
/// The shortest pause between two counts.
const PAUSE: Duration = Duration::from_secs(10);
const DAY: u64 = 86_400;

impl Admin {
    /// The certificates of each CA, as they were last counted; `None` before the first count.
    pub(super) fn census(&self) -> Option<Vec<Census>> {
        self.census.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts certificates and requests for as long as the server runs. A large inventory takes long to count, and is counted less
    /// often.
    pub(super) async fn keep_counting(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            let now = shell::now();
            match self.store.census(now, UnixTime(now.0 - now.0 % DAY)).await {
                Ok(counted) => {
                    for census in &counted {
                        self.metrics.counted(census);
                    }
                    *self.census.write().unwrap_or_else(PoisonError::into_inner) = Some(counted);
                }
                Err(error) => warn!(%error, "the certificates cannot be counted"),
            }
            match self.store.requests_awaiting().await {
                Ok(counted) => {
                    // Labels where nobody waits have a series, too.
                    let current = self.current();
                    let labels = current.settings.labels.iter().map(|label| Some(label.name.clone())).chain([None]);
                    let all: Vec<_> = labels.map(|label| (label, 0)).chain(counted).collect();
                    self.metrics.requests_awaiting(&all);
                }
                Err(error) => warn!(%error, "the requests that wait cannot be counted"),
            }
            tokio::time::sleep(PAUSE.max(began.elapsed() * SHARE)).await;
        }
    }
}
