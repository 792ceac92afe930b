//! The claims that this process works on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use est_core::Serial;

/// The claims that this process works on, or is about to make: by the serial numbers that they reserve.
#[derive(Debug, Default)]
pub(crate) struct Working(Mutex<HashSet<Vec<u8>>>);

/// A claim while it is made; whoever drops it has not got it.
pub(crate) struct Making {
    working: Arc<Working>,
    serial: Option<Vec<u8>>,
}

impl Working {
    /// Notes a claim before it is made, so that nobody finds it in the database and not here.
    pub(crate) fn begin(self: &Arc<Self>, serial: Serial) -> Making {
        let serial = serial.as_bytes().to_vec();
        self.lock().insert(serial.clone());
        Making { working: self.clone(), serial: Some(serial) }
    }

    /// Whether this process works on the claim with this serial number.
    pub(crate) fn has(&self, serial: &[u8]) -> bool {
        self.lock().contains(serial)
    }

    /// This process does not work on it any more, whatever came of it.
    pub(crate) fn end(&self, serial: Serial) {
        self.lock().remove(serial.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
