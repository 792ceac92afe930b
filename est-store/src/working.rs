//! The claims that this process works on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use est_core::Serial;

use crate::Clock;

/// After so long nobody works on a claim: whoever did has come to grief, and does not say so.
const LONGEST: Duration = Duration::from_mins(10);

/// The claims that this process works on, or is about to make.
#[derive(Debug)]
pub(crate) struct Working {
    /// By the serial numbers that they reserve, since when by the clock that nobody sets.
    claims: Mutex<HashMap<Vec<u8>, Duration>>,
    clock: Clock,
}

/// A claim while it is made; dropping it gives it up.
pub(crate) struct Making {
    working: Arc<Working>,
    serial: Option<Vec<u8>>,
}

impl Working {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { claims: Mutex::default(), clock })
    }

    /// Notes a claim before it is made, so that nobody finds it in the database and not here.
    pub(crate) fn begin(self: &Arc<Self>, serial: Serial) -> Making {
        let serial = serial.as_bytes().to_vec();
        self.lock().insert(serial.clone(), self.clock.steady());
        Making { working: self.clone(), serial: Some(serial) }
    }

    /// Whether this process works on the claim with this serial number.
    pub(crate) fn has(&self, serial: &[u8]) -> bool {
        let now = self.clock.steady();
        self.lock().get(serial).is_some_and(|since| now.saturating_sub(*since) < LONGEST)
    }

    /// This process does not work on it any more, whatever came of it.
    pub(crate) fn end(&self, serial: Serial) {
        self.lock().remove(serial.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Duration>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Making {
    /// It was made: from here on [`Working::end`] ends it.
    pub(crate) fn made(mut self) {
        self.serial = None;
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(serial) = &self.serial {
            self.working.lock().remove(serial);
        }
    }
}
