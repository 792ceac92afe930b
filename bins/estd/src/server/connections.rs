//! The open connections, and which one is closed for a new one.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use host::metrics::Metrics;
use tokio::sync::Notify;

use super::admission::Source;

/// The open connections.
///
/// A source that has its share of them, or when they are full the one that has most, gives one up: that whose client has given
/// nothing whole for longest, which is one that is in its handshake, idle, or slow in sending a request. One that waits for *us* is
/// never dropped.
pub(crate) struct Connections {
    capacity: AtomicUsize,
    table: Mutex<Table>,
    emptied: Notify,
}

#[derive(Default)]
struct Table {
    next_id: u64,
    entries: HashMap<u64, Entry>,
    /// One for each source of theirs: every other holder of it is a connection of that source.
    sources: HashMap<Source, Arc<()>>,
}

struct Entry {
    source: Source,
    /// Held by every connection of the source.
    kin: Arc<()>,
    /// Requests that are being answered.
    working: usize,
    /// Since when the client keeps us waiting.
    waiting_since: Instant,
    /// Since when it has given nothing whole: a byte of a body now and then buys no time.
    owes_since: Instant,
    dismissed: Arc<Notify>,
}

impl Entry {
    fn pause(&mut self, owes_since: Instant) {
        self.working -= 1;
        self.waiting_since = Instant::now();
        self.owes_since = owes_since;
    }
}

impl Connections {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: AtomicUsize::new(capacity), table: Mutex::default(), emptied: Notify::new() }
    }

    /// Has another capacity from the next admission on.
    pub(crate) fn resize(&self, capacity: usize) {
        self.capacity.store(capacity, Ordering::Relaxed);
    }

    /// Has a gauge tell how many there are.
    pub(crate) fn measure(self: &Arc<Self>, listener: &str, metrics: &Metrics) {
        let connections = Arc::downgrade(self);
        let count = move || connections.upgrade().map_or(0.0, |connections| connections.len() as f64);
        metrics.reading("ohia_connections", "Open connections, by listener.", &[("listener", listener)], count);
    }

    /// Takes a place for somebody at `address`, making room first where there is none, and where `share` connections come from
    /// there already.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, share: usize) -> Place {
        let capacity = self.capacity.load(Ordering::Relaxed);
        let source = Source::from(address);
        let mut table = self.lock();
        // The table holds it, too.
        if table.sources.get(&source).is_some_and(|kin| Arc::strong_count(kin) > share) {
            table.evict_one_of(|entry| entry.source == source);
        }
        // Two for one, so that there are soon as few as a smaller capacity allows.
        for _ in 0..2 {
            if table.entries.len() >= capacity {
                table.evict();
            }
        }
        let id = table.next_id;
        table.next_id += 1;
        let dismissed = Arc::new(Notify::new());
        let now = Instant::now();
        let kin = table.sources.entry(source).or_default().clone();
        let dismissed_too = dismissed.clone();
        let entry = Entry { source, kin, working: 0, waiting_since: now, owes_since: now, dismissed: dismissed_too };
        table.entries.insert(id, entry);
        Place { connections: self.clone(), id, dismissed }
    }

    /// Drops the connection that has kept us waiting longest, of those of the source that has most.
    pub(crate) fn evict(&self) {
        self.lock().evict();
    }

    /// Drops every connection.
    pub(crate) fn drop_all(&self) {
        self.lock().entries.values().for_each(|entry| entry.dismissed.notify_one());
    }

    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Waits until nobody is connected.
    pub(crate) async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn evict(&mut self) {
        self.evict_one_of(|_| true);
    }

    fn evict_one_of(&mut self, may_go: impl Fn(&Entry) -> bool) {
        let idle = self.entries.iter().filter(|(_, entry)| entry.working == 0 && may_go(entry));
        let first = idle.min_by_key(|(_, entry)| (Reverse(Arc::strong_count(&entry.kin)), entry.owes_since));
        if let Some(id) = first.map(|(id, _)| *id)
            && let Some(entry) = self.remove(id)
        {
            entry.dismissed.notify_one();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        // It, and the table.
        if Arc::strong_count(&entry.kin) == 2 {
            self.sources.remove(&entry.source);
        }
        Some(entry)
    }
}

/// One connection's place in the table; given back when dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    id: u64,
    dismissed: Arc<Notify>,
}

impl Place {
    /// Waits until the place is needed for somebody else.
    pub(crate) async fn dismissed(&self) {
        self.dismissed.notified().await;
    }

