//! Attackers that never rest and one client with a good credential, by a clock that only counts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::*;

/// Who asks: an attacker by number, or the client.
type Who = usize;
const CLIENT: Who = Who::MAX;

/// How long a turn may take, in ticks.
const LONGEST: u64 = 8;
/// How many requests an attacker has under way at most.
const PERSISTENCE: usize = 12;

struct Attacker {
    line: Line,
    takes: u64,
    under_way: usize,
}

struct World {
    now: u64,
    fair: Fair<Who>,
    attackers: Vec<Attacker>,
    /// When each ends.
    running: BinaryHeap<Reverse<(u64, Who)>>,
    thrown_out: bool,
}

impl World {
    /// Attackers of any mix: some know nothing, some a password's id, from networks near the client and far from it.
    fn new(lots: &mut Lots, places: usize, queue: usize) -> Self {
        let (attackers, variety) = (lots.draw(60), 1 + lots.draw(4));
        let segment = |lots: &mut Lots| format!("{}", lots.draw(variety));
        let attacker = |lots: &mut Lots| {
            let line = Line::new((0..DEPTH).map(|_| segment(lots)).collect());
            let line = if lots.draw(3) == 0 { line.behind() } else { line };
            Attacker { line, takes: 1 + lots.draw(LONGEST as usize) as u64, under_way: 0 }
        };
        let attackers = (0..attackers).map(|_| attacker(lots)).collect();
        let fair = Fair::new(places, queue, lots.draw(usize::MAX) as u64);
        Self { now: 0, fair, attackers, running: BinaryHeap::new(), thrown_out: false }
    }

    fn ask(&mut self, who: Who, line: &Line) -> bool {
        let displaced = match self.fair.ask(line, who) {
            Asked::Runs(_) => return self.run(who),
            Asked::Waits(_) => return true,
            Asked::Full(_) => who,
            Asked::Displaces(_, displaced) => displaced,
        };
        match self.attackers.get_mut(displaced) {
            Some(attacker) => attacker.under_way -= 1,
            None => self.thrown_out = true,
        }
        displaced != who
    }

    fn run(&mut self, who: Who) -> bool {
        let takes = self.attackers.get(who).map_or(1, |attacker| attacker.takes);
        self.running.push(Reverse((self.now + takes, who)));
        true
    }

    /// Everybody asks until they have as much under way as they can, or are refused.
    fn attack(&mut self, lots: &mut Lots) {
        let first = lots.draw(self.attackers.len());
        for number in 0..self.attackers.len() {
            let who = (first + number) % self.attackers.len();
            let line = self.attackers[who].line.clone();
            while self.attackers[who].under_way < PERSISTENCE {
                self.attackers[who].under_way += 1;
                if !self.ask(who, &line) {
                    break;
                }
            }
        }
    }

    /// Goes on to the next end of a turn; returns the one that is called.
    fn tick(&mut self) -> Option<Who> {
        let Reverse((at, ended)) = self.running.pop()?;
        self.now = at;
        if let Some(attacker) = self.attackers.get_mut(ended) {
            attacker.under_way -= 1;
        }
        let called = self.fair.leave()?;
        self.run(called);
        Some(called)
    }

    fn is_running(&self, who: Who) -> bool {
        self.running.iter().any(|Reverse((_, other))| *other == who)
    }

    /// How many lines the client's line shares turns with, itself included: at each depth as many as begin like it, multiplied.
    fn rivals(&self, client: &Line) -> usize {
        let rank = |attacker: &&Attacker| attacker.line.rank == client.rank;
        let at_depth = |depth: usize| {
            let similar = |attacker: &&Attacker| attacker.line.path[..depth] == client.path[..depth];
            let attackers = self.attackers.iter().filter(rank).filter(similar);
            let names: BTreeSet<&str> = attackers.map(|attacker| attacker.line.path[depth].as_str()).collect();
            names.len() + usize::from(!names.contains(client.path[depth].as_str()))
        };
        (0..DEPTH).map(at_depth).product()
    }
}

const DEPTH: usize = 4;

/// With `R` the number of lines whose turns the client's line shares, itself included: if no more than `R` may wait than do,
/// it is not refused, and it is called within the time of `R` turns of each place.
#[test]
fn whoever_attacks_a_client_in_a_line_of_its_own_is_called_within_its_share_of_turns() {
    let (mut judged, mut worst) = (0, 0);
    for seed in 0..400 {
        let mut lots = Lots(seed);
        let (places, queue) = (1 + lots.draw(4), 1 + lots.draw(200));
        let mut world = World::new(&mut lots, places, queue);
        let mut path: Vec<String> = (0..DEPTH).map(|_| format!("{}", lots.draw(5))).collect();
        path[DEPTH - 1] = "own".to_owned();
        let client = Line::new(path);
        let rivals = world.rivals(&client);
        if rivals > queue {
            continue;
        }
        judged += 1;
        for _ in 0..lots.draw(300) {
            world.attack(&mut lots);
            world.tick();
        }
        world.attack(&mut lots);
        let asked = world.now;
        assert!(world.ask(CLIENT, &client), "seed {seed}: refused, with {rivals} lines and room for {queue}");
        while !world.is_running(CLIENT) {
            world.attack(&mut lots);
            world.tick();
            assert!(!world.thrown_out, "seed {seed}: thrown out, with {rivals} lines and room for {queue}");
        }
        let (waited, bound) = (world.now - asked, rivals.div_ceil(places) as u64 * LONGEST);
        assert!(waited <= bound, "seed {seed}: waited {waited}, longer than {bound}");
        worst = worst.max(waited * 100 / bound);
    }
    assert!(judged > 150 && worst > 50, "{judged} worlds, {worst} % of the bound");
}
