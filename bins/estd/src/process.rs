//! What the process of a server keeps from others, and what it needs of the system.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use tracing::warn;

/// How many threads a server needs beside its workers: one that writes to the database, and some that read, hash a password,
/// sign or look at files.
const OTHER_THREADS: usize = 6;

/// Makes sure that the system lets this process have as many threads as a server with these workers needs, one per core if
/// `None`: with fewer it would wait for ever for those that it cannot have.
///
/// # Errors
/// When it does not.
pub(crate) fn find_room_for_threads(workers: Option<NonZeroUsize>) -> Result<()> {
    let workers = workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let wanted = workers + OTHER_THREADS;
    let gate = Mutex::new(());
    let pass = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
    thread::scope(|scope| {
        // Nobody ends before all are there.
        let _closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..wanted {
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, pass) {
                anyhow::bail!(
                    "the system lets this process have {number} more threads, and a server needs {wanted} ({error}): raise \
                     TasksMax= of the unit, the limit of the container (--pids-limit), or ulimit -u"
                );
            }
        }
        Ok(())
    })
}

/// Keeps keys out of core files and out of reach of other processes of the same user, and warns of a user that may do
/// anything.
pub(crate) fn protect() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let failed = [setrlimit(Resource::Core, none), set_dumpable_behavior(DumpableBehavior::NotDumpable)];
        for error in failed.into_iter().filter_map(Result::err) {
            warn!(%error, "a core file could hold the keys: set LimitCORE=0, or ulimit -c 0");
        }
    }
    if rustix::process::geteuid().is_root() {
        warn!(
            "estd runs as root, which it does not need: run it as a user of its own, as packaging/systemd/estd.service does"
        );
    }
}
