//! SQLite, as the suite wants it.

use est_store::Database;

use crate::support::{Folder, TestClock};

pub(super) type Store = Database;

pub(super) struct Subject {
    pub(super) store: Store,
    pub(super) clock: TestClock,
    folder: Folder,
}

impl Subject {
    pub(super) fn fresh() -> Self {
        let (folder, clock) = (Folder::new(), TestClock::new());
        Self { store: open(&folder, &clock), clock, folder }
    }

    /// Lets go of the store, and opens what is left on disk.
    pub(super) fn reopened(self) -> Self {
        let Self { store, clock, folder } = self;
        drop(store);
        Self { store: open(&folder, &clock), clock, folder }
    }

    /// The same store, as another process has it.
    pub(super) fn neighbour(&self) -> Store {
        open(&self.folder, &self.clock)
    }

    /// The same store, as another node has it.
    pub(super) fn node(&self, name: &str) -> Store {
        let mut options = self.clock.to_options();
        options.node = name.to_owned();
        Database::open(&self.folder.path().join("store.db"), options).unwrap()
    }
}

fn open(folder: &Folder, clock: &TestClock) -> Store {
    Database::open(&folder.path().join("store.db"), clock.to_options()).unwrap()
}
