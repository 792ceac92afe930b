//! What was found, for people and for programs.

use est_store::{Chain, Mismatch, Report, Verdict, Verifier};
use serde_json::{Value, json};

use crate::commands::audit::line::hex;
use crate::commands::count;

/// What was found.
pub(super) struct Found {
    nodes: Vec<Report>,
    /// How many rows are in no chain.
    strays: u64,
    /// Where checkpoints and vouchers are that were not signed with the key that they name.
    pub(super) forged: Vec<Chain>,
    /// How many checkpoints name a key that was not given.
    pub(super) strangers: u64,
    /// Whether a chain may have gone on where no checkpoint holds at its end.
    pub(super) needs_checkpoint_at_end: bool,
    /// Whether every chain has to be signed by its node, in itself or in a checkpoint.
    pub(super) needs_voucher: bool,
    /// The nodes whose chains need none.
    pub(super) unproven: Vec<String>,
    /// What of the tables is not as the records have it, if they were compared.
    pub(super) state: Option<Vec<Mismatch>>,
}

/// What it comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything is as it was written, as far as the checkpoints that there were can tell.
    Good,
    /// It is not.
    Tampered,
    /// What there was to look at does not tell.
    CannotTell,
}

impl Found {
    pub(super) fn new(verifier: Verifier, strays: u64) -> Self {
        Self {
            nodes: verifier.finish(),
            strays,
            forged: Vec::new(),
            strangers: 0,
            needs_checkpoint_at_end: false,
            needs_voucher: false,
            unproven: Vec::new(),
            state: None,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let is_changed = self.nodes.iter().any(|node| node.finding.is_some());
        if is_changed || !self.forged.is_empty() || self.strays > 0 || self.mismatches().next().is_some() {
            Outcome::Tampered
        } else if self.strangers > 0
            || self.open_ends().next().is_some()
            || self.unvouched().next().is_some()
            || self.lacks_everything()
        {
            Outcome::CannotTell
        } else {
            Outcome::Good
        }
    }

    /// The chains at whose end no checkpoint holds, where there has to be one.
    fn open_ends(&self) -> impl Iterator<Item = &Report> {
        let is_open = |report: &&Report| {
            let at_end = |(chain, verdict): &(Chain, Verdict)| {
                *verdict == Verdict::Holds && chain.sequence == report.end.sequence
            };
            self.needs_checkpoint_at_end && !report.checkpoints.iter().any(at_end)
        };
        self.nodes.iter().filter(is_open)
    }

    /// The chains that have records, and no signature of their node, where there has to be one.
    fn unvouched(&self) -> impl Iterator<Item = &Report> {
        let is_unvouched = |report: &&Report| {
            let needs_one = self.needs_voucher && report.records > 0 && report.finding.is_none();
            needs_one && !report.is_vouched_for && !self.unproven.contains(&report.end.node)
        };
        self.nodes.iter().filter(is_unvouched)
    }

    fn mismatches(&self) -> impl Iterator<Item = &Mismatch> {
        self.state.iter().flatten()
    }

    fn lacks_everything(&self) -> bool {
        self.needs_checkpoint_at_end && self.nodes.is_empty()
    }

    /// What a person is told.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Report { records, end, finding, breaks, checkpoints, is_vouched_for } in &self.nodes {
            let node = &end.node;
            let records = count(usize::try_from(*records).unwrap_or(usize::MAX), "record");
            match finding {
                None => lines.push(format!("{node}: {records}, as they were written; the last is {}", place(end))),
                Some(finding) => {
                    let more = breaks.saturating_sub(1);
                    let more = if more > 0 { format!(" ({more} more places do not fit)") } else { String::new() };
                    lines.push(format!("{node}: {records}, and {finding}{more}"));
                }
            }
            let of = |verdict| checkpoints.iter().filter(move |(_, one)| *one == verdict);
            if let Some((last, _)) = of(Verdict::Holds).next_back() {
                let number = of(Verdict::Holds).count();
                let hold = if number == 1 { "holds" } else { "hold" };
                lines.push(format!("{node}: {} {hold}, the last at {}", count(number, "checkpoint"), last.sequence));
            } else if finding.is_none() && checkpoints.is_empty() && !is_vouched_for {
                lines.push(format!(
                    "{node}: no checkpoints were checked, so a completely rewritten chain would not be detected"
                ));
            }
            if let Some((last, _)) = of(Verdict::Lost).next_back() {
                let number = count(of(Verdict::Lost).count(), "checkpoint");
                let (end, last) = (end.sequence, last.sequence);
                lines.push(format!("{node}: {number} up to {last} after {end}, where a backup was restored"));
            }
            for verdict in [Verdict::Contradicted, Verdict::Truncated] {
                if let Some((first, _)) = of(verdict).next() {
                    let number = count(of(verdict).count(), "checkpoint");
                    lines.push(format!("{node}: {number} {}, the first at {}", verdict.name(), first.sequence));
                }
            }
        }
        for Chain { node, sequence, .. } in &self.forged {
            lines.push(format!("{node}: the checkpoint at {sequence} is forged"));
        }
        for Report { end, .. } in self.open_ends() {
            lines.push(format!(
                "{}: no checkpoint holds at {}, where the export ends: it may have been cut short, or made up",
                end.node, end.sequence
            ));
        }
        for Report { end, .. } in self.unvouched() {
            let node = &end.node;
            lines.push(format!(
                "{node}: this node has not signed its chain with a key that is known: somebody may have made it up. Give the \
                 node's --public-key, a checkpoint that it made, or --unproven {node}"
            ));
        }
        lines.extend(self.mismatches().map(ToString::to_string));
        if self.state.as_ref().is_some_and(Vec::is_empty) {
            lines.push("certificates, passwords and requests are as the records have them".to_owned());
        }
        if self.strangers > 0 {
            let number = count(usize::try_from(self.strangers).unwrap_or(usize::MAX), "checkpoint");
            let of = if self.strangers == 1 { "is" } else { "are" };
            lines.push(format!("{number} {of} of a key that is not known: give its public half with --public-key"));
        }
        if self.strays > 0 {
            let number = count(usize::try_from(self.strays).unwrap_or(usize::MAX), "record");
            let were = if self.strays == 1 { "was" } else { "were" };
            lines.push(format!("{number} {were} inserted outside of any chain"));
        }
        if self.nodes.is_empty() {
            lines.push("there are no records".to_owned());
        }
        lines
    }

    /// What a program is told.
    pub(super) fn to_json(&self) -> Value {
        let nodes = self.nodes.iter().map(|report| {
            let finding = report.finding.as_ref();
            let checkpoints = report.checkpoints.iter().map(|(chain, verdict)| {
                json!({ "sequence": chain.sequence, "hash": hex(&chain.hash), "verdict": verdict.name() })
            });
            json!({
                "node": report.end.node,
                "records": report.records,
                "end": { "sequence": report.end.sequence, "hash": hex(&report.end.hash) },
                "finding": finding.map(|finding| json!({
                    "sequence": finding.sequence,
                    "kind": finding.kind.name(),
                    "text": finding.to_string(),
                })),
                "checkpoints": checkpoints.collect::<Vec<_>>(),
                "is_vouched_for": report.is_vouched_for,
            })
        });
        json!({
            "result": self.outcome().name(),
            "nodes": nodes.collect::<Vec<_>>(),
            "forged_checkpoints": self.forged.iter().map(|one| json!({ "node": one.node, "sequence": one.sequence })).collect::<Vec<_>>(),
            "chains_without_checkpoint_at_end": self.open_ends().map(|report| &report.end.node).collect::<Vec<_>>(),
            "unproven_chains": self.unvouched().map(|report| &report.end.node).collect::<Vec<_>>(),
            "state": self.state.as_ref().map(|found| found.iter().map(|one| json!({
                "object": one.object,
                "text": one.to_string(),
            })).collect::<Vec<_>>()),
            "checkpoints_of_other_keys": self.strangers,
            "inserted_outside_of_chains": self.strays,
        })
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Tampered => "tampered",
            Self::CannotTell => "cannot-tell",
        }
    }
}

fn place(end: &Chain) -> String {
    format!("{} with the hash {}", end.sequence, hex(&end.hash))
}
