//! Runs every target over its corpus, then over seeded mutations of it for some seconds.
//!
//! `smoke [--seconds N] [--seed N] [--target NAME]`: the same seed makes the same inputs in the same order. An input
//! that breaks an invariant is written to `artifacts/<target>/`, and the exit status is 1.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use ohia_fuzz::mutation::{Dice, mutate};
use ohia_fuzz::{TARGETS, corpus};

fn main() -> ExitCode {
    let (mut seconds, mut seed, mut only) = (5, 1, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
        match argument.as_str() {
            "--seconds" => seconds = value.parse().expect("a number of seconds"),
            "--seed" => seed = value.parse().expect("a number"),
            "--target" => only = Some(value),
            _ => panic!("smoke [--seconds N] [--seed N] [--target NAME]"),
        }
    }
    println!("seed {seed}");
    let targets: Vec<_> = TARGETS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)).collect();
    assert!(!targets.is_empty(), "no target has this name");
    let share = Duration::from_secs(seconds) / u32::try_from(targets.len()).expect("a few targets");
    let mut found = false;
    for (name, run) in targets {
        found |= !smoke(name, *run, share, seed);
    }
    if found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one target; whether every invariant held.
fn smoke(name: &str, run: fn(&[u8]), share: Duration, seed: u64) -> bool {
    let inputs: Vec<_> = corpus::read(name).into_iter().map(|(_, input)| input).collect();
    let mut dice = Dice(seed);
    let (started, mut runs) = (Instant::now(), 0u64);
    let mut next = inputs.iter().cloned();
    loop {
        let input = match next.next() {
            Some(input) => input,
            None if started.elapsed() >= share => break,
            None => mutate(&inputs[dice.below(inputs.len())], &inputs[dice.below(inputs.len())], &mut dice),
        };
        runs += 1;
        if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacts");
            let path = format!("{directory}/{name}/seed-{seed}-run-{runs}");
            fs::create_dir_all(format!("{directory}/{name}")).expect("a directory for artifacts");
            fs::write(&path, &input).expect("an artifact can be written");
            println!("{name}: run {runs} broke an invariant: {path}");
            return false;
        }
    }
    println!("{name}: {} inputs, {runs} runs", inputs.len());
    true
}
