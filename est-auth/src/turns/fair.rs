//! What runs, what waits, and what is next.

use std::collections::{BTreeMap, VecDeque};

use super::line::{Line, Rank};

/// At most `places` run and at most `queue` wait, in lines within lines. The lines within a line take turns.
#[derive(Debug)]
pub(super) struct Fair<T> {
    places: usize,
    queue: usize,
    running: usize,
    next_number: u64,
    lots: Lots,
    /// What is called first, and what waits behind that.
    ranks: [Waiting<T>; 2],
}

/// The answer to a ticket that asks for a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<T> {
    /// There is one; the ticket is handed back.
    Runs(T),
    /// It waits under this number.
    Waits(u64),
    /// It waits under this number, and this other one does no more.
    Displaces(u64, T),
    /// There is no place, and no room to wait for one.
    Full(T),
}

impl<T> Fair<T> {
    /// Draws lots from `seed`, where several are as long as one another.
    pub(super) fn new(places: usize, queue: usize, seed: u64) -> Self {
        Self { places, queue, running: 0, next_number: 0, lots: Lots(seed), ranks: Default::default() }
    }

    /// Uses other numbers from here on. What runs goes on running, and what waits goes on waiting.
    ///
    /// Returns the tickets that may run now.
    pub(super) fn resize(&mut self, places: usize, queue: usize) -> Vec<T> {
        (self.places, self.queue) = (places, queue);
        let mut called = Vec::new();
        while self.running < self.places
            && let Some(ticket) = self.call()
        {
            self.running += 1;
            called.push(ticket);
        }
        called
    }

    /// Asks for a place. Where too many wait, one ticket is thrown out, perhaps the new one: the last of the longest line
    /// within the longest line, and so on; of lines that are equally long, lots decide. A ticket never makes room for one of
    /// a lower rank.
    pub(super) fn ask(&mut self, line: &Line, ticket: T) -> Asked<T> {
        // A waiting ticket is called as soon as a place is free: while one is, none waits.
        if self.running < self.places {
            self.running += 1;
            return Asked::Runs(ticket);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.rank(line.rank).push(&line.path, Ticket { number, what: ticket });
        if self.waiting() <= self.queue {
            return Asked::Waits(number);
        }
        let [first, second] = &mut self.ranks;
        match second.throw_out(&mut self.lots).or_else(|| first.throw_out(&mut self.lots)) {
            Some(thrown) if thrown.number == number => Asked::Full(thrown.what),
            Some(thrown) => Asked::Displaces(number, thrown.what),
            None => Asked::Waits(number),
        }
    }

    /// Gives a place back; returns the ticket that takes it.
    pub(super) fn leave(&mut self) -> Option<T> {
        let next = if self.running <= self.places { self.call() } else { None };
        if next.is_none() {
            self.running -= 1;
        }
        next
    }

    /// Stops waiting; nothing happens if it does not wait any more.
    pub(super) fn give_up(&mut self, line: &Line, number: u64) {
        self.rank(line.rank).remove(&line.path, number);
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.ranks.iter().map(|waiting| waiting.count).sum()
    }

    fn call(&mut self) -> Option<T> {
        self.ranks.iter_mut().find_map(Waiting::call).map(|ticket| ticket.what)
    }

    fn rank(&mut self, rank: Rank) -> &mut Waiting<T> {
        let [first, second] = &mut self.ranks;
        match rank {
            Rank::First => first,
            Rank::Second => second,
        }
    }
}

/// The tickets that wait in a line and in the lines within it.
#[derive(Debug)]
struct Waiting<T> {
    count: usize,
    /// Those whose path ends here.
    own: VecDeque<Ticket<T>>,
    /// None is empty.
    lines: BTreeMap<String, Self>,
    /// Their names, the next one first.
    turns: VecDeque<String>,
}

#[derive(Debug)]
struct Ticket<T> {
    number: u64,
    what: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { count: 0, own: VecDeque::new(), lines: BTreeMap::new(), turns: VecDeque::new() }
    }
}

impl<T> Waiting<T> {
    fn push(&mut self, path: &[String], ticket: Ticket<T>) {
        self.count += 1;
        let Some((name, rest)) = path.split_first() else { return self.own.push_back(ticket) };
        if !self.lines.contains_key(name) {
            self.turns.push_back(name.clone());
        }
        self.lines.entry(name.clone()).or_default().push(rest, ticket);
    }

    /// Takes the next one out of the line whose turn it is.
    fn call(&mut self) -> Option<Ticket<T>> {
        let ticket = match self.own.pop_front() {
            Some(own) => own,
            None => {
                let name = self.turns.pop_front()?;
                let line = self.lines.get_mut(&name)?;
                let ticket = line.call()?;
                if line.count == 0 {
                    self.lines.remove(&name);
                } else {
                    self.turns.push_back(name);
                }
                ticket
            }
        };
        self.count -= 1;
        Some(ticket)
    }

    /// Takes the last one out of the longest line.
    fn throw_out(&mut self, lots: &mut Lots) -> Option<Ticket<T>> {
        let ticket = match self.own.pop_back() {
            Some(own) => own,
            None => {
                let longest = self.lines.values().map(|line| line.count).max()?;
                let mut equals = self.lines.iter().filter(|(_, line)| line.count == longest).map(|(name, _)| name);
                let drawn = lots.draw(equals.clone().count());
                let name = equals.nth(drawn)?.clone();
                let ticket = self.lines.get_mut(&name)?.throw_out(lots)?;
                self.forget_if_empty(&name);
                ticket
            }
        };
        self.count -= 1;
        Some(ticket)
    }

    fn remove(&mut self, path: &[String], number: u64) -> Option<Ticket<T>> {
        let ticket = match path.split_first() {
            None => {
                let place = self.own.iter().position(|ticket| ticket.number == number)?;
                self.own.remove(place)?
            }
            Some((name, rest)) => {
                let ticket = self.lines.get_mut(name)?.remove(rest, number)?;
                self.forget_if_empty(name);
                ticket
            }
        };
        self.count -= 1;
        Some(ticket)
    }

    fn forget_if_empty(&mut self, name: &str) {
        if self.lines.get(name).is_some_and(|line| line.count == 0) {
            self.lines.remove(name);
            self.turns.retain(|turn| turn != name);
        }
    }
}

/// Draws lots (splitmix64): without the seed, the next draw cannot be predicted.
#[derive(Debug)]
struct Lots(u64);

impl Lots {
    /// One of so many.
    fn draw(&mut self, of: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((drawn ^ (drawn >> 31)) % of.max(1) as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
