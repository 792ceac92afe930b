//! Tells the service manager how the server is doing (sd_notify(3)). Where none listens nothing is sent.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, io};

use est_store::{Database, StoreError};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, timeout};
use tracing::{error, warn};

/// The server serves, for the first time or again after [`reloading`].
pub(crate) fn ready(status: &str) {
    send(&format!("READY=1\nSTATUS={status}"));
}

/// The server reads its configuration again; [`ready`] has to follow, also when it keeps the one it had.
pub(crate) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reading the configuration again"));
}

/// The server ends.
pub(crate) fn stopping() {
    send("STOPPING=1\nSTATUS=finishing what is under way");
}

/// How often to feed the watchdog of the service manager, if it has one.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    // Twice in the time after which it would be given up.
    number("WATCHDOG_USEC").filter(|micros| is_meant && *micros > 0).map(|micros| Duration::from_micros(micros / 2))
}

/// The server cannot serve yet because of `what`; it tells again, or is ready, within `patience`.
pub(crate) fn waiting(what: &str, patience: Duration) {
    send(&format!("STATUS={what}\nEXTEND_TIMEOUT_USEC={}", patience.as_micros()));
}

/// Tells again and again that the server is alive, for as long as the database's writer answers.
///
/// An error is an answer: while a database is unreachable the server asks its clients to come back, and a restart
/// would not bring the database back. So is none within `patience`, where the database is a server: it is that one
/// which hangs.
pub(crate) async fn keep_alive(store: Database, every: Duration, patience: Option<Duration>) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let late = || Err(StoreError::Unreachable("it does not answer in time".into()));
        let answer = match patience {
            Some(patience) => timeout(patience, store.probe()).await.unwrap_or_else(|_| late()),
            None => store.probe().await,
        };
        match answer {
            Ok(()) => {}
            Err(StoreError::Closed) => return error!("the database is closed: the watchdog is no longer fed"),
            Err(error) => warn!(%error, "the database does not write"),
        }
        send("WATCHDOG=1");
    }
}

fn send(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send_to(&socket, state) {
        warn!(%error, "the service manager cannot be told of {state:?}");
    }
}

/// Sends to a path, or to an abstract name that is written with `@` first.
fn send_to(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_to_paths_and_to_abstract_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("@ohia-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
        let sockets = [
            (path.as_os_str(), UnixDatagram::bind(&path)),
            (OsStr::new(&name), UnixDatagram::bind_addr(&abstract_name)),
        ];
        for (address, socket) in sockets {
            let socket = socket.expect("a socket");
            send_to(address, "READY=1").expect("it is sent");
            let mut octets = [0; 64];
            let count = socket.recv(&mut octets).expect("a datagram");
            assert_eq!(&octets[..count], b"READY=1");
        }
    }
}
