//! A network between a program and its database that fails when a test says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes connections on to a database on the loopback, until it is told to break them.
///
/// What a client writes is passed on in the pieces in which it comes, which a client of a database cuts where it waits
/// for an answer: "after so many pieces" is a place between two statements.
pub struct FlakyProxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    refuses: bool,
    /// After how many more pieces everything breaks.
    pieces: Option<u32>,
    /// How many pieces have been passed on.
    passed: u32,
    open: Vec<TcpStream>,
}

impl FlakyProxy {
    /// Listens on a port of its own for connections to the port `to`.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn before(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|client| accept(client, to, &shared)));
        Self { port, state }
    }

    /// The URL of the database at `url`, by way of the proxy.
    ///
    /// # Panics
    /// When it is not a URL of [`PostgresServer`](super::PostgresServer) or [`MariadbServer`](super::MariadbServer).
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let (before, after) = url.split_once("@127.0.0.1:").expect("a URL of a server on the loopback");
        let (_, path) = after.split_once('/').expect("a URL with a database");
        format!("{before}@127.0.0.1:{}/{path}", self.port)
    }

    /// The port that it listens on, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection, and all that come.
    pub fn refuse(&self) {
        self.with(|state| {
            state.refuses = true;
            state.break_all();
        });
    }

    /// Breaks everything, as [`refuse`](Self::refuse) does, instead of passing on one more piece after `pieces` of
    /// them.
    pub fn break_after(&self, pieces: u32) {
        self.with(|state| state.pieces = Some(pieces));
    }

    /// Breaks nothing any more.
    pub fn heal(&self) {
        self.with(|state| {
            state.refuses = false;
            state.pieces = None;
        });
    }

    /// Whether it broke, and has not healed.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.with(|state| state.refuses)
    }

    /// How many pieces clients have sent up to now.
    #[must_use]
    pub fn passed(&self) -> u32 {
        self.with(|state| state.passed)
    }

    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn break_all(&mut self) {
        for connection in self.open.drain(..) {
            // It may have ended already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Whether one more piece may pass.
    fn passes(&mut self) -> bool {
        match &mut self.pieces {
            Some(0) => {
                self.refuses = true;
                self.break_all();
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if !self.refuses {
            self.passed += 1;
        }
        !self.refuses
    }
}

fn accept(client: TcpStream, to: u16, state: &Arc<Mutex<State>>) {
    let mut locked = state.lock().unwrap_or_else(PoisonError::into_inner);
    if locked.refuses {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
    let ends = [&client, &server].map(|stream| {
        let _ = stream.set_nodelay(true);
        stream.try_clone().expect("a socket can be shared")
    });
    let also = [&client, &server].map(|stream| stream.try_clone().expect("a socket can be shared"));
    locked.open.extend(ends);
    drop(locked);
    let [client_too, server_too] = also;
    let shared = state.clone();
    let asks = move || shared.lock().unwrap_or_else(PoisonError::into_inner).passes();
    thread::spawn(move || pass(client, server, asks));
    thread::spawn(move || pass(server_too, client_too, || true));
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut() -> bool) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if !passes() || to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
