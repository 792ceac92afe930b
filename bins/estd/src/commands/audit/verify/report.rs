//! What was found, for people and for programs.

use est_store::{Report, Unchained, Verdict, Verifier};
use host::checkpoints::SignedCheckpoint;
use serde_json::{Value, json};

use crate::commands::audit::line::hex;
use crate::commands::count;

/// What was found.
pub(super) struct Found {
    nodes: Vec<Report>,
    unchained: Unchained,
    /// Checkpoints that were not signed with the key that they name.
    pub(super) forged: Vec<SignedCheckpoint>,
    /// How many checkpoints name a key that was not given.
    pub(super) strangers: u64,
}

impl Found {
    pub(super) fn new(verifier: Verifier, unchained: Unchained) -> Self {
        Self { nodes: verifier.finish(), unchained, forged: Vec::new(), strangers: 0 }
    }

    /// Whether everything is as it was written, as far as that can be known.
    pub(super) fn is_good(&self) -> bool {
        self.nodes.iter().all(|node| node.finding.is_none()) && self.forged.is_empty() && self.unchained.inserted == 0
    }

    /// What a person is told.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Report { records, end, finding, breaks, checkpoints } in &self.nodes {
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
                lines.push(format!("{node}: {} hold, the last at {}", of(Verdict::Holds).count(), last.sequence));
            } else if finding.is_none() {
                lines.push(format!("{node}: no checkpoint was looked at: a chain that was made anew looks the same"));
            }
            for verdict in [Verdict::Contradicted, Verdict::Truncated] {
                if let Some((first, _)) = of(verdict).next() {
                    let number = count(of(verdict).count(), "checkpoint");
                    lines.push(format!("{node}: {number} {}, the first at {}", verdict.name(), first.sequence));
                }
            }
        }
        for forged in &self.forged {
            let chain = &forged.checkpoint.chain;
            lines.push(format!("{}: the checkpoint at {} is forged", chain.node, chain.sequence));
        }
        if self.strangers > 0 {
            let number = count(usize::try_from(self.strangers).unwrap_or(usize::MAX), "checkpoint");
            lines.push(format!("{number} of a key that was not given were not looked at"));
        }
        if self.unchained.inserted > 0 {
            lines.push(format!("{} records were inserted outside of any chain", self.unchained.inserted));
        }
        if self.unchained.before > 0 {
            lines.push(format!(
                "{} records from before there were chains: nothing vouches for them",
                self.unchained.before
            ));
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
            })
        });
        let forged = self.forged.iter().map(|forged| &forged.checkpoint.chain);
        json!({
            "result": if self.is_good() { "good" } else { "tampered" },
            "nodes": nodes.collect::<Vec<_>>(),
            "forged_checkpoints": forged.map(|one| json!({ "node": one.node, "sequence": one.sequence })).collect::<Vec<_>>(),
            "checkpoints_of_other_keys": self.strangers,
            "inserted_outside_of_chains": self.unchained.inserted,
            "from_before_chains": self.unchained.before,
        })
    }
}

fn place(end: &est_store::Chain) -> String {
    format!("{} with the hash {}", end.sequence, hex(&end.hash))
}
