//! `estd audit verify`: whether the audit records are what was written.

mod report;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use est_core::pkix::SubjectPublicKeyInfo;
use est_store::{AuditRecord, Chain, Extent, TrailUse, VOUCHED, Verifier};
use host::checkpoints::{self, Checkpoints, SignedCheckpoint, Voucher};

use crate::cli::{AuditVerify, DEFAULT_CONFIG};
use crate::commands::{Opened, actor};
use crate::output;
use report::{Found, Outcome};

/// The exit code when something was changed.
const TAMPERED: u8 = 1;

/// The exit code when that could not be told.
const CANNOT_TELL: u8 = 2;

pub(crate) async fn run(options: &AuditVerify) -> ExitCode {
    match verify(options).await {
        Ok(found) => {
            let printed = match options.output.json {
                true => output::json(&found.to_json()),
                false => found.lines().into_iter().try_for_each(output::line),
            };
            match (found.outcome(), printed) {
                (Outcome::Tampered, Ok(())) => TAMPERED.into(),
                (Outcome::Good, Ok(())) => ExitCode::SUCCESS,
                (Outcome::CannotTell, Ok(())) => CANNOT_TELL.into(),
                // Whoever asked does not know what was found.
                (_, Err(error)) => output::failed(&error.into(), CANNOT_TELL),
            }
        }
        Err(error) => output::failed(&error, CANNOT_TELL),
    }
}

async fn verify(options: &AuditVerify) -> Result<Found> {
    let mut judge = Judge::default();
    for path in &options.public_keys {
        let key = checkpoints::read_public_key(&read(path)?).with_context(|| path.display().to_string())?;
        judge.keys.push(key);
    }
    let opened = match (&options.from, &options.config) {
        (None, config) => Some(Opened::open(config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG)))?),
        (Some(_), _) => None,
    };
    let mut files: Vec<PathBuf> = options.checkpoints.clone();
    if let Some(Opened { settings, .. }) = &opened {
        if judge.keys.is_empty()
            && let Some(own) = Checkpoints::open(&settings.audit)?
        {
            judge.keys.push(own.public_key().clone());
        }
        // What was given was kept elsewhere, and tells more than what lies beside the database.
        files.extend(settings.audit.checkpoints.clone().filter(|path| files.is_empty() && path.exists()));
    }
    let mut verifier = Verifier::new(if options.excerpt { Extent::Excerpt } else { Extent::Whole });
    for (node, sequence) in &options.restored {
        verifier.restored(node, *sequence);
    }
    for node in &options.unproven {
        verifier.unproven(node);
    }
    let asks_for_checkpoints = !options.checkpoints.is_empty() || !options.public_keys.is_empty();
    for path in files {
        let read = checkpoints::read_all(&read(&path)?).with_context(|| path.display().to_string())?;
        for line in read.cut_short {
            output::error(format!("warning: {}: line {line} was cut short, and is passed over", path.display()));
        }
        read.checkpoints.into_iter().for_each(|signed| judge.hold(&mut verifier, signed));
    }
    anyhow::ensure!(
        options.checkpoints.is_empty() || !judge.keys.is_empty(),
        "no key tells whose the checkpoints are: give --public-key"
    );
    let mut found = match (&opened, &options.from) {
        (Some(Opened { store, .. }), _) => source::from_database(store, verifier, &mut judge).await?,
        (None, Some(path)) => source::from_export(path, verifier, &mut judge)?,
        (None, None) => anyhow::bail!("give --config or --from"),
    };
    // Once signatures are asked about, a chain that its node has not signed may be one that somebody made up. An excerpt may
    // lack the record that says so.
    found.needs_voucher = asks_for_checkpoints && !options.excerpt;
    found.unproven.clone_from(&options.unproven);
    found.forged = judge.forged;
    found.strangers = judge.strangers;
    // Nothing but a checkpoint of a known key tells an export from one that was cut short, or made up altogether.
    found.needs_checkpoint_at_end = options.from.is_some() && !options.excerpt && !options.public_keys.is_empty();
    if let Some(Opened { settings, store }) = &opened
        && options.state
    {
        found.state = Some(store.compare_with_trail(&host::configured_cas(settings)).await?);
    }
    if let Some(Opened { store, .. }) = opened {
        let told = found.lines().join("; ");
        let used = match found.outcome() {
            Outcome::Good => TrailUse::Verified(told),
            Outcome::Tampered | Outcome::CannotTell => TrailUse::NotVerified(told),
        };
        if let Err(error) = store.note_trail_use(used, &actor()).await {
            output::error(format!("warning: that this was verified is not on record: {error}"));
        }
        store.close().await;
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whose checkpoints count.
#[derive(Default)]
struct Judge {
    keys: Vec<SubjectPublicKeyInfo>,
    /// Where checkpoints and vouchers are that name one of the keys and were not signed with it.
    forged: Vec<Chain>,
    /// How many name another key.
    strangers: u64,
}

impl Judge {
    /// Holds the chains against a checkpoint that somebody kept, if it counts.
    fn hold(&mut self, verifier: &mut Verifier, signed: SignedCheckpoint) {
        if self.counts(&signed) {
            verifier.hold(&signed.checkpoint);
        }
    }

    /// Holds the chains against a checkpoint that an export ends with, if it counts: its signer says where they ended,
    /// and not which node began them.
    fn witness(&mut self, verifier: &mut Verifier, signed: SignedCheckpoint) {
        if self.counts(&signed) {
            verifier.witness(&signed.checkpoint);
        }
    }

    fn counts(&mut self, signed: &SignedCheckpoint) -> bool {
        match self.keys.iter().find(|key| key.digest() == signed.key) {
            Some(key) if signed.is_signed_by(key) => return true,
            Some(_) => self.forged.push(signed.checkpoint.chain.clone()),
            None => self.strangers += 1,
        }
        false
    }

    /// Looks whether a node vouches for its chain in this record, before it is added.
    fn look(&mut self, verifier: &mut Verifier, record: &AuditRecord) {
        let (VOUCHED, Some(chain), Some(reason)) = (record.event.as_str(), &record.chain, &record.reason) else {
            return;
        };
        let Ok(voucher) = reason.parse::<Voucher>() else { return };
        // With which keys other nodes sign need not be known.
        let Some(key) = self.keys.iter().find(|key| key.digest() == voucher.key) else { return };
        if voucher.is_signed_by(key, &chain.node) {
            verifier.vouch(&voucher.chain(&chain.node));
        } else {
            self.forged.push(voucher.chain(&chain.node));
        }
    }
}
