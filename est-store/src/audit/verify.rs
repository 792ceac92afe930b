//! Whether chains are what was written: record by record, in whatever order the nodes' records come, without keeping
//! more of them than one a node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use est_core::Seconds;

use super::chain::{Chain, link};
use super::{AuditRecord, Checkpoint, Event};
use crate::UnixMicros;

/// What there is to be of each chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it from its first record on.
    Whole,
    /// Some of its records, in their order.
    Excerpt,
}

/// Takes records and tells of the first in each chain that is not what was written.
#[derive(Debug)]
pub struct Verifier {
    extent: Extent,
    nodes: BTreeMap<String, Node>,
    /// When checkpoints of all chains were made, and of which nodes these were.
    complete: Vec<(UnixMicros, BTreeSet<String>)>,
}

/// What was found out about the chain of one node.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many records there were.
    pub records: u64,
    /// The end of the chain, as the last record has it.
    pub end: Chain,
    /// The first thing that is not what was written.
    pub finding: Option<Finding>,
    /// How many records there were that do not follow the one before them.
    pub breaks: u64,
    /// Every checkpoint of this chain, and whether it holds.
    pub checkpoints: Vec<(Chain, Verdict)>,
    /// Whether the node itself has signed some of this chain.
    pub is_vouched_for: bool,
}

/// What is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: the place of the first record that is affected.
    pub sequence: u64,
    /// What happened to it.
    pub kind: Tampering,
}

/// What happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tampering {
    /// It says something else than it did; or the one before it does, and has a hash that was made to fit.
    Changed,
    /// It cannot be read any more: a value in it is one that is never written there.
    Unreadable(&'static str),
    /// It is not there.
    Removed,
    /// It stands elsewhere.
    Reordered,
    /// It was not written by the node.
    Inserted,
    /// It and every one after it are not there.
    Truncated {
        /// The last that is known to have been there.
        last: u64,
    },
    /// It, or one after it up to the checkpoint, was not what it is when the checkpoint was made: the chain was
    /// rewritten.
    Rewritten {
        /// Where the checkpoint is.
        checkpoint: u64,
    },
    /// Listings show it elsewhere: the number that they go by does not come after that of the record before.
    Renumbered,
    /// There are records after what the database says is the last one.
    BeyondTheEnd,
    /// It is older than a checkpoint of all chains that does not have this one.
    Backdated {
        /// When the checkpoint was made.
        checkpoint: UnixMicros,
    },
}

/// What a checkpoint tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The chain passes through it.
    Holds,
    /// The chain has another hash there.
    Contradicted,
    /// The chain ends before it.
    Truncated,
    /// The chain ends before it, where it is known that a backup was restored.
    Lost,
    /// The record that it is about was not among those that were looked at.
    NotCovered,
}

/// How far the clocks of two nodes may differ before a record counts as older than a checkpoint.
const SKEW: Seconds = Seconds(3_600);

/// What a checkpoint says of a chain.
#[derive(Debug)]
struct Expected {
    hash: [u8; 32],
    by: Signer,
    /// Whether the chain turned out to have the hash.
    verdict: Option<Verdict>,
}

/// The signer of a statement where a chain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signer {
    /// The node whose chain it is.
    Itself,
    /// Another node, which saw it there.
    Witness,
}

#[derive(Debug)]
struct Node {
    records: u64,
    end: Chain,
    /// The hash of the record before the last.
    before_end: [u8; 32],
    /// The number by which listings know the last record; 0 where records have none.
    number: u64,
    finding: Option<Finding>,
    search: Option<Search>,
    breaks: u64,
    /// By place, with their hashes.
    checkpoints: BTreeMap<u64, Vec<Expected>>,
    /// Whether the node has signed some of the chain in the chain itself.
    is_vouched_for: bool,
    /// When the first record was written, by its own account, or the earliest that claims to be older.
    since: Option<UnixMicros>,
    /// Where the chain ends because a backup was restored.
    restored: Option<u64>,
    /// Whether nothing has to prove when it began.
    is_unproven: bool,
    /// Up to where the last checkpoint that holds has shown the chain to be what it was.
    shown: u64,
}

/// Looks among the records after the first that is wrong for the one that belongs in its place.
#[derive(Debug)]
struct Search {
    sequence: u64,
    /// The hash of the record before.
    previous: [u8; 32],
    /// What stands in its place.
    instead: Option<AuditRecord>,
}