    /// Tells that a request is being answered, until the guard is dropped.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        self.update(|entry| entry.working += 1);
        Work(self.clone())
    }

    /// Tells that the request that is being answered, and `began` then, has yet to arrive whole, until the guard is dropped.
    pub(super) fn wait(self: &Arc<Self>, began: Instant) -> Wait {
        self.update(|entry| entry.pause(began));
        Wait(self.clone())
    }

    /// Since when the client has kept us waiting; `None` while a request is being answered.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let table = self.connections.lock();
        table.entries.get(&self.id).filter(|entry| entry.working == 0).map(|entry| entry.waiting_since)
    }

    /// Tells that the client has taken a piece of an answer: its connection is not idle, however long ago it asked.
    pub(super) fn took(&self) {
        self.update(|entry| entry.waiting_since = Instant::now());
    }

    fn update(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.connections.lock().entries.get_mut(&self.id) {
            change(entry);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.remove(self.id);
        if table.entries.is_empty() {
            self.connections.emptied.notify_waiters();
        }
    }
}

/// The rest of a request that we wait for, inside of [`Work`].
pub(super) struct Wait(Arc<Place>);

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.update(|entry| entry.working += 1);
    }
}

/// A request that is being answered.
pub(crate) struct Work(Arc<Place>);

impl Work {
    /// Its source.
    pub(super) fn place(&self) -> &Arc<Place> {
        &self.0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.update(|entry| entry.pause(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn is_dismissed(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.dismissed() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn dismisses_who_has_waited_longest_when_it_is_full() {
        let connections = Arc::new(Connections::new(2));
        let (first, second) = (connections.admit(HERE, 1000), connections.admit(HERE, 1000));
        let third = connections.admit(HERE, 1000);
        assert!(is_dismissed(&first).await);
        assert!(!is_dismissed(&second).await);
        assert!(!is_dismissed(&third).await);
        assert_eq!(connections.len(), 2);
    }

    #[tokio::test]
    async fn dismisses_one_of_the_source_that_has_most_however_long_others_have_waited() {
        let connections = Arc::new(Connections::new(4));
        let honest = connections.admit(IpAddr::from([192, 0, 2, 8]), 1000);
        let flood: Vec<_> = (0..100).map(|_| connections.admit(HERE, 1000)).collect();
        assert!(!is_dismissed(&honest).await);
        let mut dismissed = 0;
        for place in &flood {
            dismissed += usize::from(is_dismissed(place).await);
        }
        assert_eq!((dismissed, connections.len()), (97, 4));
        drop((honest, flood));
        assert!(connections.lock().sources.is_empty());
    }

    #[tokio::test]
    async fn a_source_that_has_its_share_makes_room_for_itself_before_there_is_none() {
        let connections = Arc::new(Connections::new(100));
        let honest = connections.admit(IpAddr::from([192, 0, 2, 8]), 4);
        let flood: Vec<_> = (0..10).map(|_| connections.admit(HERE, 4)).collect();
        assert!(!is_dismissed(&honest).await);
        for (number, place) in flood.iter().enumerate() {
            assert_eq!(is_dismissed(place).await, number < 6, "{number}");
        }
        assert_eq!(connections.len(), 5);
    }

    #[tokio::test]
    async fn never_dismisses_who_waits_for_an_answer() {
        let connections = Arc::new(Connections::new(2));
        let (first, second) = (Arc::new(connections.admit(HERE, 1000)), connections.admit(HERE, 1000));
        let work = first.work();
        let _third = connections.admit(HERE, 1000);
        assert!(!is_dismissed(&first).await);
        assert!(is_dismissed(&second).await);
        drop(work);
        assert!(first.waiting_since().is_some());
    }

    #[tokio::test]
    async fn a_body_that_trickles_in_counts_from_the_beginning_of_its_request() {
        let connections = Arc::new(Connections::new(2));
        let (tricklers, honest) = (Arc::new(connections.admit(HERE, 1000)), Arc::new(connections.admit(HERE, 1000)));
        let began = Instant::now();
        let _request = tricklers.work();
        drop(honest.work());
        for _ in 0..3 {
            // A byte comes, and then none.
            drop(tricklers.wait(began));
        }
        let _wait = tricklers.wait(began);
        let _third = connections.admit(HERE, 1000);
        assert!(is_dismissed(&tricklers).await);
        assert!(!is_dismissed(&honest).await);
        // It is no less alive than any other that waits: what ends idle connections looks elsewhere.
        assert!(honest.waiting_since().is_some());
    }

    #[tokio::test]
    async fn is_drained_when_the_last_place_is_given_back() {
        let connections = Arc::new(Connections::new(2));
        let place = connections.admit(HERE, 1000);
        let drained = connections.drained();
        tokio::pin!(drained);
        tokio::select! {
            biased;
            () = &mut drained => panic!("somebody is still connected"),
            () = std::future::ready(()) => {}
        }
        drop(place);
        drained.await;
    }
}
