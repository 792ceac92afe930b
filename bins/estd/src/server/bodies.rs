//! The room that bodies share from their first octet to the answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use est_core::tower::NoRoom;

use super::admission::Source;

/// What all bodies under way may take together.
const ROOM_KIB: usize = 64 * 1024;
/// One source may have this part of it.
const SHARE: usize = 4;

/// Shares the memory for bodies between sources, from their first octet to the answer.
///
/// Where there is none left, the source that has most gives some up: that of its body which began first of those that have
/// yet to arrive whole. The same happens within a source that has its share.
pub(super) struct Bodies {
    room_kib: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next_number: u64,
    taken_kib: usize,
    bodies: HashMap<u64, Entry>,
    sources: HashMap<Option<Source>, Holding>,
}

struct Entry {
    kib: usize,
    /// Who is to be told that the room is needed elsewhere, while the body arrives.
    waker: Option<Waker>,
    has_lost: bool,
}

/// What the bodies of one source take.
#[derive(Default)]
struct Holding {
    kib: usize,
    /// Those that have yet to arrive whole.
    arriving: BTreeSet<u64>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { room_kib: ROOM_KIB, table: Mutex::default() }
    }
}

impl Bodies {
    /// Begins with a body of `source`, or of a proxy that tells none and so has many clients, and no share.
    pub(super) fn begin(self: &Arc<Self>, source: Option<Source>) -> BodyRoom {
        let mut table = self.lock();
        let number = table.next_number;
        table.next_number += 1;
        BodyRoom { bodies: self.clone(), number, source, arrived: 0, is_kept: true }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Has a body take so much; what it took before.
    fn set(&mut self, number: u64, source: Option<Source>, kib: usize) -> usize {
        let entry = self.bodies.entry(number).or_insert_with(|| {
            self.sources.entry(source).or_default().arriving.insert(number);
            Entry { kib: 0, waker: None, has_lost: false }
        });
        let before = std::mem::replace(&mut entry.kib, kib);
        let holding = self.sources.entry(source).or_default();
        holding.kib = holding.kib + kib - before;
        self.taken_kib = self.taken_kib + kib - before;
        before
    }

    /// The source that has most of those with a body that has yet to arrive whole.
    fn greediest(&self) -> Option<Option<Source>> {
        let giving = self.sources.iter().filter(|(_, holding)| !holding.arriving.is_empty());
        giving.max_by_key(|(_, holding)| holding.kib).map(|(source, _)| *source)
    }

    /// Has a source give up its oldest body that has yet to arrive whole; tells whether there was one.
    fn evict(&mut self, source: Option<Source>) -> bool {
        let Some(holding) = self.sources.get_mut(&source) else { return false };
        let Some(number) = holding.arriving.pop_first() else { return false };
        self.set(number, source, 0);
        let Some(entry) = self.bodies.get_mut(&number) else { return false };
        entry.has_lost = true;
        if let Some(waker) = entry.waker.take() {
            waker.wake();
        }
        true
    }

    /// What is taken beyond the share of this source, or beyond all the room.
    fn excess(&self, room_kib: usize, source: Option<Source>) -> Option<Option<Source>> {
        let of_source = source.and_then(|_| self.sources.get(&source)).map_or(0, |holding| holding.kib);
        if of_source > room_kib / SHARE {
            return Some(source);
        }
        (self.taken_kib > room_kib).then(|| self.greediest()).map(|greediest| greediest.unwrap_or(source))
    }
}

/// What one body takes, until it is dropped.
pub(super) struct BodyRoom {
    bodies: Arc<Bodies>,
    number: u64,
    source: Option<Source>,
    arrived: usize,
    is_kept: bool,
}

impl BodyRoom {
    /// Takes room for so many more octets: nobody fills the memory with bodies that never end.
    pub(super) fn take(&mut self, octets: usize) -> Result<(), NoRoom> {
        if !self.is_kept || octets == 0 {
            return Ok(());
        }
        self.arrived = self.arrived.saturating_add(octets);
        let mut table = self.bodies.lock();
        if table.bodies.get(&self.number).is_some_and(|entry| entry.has_lost) {
            return Err(NoRoom);
        }
        // It takes part in what is decided about room with what it wants.
        let held = table.set(self.number, self.source, self.arrived.div_ceil(1024));
        while let Some(source) = table.excess(self.bodies.room_kib, self.source) {
            if !table.evict(source) {
                table.set(self.number, self.source, held);
                return Err(NoRoom);
            }
        }
        match table.bodies.get(&self.number) {
            Some(entry) if !entry.has_lost => Ok(()),
            Some(_) | None => Err(NoRoom),
        }
    }

    /// Whether the room went to somebody else; if not, `context` is woken when it does.
    pub(super) fn has_lost(&self, context: &Context<'_>) -> bool {
        let mut table = self.bodies.lock();
        let Some(entry) = table.bodies.get_mut(&self.number) else { return false };
        entry.waker = Some(context.waker().clone());
        entry.has_lost
    }

