//! Audit records on their way to a file and to a real rsyslog, with what happens to files and collectors.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chain;
mod file;
mod syslog;

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use host::config::{Audit, EventFilter};
use host::sinks::{Pace, Plan, Sinks};
use tracing::subscriber::DefaultGuard;

use chain::{Chain, PAGE};

/// How long something may take before a test gives up on it; never slept through.
const PATIENCE: Duration = Duration::from_secs(60);

/// As the server's, but it tries again at once.
fn pace() -> Pace {
    let soon = Duration::from_millis(20);
    Pace { page: PAGE, look_every: soon, first_retry: soon, last_retry: soon, ..Pace::default() }
}

fn nothing() -> Audit {
    Audit {
        file: None,
        syslog: None,
        events: EventFilter::default(),
        include_cert_data: false,
        checkpoint_key: None,
        checkpoints: None,
        checkpoint_interval: Duration::ZERO,
    }
}

fn spawn(chain: &Arc<Chain>, audit: &Audit, pace: Pace) -> Sinks {
    Sinks::spawn(chain.clone(), Plan::new(audit).unwrap(), pace).unwrap()
}

/// Runs a test, and the sinks with it on the same thread, whose log it reads.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// What this thread logs from now on.
struct Log {
    lines: mpsc::Receiver<String>,
    _guard: DefaultGuard,
}

impl Log {
    fn begin() -> Self {
        let (sender, lines) = mpsc::channel();
        let writer = move || Lines(sender.clone());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Waits for a line with these words.
    async fn says(&self, words: &str) {
        let wait = async {
            loop {
                match self.lines.try_recv() {
                    Ok(line) if line.contains(words) => return,
                    // Whoever logs runs on this thread, too.
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("the log does not say {words:?}"));
    }
}

struct Lines(mpsc::Sender<String>);

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(octets).into_owned());
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
