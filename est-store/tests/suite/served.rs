//! A database server (`Server` of the module around it), as the suite wants it. Where it is not installed the tests are
//! told as skipped, and try SQLite once more.

use est_store::{Database, DatabaseUrl};

use super::Server;
use crate::support::{Folder, TestClock};

pub(super) type Store = Database;

pub(super) struct Subject {
    pub(super) store: Store,
    pub(super) clock: TestClock,
    url: DatabaseUrl,
    folder: Folder,
}

impl Subject {
    pub(super) fn fresh() -> Self {
        let (folder, clock) = (Folder::new(), TestClock::new());
        let url = match Server::shared() {
            Some(server) => DatabaseUrl::parse(&server.url(), folder.path()).unwrap(),
            None => DatabaseUrl::of_file(folder.path().join("store.db")),
        };
        Self { store: open(&url, &clock), clock, url, folder }
    }

    /// Lets go of the store, and opens what it left.
    pub(super) fn reopened(self) -> Self {
        let Self { store, clock, url, folder } = self;
        drop(store);
        Self { store: open(&url, &clock), clock, url, folder }
    }

    /// The same store, as another process has it.
    pub(super) fn neighbour(&self) -> Store {
        open(&self.url, &self.clock)
    }

    /// The same store, as another node has it.
    pub(super) fn node(&self, name: &str) -> Store {
        let mut options = self.clock.to_options();
        options.node = name.to_owned();
        Database::open_url(&self.url, options).unwrap()
    }
}

fn open(url: &DatabaseUrl, clock: &TestClock) -> Store {
    Database::open_url(url, clock.to_options()).unwrap()
}
