//! Several servers on one database, any of which may be down.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use crate::https::Client;
use crate::server::{Launch, Server};

/// Servers with the same CA and configuration but for their names.
pub struct Nodes {
    nodes: Vec<Node>,
    ca: PathBuf,
}

struct Node {
    server: Mutex<Option<Server>>,
    port: RwLock<u16>,
}

impl Nodes {
    /// Starts `count` of them with what `estd init` makes and `edit` changes; `node-1` and so on are their names.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn start(program: impl AsRef<Path>, count: usize, edit: impl FnOnce(String) -> String) -> Self {
        let template = Launch::configured(program, edit);
        let named = |number: usize| {
            move |text: String| text.replace("[server]\n", &format!("[server]\nnode = \"node-{number}\"\n"))
        };
        let launches = (1..=count).map(|number| template.another(named(number)).env("RUST_LOG", "info"));
        let nodes: Vec<_> = launches
            .map(|launch| {
                let server = launch.start();
                Node { port: RwLock::new(server.port()), server: Mutex::new(Some(server)) }
            })
            .collect();
        let ca = nodes[0].server.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Server::ca);
        Self { nodes, ca: ca.expect("it has just been started") }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A client of the node with this number, from 0, which trusts its CA.
    #[must_use]
    pub fn client(&self, node: usize) -> Client {
        Client::new(self.port(node), &self.ca)
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The port that a node listens on now, or listened on last.
    #[must_use]
    pub fn port(&self, node: usize) -> u16 {
        *self.nodes[node].port.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something of the server of a node.
    ///
    /// # Panics
    /// When it is down.
    pub fn with<T>(&self, node: usize, action: impl FnOnce(&Server) -> T) -> T {
        action(self.nodes[node].server.lock().unwrap_or_else(PoisonError::into_inner).as_ref().expect("it is up"))
    }

    /// Sends SIGKILL to a node, does something while it is down, and starts it again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn kill_and_restart(&self, node: usize, meanwhile: impl FnOnce()) {
        let mut server = self.nodes[node].server.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = server.take() else { return };
        let launch = running.kill().env("RUST_LOG", "info");
        meanwhile();
        let started = launch.start();
        *self.nodes[node].port.write().unwrap_or_else(PoisonError::into_inner) = started.port();
        *server = Some(started);
    }
}
