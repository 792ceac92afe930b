//! Where the records come from that are verified.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use est_store::{AuditRecord, Database, Verifier};
use host::checkpoints::SignedCheckpoint;

use super::Judge;
use super::report::Found;
use crate::commands::audit::line::Line;

/// The longest line that an export can have, with every text at its longest and every character escaped.
const LONGEST_LINE: u64 = 256 * 1024;

/// How often it is told how far it has come.
const TELL_EVERY: u64 = 100_000;

/// Reads every chain of a database that may be written to meanwhile.
pub(super) async fn from_database(store: &Database, mut verifier: Verifier, judge: &mut Judge) -> Result<Found> {
    let mut progress = Progress::default();
    let look = |verifier: &mut Verifier, record: &AuditRecord| {
        judge.look(verifier, record);
        progress.tell(verifier.records());
    };
    let strays = store.verify(&mut verifier, look).await?;
    progress.end();
    Ok(Found::new(verifier, strays))
}

/// Reads an export, a line at a time.
pub(super) fn from_export(path: &Path, mut verifier: Verifier, judge: &mut Judge) -> Result<Found> {
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Box::new(BufReader::with_capacity(1 << 18, file))
    };
    let mut progress = Progress::default();
    let (mut line, mut number) = (String::new(), 0_u64);
    // Whose the last record was: whose one that cannot be read will be. The first few may be nobody's yet.
    let (mut node, mut nobodys) = (None::<String>, Vec::new());
    loop {
        line.clear();
        number += 1;
        let read = input.by_ref().take(LONGEST_LINE).read_line(&mut line);
        if read.with_context(|| format!("cannot read line {number} of {}", path.display()))? == 0 {
            break;
        }
        let text = line.trim_end();
        if text.is_empty() {
            continue;
        }
        if text.starts_with("{\"checkpoint\":") {
            let value = serde_json::from_str(text).ok();
            match value.and_then(|value: serde_json::Value| SignedCheckpoint::from_json(&value)) {
                Some(signed) => judge.witness(&mut verifier, signed),
                None => bail!("line {number} is not a checkpoint"),
            }
            continue;
        }
        let Ok(one) = serde_json::from_str::<Line<'_>>(text) else {
            match &node {
                Some(node) => verifier.add_unreadable(node, None, "line"),
                None => nobodys.push(number),
            }
            continue;
        };
        if node.as_deref() != Some(one.node.as_ref()) {
            node = Some(one.node.clone().into_owned());
        }
        let name = node.as_deref().unwrap_or_default();
        nobodys.drain(..).for_each(|_| verifier.add_unreadable(name, None, "line"));
        let sequence = one.sequence;
        match one.read() {
            Ok(exported) => {
                judge.look(&mut verifier, &exported.record);
                verifier.add(&exported.record, exported.previous);
            }
            Err(field) => verifier.add_unreadable(name, Some(sequence), field),
        }
        progress.tell(verifier.records());
    }
    progress.end();
    if let Some(first) = nobodys.first() {
        bail!("{} has no audit record: line {first} is none", path.display());
    }
    Ok(Found::new(verifier, 0))
}

/// Tells people how far it has come.
#[derive(Default)]
struct Progress {
    told: u64,
}

impl Progress {
    fn tell(&mut self, records: u64) {
        if records >= self.told + TELL_EVERY && io::stderr().is_terminal() {
            self.told = records;
            // Nobody is told, then.
            let _ = write!(io::stderr(), "\r{records} records");
        }
    }

    fn end(&self) {
        if self.told > 0 {
            let _ = writeln!(io::stderr());
        }
    }
}