impl Verifier {
    /// Begins.
    #[must_use]
    pub fn new(extent: Extent) -> Self {
        Self { extent, nodes: BTreeMap::new(), complete: Vec::new() }
    }

    /// Holds the chains against a checkpoint whose signature is good. It vouches for the chain of the node that signed it;
    /// of the others it says that they were there. To be said before the records are added that it is about, or right after.
    pub fn hold(&mut self, checkpoint: &Checkpoint) {
        self.expect_of(&checkpoint.chain, Signer::Itself);
        self.witness_others(checkpoint);
    }

    /// As [`hold`](Self::hold), for a checkpoint that was signed to say what was read, which vouches for none.
    pub fn witness(&mut self, checkpoint: &Checkpoint) {
        self.expect(&checkpoint.chain);
        self.witness_others(checkpoint);
    }

    /// Says that a chain was seen before, when this was its end. To be said before the record is added that it is about,
    /// or right after.
    pub fn expect(&mut self, end: &Chain) {
        self.expect_of(end, Signer::Witness);
    }

    /// Says that the node has signed its own chain up to here ([`Chain::to_voucher`]). To be said right after the record is
    /// added that it is about; nothing comes of it otherwise.
    pub fn vouch(&mut self, end: &Chain) {
        let node = self.node(&end.node);
        if node.records == 0 || node.end.sequence != end.sequence {
            return;
        }
        if node.end.hash == end.hash {
            node.is_vouched_for = true;
        } else {
            node.find(node.shown + 1, Tampering::Rewritten { checkpoint: end.sequence });
        }
    }

    fn witness_others(&mut self, Checkpoint { chain, others, at }: &Checkpoint) {
        let Some(others) = others else { return };
        others.iter().for_each(|other| self.expect(other));
        let nodes = others.iter().chain([chain]).map(|one| one.node.clone()).collect();
        self.complete.push((*at, nodes));
    }

    fn expect_of(&mut self, end: &Chain, by: Signer) {
        let node = self.node(&end.node);
        node.checkpoints.entry(end.sequence).or_default().push(Expected { hash: end.hash, by, verdict: None });
        if node.records > 0 && node.end.sequence == end.sequence {
            node.compare();
        }
    }

    /// Says that the chain of `node` ends at this place because a backup was restored: checkpoints after it are no fault
    /// then. One that goes on after it is held against all of them.
    pub fn restored(&mut self, node: &str, sequence: u64) {
        self.node(node).restored = Some(sequence);
    }

    /// Says that nothing has to prove when the chain of `node` began: its clock may have been wrong then.
    pub fn unproven(&mut self, node: &str) {
        self.node(node).is_unproven = true;
    }

    /// Adds the next record. `previous` is what the hash of the record before it is said to be, for an excerpt.
    pub fn add(&mut self, record: &AuditRecord, previous: Option<[u8; 32]>) {
        let (extent, Some(chain)) = (self.extent, &record.chain) else { return };
        self.node(&chain.node).add(record, chain, previous, extent);
    }

    /// Adds a record that cannot be read, with its place as far as that can.
    pub fn add_unreadable(&mut self, node: &str, sequence: Option<u64>, column: &'static str) {
        let node = self.node(node);
        node.records += 1;
        let sequence = sequence.unwrap_or(node.end.sequence.saturating_add(1));
        node.find(sequence.min(node.end.sequence.saturating_add(1)), Tampering::Unreadable(column));
        // What follows is compared with what follows it.
        if sequence > node.end.sequence {
            node.end.sequence = sequence;
            node.before_end = node.end.hash;
            node.end.hash = [0; 32];
        }
    }

    /// Compares the end of a node's chain with what the database said it was, before the first record was read and after
    /// the last: a node may have written meanwhile.
    pub fn close(&mut self, node: &str, before: Option<&Chain>, after: Option<&Chain>) {
        let node = self.node(node);
        let last = node.end.sequence;
        let [at_least, at_most] = [before, after].map(|end| end.map_or(0, |end| end.sequence));
        if last < at_least {
            node.find(last + 1, Tampering::Truncated { last: at_least });
        } else if last > at_most {
            node.find(at_most.saturating_add(1), Tampering::BeyondTheEnd);
        } else if after.is_some_and(|end| end.sequence == last && end.hash != node.end.hash) {
            // The last record was written again, or replaced.
            node.find(last, Tampering::Changed);
        }
    }

