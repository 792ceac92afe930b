//! The room that long bodies share while they arrive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use est_core::tower::{NoRoom, SHORT_BODY};

use super::admission::Source;

/// What all long bodies under way may take together.
const ROOM_KIB: usize = 64 * 1024;

/// Shares the memory for long bodies between sources.
///
/// Where there is none left, the source that has most gives some up: that of its body which began first of those that have
/// yet to arrive whole.
pub(super) struct Bodies {
    room_kib: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next_number: u64,
    taken_kib: usize,
    bodies: HashMap<u64, Entry>,
}

struct Entry {
    source: Option<Source>,
    kib: usize,
    /// Who is to be told that the room is needed elsewhere, while the body arrives.
    arriving: bool,
    waker: Option<Waker>,
    has_lost: bool,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { room_kib: ROOM_KIB, table: Mutex::default() }
    }
}

impl Bodies {
    /// Begins with a body of `source`, or of a proxy that tells none.
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
    /// Has the source that has most give up its oldest body that has yet to arrive whole; tells whether one did.
    fn evict(&mut self) -> bool {
        let mut sources: HashMap<Option<Source>, usize> = HashMap::new();
        for entry in self.bodies.values() {
            *sources.entry(entry.source).or_default() += entry.kib;
        }
        let arriving = self.bodies.iter().filter(|(_, entry)| entry.arriving && entry.kib > 0);
        let first = arriving.max_by_key(|(number, entry)| (sources[&entry.source], u64::MAX - **number));
        let Some(number) = first.map(|(number, _)| *number) else { return false };
        let Some(entry) = self.bodies.get_mut(&number) else { return false };
        self.taken_kib -= entry.kib;
        entry.kib = 0;
        entry.has_lost = true;
        if let Some(waker) = entry.waker.take() {
            waker.wake();
        }
        true
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
        if !self.is_kept {
            return Ok(());
        }
        self.arrived = self.arrived.saturating_add(octets);
        // A long body takes all of its length, so that what is counted is what is held.
        let wanted = if self.arrived <= SHORT_BODY { 0 } else { self.arrived.div_ceil(1024) };
        if wanted == 0 {
            return Ok(());
        }
        let mut table = self.bodies.lock();
        let entry = Entry { source: self.source, kib: 0, arriving: true, waker: None, has_lost: false };
        let held = {
            let entry = table.bodies.entry(self.number).or_insert(entry);
            if entry.has_lost {
                return Err(NoRoom);
            }
            // It takes part in what is decided about room with what it wants.
            let held = entry.kib;
            entry.kib = wanted;
            held
        };
        table.taken_kib += wanted - held;
        while table.taken_kib > self.bodies.room_kib {
            if !table.evict() {
                break;
            }
        }
        let is_too_much = table.taken_kib > self.bodies.room_kib;
        let Some(entry) = table.bodies.get_mut(&self.number).filter(|entry| !entry.has_lost) else {
            return Err(NoRoom);
        };
        if is_too_much {
            entry.kib = held;
            table.taken_kib -= wanted - held;
            return Err(NoRoom);
        }
        Ok(())
    }

    /// Whether the room went to somebody else; if not, `context` is woken when it does.
    pub(super) fn has_lost(&self, context: &Context<'_>) -> bool {
        if self.arrived <= SHORT_BODY {
            return false;
        }
        let mut table = self.bodies.lock();
        let Some(entry) = table.bodies.get_mut(&self.number) else { return false };
        entry.waker = Some(context.waker().clone());
        entry.has_lost
    }

    /// The body has arrived whole: its room is its own until it is dropped.
    pub(super) fn arrived(&self) {
        if let Some(entry) = self.bodies.lock().bodies.get_mut(&self.number) {
            entry.arriving = false;
            entry.waker = None;
        }
    }

    /// Gives the room back: nothing of the body is kept any more, and what is left of it takes none.
    pub(super) fn give_back(&mut self) {
        self.is_kept = false;
        let mut table = self.bodies.lock();
        if let Some(entry) = table.bodies.remove(&self.number) {
            table.taken_kib -= entry.kib;
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
    const LONG: usize = SHORT_BODY + 10 * KIB;

    fn bodies(room_kib: usize) -> Arc<Bodies> {
        Arc::new(Bodies { room_kib, table: Mutex::default() })
    }

    fn source(last: u8) -> Option<Source> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    fn has_lost(room: &BodyRoom) -> bool {
        room.has_lost(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn short_bodies_take_no_room() {
        let bodies = bodies(0);
        let mut rooms: Vec<_> = (0..100).map(|_| bodies.begin(source(1))).collect();
        assert!(rooms.iter_mut().all(|room| room.take(SHORT_BODY).is_ok()));
        assert!(rooms[0].take(1).is_err());
    }

    #[test]
    fn the_source_that_has_most_gives_up_its_oldest() {
        let bodies = bodies(10 * LONG / KIB);
        let begin = |last| {
            let mut room = bodies.begin(source(last));
            room.take(LONG).map(|()| room)
        };
        let honest = begin(1).expect("room");
        let flood: Vec<_> = (0..9).map(|_| begin(2).expect("room")).collect();
        let more: Vec<_> = (0..5).map(|_| begin(2)).collect();
        assert!(more.iter().all(Result::is_ok), "the newest of the flood are let in");
        assert_eq!(flood.iter().filter(|room| has_lost(room)).count(), 5);
        assert!(has_lost(&flood[0]) && !has_lost(&flood[8]) && !has_lost(&honest));
        let another = begin(3).expect("room");
        assert!(!has_lost(&another) && !has_lost(&honest));
        drop((honest, flood, more, another));
        let table = bodies.lock();
        assert_eq!((table.taken_kib, table.bodies.len()), (0, 0));
    }

    #[test]
    fn a_body_that_has_arrived_keeps_its_room() {
        let bodies = bodies(2 * LONG / KIB);
        let mut whole: Vec<_> = (0..2).map(|_| bodies.begin(source(1))).collect();
        for room in &mut whole {
            room.take(LONG).expect("room");
            room.arrived();
        }
        let mut late = bodies.begin(source(2));
        assert!(late.take(SHORT_BODY + KIB).is_err());
        assert!(!has_lost(&whole[0]));
        whole[0].give_back();
        assert!(whole[0].take(KIB * KIB).is_ok(), "what is not kept takes no room");
        whole.clear();
        drop(late);
        assert!(bodies.begin(source(2)).take(2 * LONG).is_ok());
    }
}