    /// The body has arrived whole: its room is its own until it is dropped.
    pub(super) fn arrived(&self) {
        let mut table = self.bodies.lock();
        if let Some(holding) = table.sources.get_mut(&self.source) {
            holding.arriving.remove(&self.number);
        }
        if let Some(entry) = table.bodies.get_mut(&self.number) {
            entry.waker = None;
        }
    }

    /// Gives the room back: nothing of the body is kept any more, and what is left of it takes none.
    pub(super) fn give_back(&mut self) {
        self.is_kept = false;
        let mut table = self.bodies.lock();
        if table.bodies.contains_key(&self.number) {
            table.set(self.number, self.source, 0);
            table.bodies.remove(&self.number);
        }
        if let Some(holding) = table.sources.get_mut(&self.source) {
            holding.arriving.remove(&self.number);
            if holding.kib == 0 && holding.arriving.is_empty() {
                table.sources.remove(&self.source);
            }
        }
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const KIB: usize = 1024;
    const LONG: usize = 30 * KIB;

    fn bodies(room_kib: usize) -> Arc<Bodies> {
        Arc::new(Bodies { room_kib, table: Mutex::default() })
    }

    fn source(last: u8) -> Option<Source> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    fn has_lost(room: &BodyRoom) -> bool {
        room.has_lost(&Context::from_waker(Waker::noop()))
    }

    fn begin(bodies: &Arc<Bodies>, source: Option<Source>, octets: usize) -> Result<BodyRoom, NoRoom> {
        let mut room = bodies.begin(source);
        room.take(octets).map(|()| room)
    }

    #[test]
    fn the_source_that_has_most_gives_up_its_oldest() {
        // A proxy tells no source: it has no share, and all the room.
        let bodies = bodies(10 * LONG / KIB);
        let honest = begin(&bodies, source(1), LONG).expect("room");
        let flood: Vec<_> = (0..9).map(|_| begin(&bodies, None, LONG).expect("room")).collect();
        let more: Vec<_> = (0..5).map(|_| begin(&bodies, None, LONG)).collect();
        assert!(more.iter().all(Result::is_ok), "the newest of the flood are let in");
        assert_eq!(flood.iter().filter(|room| has_lost(room)).count(), 5);
        assert!(has_lost(&flood[0]) && !has_lost(&flood[8]) && !has_lost(&honest));
        let another = begin(&bodies, source(3), LONG).expect("room");
        assert!(!has_lost(&another) && !has_lost(&honest));
        drop((honest, flood, more, another));
        let table = bodies.lock();
        assert_eq!((table.taken_kib, table.bodies.len(), table.sources.len()), (0, 0, 0));
    }

    #[test]
    fn short_bodies_count_as_long_ones_do() {
        let bodies = bodies(SHARE * 100);
        let flood: Vec<_> = (0..150).map(|_| begin(&bodies, source(1), 1)).collect();
        let lost = flood.iter().flatten().filter(|room| has_lost(room)).count();
        assert_eq!((flood.iter().filter(|room| room.is_ok()).count(), lost), (150, 50));
        assert!(begin(&bodies, source(2), 100 * KIB).is_ok_and(|room| !has_lost(&room)));
    }

    #[test]
    fn a_body_that_has_arrived_keeps_its_room() {
        let bodies = bodies(SHARE * 2 * LONG / KIB);
        let mut whole: Vec<_> = (0..2).map(|_| begin(&bodies, source(1), LONG).expect("room")).collect();
        whole.iter().for_each(BodyRoom::arrived);
        assert!(begin(&bodies, source(1), 1).is_err());
        assert!(!has_lost(&whole[0]));
        whole[0].give_back();
        assert!(whole[0].take(KIB * KIB).is_ok(), "what is not kept takes no room");
        assert!(begin(&bodies, source(1), LONG).is_ok());
        whole.clear();
        assert!(begin(&bodies, source(1), 2 * LONG).is_ok());
    }

    #[test]
    fn one_source_takes_no_more_than_its_share_with_bodies_that_have_arrived() {
        let bodies = bodies(SHARE * 2 * LONG / KIB);
        let flood: Vec<_> =
            (0..10).filter_map(|_| begin(&bodies, source(1), LONG).ok()).inspect(BodyRoom::arrived).collect();
        assert_eq!(flood.len(), 2);
        let others: Vec<_> = (2..5).map(|last| begin(&bodies, source(last), 2 * LONG)).collect();
        assert!(others.iter().flatten().filter(|room| !has_lost(room)).count() == 3, "everybody has a share");
        // Where all have theirs, there is nothing for a newcomer; those that have yet to arrive make room.
        let newcomer = begin(&bodies, source(9), LONG).expect("room");
        assert!(!has_lost(&newcomer));
        assert_eq!(others.iter().flatten().filter(|room| has_lost(room)).count(), 1);
    }
}
