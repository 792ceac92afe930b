//! The clock, the randomness and the site of a running server.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use est_core::tower::{Admission, Shell, Task, Work};
use est_core::{Entropy, PortError, Site, UnixTime};

/// The system's time.
#[must_use]
pub fn now() -> UnixTime {
    // A clock before 1970 is broken; every certificate is then "not valid yet", which is the safe reading.
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// 32 octets from the system's CSPRNG.
///
/// # Errors
/// [`PortError`] when the system has none to give.
pub fn entropy() -> Result<Entropy, PortError> {
    let mut octets = [0; 32];
    let mut filled = 0;
    while filled < octets.len() {
        filled += rustix::rand::getrandom(&mut octets[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|error| PortError(format!("no randomness: {error}")))?;
    }
    Ok(Entropy(octets))
}

/// A number that nobody outside knows.
///
/// # Errors
/// As [`entropy`].
pub fn seed() -> Result<u64, PortError> {
    Ok(entropy()?.0.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

/// Waits for room.
type Admit = Box<dyn Fn(&Work<'_>) -> Admission + Send + Sync>;

/// What a server lends to [`est_core::tower::Est`].
pub struct ServerShell {
    site: Arc<Site>,
    spawn: Box<dyn Fn(Task) + Send + Sync>,
    admit: Admit,
}

impl ServerShell {
    /// Serves `site`; `spawn` runs tasks to their end, and `admit` waits for room.
    pub fn new(
        site: Arc<Site>,
        spawn: impl Fn(Task) + Send + Sync + 'static,
        admit: impl Fn(&Work<'_>) -> Admission + Send + Sync + 'static,
    ) -> Self {
        Self { site, spawn: Box::new(spawn), admit: Box::new(admit) }
    }
}

impl Shell for ServerShell {
    fn site(&self) -> Arc<Site> {
        self.site.clone()
    }

    fn now(&self) -> UnixTime {
        now()
    }

    fn entropy(&self) -> Result<Entropy, PortError> {
        entropy()
    }

    fn admit(&self, work: &Work<'_>) -> Admission {
        (self.admit)(work)
    }

    fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }
}
