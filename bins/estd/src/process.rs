//! What the process of a server keeps from others.

use tracing::warn;

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