    /// How many records were added.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.nodes.values().map(|node| node.records).sum()
    }

    /// Tells what was found, for each node.
    #[must_use]
    pub fn finish(self) -> Vec<Report> {
        let Self { extent, nodes, complete } = self;
        nodes.into_values().map(|node| node.finish(extent, &complete)).collect()
    }

    fn node(&mut self, name: &str) -> &mut Node {
        // Nearly always there: without a copy of the name.
        if !self.nodes.contains_key(name) {
            self.nodes.insert(name.to_owned(), Node::new(name));
        }
        self.nodes.get_mut(name).expect("it was put there if it was not")
    }
}

impl Node {
    fn new(name: &str) -> Self {
        let end = Chain::genesis(name);
        Self {
            records: 0,
            before_end: end.hash,
            number: 0,
            end,
            // No server is called that.
            finding: (!Chain::is_name(name)).then_some(Finding { sequence: 1, kind: Tampering::Inserted }),
            search: None,
            breaks: 0,
            checkpoints: BTreeMap::new(),
            is_vouched_for: false,
            since: None,
            restored: None,
            is_unproven: false,
            shown: 0,
        }
    }

    /// Keeps the finding if it is the first. Nothing is searched for unless the caller says so.
    fn find(&mut self, sequence: u64, kind: Tampering) {
        self.breaks += 1;
        if self.finding.is_none() {
            self.finding = Some(Finding { sequence, kind });
        }
    }

    fn add(&mut self, record: &AuditRecord, chain: &Chain, previous: Option<[u8; 32]>, extent: Extent) {
        self.records += 1;
        self.since = Some(self.since.map_or(record.at, |since| since.min(record.at)));
        let (sequence, hash) = (chain.sequence, chain.hash);
        let expected = self.end.sequence.saturating_add(1);
        self.resolve(record, chain);
        let follows =
            |before: &[u8; 32], place: u64| link(&chain.node, before, place, &Event::of(record), record.at) == hash;
        if sequence < expected {
            self.find(sequence, Tampering::Inserted);
            return;
        }
        let is_gap = sequence > expected;
        let before = if is_gap && extent == Extent::Excerpt { previous } else { Some(self.end.hash) };
        if is_gap && extent == Extent::Whole {
            self.search_for(expected, self.end.hash, None);
            self.find(expected, Tampering::Removed);
        } else if before.is_some_and(|before| !follows(&before, sequence) || previous.is_some_and(|one| one != before))
        {
            // Had the record before this one been put in with a hash to fit, this one would stand one place too far.
            if hash == self.end.hash {
                self.find(sequence, Tampering::Inserted);
            } else if self.end.sequence > 0 && follows(&self.before_end, self.end.sequence) {
                self.find(self.end.sequence, Tampering::Inserted);
            } else {
                self.search_for(sequence, before.unwrap_or(self.end.hash), Some(record.clone()));
                self.find(sequence, Tampering::Changed);
            }
        } else if record.number > 0 && record.number <= self.number {
            // Numbers are no part of a hash, but are given out in the order in which records are written.
            self.find(sequence, Tampering::Renumbered);
        }
        self.number = record.number;
        self.before_end = if is_gap { before.unwrap_or_default() } else { self.end.hash };
        (self.end.sequence, self.end.hash) = (sequence, hash);
        self.compare();
    }

    fn search_for(&mut self, sequence: u64, previous: [u8; 32], instead: Option<AuditRecord>) {
        if self.finding.is_none() {
            self.search = Some(Search { sequence, previous, instead });
        }
    }

    /// Sees whether this is the record that is searched for, and what therefore happened to it.
    fn resolve(&mut self, record: &AuditRecord, chain: &Chain) {
        let Some(search) = &self.search else { return };
        let is_it = |hash: &[u8; 32], place, record: &AuditRecord, stored: [u8; 32]| {
            link(&self.end.node, hash, place, &Event::of(record), record.at) == stored
        };
        if !is_it(&search.previous, search.sequence, record, chain.hash) {
            return;
        }
        let kind = match &search.instead {
            None => Tampering::Reordered,
            Some(_) if chain.sequence == search.sequence => Tampering::Inserted,
            // Two neighbours that changed places fit each other the other way round.
            Some(instead) if chain.sequence == search.sequence + 1 => {
                let stored = instead.chain.as_ref().map_or([0; 32], |chain| chain.hash);
                if is_it(&chain.hash, search.sequence + 1, instead, stored) {
                    Tampering::Reordered
                } else {
                    Tampering::Inserted
                }
            }
            Some(_) => Tampering::Reordered,
        };
        self.finding = Some(Finding { sequence: search.sequence, kind });
        self.search = None;
    }

