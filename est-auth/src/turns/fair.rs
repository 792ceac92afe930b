//! Who runs, who waits, and who is next.

use std::collections::{BTreeMap, VecDeque};

/// At most `places` run and at most `queue` wait, in lines with names. The lines take turns.
#[derive(Debug)]
pub(super) struct Fair<T> {
    places: usize,
    queue: usize,
    running: usize,
    waiting: usize,
    next_number: u64,
    /// None is empty.
    lines: BTreeMap<String, VecDeque<(u64, T)>>,
    /// Their names, the next one first.
    turns: VecDeque<String>,
}

/// What becomes of somebody who asks for a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<T> {
    /// There is one; the ticket is handed back.
    Runs(T),
    /// It waits under this number.
    Waits(u64),
    /// It waits under this number, and this one of a longer line does no more.
    Displaces(u64, T),
    /// There is no place, and no room to wait for one.
    Full(T),
}

impl<T> Fair<T> {
    pub(super) fn new(places: usize, queue: usize) -> Self {
        Self { places, queue, running: 0, waiting: 0, next_number: 0, lines: BTreeMap::new(), turns: VecDeque::new() }
    }

    /// Has other numbers from here on. Who runs goes on running, and who waits goes on waiting.
    ///
    /// Returns who may run now.
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

    /// Asks for a place.
    pub(super) fn ask(&mut self, name: &str, ticket: T) -> Asked<T> {
        // Whoever waits is called as soon as a place is free: while one is, nobody waits.
        if self.running < self.places {
            self.running += 1;
            return Asked::Runs(ticket);
        }
        if self.waiting < self.queue {
            return Asked::Waits(self.wait(name, ticket));
        }
        // A line that fills the queue must not keep the others out of it.
        let own = self.lines.get(name).map_or(0, VecDeque::len);
        let longest = self.lines.iter().max_by_key(|(_, line)| line.len());
        match longest.filter(|(_, line)| line.len() > own + 1).map(|(name, _)| name.clone()) {
            Some(longest) => match self.lines.get_mut(&longest).and_then(VecDeque::pop_back) {
                Some((_, displaced)) => {
                    self.waiting -= 1;
                    Asked::Displaces(self.wait(name, ticket), displaced)
                }
                None => Asked::Full(ticket),
            },
            None => Asked::Full(ticket),
        }
    }

    /// Gives a place back; returns who takes it.
    pub(super) fn leave(&mut self) -> Option<T> {
        let next = if self.running <= self.places { self.call() } else { None };
        if next.is_none() {
            self.running -= 1;
        }
        next
    }

