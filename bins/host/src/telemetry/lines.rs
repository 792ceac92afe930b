//! Log lines on their way to standard error.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// How many octets may wait to be written.
const ROOM: usize = 4 * 1024 * 1024;
/// A buffer that has grown beyond this is given back when it has been written.
const KEPT: usize = 256 * 1024;
/// How long the last lines may take when the process ends.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait when standard error, which others may have made non-blocking, takes nothing.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Lines that nobody will read, since the start of the process.
static DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
    let about = "Log lines that were dropped because standard error could not be written, or not fast enough.";
    IntCounter::new("ohia_log_lines_dropped_total", about).expect("the name is valid")
});

/// Counts the lines that were dropped.
pub(crate) fn dropped() -> IntCounter {
    DROPPED.clone()
}

/// Takes log lines and writes them on a thread of its own: logging never fails and never waits, whatever the reader of the
/// log does. Lines for which there is no room are dropped and counted.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    room: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    is_writing: bool,
    /// Dropped since the last line that says so.
    dropped: u64,
}

impl Lines {
    /// Starts to write to standard error.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn to_stderr() -> io::Result<Self> {
        Self::to(io::stderr(), ROOM)
    }

    fn to(output: impl Write + Send + 'static, room: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared { room, state: Mutex::default(), changed: Condvar::new() });
        let lines = Self(shared.clone());
        thread::Builder::new().name("log".into()).spawn(move || shared.write_to(output))?;
        Ok(lines)
    }

    /// Takes a line, if there is room for it.
    fn take(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > self.0.room {
            state.dropped += 1;
            DROPPED.inc();
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Waits until every line is written, for as long as the last lines may take.
    pub(super) fn flush(&self) {
        self.flush_within(LAST_LINES_WITHIN);
    }

    /// Whether every line was written in time.
    fn flush_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.0.lock();
        while state.is_writing || !state.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Shared {
    fn write_to(&self, mut output: impl Write) {
        let mut taken = Vec::new();
        loop {
            let dropped = self.wait_for_lines(&mut taken);
            let lost = match write_all(&mut output, &taken) {
                Ok(()) => 0,
                Err(unwritten) => taken[taken.len() - unwritten..].iter().filter(|octet| **octet == b'\n').count(),
            };
            if taken.capacity() > KEPT {
                taken = Vec::new();
            }
            taken.clear();
            DROPPED.inc_by(lost as u64);
            let mut state = self.lock();
            state.is_writing = false;
            state.dropped += lost as u64;
            if lost > 0 {
                state.dropped += dropped;
            }
            drop(state);
            self.changed.notify_all();
            if lost == 0 && dropped > 0 {
                warn!(
                    lines = dropped,
                    "log lines were dropped: standard error could not be written, or not fast enough"
                );
            }
        }
    }

    /// Waits until there are lines, and takes them. Returns how many were dropped that nobody was told of.
    fn wait_for_lines(&self, taken: &mut Vec<u8>) -> u64 {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(taken, &mut state.waiting);
        state.is_writing = true;
        mem::take(&mut state.dropped)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of it, or returns how many octets were not written.
fn write_all(output: &mut impl Write, mut octets: &[u8]) -> Result<(), usize> {
    while !octets.is_empty() {
        match output.write(octets) {
            Ok(0) => return Err(octets.len()),
            Ok(written) => octets = &octets[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(TRY_AGAIN_AFTER),
            Err(_) => return Err(octets.len()),
        }
    }
    Ok(())
}

/// What an event is written to: always the whole line at once.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.take(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Writes into a channel that takes nothing while nobody reads it; fails once its reader has gone.
    struct Piped(SyncSender<Vec<u8>>);

    impl Write for Piped {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.send(octets.to_vec()).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piped(room: usize) -> (Lines, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (Lines::to(Piped(sender), room).unwrap(), receiver)
    }

    fn log(lines: &Lines, text: &str) {
        writeln!(&mut lines.clone(), "{text}").unwrap();
    }

    #[test]
    fn writes_every_line_in_its_order() {
        let (lines, reader) = piped(ROOM);
        for number in 0..1000 {
            lines.take(format!("{number}\n").as_bytes());
        }
        let mut read = Vec::new();
        while read.iter().filter(|octet| **octet == b'\n').count() < 1000 {
            read.extend(reader.recv_timeout(PATIENCE).unwrap());
        }
        assert!(lines.flush_within(PATIENCE));
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(read).unwrap(), expected);
    }

    #[test]
    fn takes_lines_whether_or_not_anybody_reads_them_and_counts_those_without_room() {
        let (lines, reader) = piped(40);
        let before = DROPPED.get();
        for _ in 0..1000 {
            log(&lines, "nineteen characters");
        }
        assert!(!lines.flush_within(Duration::ZERO));
        // Two wait, and two more may be on their way.
        assert!(DROPPED.get() - before >= 996);
        drop(reader);
        assert!(lines.flush_within(PATIENCE));
        log(&lines, "nobody will read this");
        assert!(lines.flush_within(PATIENCE));
        assert!(DROPPED.get() - before >= 1000);
    }
}