    /// Holds the checkpoints for this place against it.
    fn compare(&mut self) {
        let Chain { sequence: at, hash, .. } = self.end;
        let Some(checkpoints) = self.checkpoints.get_mut(&at) else { return };
        for one in &mut *checkpoints {
            one.verdict = Some(if one.hash == hash { Verdict::Holds } else { Verdict::Contradicted });
        }
        if checkpoints.iter().any(|one| one.verdict == Some(Verdict::Contradicted)) {
            self.find(self.shown + 1, Tampering::Rewritten { checkpoint: at });
        } else {
            self.shown = at;
        }
    }

    fn finish(mut self, extent: Extent, complete: &[(UnixMicros, BTreeSet<String>)]) -> Report {
        let last = self.end.sequence;
        let seen = self.checkpoints.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let is_restored = self.restored == Some(last);
        if seen > last && extent == Extent::Whole && !is_restored {
            self.find(last + 1, Tampering::Truncated { last: seen });
        }
        // It was not there, though its records say that it was.
        let is_older = |at: UnixMicros| !self.is_unproven && self.since.is_some_and(|since| since.after(SKEW) < at);
        let without = complete.iter().find(|(at, nodes)| is_older(*at) && !nodes.contains(&self.end.node));
        if let Some((checkpoint, _)) = without {
            self.find(1, Tampering::Backdated { checkpoint: *checkpoint });
        }
        let genesis = Chain::genesis(self.end.node.as_str());
        let settle = |sequence, hash| match extent {
            // Of a chain without records there is nothing to look at but what it begins with.
            _ if (sequence, hash) == (0, genesis.hash) => Verdict::Holds,
            Extent::Whole if sequence > last && is_restored => Verdict::Lost,
            Extent::Whole if sequence > last => Verdict::Truncated,
            Extent::Whole | Extent::Excerpt => Verdict::NotCovered,
        };
        let mut is_vouched_for = self.is_vouched_for;
        let mut checkpoints = Vec::new();
        for (sequence, of_it) in self.checkpoints {
            for Expected { hash, by, verdict } in of_it {
                let verdict = verdict.unwrap_or_else(|| settle(sequence, hash));
                is_vouched_for |= by == Signer::Itself && verdict == Verdict::Holds && sequence > 0;
                checkpoints.push((Chain { node: genesis.node.clone(), sequence, hash }, verdict));
            }
        }
        let Self { records, end, finding, breaks, .. } = self;
        Report { records, end, finding, breaks, checkpoints, is_vouched_for }
    }
}

/// A sentence about the record: `record 7 was changed`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, kind } = self;
        match kind {
            Tampering::Changed => write!(f, "record {sequence} was changed"),
            Tampering::Unreadable(column) => {
                write!(f, "record {sequence} was changed: no server writes what is in {column}")
            }
            Tampering::Removed => write!(f, "record {sequence} was removed"),
            Tampering::Reordered => write!(f, "record {sequence} was moved to another place"),
            Tampering::Inserted => write!(f, "record {sequence} was inserted"),
            Tampering::Truncated { last } => {
                write!(f, "record {sequence} and all after it were removed: there was a record {last}")
            }
            Tampering::Rewritten { checkpoint } => write!(
                f,
                "the records were rewritten from somewhere between {sequence} and {checkpoint} on: the checkpoint \
                 at {checkpoint} has another hash"
            ),
            Tampering::Renumbered => write!(f, "record {sequence} has another number than it was given"),
            Tampering::BeyondTheEnd => {
                write!(f, "record {sequence} was inserted, or the end of the chain was set back before it")
            }
            Tampering::Backdated { checkpoint } => write!(
                f,
                "the chain was inserted, or its clock was wrong: it has records from before {checkpoint}, and the checkpoint of \
                 all chains that was made then does not have it"
            ),
        }
    }
}

impl Tampering {
    /// A word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unreadable(_) => "unreadable",
            Self::Removed => "removed",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::Truncated { .. } => "truncated",
            Self::Rewritten { .. } => "rewritten",
            Self::Renumbered => "renumbered",
            Self::BeyondTheEnd => "beyond-the-end",
            Self::Backdated { .. } => "backdated",
        }
    }
}

impl Verdict {
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Contradicted => "contradicted",
            Self::Truncated => "truncated",
            Self::Lost => "lost",
            Self::NotCovered => "not covered",
        }
    }
}