    /// Stops waiting; nothing happens if it does not wait any more.
    pub(super) fn give_up(&mut self, name: &str, number: u64) {
        let Some(line) = self.lines.get_mut(name) else { return };
        let Some(place) = line.iter().position(|(other, _)| *other == number) else { return };
        line.remove(place);
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(name);
            self.turns.retain(|turn| turn != name);
        }
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    fn wait(&mut self, name: &str, ticket: T) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.waiting += 1;
        match self.lines.get_mut(name) {
            Some(line) => line.push_back((number, ticket)),
            None => {
                self.lines.insert(name.to_owned(), VecDeque::from([(number, ticket)]));
                self.turns.push_back(name.to_owned());
            }
        }
        number
    }

    /// Takes the next one out of the line whose turn it is.
    fn call(&mut self) -> Option<T> {
        let name = self.turns.pop_front()?;
        let line = self.lines.get_mut(&name)?;
        let (_, ticket) = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&name);
        } else {
            self.turns.push_back(name);
        }
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills every place with `label`.
    fn busy(places: usize, queue: usize, label: &'static str) -> Fair<&'static str> {
        let mut fair = Fair::new(places, queue);
        (0..places).for_each(|_| assert_eq!(fair.ask(label, label), Asked::Runs(label)));
        fair
    }

    #[test]
    fn a_label_may_have_every_place_while_the_others_are_idle() {
        let mut fair = busy(3, 2, "a");
        assert_eq!(fair.ask("a", "a"), Asked::Waits(0));
        assert_eq!(fair.running(), 3);
    }

    #[test]
    fn lines_take_turns_however_long_they_are() {
        let mut fair = busy(1, 100, "flood");
        (0..50).for_each(|_| assert!(matches!(fair.ask("flood", "flood"), Asked::Waits(_))));
        for label in ["a", "b", "a"] {
            assert!(matches!(fair.ask(label, label), Asked::Waits(_)));
        }
        let called: Vec<_> = (0..6).map_while(|_| fair.leave()).collect();
        assert_eq!(called, ["flood", "a", "b", "flood", "a", "flood"]);
    }

    #[test]
    fn a_full_queue_makes_room_for_a_label_with_a_shorter_line() {
        let mut fair = busy(1, 4, "flood");
        (0..4).for_each(|_| assert!(matches!(fair.ask("flood", "flood"), Asked::Waits(_))));
        assert_eq!(fair.ask("flood", "flood"), Asked::Full("flood"));
        assert_eq!(fair.ask("a", "a"), Asked::Displaces(4, "flood"));
        assert_eq!(fair.ask("a", "a"), Asked::Displaces(5, "flood"));
        // The two lines are as long as one another: nobody is displaced to and fro.
        assert_eq!(fair.ask("a", "a"), Asked::Full("a"));
        assert_eq!(fair.ask("flood", "flood"), Asked::Full("flood"));
        assert_eq!(fair.ask("b", "b"), Asked::Displaces(6, "flood"));
    }

    #[test]
    fn who_gives_up_is_not_called() {
        let mut fair = busy(1, 4, "a");
        assert_eq!(fair.ask("a", "first"), Asked::Waits(0));
        assert_eq!(fair.ask("b", "second"), Asked::Waits(1));
        fair.give_up("a", 0);
        fair.give_up("a", 0);
        assert_eq!((fair.waiting(), fair.lines.keys().map(String::as_str).collect::<Vec<_>>()), (1, vec!["b"]));
        assert_eq!(fair.leave(), Some("second"));
        assert_eq!(fair.leave(), None);
        assert_eq!(fair.running(), 0);
    }

    #[test]
    fn fewer_places_are_reached_as_those_who_run_leave_and_more_are_filled_at_once() {
        let mut fair = busy(3, 4, "a");
        assert_eq!(fair.ask("a", "waits"), Asked::Waits(0));
        assert_eq!(fair.resize(1, 4), [""; 0]);
        assert_eq!((fair.leave(), fair.leave(), fair.running()), (None, None, 1));
        assert_eq!(fair.leave(), Some("waits"));
        assert_eq!(fair.ask("b", "other"), Asked::Waits(1));
        assert_eq!(fair.resize(2, 4), ["other"]);
        assert_eq!(fair.running(), 2);
    }

    /// A generator of numbers that look random and are the same every time (xorshift).
    fn numbers(mut seed: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        }
    }

    #[test]
    fn whatever_happens_places_are_filled_bounds_are_kept_and_nobody_is_lost() {
        for seed in 1..200 {
            let mut random = numbers(seed);
            let (mut places, mut queue) = (1 + random(4) as usize, random(6) as usize);
            let mut fair = Fair::new(places, queue);
            let labels = ["a", "b", "c", "d"];
            let (mut asked, mut refused, mut gave_up, mut left, mut called) = (0, 0, 0, 0, 0);
            let mut at_once = 0;
            let mut waiting: Vec<(&str, u64)> = Vec::new();
            for _ in 0..300 {
                match random(10) {
                    0..5 => {
                        let label = labels[random(4) as usize];
                        asked += 1;
                        match fair.ask(label, ()) {
                            Asked::Runs(()) => at_once += 1,
                            Asked::Waits(number) => waiting.push((label, number)),
                            Asked::Displaces(number, ()) => {
                                waiting.push((label, number));
                                refused += 1;
                            }
                            Asked::Full(()) => refused += 1,
                        }
                    }
                    5..8 if fair.running() > 0 => {
                        left += 1;
                        called += usize::from(fair.leave().is_some());
                    }
                    8 if !waiting.is_empty() => {
                        let (label, number) = waiting.swap_remove(random(waiting.len() as u64) as usize);
                        let before = fair.waiting;
                        fair.give_up(label, number);
                        gave_up += before - fair.waiting;
                    }
                    9 if random(5) == 0 => {
                        (places, queue) = (1 + random(4) as usize, random(6) as usize);
                        called += fair.resize(places, queue).len();
                    }
                    _ => {}
                }
                let in_lines: usize = fair.lines.values().map(VecDeque::len).sum();
                assert_eq!(in_lines, fair.waiting);
                assert_eq!(fair.turns.len(), fair.lines.len());
                assert!(fair.running() >= places || in_lines == 0, "a place is free while somebody waits");
                assert_eq!(at_once + called - left, fair.running());
                assert_eq!(asked, at_once + called + refused + gave_up + in_lines);
            }
        }
    }
}
